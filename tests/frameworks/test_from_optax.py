"""Schedules read from optax's, against optax's own values in double precision."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import GlideslopeError
from glideslope.integrations.optax import from_optax

STEPS = 60


def assert_same(function: Callable[[Any], Any]) -> None:
    schedule = from_optax(function)
    with jax.enable_x64(True):
        expected = np.array(jax.vmap(function)(np.arange(float(STEPS))))
    # The powers of XLA, and a cosine near its end, are not the last digit of a double.
    np.testing.assert_allclose(schedule.values(STEPS), expected, rtol=1e-9, atol=1e-12)
    assert gs.Schedule.from_json(schedule.to_json()) == schedule
    assert gs.parse(str(schedule)) == schedule


counts, begins, bounds = st.integers(1, 50), st.integers(0, 20), st.integers(0, 50)
values = st.sampled_from([1.0, 0.1, 3e-4, 0.0])
scales = st.dictionaries(bounds, st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]), min_size=1, max_size=4)


@st.composite
def plain(draw: Any) -> Any:
    """A schedule of one function of optax, with its arguments."""
    n, begin, start, end = draw(counts), draw(begins), draw(values), draw(values)
    kinds: list[Callable[[], Any]] = [
        lambda: optax.constant_schedule(start),
        lambda: optax.linear_schedule(start, end, n, begin),
        lambda: optax.polynomial_schedule(start, end, draw(st.sampled_from([0.5, 2, 3])), n, begin),
        lambda: optax.cosine_decay_schedule(
            start, n, draw(st.sampled_from([0.0, 0.1])), draw(st.sampled_from([1.0, 2.0]))
        ),
        lambda: optax.exponential_decay(
            start,
            n,
            draw(st.sampled_from([0.5, 0.96, 1.01])),
            begin,
            draw(st.booleans()),
            draw(st.sampled_from([None, 1e-4, 0.5])),
        ),
        lambda: optax.piecewise_constant_schedule(start, draw(scales)),
        lambda: optax.piecewise_interpolate_schedule("linear", start, draw(scales)),
        lambda: optax.piecewise_interpolate_schedule("cosine", start, draw(scales)),
    ]
    return draw(st.sampled_from(kinds))()


@settings(max_examples=30)
@given(plain())
def test_one_function(function: Any) -> None:
    assert_same(function)


@settings(max_examples=10)
@given(plain(), plain(), plain(), counts, counts)
def test_joined(first: Any, second: Any, third: Any, at: int, more: int) -> None:
    assert_same(optax.join_schedules([first, second, third], [at, at + more]))


RECIPES: list[Callable[[], Any]] = [
    lambda: optax.warmup_constant_schedule(0.0, 0.1, 10),
    lambda: optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 50, 0.01, 2.0),
    lambda: optax.warmup_exponential_decay_schedule(0.0, 0.1, 10, 5, 0.5, 3, True, 0.01),
    lambda: optax.sgdr_schedule(
        [
            {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 5, "decay_steps": 20},
            {"init_value": 0.0, "peak_value": 0.05, "warmup_steps": 5, "decay_steps": 30},
        ]
    ),
    lambda: optax.linear_onecycle_schedule(50, 0.1),
    lambda: optax.cosine_onecycle_schedule(50, 0.1),
    lambda: optax.cosine_onecycle_schedule(3, 0.1),  # a climb of no steps
    lambda: optax.piecewise_constant_schedule(0.5, {-3: 0.5, 0: 0.5, 7: 0.1}),
    lambda: jax.jit(optax.cosine_decay_schedule(0.5, 10)),
    lambda: optax.linear_schedule(0.5, 0.1, 0),
    lambda: optax.exponential_decay(0.5, 0, 0.1),
    lambda: optax.exponential_decay(0.5, 10, 1.0, end_value=0.2),  # optax bounds a rate of 1 above
    lambda: optax.piecewise_constant_schedule(0.5),
    lambda: optax.cosine_decay_schedule(jax.numpy.float32(0.5), 10),
]


@pytest.mark.parametrize("make", RECIPES)
def test_a_recipe(make: Callable[[], Any]) -> None:
    assert_same(make())


def test_the_text_is_the_one_a_person_would_write() -> None:
    function = optax.warmup_cosine_decay_schedule(0.0, 1.0, 10, 100, 0.1)
    function(3)  # optax then keeps the count as a float
    assert str(from_optax(function)) == "warmup(10) >> cosine(90, end=0.1)"


def test_a_joined_member_may_be_a_schedule() -> None:
    curve = gs.warmup(5) >> gs.hold(5)
    joined = optax.join_schedules([curve, optax.cosine_decay_schedule(1.0, 10)], [10])
    assert from_optax(joined) == curve >> gs.cosine(10)
    assert from_optax(curve) == curve


def lookalike() -> Any:
    """A function with the name of one of optax's, and another formula."""

    def schedule(count: Any) -> Any:
        return value / (1 + count)

    value = 0.5
    schedule.__qualname__ = "constant_schedule.<locals>.schedule"
    schedule.__module__ = "optax.schedules._schedule"
    return schedule


def wrapped() -> Any:
    """A function that carries the name of one of optax's, and calls it."""
    inner = optax.cosine_decay_schedule(0.5, 10)
    return functools.wraps(inner)(lambda count: 2 * inner(count))


UNKNOWN: list[Callable[[], Any]] = [
    lambda: lambda count: 0.1 / (1 + count),
    lambda: optax.join_schedules([lambda count: 0.5, optax.constant_schedule(1.0)], [3]),
    lambda: optax.polynomial_schedule(1.0, 0.1, 0, 10),
    lookalike,
    wrapped,
]


@pytest.mark.parametrize("make", UNKNOWN)
def test_an_unknown_formula_is_refused_or_recorded(make: Callable[[], Any]) -> None:
    function = make()
    with pytest.raises(GlideslopeError, match=r"`function` must have a known formula"):
        from_optax(function)
    recorded = from_optax(function, sampled=True, steps=9)
    assert recorded.values().tolist() == [float(function(t)) for t in range(9)]


@pytest.mark.parametrize("value", [jax.numpy.ones(3), "a", float("nan"), None])
def test_values_that_are_no_numbers_are_refused(value: Any) -> None:
    with pytest.raises(GlideslopeError, match="`function` must give one finite number at step 2"):
        from_optax(lambda t: 0.5 if t < 2 else value, sampled=True, steps=3)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(GlideslopeError, match="`function` must be a schedule of optax"):
        from_optax(0.1)  # type: ignore[arg-type]
