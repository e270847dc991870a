"""Properties of Adamax, NAdam and RAdam alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from glideslope.optim._adam_variants import Adamax, NAdam, RAdam

from .cases import every_engine

BETAS = (0.9, 0.999)


def trained(optimizer_class: Any, gradients: list[float], **arguments: Any) -> list[float]:
    """Where one number, from 0, is after each gradient."""
    p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_class([p], **arguments)
    path = []
    for gradient in gradients:
        p.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        path.append(p.item())
    return path


@every_engine
@pytest.mark.parametrize("gradient", [3.0, -1e-4, 1e-8])
def test_adamax_takes_equal_steps_under_a_constant_gradient(engine: Any, gradient: float) -> None:
    path = trained(Adamax, [gradient] * 20, lr=0.01, engine=engine)
    length = 0.01 * gradient / (abs(gradient) + 1e-8)
    assert path == pytest.approx([-length * step for step in range(1, 21)], rel=1e-12)


@every_engine
def test_radam_is_corrected_momentum_for_five_steps_and_rectified_adam_then(engine: Any) -> None:
    """Under a constant gradient the first is η g, and the second η r_t."""
    path = trained(RAdam, [2.0] * 7, lr=0.01, eps=0.0, betas=BETAS, engine=engine)
    steps = [old - new for old, new in zip([0.0, *path], path, strict=False)]
    longest = 2 / (1 - BETAS[1]) - 1

    def rectification(t: int) -> float:
        length = longest - 2 * t * BETAS[1] ** t / (1 - BETAS[1] ** t)
        above, below = (length - 4) * (length - 2) * longest, (longest - 4) * (longest - 2) * length
        return math.sqrt(above / below)

    expected = [0.02] * 5 + [0.01 * rectification(6), 0.01 * rectification(7)]
    assert steps == pytest.approx(expected, rel=1e-10)


@every_engine
@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.6, 2 / 3, 0.67, 0.7])
def test_radam_whose_average_stays_short_follows_torch(engine: Any, beta2: float) -> None:
    """Up to β₂ = 2/3 it never divides; some of these make factors of the root negative or 0."""
    gradients = [1.0, -3.0, 0.5] * 5
    arguments = {"lr": 0.01, "betas": (0.9, beta2)}
    ours = trained(RAdam, gradients, engine=engine, **arguments)
    assert ours == pytest.approx(trained(torch.optim.RAdam, gradients, **arguments), rel=1e-12)


@every_engine
def test_nadam_counts_the_product_of_its_momenta(engine: Any) -> None:
    p = torch.zeros(1, requires_grad=True)
    optimizer = NAdam([p], momentum_decay=0.5, engine=engine)
    for _ in range(3):
        p.grad = torch.ones(1)
        optimizer.step()
    momenta = [0.9 * (1 - 0.5 * 0.96 ** (0.5 * step)) for step in (1, 2, 3)]
    assert optimizer.state[p]["mu_product"].item() == pytest.approx(math.prod(momenta), rel=3e-7)


def test_a_checkpoint_of_old_whose_counts_are_plain_numbers_resumes() -> None:
    """Torch once kept them as such, and still reads them."""
    p, q = (torch.ones(3, requires_grad=True) for _ in range(2))
    old, new = NAdam([p]), NAdam([q])
    for optimizer, parameter in ((old, p), (new, q)):
        parameter.grad = torch.ones(3)
        optimizer.step()
    saved = old.state_dict()
    (entry,) = saved["state"].values()
    entry.update(step=1, mu_product=float(entry["mu_product"]))
    old.load_state_dict(saved)
    old.step()
    new.step()
    assert torch.equal(p, q)
