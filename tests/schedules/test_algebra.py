"""The laws of the algebra, on random schedules."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Schedule
from glideslope.errors import InvalidType, InvalidValue

from .strategies import FACTORS, RATIOS, SIGNED, finite, ramps, recipes, schedules, steps_of

WHOLE = st.integers(1, 400)
CURVES = ramps(FACTORS, WHOLE) | recipes(WHOLE)
"""Leaves, which hold no loose numbers."""
SIMPLE = finite(depth=1)
"""With one step of algebra."""


def close(a: float, b: float) -> bool:
    """Equal but for the rounding of a few operations."""
    return math.isclose(a, b, rel_tol=1e-14, abs_tol=1e-300)


def whole_steps(schedule: Schedule) -> list[int]:
    """The first steps, some inside and some past the end of a schedule with an end."""
    n = math.ceil(schedule.steps)
    return sorted({0, 1, 2, n // 3, n // 2, max(n - 2, 0), max(n - 1, 0), n, n + 1, 3 * n})


# -- grouping --------------------------------------------------------------------------------------


@given(CURVES, CURVES, CURVES)
def test_grouping_leaves_no_trace(a: Schedule, b: Schedule, c: Schedule) -> None:
    assert (a >> b) >> c == a >> (b >> c)
    assert (a * b) * c == a * (b * c)
    assert (a + b) + c == a + (b + c)
    assert repr((a >> b) >> c) == repr(a >> (b >> c))


@given(SIMPLE, SIMPLE, SIMPLE, FACTORS)
def test_grouping_changes_no_value(a: Schedule, b: Schedule, c: Schedule, x: float) -> None:
    pairs = [
        ((a >> b) >> c, a >> (b >> c)),
        ((a * b) * c, a * (b * c)),
        ((a + b) + c, a + (b + c)),
        ((a * x) * b, x * (a * b)),
        ((a + x) + b, x + (a + b)),
    ]
    for left, right in pairs:
        assert all(close(left(t), right(t)) for t in steps_of(left))


@given(CURVES, st.integers(-8, 8), st.integers(-8, 8))
def test_numbers_are_gathered(a: Schedule, x: int, y: int) -> None:
    assert (a * x) * y == a * (x * y) == x * (y * a)
    assert (a + x) + y == a + (x + y) == x + (y + a)
    assert (a - x) - y == a - (x + y)
    assert gs.constant(x) * y == gs.constant(x * y)
    assert gs.constant(x) + y == gs.constant(x + y)
    assert -gs.constant(x) == gs.constant(-x)


# -- what the operators mean -----------------------------------------------------------------------


@given(SIMPLE, schedules())
def test_a_sequence_changes_hands_at_the_boundary(a: Schedule, b: Schedule) -> None:
    assume(a.steps and b.steps)
    both, boundary = a >> b, a.steps
    assert both.steps == boundary + b.steps
    for t in (0, boundary / 2, math.nextafter(boundary, 0)):
        assert both(t) == a(t)
    assert both(boundary) == b(0)
    for t in (0, 0.5, 1, 7, 1000):
        assert both(boundary + t) == b(boundary + t - boundary)


@given(schedules(SIGNED), schedules(SIGNED), SIGNED)
def test_values_are_added_and_multiplied(a: Schedule, b: Schedule, x: float) -> None:
    for t in (-1, 0, 0.5, 1, 7, 100, 10_000):
        size = abs(a(t)) + abs(b(t)) + abs(x) + 1
        near = pytest.approx
        assert (a + b)(t) == near(a(t) + b(t), abs=1e-14 * size)
        assert (a - b)(t) == near(a(t) - b(t), abs=1e-14 * size)
        assert (a * b)(t) == near(a(t) * b(t), abs=1e-14 * size**2)
        assert (a * x)(t) == near(a(t) * x, abs=1e-14 * size**2)
        assert (x - a)(t) == near(x - a(t), abs=1e-14 * size)
        assert (-a)(t) == -a(t)


@given(SIMPLE, SIMPLE)
def test_a_sum_is_as_long_as_its_longest_part(a: Schedule, b: Schedule) -> None:
    assert (a + b).steps == (a * b).steps == max(a.steps, b.steps)
    assert (a + 1).steps == (a * 2).steps == a.steps
    assert (a + gs.exponential(0.5)).steps == math.inf


@given(finite(SIGNED))
def test_a_finished_schedule_holds(schedule: Schedule) -> None:
    end = schedule.end
    assert schedule(schedule.steps) == end
    for t in (0.25, 1, 2.5, 1000, 1e9, 1e15, math.inf):
        assert schedule(schedule.steps + t) == end


@given(schedules(SIGNED))
def test_before_its_start_a_schedule_holds_it(schedule: Schedule) -> None:
    for t in (-0.5, -1, -1000, -1e15):
        assert schedule(t) == schedule(0)


# -- what the methods mean -------------------------------------------------------------------------


@given(schedules(), st.lists(FACTORS, min_size=2, max_size=2).map(sorted))
def test_clip(schedule: Schedule, span: list[float]) -> None:
    lo, hi = span
    for t in (0, 3, 0.5, 50, 5000):
        assert schedule.clip(lo, hi)(t) == min(max(schedule(t), lo), hi)
        assert schedule.clip(lo)(t) == max(schedule(t), lo)
        assert schedule.clip(hi=hi)(t) == min(schedule(t), hi)


@given(schedules(), WHOLE)
def test_shift(schedule: Schedule, k: int) -> None:
    later = schedule.shift(k)
    assert later.steps == schedule.steps + k
    for t in (0, 1, 7.5, 300, 10_000):
        assert later(t + k) == schedule(t)
    assert later(k / 2) == schedule(0)
    if schedule.steps > k:
        earlier = schedule.shift(-k)
        assert earlier.steps == schedule.steps - k
        assert all(earlier(t) == schedule(t + k) for t in (0, 1, 7.5, 300, 10_000))


@given(schedules(), WHOLE)
def test_take(schedule: Schedule, steps: int) -> None:
    first = schedule.take(steps)
    assert first.steps == steps
    for t in (0, 1, steps - 0.5, steps, steps + 1, 1e6):
        assert first(t) == schedule(min(t, steps))


@given(finite())
def test_reverse(schedule: Schedule) -> None:
    assume(schedule.steps == int(schedule.steps))  # or `steps - t` is rounded
    backwards, n = schedule.reverse(), int(schedule.steps)
    assert backwards.steps == n
    for t in (*range(min(n, 20)), n // 2, n):
        assert backwards(t) == schedule(n - t)
        assert backwards.reverse()(t) == schedule(t)


@given(finite(), st.integers(1, 2000))
def test_stretch(schedule: Schedule, steps: int) -> None:
    longer = schedule.stretch(steps)
    assert longer.steps == steps
    assert longer(0) == schedule(0)
    assert longer(steps) == schedule.end


@given(ramps(FACTORS, WHOLE), st.integers(1, 2000), st.floats(0, 1))
def test_a_stretched_curve_has_the_same_values(curve: Schedule, steps: int, share: float) -> None:
    n = curve.steps
    assume(n)
    assert curve.stretch(n)(n // 2) == curve(n // 2)
    values = curve.stretch(steps)(share * steps), curve(share * n)
    assert values[0] == pytest.approx(values[1], rel=1e-9, abs=1e-9)


def test_stretching_to_its_own_length_moves_no_boundary() -> None:
    rise, fall = gs.cosine(6.199999999999999, start=0.04), gs.cosine(16.8, end=4e-6)
    schedule = rise >> fall >> gs.warmup(9.2) >> gs.linear(23.8)
    same = schedule.stretch(schedule.steps)
    assert all(same(t) == schedule(t) for t in range(60))


@given(finite())
def test_stretching_to_its_own_length_changes_nothing(schedule: Schedule) -> None:
    assume(schedule.steps == int(schedule.steps))
    same = schedule.stretch(schedule.steps)
    assert all(close(same(t), schedule(t)) for t in whole_steps(schedule))


@given(schedules(), WHOLE)
def test_staircase(schedule: Schedule, every: int) -> None:
    stairs = schedule.staircase(every)
    assert stairs.steps == schedule.steps
    for t in (0, 1, every - 1, every, every + 0.5, 7 * every, 10_000):
        now = min(t, schedule.steps)
        assert stairs(t) == schedule(now // every * every)


@given(schedules(), WHOLE, SIMPLE)
def test_branch(schedule: Schedule, at: int, decay: Schedule) -> None:
    cooled = schedule.branch(at, decay)
    assert cooled.steps == at + decay.steps
    assert all(cooled(t) == schedule(t) for t in (0, at / 2, at - 1, math.nextafter(at, 0)))
    for t in (0, 1, 0.5, 30, 10_000):
        assert close(cooled(at + t), schedule(at) * decay(t))


@given(finite(lengths=WHOLE), st.integers(1, 5), RATIOS, st.sampled_from([1, 2, 3, 1.5]))
def test_repeat(cycle: Schedule, n: int, decay: float, growth: float) -> None:
    assume(cycle.steps >= 1 and cycle.steps == int(cycle.steps))
    repeated, start, length = cycle.repeat(n, decay=decay, stretch=growth), 0.0, cycle.steps
    for k in range(n):
        for t in (0, length // 2, length - 1):
            expected = decay**k * (cycle if k == 0 else cycle.stretch(length))(t)
            assert close(repeated(start + t), expected)
            if growth == 1:
                assert close(repeated(start + t), decay**k * cycle(t))
        start, length = start + length, length * growth
    assert repeated.steps == start
    assert close(repeated.end, decay ** (n - 1) * cycle.end)


def test_repeating_once_is_the_curve_itself() -> None:
    cycle = gs.warmup(3) >> gs.cosine(7)
    assert cycle.repeat(1).values().tolist() == cycle.values().tolist()


def test_restarts_jump_at_the_boundary_and_not_before() -> None:
    saw = gs.linear(10).repeat(3, decay=0.5)
    assert [saw(t) for t in (9.5, 10, 19.5, 20, 29.5, 30, 31)] == pytest.approx(
        [0.05, 0.5, 0.025, 0.25, 0.0125, 0, 0]
    )


# -- values ----------------------------------------------------------------------------------------


@given(schedules(SIGNED))
def test_a_schedule_cannot_be_changed(schedule: Schedule) -> None:
    before = repr(schedule)
    for f in fields(schedule):
        with pytest.raises(FrozenInstanceError):
            setattr(schedule, f.name, 1)
        with pytest.raises(FrozenInstanceError):
            delattr(schedule, f.name)
    with pytest.raises(FrozenInstanceError):
        schedule.invented = 1  # type: ignore[attr-defined]
    assert repr(schedule) == before


@given(schedules())
def test_evaluation_leaves_no_trace(schedule: Schedule) -> None:
    fresh = gs.parse(repr(schedule))
    used = [schedule(t) for t in (100, 3, 0, 7, 3)]
    schedule(np.arange(5.0))
    assert schedule == fresh
    assert [fresh(t) for t in (100, 3, 0, 7, 3)] == used


def test_points_given_as_a_list_are_kept_as_a_copy() -> None:
    points = [(0, 1.0), (10, 0.5)]
    schedule = gs.piecewise(points)
    points.append((20, 0.0))
    assert schedule.steps == 10


# -- what is refused -------------------------------------------------------------------------------

CURVE = gs.cosine(10)
REFUSED: list[tuple[Any, str]] = [
    (lambda: gs.constant(1) >> CURVE, "can never begin: `constant(1)` before it is endless"),
    (lambda: gs.exponential(0.5) >> CURVE >> CURVE, "can never begin"),
    (lambda: gs.constant(1).repeat(2), "`inner` must have an end to repeat, got constant(1)"),
    (lambda: gs.constant(1).reverse(), "`inner` must have an end to reverse, got constant(1)"),
    (lambda: gs.constant(1).stretch(5), "`inner` must have an end to stretch, got constant(1)"),
    (lambda: gs.constant(1).end + gs.exponential(0.5).end, "is endless: it has no end value"),
    (lambda: CURVE.clip(), "`clip` must be given lo or hi"),
    (lambda: CURVE / 0, "`/` must divide by a number other than 0, got 0"),
    (lambda: CURVE / 5e-324, "`value` must be finite, got inf"),
    (lambda: gs.linear(0).repeat(), "`inner` must have steps to repeat without an end"),
    (lambda: gs.linear("rest").repeat(3), "`rest` cannot be repeated"),
    (lambda: CURVE.clip(2, 1), "`lo` must be at most hi = 1.0, got 2.0"),
    (lambda: CURVE.shift(-11), "`k` must be at least -10, got -11"),
    (lambda: CURVE.take(0), "`steps` must be more than 0, got 0"),
    (lambda: CURVE.stretch(-1), "`steps` must be more than 0, got -1"),
    (lambda: CURVE.staircase(0), "`every` must be more than 0, got 0"),
    (lambda: CURVE.branch(-1, CURVE), "`at` must be at least 0, got -1"),
    (lambda: CURVE.repeat(0), "`n` must be a whole number"),
    (lambda: CURVE.repeat(2.5), "`n` must be a whole number"),
    (lambda: CURVE.repeat(stretch=0.5), "`stretch` must be 1 or at least 1.001 when endless"),
    (lambda: CURVE.repeat(3, stretch=-1), "`stretch` must be more than 0, got -1"),
    (lambda: CURVE.repeat(5, stretch=0.5), "`stretch` must leave every cycle at least 1 step"),
    (lambda: CURVE.repeat(99, stretch=2), "`stretch` must keep all cycles together below 2^53"),
    (lambda: CURVE.repeat(10**6, stretch=1.5), "`n` must be at most 100000 with a stretch"),
    (lambda: gs.Sequence((CURVE,)), "`parts` must be at least two schedules"),
    (lambda: gs.Sum((gs.constant(1), gs.constant(2))), "`parts` must have a schedule that is not"),
    (lambda: gs.Product((CURVE,)), "`parts` must be at least two schedules"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_what_has_no_meaning_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        make()
    assert sentence in str(caught.value)


WRONG: list[tuple[Any, str]] = [
    (lambda: CURVE.branch(1, 5), "`decay` must be a schedule, got 5"),
    (lambda: CURVE.repeat("3"), "`n` must be a number, got '3'"),
    (lambda: CURVE.clip("1"), "`lo` must be a number, got '1'"),
    (lambda: gs.Reverse(5), "`inner` must be a schedule, got 5"),
    (lambda: CURVE / CURVE, "`/` must divide by a number, got cosine(10)"),
    (lambda: 1 / CURVE, "`/` must divide by a number, got cosine(10)"),
    (lambda: gs.Sequence((CURVE, 5)), "`parts` must be schedules, got 5"),
]


@pytest.mark.parametrize(("make", "sentence"), WRONG, ids=[row[1][:40] for row in WRONG])
def test_what_is_no_schedule_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(InvalidType) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize("other", [None, "1", True, [1], 1j], ids=repr)
def test_operators_leave_what_they_do_not_know_to_python(other: Any) -> None:
    for operation in (
        lambda: CURVE * other,
        lambda: other * CURVE,
        lambda: CURVE + other,
        lambda: other + CURVE,
        lambda: CURVE >> other,
        lambda: CURVE / other,
    ):
        with pytest.raises(TypeError, match=r"operand|sequence|concatenate"):
            operation()


def test_a_number_in_a_sequence_is_refused_with_a_hint_at_hold() -> None:
    with pytest.raises(InvalidType, match=r"`>>` must join schedules; hold\(steps, value\) is one"):
        CURVE >> 5  # type: ignore[operator]


def test_a_schedule_is_divided_by_a_number() -> None:
    assert CURVE / 2 == CURVE * 0.5
    assert (CURVE / np.float64(3))(0) == 1 / 3
    assert +CURVE is CURVE


def test_depth_is_limited_where_the_stack_would_be() -> None:
    deep = CURVE
    for _ in range(63):
        deep = deep.reverse()
    with pytest.raises(InvalidValue, match="`schedule` must be nested at most 64 deep, got 65"):
        deep.reverse()
    assert deep(3) == CURVE(7)
    assert gs.parse(repr(deep)) == deep == Schedule.from_json(deep.to_json())
    long = CURVE
    for _ in range(500):
        long = long >> CURVE
    assert long.steps == 5010
