"""Schedules given to MLX as they are, in compiled steps too."""

from __future__ import annotations

from functools import partial
from typing import Any

import mlx.core as mx
import mlx.optimizers as optimizers
import numpy as np
import pytest

import glideslope as gs

from .curves import CURVES, KINDS, STEPS

FLOAT32 = 3e-6
curves = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())

few = pytest.mark.parametrize("curve", [CURVES["sequence"], CURVES["restarts"]])
"""A function takes MLX seconds to compile on a CPU."""


@curves
def test_of_an_array_of_steps(curve: gs.Schedule) -> None:
    found = curve(mx.arange(STEPS))
    assert isinstance(found, mx.array)
    np.testing.assert_allclose(np.array(found), curve.values(STEPS), rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("text", KINDS)
def test_of_an_array_of_every_kind(text: str) -> None:
    curve = gs.parse(text)
    found = np.array(curve(mx.arange(STEPS)))
    np.testing.assert_allclose(found, curve.values(STEPS), rtol=FLOAT32, atol=FLOAT32)


@few
def test_compiled(curve: gs.Schedule) -> None:
    compiled = mx.compile(curve)
    found = [compiled(mx.array(t)).item() for t in range(STEPS)]
    np.testing.assert_allclose(found, curve.values(STEPS), rtol=FLOAT32, atol=FLOAT32)


def updates(optimizer: Any, compiled: bool) -> list[float]:
    """The rates at which an optimizer updates a parameter whose gradients are 1."""
    params = {"w": mx.zeros(())}
    optimizer.init(params)

    def step(w: mx.array) -> mx.array:
        return optimizer.apply_gradients({"w": mx.ones(())}, {"w": w})["w"]

    if compiled:
        step = partial(mx.compile, inputs=optimizer.state, outputs=optimizer.state)(step)
    found, w = [], params["w"]
    for _ in range(STEPS):
        new = step(w)
        mx.eval(new, optimizer.state)
        found.append(w.item() - new.item())
        w = new
    return found


@curves
def test_as_the_rate_of_an_optimizer(curve: gs.Schedule) -> None:
    rate = 0.1 * curve
    found = updates(optimizers.SGD(learning_rate=rate), compiled=False)
    # Differences of a sum in float32 that grows to 4.
    np.testing.assert_allclose(found, rate.values(STEPS), atol=1e-6)


@few
def test_as_the_rate_of_a_compiled_step(curve: gs.Schedule) -> None:
    rate = 0.1 * curve
    found = updates(optimizers.SGD(learning_rate=rate), compiled=True)
    np.testing.assert_allclose(found, rate.values(STEPS), atol=1e-6)


def test_equal_to_mlxs_own_in_adamw() -> None:
    theirs = optimizers.join_schedules(
        [optimizers.linear_schedule(0.0, 0.1, 4), optimizers.cosine_decay(0.1, 12)], [4]
    )
    ours = 0.1 * (gs.warmup(4) >> gs.cosine(12))
    expected = updates(optimizers.AdamW(learning_rate=theirs), compiled=False)
    found = updates(optimizers.AdamW(learning_rate=ours), compiled=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_joined_with_mlxs_own() -> None:
    joined = optimizers.join_schedules([gs.warmup(4), lambda t: mx.ones(t.shape)], [4])
    assert [joined(mx.array(t)).item() for t in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
