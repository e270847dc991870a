"""The authors' own packages of schedule-free learning and of Prodigy, run beside ours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import prodigyopt
import pytest
import schedulefree
import torch
from torch import Tensor

from glideslope import optim

from .cases import every_engine

pytestmark = pytest.mark.usefixtures("float64_counts")

Make = Callable[[list[Tensor]], Any]

SCHEDULE_FREE: dict[str, dict[str, Any]] = {
    "defaults": {},
    "decay": {"weight_decay": 0.1, "lr": 0.02},
    "warmup": {"warmup_steps": 7, "lr": 0.05},
    "weights": {"r": 0.5, "weight_lr_power": 1.0, "warmup_steps": 3},
}
PRODIGY: dict[str, dict[str, Any]] = {
    "defaults": {},
    "decay": {"weight_decay": 0.1, "d_coef": 0.5},
    "corrected": {"use_bias_correction": True, "d0": 1e-3},
    "safeguarded": {"safeguard_warmup": True, "lr": 0.5, "d0": 1e-3},
    "limited": {"growth_rate": 1.2, "d0": 1e-3, "betas": (0.5, 0.9)},
}


def descend(make: Make, steps: int = 60) -> tuple[list[Tensor], Any]:
    """Noisy steps on a sum of squares in float64, the last half of them at half the rate."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.full((n,), 3.0, dtype=torch.float64, requires_grad=True) for n in (5, 40)]
    optimizer = make(params)
    for step in range(steps):
        if step == steps // 2:
            optimizer.param_groups[0]["lr"] *= 0.5
        for p in params:
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            p.grad = 2 * p.detach() + noise
        optimizer.step()
    return params, optimizer


def in_training(optimizer: Any) -> Any:
    optimizer.train()
    return optimizer


@every_engine
@pytest.mark.parametrize(
    ("name", "arguments"),
    list(product(["SGDScheduleFree", "AdamWScheduleFree"], SCHEDULE_FREE.values())),
)
def test_schedule_free_is_that_of_the_package(
    name: str, arguments: dict[str, Any], engine: Any
) -> None:
    theirs = getattr(schedulefree, name)
    ours = getattr(optim, name)
    ys, reference = descend(lambda params: in_training(theirs(params, **arguments)))
    params, optimizer = descend(lambda params: ours(params, **arguments, engine=engine))
    torch.testing.assert_close(params, ys, rtol=1e-12, atol=1e-12)
    reference.eval()
    optimizer.eval()
    torch.testing.assert_close(params, ys, rtol=1e-12, atol=1e-12)


@every_engine
@pytest.mark.parametrize("arguments", PRODIGY.values(), ids=PRODIGY)
def test_prodigy_is_that_of_the_package(arguments: dict[str, Any], engine: Any) -> None:
    """But for ε, which the package multiplies by the next d: here it is nothing."""
    qs, reference = descend(lambda params: prodigyopt.Prodigy(params, eps=1e-30, **arguments), 120)
    params, optimizer = descend(
        lambda params: optim.Prodigy(params, eps=1e-30, **arguments, engine=engine), 120
    )
    found = reference.param_groups[0]
    assert found["d"] > 10 * found["d0"]
    assert optimizer.param_groups[0]["d"] == pytest.approx(found["d"], rel=1e-9)
    torch.testing.assert_close(params, qs, rtol=1e-9, atol=1e-9)
