"""Cycles begin exactly where they should, however late, for any period and multiplier.

torch and timm find the cycle by a rounded logarithm and give 0 where the peak is due, first at
t = 1210 for T_0 = 10, T_mult = 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Schedule

LAST = 10**15
PERIODS = (1, 2, 3, 7, 10, 97, 1000, 12_345)
MULTIPLIERS = (2, 3, 4, 5, 7, 10)
PAIRS = list(product(PERIODS, MULTIPLIERS))


def boundaries(period: int, multiplier: int) -> Iterator[tuple[int, int]]:
    """The first step and the length of every cycle that begins before `LAST`, in integers."""
    start, length = 0, period
    while start < LAST:
        yield start, length
        start, length = start + length, length * multiplier


def saw(period: int, multiplier: int) -> Schedule:
    """Falls from 1 to 1/length within a cycle, so that every step of it has its own value."""
    return gs.linear(period).repeat(stretch=multiplier)


def test_the_peak_that_torch_and_timm_miss() -> None:
    schedule = gs.cosine(10).repeat(stretch=3)
    assert schedule(1210) == 1.0
    assert schedule(1209) < 1e-5
    late = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        torch.optim.SGD([torch.zeros(1)], lr=1.0), T_0=10, T_mult=3
    )
    late.step(1210)
    assert late.get_last_lr() == [0.0]


@pytest.mark.parametrize(("period", "multiplier"), PAIRS)
def test_every_boundary(period: int, multiplier: int) -> None:
    schedule = saw(period, multiplier)
    cycles = list(boundaries(period, multiplier))
    for (start, length), (following, _) in pairwise(cycles):
        assert schedule(start) == 1.0
        assert schedule(float(start)) == 1.0
        assert schedule(following - 1) == pytest.approx(1 / length, rel=1e-15)
    assert len(cycles) > 10


@pytest.mark.parametrize(("period", "multiplier"), PAIRS)
def test_every_boundary_in_arrays(period: int, multiplier: int) -> None:
    schedule = saw(period, multiplier)
    cycles = np.array(list(boundaries(period, multiplier)))
    starts, lengths = cycles[:, 0], cycles[:-1, 1]
    for steps in (starts, starts.astype(np.float64), torch.tensor(starts)):
        assert schedule(steps).tolist() == [1.0] * len(starts)
    last = schedule(starts[1:] - 1)
    assert last == pytest.approx(1 / lengths, rel=1e-15)
    assert schedule(torch.tensor(starts[1:] - 1)).numpy() == pytest.approx(last, rel=1e-15)


@given(st.integers(1, 10**6), st.integers(0, LAST), st.floats(0.5, 1))
def test_equal_cycles(period: int, k: int, decay: float) -> None:
    schedule = gs.linear(period).repeat()
    start = min(k * period, LAST - LAST % period)
    steps = [start, start + period - 1]
    assert [schedule(t) for t in steps] == [1.0, schedule(period - 1)]
    assert schedule(np.array(steps)).tolist() == [1.0, schedule(period - 1)]
    k %= 100
    lower = gs.linear(period).repeat(decay=decay)
    assert lower(k * period) == pytest.approx(decay**k, rel=1e-15)


def test_equal_cycles_beyond_what_a_double_counts() -> None:
    schedule = gs.linear(10).repeat()
    assert schedule(10**30) == 1.0
    assert schedule(10**30 + 3) == 0.7
    assert schedule(10**30 - 1) == 0.1


@pytest.mark.parametrize(("period", "multiplier"), PAIRS)
def test_a_number_of_cycles_ends_and_holds(period: int, multiplier: int) -> None:
    cycles = gs.linear(period).repeat(4, stretch=multiplier)
    length = period * (multiplier**4 - 1) // (multiplier - 1)
    assert cycles.steps == length
    assert cycles(length - 1) == pytest.approx(1 / (period * multiplier**3), rel=1e-15)
    assert [cycles(length), cycles(length + 1), cycles(LAST)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("growth", [1.5, 1.25, 2.75])
def test_a_multiplier_with_a_fraction(growth: float) -> None:
    """Quarters are doubles, so the starts of the first cycles are exact here too."""
    schedule, start, length = gs.linear(4**8).repeat(stretch=growth), 0.0, 4.0**8
    for _ in range(8):
        assert schedule(start) == 1.0
        assert schedule(start + length - 1) == pytest.approx(1 / length, rel=1e-15)
        start, length = start + length, length * growth


@pytest.mark.parametrize("period", [1, 3, 7, 10, 97, 1000])
def test_growing_polynomials_and_stairs_meet_their_boundaries(period: int) -> None:
    growing, stairs = gs.growing_polynomial(period), gs.linear(10 * period).staircase(period)
    counts = (1, 2, 3, 10, 11, 99, 12_345, 10**9, LAST // period)
    for k in counts:
        assert growing(k * period) == 0.0
        remaining = (period - 1) / ((k + 1) * period)
        assert growing(k * period + 1) == pytest.approx(remaining, rel=1e-15)
    assert growing(period * np.array(counts)).tolist() == [0.0] * len(counts)
    for k in range(10):
        assert stairs(k * period) == stairs((k + 1) * period - 1) == gs.linear(10)(k)


@pytest.mark.parametrize("cycles", [2, 3, 5, 6, 7])
def test_cycles_that_do_not_divide_the_run(cycles: int) -> None:
    """transformers' hard restarts: the length of a cycle is a fraction, its start often is not."""
    for steps in (100, 200, 1000):
        schedule = gs.cosine(steps / cycles).repeat(cycles)
        for k in range(cycles):
            if k * steps % cycles == 0:
                assert schedule(k * steps // cycles) == pytest.approx(1.0)
        assert schedule(steps) == pytest.approx(0.0, abs=1e-15)
