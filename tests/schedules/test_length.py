"""Lengths in epochs, tokens and percent, and what binds them to steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Length, Schedule
from glideslope.errors import InvalidType, InvalidValue, UnboundError
from glideslope.schedules._length import UNITS

from .strategies import ANY_LENGTH, PLAN, SIGNED, schedules, unbound

BOUND: list[tuple[str, dict[str, Any], str]] = [
    ('warmup("5%") >> cosine("95%")', {"total_steps": 1000}, "warmup(50) >> cosine(950)"),
    ('linear("10ep")', {"steps_per_epoch": 196}, "linear(1960)"),
    ('linear("2e9tok")', {"tokens_per_step": 524_288}, "linear(3815)"),
    ('linear("2.5ep")', {"steps_per_epoch": 3}, "linear(8)"),
    ('linear("0.3ep")', {"steps_per_epoch": 10}, "linear(3)"),  # 0.3 · 10 is 3, in decimals
    ('linear("5ep")', {"steps_per_epoch": 0.5}, "linear(3)"),
    ('wsd("5%", "75%", "20%")', {"total_steps": 500}, "warmup(25) >> hold(375) >> linear(100)"),
    (
        'exponential(0.5, every="10ep") * warmup("1ep")',
        {"steps_per_epoch": 7},
        "exponential(0.5, every=70) * warmup(7)",
    ),
    (
        'piecewise([(0, 1), ("30ep", 0.1), ("60ep", 0.01)])',
        {"steps_per_epoch": 10},
        "piecewise([(0, 1), (300, 0.1), (600, 0.01)])",
    ),
    (
        'cosine("50%").stretch("20%").take("1ep") >> hold("1000tok")',
        {"total_steps": 100, "steps_per_epoch": 7, "tokens_per_step": 10},
        "cosine(50).stretch(20).take(7) >> hold(100)",
    ),
    (
        'constant(1).branch("80%", linear("20%"))',
        {"total_steps": 99},
        "constant(1).branch(79, linear(20))",
    ),
    (
        'linear(10).staircase("1ep").shift("2ep")',
        {"steps_per_epoch": 3},
        "linear(10).staircase(3).shift(6)",
    ),
    ("warmup(5) >> cosine(95)", {}, "warmup(5) >> cosine(95)"),
    ("warmup(5) >> cosine(95)", {"total_steps": 7}, "warmup(5) >> cosine(95)"),
]


@pytest.mark.parametrize(("text", "plan", "bound"), BOUND)
def test_binding(text: str, plan: dict[str, Any], bound: str) -> None:
    assert gs.parse(text).bind(**plan) == gs.parse(bound)


# -- rounding --------------------------------------------------------------------------------------


HUNDREDTHS = st.lists(st.integers(100, 1500), min_size=1, max_size=6)


def part(percent: Fraction, way: str) -> Schedule:
    """A schedule of ``percent`` of the run, written in one of several ways."""
    length, inner = f"{float(percent)}%", gs.linear("37.7%")
    ways = {
        "plain": gs.linear(length),
        "scaled": gs.cosine(length) * 0.5,
        "product": gs.cosine(length) * gs.linear("0.1%"),
        "sum": gs.linear(length) + gs.cosine("0.1%"),
        "clipped": gs.linear(length).clip(0.1),
        "reversed": gs.linear(length).reverse(),
        "stretched": inner.stretch(length),
        "taken": inner.take(length),
        "two": gs.linear(f"{float(percent / 2)}%") >> gs.cosine(f"{float(percent / 2)}%"),
    }
    return ways[way]


WAYS = st.sampled_from(
    ["plain", "scaled", "product", "sum", "clipped", "reversed", "stretched", "taken", "two"]
)


@given(HUNDREDTHS, st.lists(WAYS, min_size=7, max_size=7), st.integers(2_000, 10**6))
def test_the_parts_of_a_sequence_come_to_the_whole(
    hundredths: list[int], ways: list[str], total: int
) -> None:
    shares = [Fraction(n, 100) for n in (*hundredths, 10_000 - sum(hundredths))]
    parts = [part(share, way) for share, way in zip(shares, ways, strict=False)]
    whole = gs.Sequence(tuple(parts)).bind(total_steps=total)
    assert whole.steps == total
    exact = list(itertools.accumulate(share * total / 100 for share in shares))
    boundaries = [phase.stop for phase in whole.phases()]
    assert all(min(abs(edge - b) for b in boundaries) <= Fraction(1, 2) for edge in exact)


def test_equal_cycles_are_made_good_by_the_next_part() -> None:
    schedule = gs.linear("5%") >> gs.cosine("10%").repeat(9) >> gs.linear("5%")
    bound = schedule.bind(total_steps=1005)
    assert repr(bound) == "linear(50) >> cosine(101).repeat(9) >> linear(46)"
    assert bound.steps == 1005


def test_a_bound_that_is_the_length_stays_so_when_rounded() -> None:
    schedule = gs.warmup("2.4%") >> gs.hyperbolic("97.3%", "97.3%")
    assert repr(schedule.bind(total_steps=100)) == "warmup(2) >> hyperbolic(98, 98)"
    wider = gs.warmup("2.4%") >> gs.exp_hyperbolic("97.3%", "150%")
    assert repr(wider.bind(total_steps=100)) == "warmup(2) >> exp_hyperbolic(98, 150)"


def test_cycles_that_leave_less_than_nothing_are_refused() -> None:
    schedule = gs.cosine("10%").repeat(9) >> gs.linear("10%")
    with pytest.raises(InvalidValue, match="`length` must come to at least 0 steps, got '10% = "):
        schedule.bind(total_steps=6)


def test_a_branch_comes_to_the_whole() -> None:
    for total in range(20, 60):
        bound = gs.constant(1).branch("75%", gs.linear("25%")).bind(total_steps=total)
        assert bound.steps == total


@given(schedules(SIGNED, ANY_LENGTH))
def test_binding_once_is_enough(schedule: Schedule) -> None:
    bound = schedule.bind(**PLAN)
    assert not unbound(bound)
    assert bound.bind(**PLAN) == bound
    assert bound.bind() == bound
    assert type(bound) is type(schedule)


@given(schedules(SIGNED, ANY_LENGTH))
def test_the_units_may_be_bound_one_after_another(schedule: Schedule) -> None:
    if unbound(schedule):
        with pytest.raises(UnboundError):
            schedule.bind()
    else:
        assert schedule.bind() == schedule


# -- what is refused -------------------------------------------------------------------------------

MISSING = [
    ('linear("10ep")', {}, "the length '10ep' needs `steps_per_epoch`"),
    ('linear("10tok")', {"steps_per_epoch": 5}, "the length '10tok' needs `tokens_per_step`"),
    ('linear("10%")', {"steps_per_epoch": 5}, "the length '10%' needs `total_steps`"),
    ('warmup(5) >> linear("10%")', {}, "the length '10%' needs `total_steps`"),
]


@pytest.mark.parametrize(("text", "plan", "sentence"), MISSING)
def test_a_missing_number_is_named(text: str, plan: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnboundError) as caught:
        gs.parse(text).bind(**plan)
    assert sentence in str(caught.value)


ASKED = [
    lambda s: s(0),
    lambda s: s.values(),
    lambda s: s.values(5),
    lambda s: s.area(),
    lambda s: s.peak(),
    lambda s: s.first(0.5),
    lambda s: s.phases(),
]


@pytest.mark.parametrize("ask", ASKED)
@pytest.mark.parametrize(
    "text", ['warmup("5%")', 'warmup("5%") >> linear(5)', 'constant(1).branch(5, warmup("5%"))']
)
def test_an_unbound_schedule_says_so_whatever_is_asked(ask: Any, text: str) -> None:
    with pytest.raises(
        UnboundError, match=r"unbound length '5%': call \.bind\(total_steps=\.\.\.\) "
    ):
        ask(gs.parse(text))


def test_the_length_and_the_end_of_an_unbound_composition() -> None:
    schedule = gs.warmup("5%") >> gs.linear("5%")
    for ask in (lambda: schedule.steps, lambda: schedule.end):
        with pytest.raises(UnboundError, match="has the unbound length '5%'"):
            ask()


def test_a_picture_of_an_unbound_schedule_is_its_text() -> None:
    assert gs.warmup("5%")._repr_svg_() is None


PLANS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"total_steps": 0}, InvalidValue, "`total_steps` must be more than 0, got 0"),
    ({"steps_per_epoch": -1}, InvalidValue, "`steps_per_epoch` must be more than 0, got -1"),
    ({"tokens_per_step": "9"}, InvalidType, "`tokens_per_step` must be a number, got '9'"),
    ({"total_steps": True}, InvalidType, "`total_steps` must be a number, got True"),
    ({"total_steps": float("nan")}, InvalidValue, "`total_steps` must be finite"),
]


@pytest.mark.parametrize(("plan", "error", "sentence"), PLANS)
def test_a_plan_that_makes_no_sense(plan: dict[str, Any], error: Any, sentence: str) -> None:
    with pytest.raises(error) as caught:
        gs.linear("5%").bind(**plan)
    assert sentence in str(caught.value)


LENGTHS: list[tuple[Any, type[Exception], str]] = [
    ("", InvalidValue, "`steps` must be a number of steps, one with a unit such as 10ep, 2e9tok,"),
    ("ten", InvalidValue, "got 'ten'"),
    ("10 ep", InvalidValue, "got '10 ep'"),
    ("10x", InvalidValue, "got '10x'"),
    ("-5%", InvalidValue, "got '-5%'"),
    ("5epochs", InvalidValue, "such as 10ep, 2e9tok, 5%, or rest, got '5epochs'"),
    (Length, InvalidType, "`steps` must be a number"),
    ("1e999%", InvalidValue, "`length` must be finite, got inf"),
    ("nan", InvalidValue, "`steps` must be"),
    (None, InvalidType, "`steps` must be a number, got None"),
    (b"5%", InvalidType, "`steps` must be a number, got b'5%'"),
]


@pytest.mark.parametrize(("length", "error", "sentence"), LENGTHS)
def test_what_is_no_length(length: Any, error: Any, sentence: str) -> None:
    with pytest.raises(error) as caught:
        gs.linear(length)
    assert sentence in str(caught.value)


KINDS: list[Callable[[int], Any]] = [
    np.int64,
    np.uint16,
    np.float32,
    np.float64,
    np.array,
    torch.tensor,
    Fraction,
    float,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("unit", "name"), [*UNITS.items()])
def test_any_kind_of_number_binds(kind: Any, unit: str, name: str) -> None:
    schedule = gs.cosine("rest" if unit == "rest" else f"200{unit}")
    assert schedule.bind(**{name: kind(128)}) == schedule.bind(**{name: 128})


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_number_is_an_argument(kind: Any) -> None:
    schedule = gs.cosine(kind(10), end=kind(2), power=kind(3)) >> gs.step(kind(4), kind(1))
    assert schedule == gs.cosine(10, end=2, power=3) >> gs.step(4, 1)
    assert gs.parse(repr(schedule)) == schedule
    assert gs.cosine(10).repeat(kind(3)) == gs.cosine(10).repeat(3)
    assert gs.multistep([kind(3), kind(5)]) == gs.multistep([3, 5])
    assert gs.parse("linear(10)").values(kind(3)).tolist() == [1.0, 0.9, 0.8]


@pytest.mark.parametrize("other", [np.array([5]), torch.tensor(True), np.bool_(1), np.array("5")])
def test_what_is_no_number_without_dimensions(other: Any) -> None:
    with pytest.raises(InvalidType, match="`steps` must be a number"):
        gs.linear(other)


def test_the_same_length_in_several_spellings() -> None:
    same = ["10ep", "10EP", " 10ep ", "10.0ep", "1e1ep", Length(10, "ep"), Length(10.0, "ep")]
    assert {gs.linear(length) for length in same} == {gs.linear("10ep")}
    assert gs.linear("10") == gs.linear(10.0) == gs.linear(10)
    assert gs.linear("10_000") == gs.linear(10_000)
    assert gs.linear("10_000tok") == gs.linear("10000tok")
    assert gs.linear("0%") == gs.linear(Length(0, "ep")) == gs.linear(0)
    with pytest.raises(InvalidValue, match="`unit` must be one of ep, tok, %, rest, got 'min'"):
        Length(10, "min")
