"""Sums and extremes of more steps than anyone adds up, against those that one can."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf

import glideslope as gs
from glideslope import Area, Peak, Schedule
from glideslope.schedules._far import (
    ADDED,
    LOOKS,
    far_first,
    highest,
    highest_looked_at,
    looks,
    runs,
    values_at,
)
from glideslope.schedules._series import Grid

from .strategies import SIGNED, schedules

BILLION = 10**9


def grid(a: int, b: int) -> Grid:
    return Grid(Fraction(a), Fraction(1), b - a)


# -- closed forms, where every step can be added too -----------------------------------------------

UP, DOWN = gs.warmup(100), gs.cosine(700, end=0.1)
WAVE, SAW = gs.cosine(10), gs.linear(7)
STAIRS = gs.warmup(5) >> gs.multistep([5, 9])
CLOSED = [
    gs.hold(500, 0.3),
    gs.linear(1000, start=0.3, end=2.0),
    gs.linear(1000, include_end=True),
    gs.linear(333.5),
    gs.cosine(1000),
    gs.cosine(1000, start=0.1, end=1.0),
    gs.polynomial(1000, power=2),
    gs.polynomial(777, end=0.1, power=3, mirrored=True),
    gs.geometric(1000),
    gs.geometric(1000, start=0.5, end=0.5),
    gs.relaxation(1000, end=0.2),
    gs.exponential(0.999),
    gs.exponential(1.001),
    gs.exponential(0.5, every=100.5),
    gs.exponential(0),
    gs.exponential(0, every=100).shift(30),
    gs.saturation(100),
    *(gs.piecewise([(0, 1), (90, 0.5), (700, 0.1)], shape) for shape in ("hold", "linear")),
    gs.piecewise([(0, 1), (90, 0.5), (700, 0.1)], "cosine"),
    UP >> gs.hold(200) >> DOWN,
    (UP >> DOWN) * 3e-4 + 0.1,
    1 - DOWN * 0.5,
    WAVE.repeat(),
    WAVE.repeat(50, decay=0.9),
    WAVE.repeat(decay=0.0),
    gs.triangular(7, 8).repeat(decay=-0.99),
    gs.linear(12.5).repeat(decay=0.99),
    gs.linear(12.5).repeat(100, decay=1.01),
    WAVE.repeat(stretch=2, decay=0.5),
    gs.linear(10).repeat(7, stretch=1.3),
    (SAW.repeat(3) >> gs.hold(4)).repeat(decay=0.9),
    DOWN.shift(30),
    DOWN.shift(-30.5),
    gs.exponential(0.99).take(300),
    STAIRS.stretch(1000),
    STAIRS.reverse().stretch(990),
    SAW.repeat(30, decay=0.9).stretch(1000),
    SAW.repeat(30, decay=0.9).reverse(),
    (UP >> DOWN).reverse(),
    DOWN.branch(400, gs.linear(100)),
    DOWN.branch(0, gs.linear(100)),
    gs.step(30),
    DOWN.staircase(7),
    gs.one_cycle(1000),
    gs.wsd_s(100, 300, 50, 3),
]
NEAR = st.integers(0, 2500)


@pytest.mark.parametrize("schedule", CLOSED, ids=repr)
@pytest.mark.parametrize(
    ("a", "b"), [(0, 1000), (0, 3000), (1, 999), (0, 40), (37, 39), (250, 1777)]
)
def test_a_closed_form_is_the_sum(schedule: Schedule, a: int, b: int) -> None:
    values = schedule(np.arange(a, b))
    total = schedule._total(grid(a, b))
    assert total.exact
    assert abs(total.value - math.fsum(values)) <= 1e-12 * math.fsum(abs(values))


@given(schedules(lengths=st.integers(1, 400)), NEAR, NEAR)
def test_any_schedule_is_summed(schedule: Schedule, a: int, b: int) -> None:
    values = schedule(np.arange(a, b, dtype=np.float64))
    total = schedule._total(grid(a, max(a, b)))
    assert total.exact
    assert abs(total.value - math.fsum(values)) <= 1e-12 * math.fsum(abs(values))


MP = mp.clone()
MP.dps = 60
N = mpf(BILLION)
SUMS = [  # 10^9 steps of 10^9, in 60 digits
    (gs.linear(BILLION), (N + 1) / 2),
    (gs.linear(BILLION, start=0.0, end=3.0), 3 * (N - 1) / 2),
    (gs.cosine(BILLION), (N + 1) / 2),
    (gs.polynomial(BILLION, power=2), (N + 1) * (2 * N + 1) / (6 * N)),
    (gs.polynomial(BILLION, power=3), (N + 1) ** 2 / (4 * N)),
    (gs.geometric(BILLION), (1 - mpf(0.01)) / -MP.expm1(MP.log(mpf(0.01)) / N)),
    (gs.cosine(100).repeat(10**7), mpf("50.5") * 10**7),
    (gs.exponential(0.5, every=1000).take(BILLION), 1 / -MP.expm1(MP.log(mpf("0.5")) / 1000)),
    (gs.step(1000, gamma=0.5).take(BILLION), mpf(2000)),
    (gs.warmup(500) >> gs.cosine(BILLION), mpf("249.5") + (N + 1) / 2),
    (gs.triangular(50).repeat(10**7, decay=0.5), mpf(100)),
    (gs.cosine(10).repeat(20, stretch=2), mpf("5") * (2**20 - 1) + mpf("0.5") * 20),
    ((gs.warmup(5) >> gs.hold(5)).stretch(2 * BILLION), N + (N - 1) / 2),
]


@pytest.mark.parametrize(("schedule", "exact"), SUMS, ids=lambda value: repr(value)[:60])
def test_the_area_of_a_billion_steps(schedule: Schedule, exact: mpf) -> None:
    area = schedule.area()
    assert area.exact
    assert abs(mpf(area) - exact) <= mpf("1e-12") * exact


SAMPLED = [  # the integral, and how closely samples meet it
    (gs.rex(BILLION), 2 * (1 - math.log(2)) * BILLION, 1e-8),
    (gs.polynomial(BILLION, power=0.5), 2 / 3 * BILLION, 1e-6),
    (gs.cosine(BILLION, power=2), 3 / 8 * BILLION, 1e-8),
    (gs.power_law(1, power=0.5).take(BILLION), 2 * math.sqrt(BILLION) - 1.4603545088, 1e-8),
    (gs.linear(BILLION).clip(0.5), 0.625 * BILLION, 1e-7),
    (gs.function(lambda t: 1 / (1 + t), BILLION), math.log(BILLION) + 0.5772156649, 1e-8),
    (gs.cosine(BILLION) * gs.cosine(100).repeat(10**7), 0.505 * BILLION / 2, 2e-2),
]


@pytest.mark.parametrize(
    ("schedule", "near", "tolerance"), SAMPLED, ids=lambda value: repr(value)[:60]
)
def test_what_has_no_closed_form_is_sampled_and_says_so(
    schedule: Schedule, near: float, tolerance: float
) -> None:
    area = schedule.area()
    assert not area.exact
    assert area == pytest.approx(near, rel=tolerance)
    assert repr(area) == f"≈{float(area)!r}"


def test_an_area_is_a_float() -> None:
    area = gs.linear(100).area()
    assert isinstance(area, float)
    assert (area, repr(area), f"{area:.1f}", area.exact) == (50.5, "50.5", "50.5", True)
    for copied in (pickle.loads(pickle.dumps(Area(2.5, False))), copy.deepcopy(Area(2.5, False))):
        assert (copied, copied.exact) == (2.5, False)


# -- extremes --------------------------------------------------------------------------------------

TURNING = [*CLOSED, gs.rex(300).clip(0.2, 0.8), gs.rectifier(0.99), gs.chebyshev(40).repeat()]
TURNING += [(gs.hold(10, 0.2) >> gs.linear(100)).staircase(7)]


@pytest.mark.parametrize("schedule", TURNING, ids=repr)
@pytest.mark.parametrize("steps", [1, 2, 5, 100, 999, 1000, 1001, 2999])
def test_where_a_curve_turns_is_known(schedule: Schedule, steps: int) -> None:
    values = schedule(np.arange(steps))
    ask = lambda at: values_at(schedule, grid(0, 1), at)  # noqa: E731
    for every in (False, True):
        knots = schedule._knots(0, steps, every)
        assert knots is not None
        found = highest(ask, runs(knots, steps))
        assert found == (int(values.argmax()), float(values.max()))
    for value in (0.05, 0.3, 0.5, 0.9, 1.0):
        side = 1.0 if schedule(0) >= value else -1.0
        reached = np.flatnonzero((values - value) * side <= 0)
        first = far_first(schedule, value, side, runs(knots, steps))
        assert first == (int(reached[0]) if len(reached) else None)


@given(schedules(SIGNED, lengths=st.integers(1, 400)), st.integers(1, 2500), st.booleans())
def test_the_highest_value_of_any_schedule_lies_at_a_turn(
    schedule: Schedule, steps: int, every: bool
) -> None:
    knots = schedule._knots(0, steps, every)
    if knots is not None:
        values = schedule(np.arange(steps, dtype=np.float64))
        _, top = highest(lambda at: values[np.asarray(at)], runs(knots, steps))
        assert top == values.max()


TEETH = gs.triangular(30, 70)
PEAKS = [
    (gs.warmup(500) >> gs.cosine(BILLION), (500, 1.0)),
    (gs.linear(BILLION, start=1.0, end=2.0), (BILLION - 1, 2 - 1e-9)),
    (gs.cosine(100).repeat(10**7), (0, 1.0)),
    ((gs.linear(100) * -1).repeat(10**6, decay=0.999999), (10**8 - 1, -0.01 * 0.999999**999999)),
    (TEETH.repeat(10**7, decay=-0.5), (30, 1.0)),
    (gs.hold(BILLION) >> gs.linear(10, start=3.0), (BILLION, 3.0)),
    ((TEETH * -1).repeat(10**7, decay=-0.5), (130, 0.5)),
    (TEETH.repeat(10**7, decay=0.5).shift(-90), (40, 0.5)),
    (TEETH.repeat(10**7, decay=1.0000001).take(BILLION - 70), (BILLION - 170, 1.0000001**9999998)),
    ((gs.warmup(1000) >> gs.linear(1000)).stretch(BILLION), (BILLION // 2, 1.0)),
]


@pytest.mark.parametrize(("schedule", "peak"), PEAKS, ids=repr)
def test_the_peak_of_a_billion_steps(schedule: Schedule, peak: tuple[int, float]) -> None:
    found = schedule.peak()
    assert found.exact
    assert found[0] == peak[0]
    assert found[1] == pytest.approx(peak[1], abs=1e-12)


def test_a_peak_that_is_looked_for_says_so() -> None:
    hill = gs.warmup(BILLION // 3) * gs.linear(BILLION)
    found = hill.peak()
    assert not found.exact
    assert found == (BILLION // 3, pytest.approx(2 / 3))
    assert repr(found) == f"Peak(step={found.step}, value={found.value})"
    copied = pickle.loads(pickle.dumps(found))
    assert (copied, copied.exact) == (found, False)
    step, value = Peak(3, 0.5)
    assert (step, value, Peak(3, 0.5).exact) == (3, 0.5, True)


def test_a_peak_is_narrowed_down_to_the_step() -> None:
    top = 123_456_789
    values = highest_looked_at(
        lambda steps: -np.abs(np.asarray(steps, float) - top), range(0, BILLION, 10**6 + 7)
    )
    assert values == (top, 0.0)
    assert len(looks(gs.rex(BILLION), BILLION)) < 2 * LOOKS


def test_the_first_of_a_billion_steps() -> None:
    assert gs.linear(BILLION).first(0.25) == 3 * BILLION // 4
    assert (gs.warmup(100) >> gs.linear(BILLION)).first(1.0) == 100
    assert gs.linear(BILLION).first(-1.0) is None
    assert gs.hold(BILLION).first(0.5) is None
    assert (gs.hold(BILLION) >> gs.linear(4)).first(0.5) == BILLION + 2
    assert gs.growing_polynomial(1000).first(0.01, BILLION) == 990
    product = gs.hold(BILLION) * gs.linear(BILLION)
    assert product.first(0.25) == pytest.approx(3 * BILLION // 4, abs=1)
    assert product.first(-1.0) is None


def test_what_overflows_is_infinite() -> None:
    assert gs.exponential(2.0).area(0, BILLION) == math.inf
    assert gs.exponential(2.0).peak(BILLION) == (1024, math.inf)


@pytest.mark.parametrize("schedule", [gs.warmup(500) >> gs.cosine(2 * ADDED), gs.wsd(9, ADDED, 9)])
def test_one_step_more_than_are_added_changes_nothing(schedule: Schedule) -> None:
    few, more = schedule.area(0, ADDED), schedule.area(0, ADDED + 1)
    assert more - few == pytest.approx(schedule(ADDED), abs=1e-6)
    assert schedule.peak(ADDED) == schedule.peak(ADDED + 1)
    assert schedule.first(0.4, ADDED) == schedule.first(0.4, ADDED + 1)
