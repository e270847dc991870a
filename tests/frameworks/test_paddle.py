"""Schedules as learning rates of Paddle."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.paddle import LRScheduler

from .curves import CURVES, STEPS


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())
def test_every_update_runs_at_its_rate(curve: gs.Schedule) -> None:
    weight = paddle.create_parameter([1], "float32")
    scheduler = LRScheduler(0.1 * curve)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=[weight])
    for t in range(STEPS):
        before = weight.item()
        weight.sum().backward()
        optimizer.step()
        optimizer.clear_grad()
        np.testing.assert_allclose(before - weight.item(), 0.1 * curve(t), atol=1e-6)
        assert optimizer.get_lr() == 0.1 * curve(t)
        scheduler.step()


def test_a_state_resumes() -> None:
    curve = 0.1 * (gs.warmup(3) >> gs.cosine(7))
    scheduler = LRScheduler(curve)
    for _ in range(5):
        scheduler.step()
    state = scheduler.state_dict()
    assert state == {"last_epoch": 5, "last_lr": curve(5)}
    again = LRScheduler(str(curve))
    again.set_state_dict(state)
    again.step()
    assert again() == curve(6)
    assert LRScheduler(curve, last_epoch=5)() == curve(6)


def test_refusals() -> None:
    with pytest.raises(GlideslopeError, match="`schedule` must be a schedule or the text of one"):
        LRScheduler(0.1)  # type: ignore[arg-type]
    with pytest.raises(GlideslopeError, match="unbound length"):
        LRScheduler(gs.cosine("5ep"))
