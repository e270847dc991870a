"""Schedules given to optax and JAX as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import glideslope as gs

from .curves import CURVES, KINDS, STEPS

FLOAT32 = 3e-6
"""How far float32 may be off: some units in the last place, and more in XLA's powers."""
COUNTS = np.arange(STEPS, dtype=np.int32)
curves = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())


def scanned(curve: gs.Schedule, counts: Any) -> Any:
    def count_on(count: Any, _: Any) -> tuple[Any, Any]:
        return count + 1, curve(count)

    return jax.lax.scan(count_on, jnp.zeros([], jnp.int32), length=len(counts))[1]


WAYS: dict[str, Callable[[gs.Schedule, Any], Any]] = {
    "jit": lambda curve, counts: jnp.stack([jax.jit(curve)(count) for count in counts]),
    "vmap": lambda curve, counts: jax.vmap(curve)(counts),
    "scan": scanned,
    "jit of vmap": lambda curve, counts: jax.jit(jax.vmap(curve))(counts),
}


@curves
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_under_the_transformations_of_jax(way: Any, curve: gs.Schedule) -> None:
    found = way(curve, jnp.asarray(COUNTS))
    assert found.shape == (STEPS,)
    np.testing.assert_allclose(found, curve.values(STEPS), rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize("text", [*KINDS, *map(str, CURVES.values())])
def test_in_double_precision(text: str) -> None:
    curve = gs.parse(text)
    with jax.enable_x64(True):
        found = jax.jit(jax.vmap(curve))(jnp.arange(STEPS, dtype=jnp.float64))
        np.testing.assert_allclose(found, curve.values(STEPS), rtol=1e-13, atol=1e-15)


def test_as_a_static_argument() -> None:
    value = jax.jit(lambda curve, count: curve(count), static_argnums=0)
    assert float(value(gs.linear(10), 5)) == float(value(gs.parse("linear(10)"), 5)) == 0.5


def updates(make: Callable[[Any], Any], rate: Any, steps: int) -> list[float]:
    """The steps that an optimizer makes under a jitted update, gradients being 1."""
    optimizer = make(rate)
    params = jnp.ones([])
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    found = []
    for _ in range(steps):
        change, state = update(jnp.ones([]), state, params)
        found.append(float(-change))
    return found


@curves
def test_as_the_rate_of_an_optimizer(curve: gs.Schedule) -> None:
    found = updates(lambda rate: optax.sgd(learning_rate=rate), 0.1 * curve, STEPS)
    expected = (0.1 * curve).values(STEPS)
    np.testing.assert_allclose(found, expected, rtol=FLOAT32, atol=FLOAT32)


OPTIMIZERS = [optax.adamw, optax.lion, optax.adafactor, lambda lr: optax.chain(optax.sgd(lr))]


@pytest.mark.parametrize("make", OPTIMIZERS)
def test_as_the_rate_of_others_equal_to_optaxs_own(make: Any) -> None:
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.1, 4, 16, end_value=0.01)
    ours = 0.1 * (gs.warmup(4) >> gs.cosine(12, end=0.1))
    expected = updates(make, theirs, 20)
    np.testing.assert_allclose(updates(make, ours, 20), expected, rtol=1e-5, atol=1e-9)


def test_injected_hyperparameters() -> None:
    rate, decay, beta = 0.1 * gs.linear(10), gs.warmup(10), gs.linear(10, start=0.9, end=0.5)
    make = optax.inject_hyperparams(optax.adamw)
    optimizer = make(learning_rate=rate, weight_decay=decay, b1=beta)
    params = jnp.ones([2])
    state = optimizer.init(params)
    for t in range(12):
        _, state = jax.jit(optimizer.update)(params, state, params)
        found = [float(state.hyperparams[key]) for key in ("learning_rate", "weight_decay", "b1")]
        np.testing.assert_allclose(found, [rate(t), decay(t), beta(t)], rtol=FLOAT32, atol=FLOAT32)


def test_joined_with_optaxs_own() -> None:
    joined = optax.join_schedules([gs.warmup(4), optax.constant_schedule(1.0)], [4])
    found = [float(joined(t)) for t in range(6)]
    assert found == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_with_several_gradients_to_an_update() -> None:
    rate = 0.1 * gs.linear(8)
    found = updates(lambda r: optax.MultiSteps(optax.sgd(r), 3), rate, 12)
    expected = [rate(t // 3) if t % 3 == 2 else 0.0 for t in range(12)]
    np.testing.assert_allclose(found, expected, rtol=FLOAT32, atol=FLOAT32)


def test_reading_back_what_was_given_to_optax() -> None:
    ours = gs.warmup(4) >> gs.cosine(12, end=0.1)
    theirs = optax.warmup_cosine_decay_schedule(0.0, 1.0, 4, 16, end_value=0.1)
    assert gs.from_optax(theirs) == ours
