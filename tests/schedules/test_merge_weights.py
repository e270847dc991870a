"""Weights of checkpoints: against sums in fractions, a replay update by update, and a quadratic."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope.errors import GlideslopeError

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)

EXACT: dict[str, tuple[str, list[int], list[Any]]] = {
    "linear is the plain mean": ("linear(4)", [96, 97, 98, 99, 100], [0, *[Fraction(1, 4)] * 4]),
    "from a later checkpoint": ("linear(4)", [97, 98, 99, 100], [Fraction(1, 4)] * 4),
    "of every other step, a trapezium": (
        "linear(4)",
        [0, 2, 4],
        [Fraction(1, 8), HALF, Fraction(3, 8)],
    ),
    "no decay": ("hold(10)", [0, 5, 10], [0, 0, 1]),
    "no decay, one checkpoint": ("hold(10)", [10], [1]),
    "a drop": ("hold(5) >> hold(5) * 0.25", [0, 5, 10], [0, Fraction(3, 4), Fraction(1, 4)]),
    "nothing after a step": ("hold(5) >> hold(5) * 0", [0, 5, 10], [0, 1, 0]),
    "a square": (
        "polynomial(4, power=2)",
        [4, 5, 6, 7, 8],
        [Fraction(k, 16) for k in (0, 7, 5, 3, 1)],
    ),
    "percent of the updates made": ("linear(50%)", [4, 8], [Fraction(3, 8), Fraction(5, 8)]),
    "the rest": ("hold(6) >> linear(rest)", [0, 7, 8], [0, HALF, HALF]),
    "an older checkpoint": ("linear(3)", [0, 3, 4, 5, 6], [0, 0, THIRD, THIRD, THIRD]),
    "a gap around the beginning": (
        "linear(3)",
        [0, 5, 6],
        [Fraction(2, 30), Fraction(18, 30), THIRD],
    ),
    "far away": ("linear(4)", [10**12, 10**12 + 4], [Fraction(3, 8), Fraction(5, 8)]),
}


@pytest.mark.parametrize(("text", "steps", "expected"), EXACT.values(), ids=EXACT)
def test_weights_are_differences_of_mean_factors(
    text: str, steps: list[int], expected: list[Any]
) -> None:
    weights = gs.parse(text).merge_weights(steps)
    assert weights == pytest.approx([float(weight) for weight in expected], abs=1e-15)


STEPS = st.sets(st.integers(0, 60), min_size=1, max_size=8).map(lambda s: [0, *sorted(s - {0})])
FALLING = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(lambda v: sorted(v, reverse=True))


@given(STEPS.filter(lambda steps: steps[-1] > 0), FALLING, st.integers(0, 2**32 - 1))
def test_the_weights_replay_every_recorded_update(
    steps: list[int], factors: list[float], seed: int
) -> None:
    """Straight from one checkpoint to the next, so that each update is known."""
    factors = factors[: steps[-1]]
    decay = reduce(operator.rshift, [gs.hold(1, factor) for factor in factors])
    points = np.random.default_rng(seed).normal(size=len(steps))
    path = np.interp(np.arange(steps[-1] + 1), steps, points)
    replayed, begin = path[0], steps[-1] - len(factors)
    for step in range(steps[-1]):
        factor = factors[step - begin] if step >= begin else 1.0
        replayed += factor * (path[step + 1] - path[step])
    weights = decay.merge_weights(steps)
    assert min(weights) >= 0
    assert math.fsum(weights) == pytest.approx(1, abs=1e-12)
    assert np.dot(weights, points) == pytest.approx(replayed, abs=1e-11)


def test_a_merged_run_is_as_close_to_the_minimum_of_a_quadratic_as_a_cooled_one() -> None:
    """Noisy descent on θ²/2 at the rate 0.1, over 4,000 runs: the mean of θ² at the end."""
    decay, steps, rate = gs.linear(200), np.arange(0, 401, 10), 0.1
    noise = np.random.default_rng(0).normal(size=(400, 4000))

    def losses(schedule: gs.Schedule) -> tuple[float, float]:
        theta, saved = np.zeros(4000), [np.zeros(4000)]
        for step in range(400):
            theta = theta - rate * schedule(step) * (theta + noise[step])
            saved.append(theta)
        merged = np.einsum("c,cn->n", decay.merge_weights(steps), np.array(saved)[steps])
        return float((theta**2).mean()), float((merged**2).mean())

    constant, merged = losses(gs.hold(400))
    cooled, _ = losses(gs.hold(200) >> decay)
    assert constant == pytest.approx(rate / (2 - rate), rel=0.1)  # the variance of the recursion
    assert merged == pytest.approx(1 / 200, rel=0.15)  # of a mean of 200 independent gradients
    assert cooled < constant / 4
    assert merged < constant / 4


REFUSED: dict[str, tuple[str, Any, str]] = {
    "no steps": ("linear(4)", [], "`steps` must end at more than 0, got []"),
    "before the first update": ("linear(4)", [0], "`steps` must end at more than 0, got [0]"),
    "a number": ("linear(4)", 4, "`steps` must be a list of steps, got 4"),
    "a fraction": ("linear(4)", [0, 1.5], "`steps` must be a whole number of at least 0, got 1.5"),
    "text": ("linear(4)", "12", "`steps` must be a number, got '1'"),
    "below 0": ("linear(4)", [-1, 4], "`steps` must be a whole number of at least 0, got -1"),
    "twice": ("linear(4)", [0, 4, 4], "`steps` must increase, got '4 after 4'"),
    "too late": (
        "linear(40)",
        [70, 100],
        "`steps` must begin at 61 or before, where linear(40) leaves 1, got 70",
    ),
    "lower from the beginning": (
        "linear(40) * 0.5",
        [61, 100],
        "`steps` must begin at 60 or before, where linear(40) * 0.5 leaves 1, got 61",
    ),
    "longer than the run": (
        "hold(90) >> linear(20)",
        [90, 100],
        "`schedule` must be no longer than the run, 100 updates, got hold(90) >> linear(20)",
    ),
    "endless": (
        "exponential(0.9)",
        [0, 5],
        "`schedule` must have an end, as take(steps) gives it, got exponential(0.9)",
    ),
    "a warm-up": (
        "warmup(50) >> linear(50)",
        [0, 50, 100],
        "`warmup(50) >> linear(50)` must be at most 0.49 on average from step 50 to 100, as "
        "before, got 0.51",
    ),
    "above the rate of the run": (
        "hold(10) * 2",
        [0, 10],
        "`hold(10) * 2` must be at most 1 on average from step 0 to 10, as before, got 2.0",
    ),
    "negative": (
        "hold(10) * -0.5",
        [0, 10],
        "`hold(10) * -0.5` must be at least 0 on average from step 0 to 10, got -0.5",
    ),
    "unbound": ("linear(2ep)", [0, 10], "the length '2ep' needs `steps_per_epoch`"),
}


@pytest.mark.parametrize(("text", "steps", "sentence"), REFUSED.values(), ids=REFUSED)
def test_bad_steps_and_schedules_are_refused(text: str, steps: Any, sentence: str) -> None:
    with pytest.raises(GlideslopeError) as error:
        gs.parse(text).merge_weights(steps)
    assert sentence in str(error.value)


@pytest.mark.parametrize("steps", [range(0, 9, 2), np.arange(0, 9, 2), (0, 2.0, 4, 6, 8)])
def test_steps_are_any_sequence_of_whole_numbers(steps: Any) -> None:
    assert gs.linear(8).merge_weights(steps) == gs.linear(8).merge_weights([0, 2, 4, 6, 8])


@pytest.mark.parametrize("length", [3 * 10**6, 10**12])
def test_a_long_decay_has_weights_at_once(length: int) -> None:
    weights = gs.linear(length).merge_weights([0, length // 2, length])
    assert weights == pytest.approx([0.25, 0.5, 0.25], abs=1e-6)
