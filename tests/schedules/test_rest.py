"""The length "rest": what the other phases of a sequence leave of the run."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs
from glideslope import Length, Schedule
from glideslope.errors import InvalidValue, UnboundError

BOUND = [
    ("cosine(rest)", "cosine(1000)"),
    ("cosine('rest')", "cosine(1000)"),
    ("warmup(200) >> cosine(rest)", "warmup(200) >> cosine(800)"),
    ("warmup(100) >> hold(rest) >> linear(20%)", "warmup(100) >> hold(700) >> linear(200)"),
    ("hold(rest) >> linear(2ep)", "hold(986) >> linear(14)"),
    ("wsd(100, rest, 20%)", "wsd(100, 700, 200)"),
    ("(warmup(200) >> cosine(rest)) * 3e-4", "(warmup(200) >> cosine(800)) * 3e-4"),
    (
        "(warmup(200) >> cosine(rest)) * 3e-4 >> linear(100)",
        "(warmup(200) >> cosine(700)) * 3e-4 >> linear(100)",
    ),
    ("constant(1).branch(80%, linear(rest))", "constant(1).branch(800, linear(200))"),
    (
        "warmup(100) >> constant(1).branch(500, linear(rest))",
        "warmup(100) >> constant(1).branch(500, linear(400))",
    ),
    (
        "cosine(rest).branch(80%, hold(10) >> linear(rest))",
        "cosine(1000).branch(800, hold(10) >> linear(190))",
    ),
    ("warmup(1000) >> cosine(rest)", "warmup(1000)"),
    ("cosine(rest) >> hold(50%) >> hold(50%)", "hold(500) >> hold(500)"),
    ("warmup(200) >> power_law(200).take(rest)", "warmup(200) >> power_law(200).take(800)"),
    ("warmup(1000) >> power_law(200).take(rest)", "warmup(1000)"),
    (
        "warmup(200) >> cosine(9).repeat(4).stretch(rest)",
        "warmup(200) >> cosine(9).repeat(4).stretch(800)",
    ),
    (
        "warmup(200) >> cosine(rest) * exponential(0.99)",
        "warmup(200) >> cosine(800) * exponential(0.99)",
    ),
    ("cosine(rest) * linear(rest)", "cosine(1000) * linear(1000)"),
    ("hyperbolic(rest, rest)", "hyperbolic(1000, 1000)"),
    ("warmup(200) >> (1 - linear(rest)).clip(0.1)", "warmup(200) >> (1 - linear(800)).clip(0.1)"),
    ("warmup(12.5) >> cosine(rest)", "warmup(12.5) >> cosine(987.5)"),
    ("chebyshev(rest)", "chebyshev(1000)"),
    ("range_test(rest)", "range_test(1000)"),
]
RUN = {"total_steps": 1000, "steps_per_epoch": 7}


@pytest.mark.parametrize(("text", "bound"), BOUND)
def test_the_rest_of_a_run(text: str, bound: str) -> None:
    assert gs.parse(text).bind(**RUN) == gs.parse(bound)


HUNDREDTHS = st.lists(st.integers(1, 1500), max_size=3)


@given(HUNDREDTHS, HUNDREDTHS, st.integers(1, 10**6))
def test_a_sequence_with_a_rest_is_the_whole_run(
    before: list[int], after: list[int], total: int
) -> None:
    parts = [f"linear({n / 100}%)" for n in before] + ["cosine(rest)"]
    parts += [f"linear({n / 100}%)" for n in after]
    bound = gs.parse(" >> ".join(parts)).bind(total_steps=total)
    assert bound.steps == total
    left = 10_000 - sum(before) - sum(after)
    shares = [Fraction(n * total, 10_000) for n in (*before, left, *after)]
    edges = {0, *(phase.stop for phase in bound.phases())}
    for exact in itertools.accumulate(shares):
        assert min(abs(exact - edge) for edge in edges) <= Fraction(1, 2)


def test_the_written_forms() -> None:
    same = ["rest", " rest ", Length(1, "rest")]
    assert {gs.cosine(length) for length in same} == {gs.parse("cosine(rest)")}
    assert str(Length(1, "rest")) == "rest"
    with pytest.raises(InvalidValue, match="`length` must be all of the rest, 1, got 2"):
        Length(2, "rest")


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    (
        "warmup(2000) >> cosine(rest)",
        {"total_steps": 1999},
        InvalidValue,
        "the other phases take 2000 steps, the run has 1999",
    ),
    (
        "(warmup(10) >> cosine(rest)) * 2 >> linear(5)",
        {"total_steps": 14},
        InvalidValue,
        'in `warmup(10) >> cosine("rest")`: the other phases take 10 steps, the run has 9',
    ),
    (
        "constant(1).branch(20, linear(rest))",
        {"total_steps": 15},
        InvalidValue,
        "the other phases take 20 steps, the run has 15",
    ),
    (
        "cosine(rest) >> exponential(0.9)",
        {"total_steps": 15},
        InvalidValue,
        "the other phases take inf steps, the run has 15",
    ),
    ("cosine(rest)", {}, UnboundError, "the length 'rest' needs `total_steps`: bind(total_steps"),
    ("warmup(5) >> cosine(rest)", {"steps_per_epoch": 5}, UnboundError, "needs `total_steps`"),
    (
        "warmup(9.5) >> cosine(rest)",
        {"total_steps": 10},
        InvalidValue,
        "`steps` must be 0 or at least 1, got 0.5",
    ),
]


@pytest.mark.parametrize(("text", "plan", "error", "sentence"), REFUSED)
def test_a_run_without_a_rest(text: str, plan: dict[str, Any], error: Any, sentence: str) -> None:
    with pytest.raises(error) as caught:
        gs.parse(text).bind(**plan)
    assert sentence in str(caught.value)


MEANINGLESS: list[tuple[Any, str]] = [
    (
        lambda: gs.cosine("rest") >> gs.hold(5) >> gs.linear("rest"),
        '`cosine("rest")` and `linear("rest")` cannot both take the rest of a run',
    ),
    (lambda: gs.cosine("rest").repeat(3), "`rest` cannot be repeated: write .repeat(n).stretch("),
    (lambda: gs.exponential(0.5, every="rest"), "only the length of a phase can be the rest"),
    (lambda: gs.cosine(9).shift("rest"), "`k` must be counted in steps, ep, tok or %"),
    (lambda: gs.cosine(9).branch("rest", gs.linear(9)), "`at` must be counted in steps"),
    (lambda: gs.piecewise({0: 1, "rest": 0}), "`step` must be counted in steps"),
    (lambda: gs.growing_polynomial("rest"), "`period` must be counted in steps"),
]


@pytest.mark.parametrize(("make", "sentence"), MEANINGLESS)
def test_what_cannot_be_the_rest(make: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        make()
    assert sentence in str(caught.value)


@pytest.mark.parametrize("ask", [lambda s: s(0), lambda s: s.steps, lambda s: s.phases()])
def test_an_unbound_rest_names_what_binds_it(ask: Any) -> None:
    schedule: Schedule = gs.warmup(5) >> gs.cosine("rest")
    with pytest.raises(UnboundError, match=r"length 'rest': call \.bind\(total_steps=\.\.\.\)"):
        ask(schedule)
