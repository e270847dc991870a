"""Schedules that drive optimizers of tinygrad, under its compiler too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tinygrad import Context, Tensor, TinyJit
from tinygrad.nn.optim import SGD, OptimizerGroup

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.tinygrad import LRScheduler

from .curves import CURVES

STEPS = 12


def weight() -> Tensor:
    return Tensor([0.0]).is_param_()


def moved(parameter: Tensor, optimizer: Any, scheduler: LRScheduler, jit: bool) -> list[float]:
    """How far each update moves a parameter whose gradient is 1."""

    def update() -> Tensor:
        optimizer.zero_grad()
        loss = parameter.sum()
        loss.backward()
        optimizer.step()
        return loss.realize()

    run = TinyJit(update) if jit else update
    found = []
    with Context(TRAINING=1):
        for _ in range(STEPS):
            before = parameter.item()
            run()
            found.append(before - parameter.item())
            scheduler.step()
    return found


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("name", ["sequence", "exponential"])
def test_every_update_runs_at_its_rate(name: str, jit: bool) -> None:
    curve, parameter = 0.1 * CURVES[name], weight()
    optimizer = SGD([parameter], lr=1.0)
    found = moved(parameter, optimizer, LRScheduler(optimizer, curve), jit)
    np.testing.assert_allclose(found, curve.values(STEPS), atol=1e-6)


def test_a_group_of_optimizers_and_a_state() -> None:
    first, second = SGD([weight()], lr=1.0), SGD([weight()], lr=1.0)
    scheduler = LRScheduler(OptimizerGroup(first, second), gs.linear(4))
    scheduler.step()
    assert first.lr.item() == second.lr.item() == 0.75
    again = LRScheduler(first, "linear(4)")
    again.load_state_dict(scheduler.state_dict())
    again.step()
    assert again.get_lr() == first.lr.item() == 0.5


def test_refusals() -> None:
    with pytest.raises(GlideslopeError, match="`schedule` must be a schedule or the text of one"):
        LRScheduler(SGD([weight()]), 0.1)  # type: ignore[arg-type]
    with pytest.raises(GlideslopeError, match="`optimizer` must be an optimizer of tinygrad"):
        LRScheduler(0.1, "linear(4)")
