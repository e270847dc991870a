"""Properties of every optimizer in the catalogue, elementwise or of matrices."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.optim import RuleOptimizer, available, create
from glideslope.optim._matrix.directed_optimizer import DirectedOptimizer

from .cases import every_engine, shapes_of

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
every_name = pytest.mark.parametrize("name", NAMES)


def parameters(name: str, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes_of(name)]


def give_gradients(params: list[Tensor], step: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(step)
    for p in params:
        g = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        p.grad = (scale * g).to(p.dtype)


def train(optimizer: Any, params: list[Tensor], steps: int, scale: float = 1.0) -> list[Tensor]:
    for step in range(steps):
        give_gradients(params, step, scale)
        optimizer.step()
    return [p.detach().clone() for p in params]


ALL_AT_ONCE: dict[str, Any] = {"max_grad_norm": 0.5, "skip_nonfinite": True, "ema_decay": 0.75}


@every_engine
@every_name
def test_clipping_averaging_and_zeroing_are_what_they_are_apart(name: str, engine: Any) -> None:
    ours, theirs = parameters(name), parameters(name)
    optimizer = create(name, ours, **ALL_AT_ONCE, engine=engine)
    plain = create(name, theirs, engine=engine)
    averages = [p.detach().clone() for p in theirs]
    for step in range(3):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        nn.utils.clip_grad_norm_(theirs, 0.5)
        optimizer.step(zero_grad=True)  # type: ignore[call-arg]
        plain.step()
        averages = [0.75 * a + 0.25 * p.detach() for a, p in zip(averages, theirs, strict=True)]
        assert not any(p.grad.any() for p in ours)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)
    with optimizer.averaged():  # type: ignore[attr-defined]
        found = [p.detach().clone() for p in ours]
    torch.testing.assert_close(found, averages, rtol=1e-11, atol=1e-11)


@every_engine
@every_name
def test_a_bad_step_leaves_no_trace(name: str, engine: Any) -> None:
    params = parameters(name)
    optimizer = create(name, params, **ALL_AT_ONCE, engine=engine)
    for step in range(2):
        give_gradients(params, step)
        optimizer.step(zero_grad=True)  # type: ignore[call-arg]
    before, saved = [p.detach().clone() for p in params], copy.deepcopy(optimizer.state_dict())
    give_gradients(params, 9)
    params[0].grad[0, 0] = torch.inf
    optimizer.step(zero_grad=True)  # type: ignore[call-arg]
    torch.testing.assert_close(params, before, rtol=0, atol=0)
    after = optimizer.state_dict()
    assert after["param_groups"] == saved["param_groups"]
    torch.testing.assert_close(after["state"], saved["state"], rtol=0, atol=0)
    assert not any(p.grad.any() for p in params)


RATES: dict[str, dict[str, float]] = {
    **{name: {"lr": 6e-4} for name in ("SGD", "SGDScheduleFree", "ASGD")},
    "Adadelta": {"lr": 0.1},
    "LARS": {"lr": 0.3},
    **{name: {"lr": 3e-3} for name in NAMES if issubclass(getattr(optim, name), DirectedOptimizer)},
    "Prodigy": {"lr": 1.0, "d0": 3e-4, "d_coef": 0.0},
}
"""Arguments that give steps of a few ten-thousandths."""


@every_engine
@every_name
def test_compensated_bfloat16_goes_where_float32_goes(name: str, engine: Any) -> None:
    """Sixty steps too small for bfloat16 alone, under a gradient that both can hold."""
    narrow = parameters(name, torch.bfloat16)
    wide = [p.detach().float().requires_grad_() for p in narrow]
    start = [p.detach().clone() for p in wide]
    arguments = {"lr": 3e-4, **RATES.get(name, {}), "engine": engine}
    options = {"rounding": "compensated", "state_dtype": torch.float32}
    optimizer = create(name, narrow, **options, **arguments)
    reference = create(name, wide, **arguments)
    for _ in range(60):
        for p, q in zip(narrow, wide, strict=True):
            p.grad, q.grad = torch.full_like(p, 0.5), torch.full_like(q, 0.5)
        optimizer.step()
        reference.step()
    for p, q, before in zip(narrow, wide, start, strict=True):
        whole = p.detach().float() + optimizer.state[p]["compensation"].float()
        moved = (q.detach() - before).norm()
        assert moved > 0
        assert (whole - q.detach()).norm() < 0.01 * moved


@every_name
def test_hooks_of_states_fire_and_a_copy_is_apart(name: str) -> None:
    params = parameters(name)
    optimizer = create(name, params)
    calls: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda _: calls.append("before"))
    optimizer.register_state_dict_post_hook(lambda _, state: calls.append("after"))
    train(optimizer, params, 1)
    saved = optimizer.state_dict()
    assert calls == ["before", "after"]
    steps = [entry.get("step", torch.zeros(())).clone() for entry in saved["state"].values()]
    train(optimizer, params, 1)
    after = [entry.get("step", torch.zeros(())) for entry in saved["state"].values()]
    torch.testing.assert_close(after, steps)


@every_name
def test_a_scaler_unscales_clips_and_skips(name: str) -> None:
    ours, theirs = parameters(name), parameters(name)
    scaled, plain = create(name, ours, max_grad_norm=1.0), create(name, theirs, max_grad_norm=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    for step in range(4):
        give_gradients(ours, step)
        weights = [p.grad.clone() for p in ours]
        scaled.zero_grad()
        factor = torch.inf if step == 1 else 1.0
        loss = sum((p * g).sum() for p, g in zip(ours, weights, strict=True))
        scaler.scale(loss * factor).backward()
        scaler.unscale_(scaled)
        scaler.step(scaled)
        scaler.update()
        if step != 1:
            give_gradients(theirs, step)
            plain.step()
    assert scaler.get_scale() == 8.0
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
