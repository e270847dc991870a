"""Properties and methods of schedules, against brute force."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Peak, Schedule
from glideslope.errors import InvalidType, InvalidValue
from glideslope.schedules._schedule import CHUNK

from .strategies import FACTORS, SIGNED, schedules

STEPS = st.integers(1, 300)


def listed(schedule: Schedule, steps: int) -> list[float]:
    """The values of an array, one step at a time in the order of the clock."""
    return [float(v) for v in schedule(np.arange(steps))]


@given(schedules(SIGNED), STEPS)
def test_values(schedule: Schedule, steps: int) -> None:
    values = schedule.values(steps)
    assert values.dtype == np.float64
    assert values.tolist() == listed(schedule, steps)
    if schedule.steps <= 1000:
        assert schedule.values().tolist() == listed(schedule, math.ceil(schedule.steps))


@given(schedules(SIGNED), st.integers(0, 300), st.integers(0, 300))
def test_area(schedule: Schedule, a: int, b: int) -> None:
    values = listed(schedule, b)[a:]
    size = sum(map(abs, values)) + 1e-300
    assert abs(schedule.area(a, b) - math.fsum(values)) <= 1e-14 * size
    if a < b < schedule.steps < 1000:
        parts = schedule.area(0, a) + schedule.area(a, b) + schedule.area(b)
        assert parts == pytest.approx(schedule.area(), rel=1e-12, abs=1e-12 * size)


@given(schedules(SIGNED), STEPS)
def test_peak(schedule: Schedule, steps: int) -> None:
    values = listed(schedule, steps)
    assert schedule.peak(steps) == (values.index(max(values)), max(values))


@given(schedules(SIGNED), SIGNED, STEPS)
def test_first(schedule: Schedule, value: float, steps: int) -> None:
    values = listed(schedule, steps)
    falling = schedule(0) >= value
    reached = [t for t, v in enumerate(values) if (v <= value if falling else v >= value)]
    assert schedule.first(value, steps) == (reached[0] if reached else None)


def test_long_schedules_are_looked_at_in_pieces() -> None:
    steps = 3 * CHUNK + 5
    schedule = gs.linear(steps, start=1.0, end=2.0)
    exact = 1.5 * steps - 0.5
    assert schedule.area() == pytest.approx(exact, rel=1e-15)
    assert schedule.area(CHUNK - 1, CHUNK + 1) == schedule(CHUNK - 1) + schedule(CHUNK)
    assert schedule.peak() == (steps - 1, schedule(steps - 1))
    assert schedule.first(schedule(2 * CHUNK)) == 2 * CHUNK
    assert schedule.values()[2 * CHUNK] == schedule(2 * CHUNK)
    assert len(schedule.values()) == steps
    flat = gs.hold(steps)
    assert flat.peak() == Peak(0, 1.0)  # the first of equals, also across the pieces
    assert flat.area() == steps


def test_the_area_of_known_curves() -> None:
    assert gs.linear(100).area() == pytest.approx(50.5, rel=1e-15)
    assert gs.warmup(100).area() == pytest.approx(49.5, rel=1e-15)
    assert gs.cosine(100).area() == pytest.approx(50.5, rel=1e-15)
    assert gs.hold(7, 0.5).area(2, 5) == 1.5
    assert gs.linear(100).area(5, 5) == gs.linear(100).area(9, 5) == 0.0
    # beyond the end the end is held, as it is for a step
    assert gs.linear(10, end=1.0).area(0, 20) == 20.0


def test_first_is_reached_or_crossed() -> None:
    schedule = gs.warmup(10) >> gs.cosine(90)
    assert schedule.first(0.5) == 5
    assert schedule.first(0.45) == 5
    assert schedule.first(1.0) == 10
    assert schedule.first(1.5) is None
    assert schedule.first(0.0) == 0
    assert gs.linear(10).first(0.5) == 5
    assert gs.linear(10).first(0.0) is None  # the end is at step 10, which is past the last
    assert gs.linear(10).first(0.0, steps=11) == 10


# -- phases ----------------------------------------------------------------------------------------


@given(schedules(), st.floats(0.001, 0.999))
def test_phases_tile_the_schedule_and_their_curves_answer(schedule: Schedule, share: float) -> None:
    phases = schedule.phases()
    assert phases[0].start == 0
    assert phases[-1].stop == pytest.approx(schedule.steps, rel=1e-12)
    for earlier, later in pairwise(phases):
        assert earlier.stop == pytest.approx(later.start, rel=1e-12)
    for start, stop, curve in phases:
        assert start < stop or curve.steps == 0
        t = start + share * (min(stop, start + 1000) - start)
        if is_smooth(curve, t - start):
            assert curve(t - start) == pytest.approx(schedule(t), rel=1e-6, abs=1e-6)


def is_smooth(curve: Schedule, t: float) -> bool:
    """True if the rounding of ``t`` cannot have passed a jump."""
    return abs(curve(t * (1 - 1e-12)) - curve(t * (1 + 1e-12))) < 1e-7


PHASES: list[tuple[str, list[tuple[float, float, str]]]] = [
    ("cosine(9)", [(0, 9, "cosine(9)")]),
    ("warmup(5) >> linear(9)", [(0, 5, "warmup(5)"), (5, 14, "linear(9)")]),
    ("(warmup(5) >> linear(9)) * 2", [(0, 5, "warmup(5) * 2"), (5, 14, "linear(9) * 2")]),
    ("exponential(0.5)", [(0, math.inf, "exponential(0.5)")]),
    ("hold(5) >> constant(2)", [(0, 5, "hold(5)"), (5, math.inf, "constant(2)")]),
    ("linear(10000).stretch(3).take(4)", [(0, 4, "linear(10000).stretch(3)")]),
    ("cosine(9).repeat(2)", [(0, 9, "cosine(9)"), (9, 18, "cosine(9)")]),
    (
        "cosine(10).repeat(3, decay=0.5, stretch=2)",
        [
            (0, 10, "cosine(10)"),
            (10, 30, "cosine(10).stretch(20) * 0.5"),
            (30, 70, "cosine(10).stretch(40) * 0.25"),
        ],
    ),
    (
        "(warmup(1) >> cosine(99)).stretch(10)",
        [(0, 0.1, "warmup(1).stretch(0.1)"), (0.1, 10, "cosine(99).stretch(9.9)")],
    ),
    ("(warmup(5) >> linear(9)).take(7)", [(0, 5, "warmup(5)"), (5, 7, "linear(9).take(2)")]),
    ("(warmup(5) >> linear(9)).take(5)", [(0, 5, "warmup(5)")]),
    ("(warmup(5) >> linear(9)).take(20)", [(0, 5, "warmup(5)"), (5, 20, "linear(9)")]),
    (
        "(warmup(5) >> constant(1)).branch(9, linear(4))",
        [(0, 5, "warmup(5)"), (5, 9, "constant(1).take(4)"), (9, 13, "linear(4)")],
    ),
]


@pytest.mark.parametrize(("text", "phases"), PHASES, ids=[text for text, _ in PHASES])
def test_the_phases_a_reader_would_name(text: str, phases: list[tuple[float, float, str]]) -> None:
    found = gs.parse(text).phases()
    assert [repr(phase.curve) for phase in found] == [curve for _, _, curve in phases]
    edges = [(phase.start, phase.stop) for phase in found]
    assert edges == [pytest.approx((start, stop)) for start, stop, _ in phases]


def test_many_cycles_are_one_phase() -> None:
    assert len(gs.cosine(9).repeat(64).phases()) == 64
    assert len(gs.cosine(9).repeat(65).phases()) == 1


# -- what is refused -------------------------------------------------------------------------------

ENDLESS = gs.exponential(0.5)
CURVE = gs.cosine(10)
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (ENDLESS.values, InvalidValue, "`exponential(0.5)` is endless: say how many steps"),
    (ENDLESS.area, InvalidValue, "is endless: say how many steps"),
    (ENDLESS.peak, InvalidValue, "is endless: say how many steps"),
    (lambda: ENDLESS.first(0.1), InvalidValue, "is endless: say how many steps"),
    (lambda: ENDLESS.end, InvalidValue, "`exponential(0.5)` is endless: it has no end value"),
    (lambda: CURVE.values(0), InvalidValue, "`steps` must be a whole number of at least 1, got 0"),
    (lambda: CURVE.values(2.5), InvalidValue, "`steps` must be a whole number"),
    (lambda: CURVE.values(-1), InvalidValue, "`steps` must be a whole number"),
    (lambda: CURVE.values("5"), InvalidType, "`steps` must be a number, got '5'"),
    (lambda: CURVE.peak(0), InvalidValue, "`steps` must be a whole number"),
    (lambda: CURVE.area(-1), InvalidValue, "`a` must be a whole number of at least 0, got -1"),
    (lambda: CURVE.area(0, 2.5), InvalidValue, "`b` must be a whole number of at least 0, got 2.5"),
    (lambda: CURVE.area("0"), InvalidType, "`a` must be a number, got '0'"),
    (lambda: CURVE.first("x"), InvalidType, "`value` must be a number, got 'x'"),
    (lambda: CURVE.first(math.nan), InvalidValue, "`value` must be finite, got nan"),
]


@pytest.mark.parametrize(("ask", "error", "sentence"), REFUSED)
def test_a_question_without_an_answer_is_refused(ask: Any, error: Any, sentence: str) -> None:
    with pytest.raises(error) as caught:
        ask()
    assert sentence in str(caught.value)


@given(FACTORS)
def test_a_constant_has_its_end_however_long(value: float) -> None:
    assert gs.constant(value).end == gs.hold(5, value).end == value
