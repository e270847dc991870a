"""Phases of no steps: they vanish from a sequence, and hold their end alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Schedule

VANISHES = [
    ("warmup(0) >> cosine(100)", "cosine(100)"),
    ("warmup(0%) >> cosine(100%)", "cosine(100%)"),
    ("cosine(100) >> hold(0) >> hold(0ep)", "cosine(100)"),
    ("warmup(0, 'log') >> constant(1)", "constant(1)"),
    ("constant(1) >> linear(0)", "constant(1)"),
    ("(warmup(0) >> cosine(9)) * 2 >> linear(0) * 3 >> hold(5)", "cosine(9) * 2 >> hold(5)"),
    ("linear(0).repeat(3) >> cosine(9)", "cosine(9)"),
    ("warmup(1).shift(-1) >> cosine(9)", "cosine(9)"),
    ("constant(1).branch(0, linear(0)) >> cosine(9)", "cosine(9)"),
    ("hold(0) >> linear(0)", "linear(0)"),
    ("wsd(0, 90, 10)", "hold(90) >> linear(10)"),
    ("wsd(10, 0, 90)", "warmup(10) >> linear(90)"),
    ("wsd(10, 90, 0)", "warmup(10) >> hold(90)"),
    ("wsd(0, 0, 0)", "linear(0)"),
    ("wsd_s(0, 80, 20, 3)", "(hold(80) >> linear(20)).repeat(3)"),
    ("wsd_s(10, 0, 0, 3)", "warmup(10)"),
    ("wsd_s(10, 0, 20, 3)", "warmup(10) >> linear(20).repeat(3)"),
    ("warmup_cosine(0, 9)", "cosine(9)"),
    ("triangular(0, 9)", "linear(9)"),
    ("triangular(9, 0)", "warmup(9)"),
]


@pytest.mark.parametrize(("text", "same"), VANISHES)
def test_a_part_of_no_steps_vanishes(text: str, same: str) -> None:
    assert gs.parse(text) == gs.parse(same)
    assert repr(gs.parse(text)) == repr(gs.parse(same))


SMALL = [
    ("wsd(1%, 98%, 1%)", 10, "hold(10)"),
    ("wsd(1%, 98%, 1%)", 60, "warmup(1) >> hold(58) >> linear(1)"),
    ("warmup(1%) >> cosine(99%)", 10, "cosine(10)"),
    ("warmup(1%, 'log') >> cosine(99%)", 100, "warmup(1, 'log') >> cosine(99)"),
    ("(warmup(1%) >> cosine(99%)) * 3e-4", 10, "cosine(10) * 3e-4"),
    ("cosine(1%)", 10, "cosine(0)"),
    ("cosine(1%).repeat(2) >> hold(98%)", 10, "hold(10)"),
    ("exponential(0.5).take(1%) >> hold(99%, 0.1)", 10, "hold(10, 0.1)"),
    ("linear(9, end=0.5).stretch(1%)", 10, "hold(0, 0.5)"),
    ("exponential(0.5).take(1%)", 10, "hold(0)"),
    ("hyperbolic(1%, 1%) >> hold(99%)", 10, "hold(10)"),
]


@pytest.mark.parametrize(("text", "total", "same"), SMALL)
def test_a_part_that_comes_to_no_steps_vanishes(text: str, total: int, same: str) -> None:
    assert gs.parse(text).bind(total_steps=total) == gs.parse(same)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=6), st.integers(1, 60))
def test_the_shortest_run_is_the_whole_of_its_shares(hundredths: list[int], total: int) -> None:
    last = max(10_000 - sum(hundredths), 0)
    shares = [*hundredths, last] if sum(hundredths) <= 10_000 else [10_000]
    parts = [gs.linear(f"{n / 100}%") for n in shares]
    whole = gs.Sequence.join(tuple(parts)).bind(total_steps=total)
    assert whole.steps == total
    assert all(part.steps > 0 for _, _, part in whole.phases())


# -- alone -----------------------------------------------------------------------------------------

EMPTY = [
    (gs.linear(0, end=0.25), 0.25),
    (gs.linear(0, end=0.25, include_end=True), 0.25),
    (gs.linear(1, end=0.25, include_end=True), 0.25),
    (gs.cosine(0, end=0.25), 0.25),
    (gs.polynomial(0, end=0.25), 0.25),
    (gs.geometric(0, end=0.25), 0.25),
    (gs.half_life(0, end=0.25), 0.25),
    (gs.relaxation(0, end=0.25), 0.25),
    (gs.logarithmic(0, end=0.25), 0.25),
    (gs.logarithmic(1, end=0.25, include_end=True), 0.25),
    (gs.rex(0, end=0.25), 0.25),
    (gs.warmup(0), 1.0),
    (gs.warmup(0, "log"), 1.0),
    (gs.hold(0, 0.25), 0.25),
    (gs.function(lambda t: 0.25 + t, 0), 0.25),
    (gs.tanh(0, upper=0), 0.5),
    (gs.hyperbolic(0, 20), 1.0),
    (gs.hyperbolic(0, 0), 0.0),
    (gs.exp_hyperbolic(0, 20), 1.0),
    (gs.exp_hyperbolic(0, 0, floor=0.25), 0.25),
    (gs.warmup(0) * gs.linear(0, end=0.5), 0.5),
    (gs.warmup(0) + gs.linear(0, end=0.5), 1.5),
    (gs.linear(0, end=0.25).clip(0.5), 0.5),
    (gs.linear(0, end=0.25).reverse(), 0.25),
    (gs.linear(0, end=0.25).stretch(10), 0.25),
    (gs.tanh(0, upper=0).stretch(10), 0.5),
    ((gs.linear(0, end=0.25) * 2).stretch(10), 0.5),
    (gs.linear(0, end=0.25).take(10), 0.25),
    (gs.linear(0, end=0.25).staircase(3), 0.25),
    (gs.linear(0, end=0.25).shift(3), 0.25),
    (gs.linear(0, end=0.25).repeat(3, decay=0.5), 0.0625),
    (gs.linear(0, end=0.25).repeat(3, decay=0.5, stretch=2), 0.0625),
    (gs.linear(0, end=0.25).repeat(100), 0.25),
    (gs.linear(0, end=0.25).branch(0, gs.linear(0, end=0.5)), 0.125),
    (gs.linear(0, end=0.25).branch(0, gs.linear(0, end=0.5)).stretch(10), 0.125),
    (gs.linear(0, end=0.25).clip(0.5).stretch(10), 0.5),
    (gs.linear(3, end=0.25).shift(-3).stretch(10), 0.25),
]
STEPS = [0.0, 0.5, 1.0, 7.0, 1e6]


@pytest.mark.parametrize(("schedule", "value"), EMPTY, ids=lambda value: repr(value)[:60])
def test_no_steps_are_their_end(schedule: Schedule, value: float) -> None:
    assert [schedule(t) for t in STEPS] == [value] * len(STEPS)
    assert schedule(np.array(STEPS)).tolist() == [value] * len(STEPS)
    assert schedule.end == value
    assert schedule.peak() == (0, value)
    assert schedule.values().tolist() == [value] * int(schedule.steps)
    assert schedule.area() == value * int(schedule.steps)
    assert schedule.first(100) is None
    assert all(phase.curve(0) == value for phase in schedule.phases())
    assert schedule.lint() is not None
    assert "svg" in str(schedule._repr_svg_())


@pytest.mark.parametrize(("schedule", "value"), EMPTY, ids=lambda value: repr(value)[:60])
def test_no_steps_are_their_end_for_a_billion_more(schedule: Schedule, value: float) -> None:
    assert schedule.area(0, 10**9) == value * 10**9
    assert schedule.area(10**6, 10**9) == value * (10**9 - 10**6)
    assert schedule.peak(10**9) == (0, value)
    assert schedule.first(100, 10**9) is None
    assert [schedule.evaluator()(t) for t in STEPS] == [value] * len(STEPS)


@pytest.mark.parametrize(
    ("schedule", "value"),
    [row for row in EMPTY if "function" not in repr(row[0])],
    ids=lambda value: repr(value)[:60],
)
def test_no_steps_are_their_end_in_every_library(schedule: Schedule, value: float) -> None:
    jax = pytest.importorskip("jax")
    assert schedule(torch.tensor(STEPS)).tolist() == [value] * len(STEPS)
    assert jax.jit(schedule)(jax.numpy.array(STEPS)).tolist() == [value] * len(STEPS)


def test_a_branch_of_no_steps_can_be_stretched() -> None:
    schedule = gs.cosine(9).branch(4, gs.linear(0)).stretch(8)
    assert [(start, stop) for start, stop, _ in schedule.phases()] == [(0, 8), (8, 8)]


REFUSED: list[tuple[Any, str]] = [
    (lambda: gs.cosine(9).take(0), "`steps` must be more than 0, got 0"),
    (lambda: gs.cosine(9).take("0%"), "`steps` must be more than 0, got 0"),
    (lambda: gs.cosine(9).stretch(0), "`steps` must be more than 0, got 0"),
    (lambda: gs.step("0ep"), "`every` must be more than 0, got 0"),
    (lambda: gs.step("1%").bind(total_steps=10), "`every` must be more than 0, got 0"),
    (lambda: gs.cosine("1%").repeat().bind(total_steps=10), "`inner` must have steps to repeat"),
    (lambda: gs.power_law(0), "`timescale` must be more than 0, got 0"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED)
def test_a_period_has_steps(make: Any, sentence: str) -> None:
    with pytest.raises(gs.errors.InvalidValue) as caught:
        make()
    assert sentence in str(caught.value)
