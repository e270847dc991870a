from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import glideslope as gs

# Every recipe and curve as it is meant to be used: the findings when it runs for `steps`, or for
# its own length. A ramp from 1 to 0 has none.
RAMPS = [name for name, kind in gs.Schedule.registry.items() if issubclass(kind, gs.Ramp)]
IN_ORDER: list[tuple[str, int | None, list[str]]] = [
    *((f"{name}(100)", None, []) for name in RAMPS),
    ("constant(0.1)", 1000, []),
    ("hold(100)", None, []),
    ("warmup(10)", 1000, ["zero-start"]),
    ("warmup(10, start=0.1)", 1000, []),
    ("warmup(10).shift(-1) >> cosine(91)", None, []),
    ("warmup(10, 'cosine') >> cosine(90)", None, ["zero-start"]),
    ("warmup(10, 'geometric', start=0.001) >> cosine(90)", None, []),
    ("warmup(1) >> linear(2)", None, ["zero-start"]),
    ("warmup(100, start=2) >> hold(900)", None, []),
    ("warmup_cosine(500, 9500)", None, ["zero-start"]),
    ("warmup_cosine(500, 9500, end=0.1)", None, ["zero-start"]),
    ("wsd(50, 750, 200)", None, ["zero-start"]),
    ("wsd(50, 750, 200, 'sqrt')", None, ["zero-start"]),
    ("wsd_s(10, 80, 20, n=3)", None, ["zero-start"]),
    ("cooldown(100, 'exponential')", None, []),
    ("cooldown(100, 'geometric', end=0.001)", None, []),
    ("linear(5)", None, []),
    ("linear(1)", None, []),
    ("cosine(100, end=0.6)", None, []),
    ("cosine(1000000)", None, []),
    ("polynomial(100, power=2)", None, []),
    ("polynomial(100, power=0.5, mirrored=True)", None, []),
    ("tanh(100)", None, []),
    ("hyperbolic(100, 1000)", None, []),
    ("exp_hyperbolic(100, 1000)", None, []),
    ("growing_polynomial(100)", 400, []),
    ("step(30)", 90, []),
    ("multistep([30, 60, 80])", 90, []),
    ("piecewise([(0, 0.1), (10, 1), (100, 0)], shape='linear')", None, []),
    ("exponential(0.95)", 100, []),
    ("natural_exponential(0.01)", 1000, []),
    ("inverse_time(0.1)", 1000, []),
    ("inverse_sqrt(100)", 10_000, ["zero-start"]),
    ("noam(512, 4000)", 100_000, ["zero-start"]),
    ("noam_clamped(512, 4000)", 100_000, []),
    ("power_law(100)", 10_000, []),
    ("saturation(1000) * cosine(100000)", 100_000, []),
    ("rectifier() * cosine(100000)", 100_000, []),
    ("one_cycle(100)", None, []),
    ("one_cycle(100, three_phase=True)", None, []),
    ("triangular(50)", None, ["zero-start"]),
    ("0.1 + 0.9 * triangular(10).repeat(decay=0.5)", 200, []),
    ("exponential(0.999) * triangular(10).repeat()", 200, ["zero-start"]),
    ("slanted_triangular(1000)", None, []),
    ("range_test(100)", None, []),
    ("half_life(1000)", None, []),
    ("cosine_waves(100)", None, []),
    ("cosine_waves(100, 2.5)", None, []),
    ("chebyshev(64)", None, []),
    ("fractal_chebyshev(64)", None, ["rises-again", "jump"]),  # it does both, on purpose
    ("cosine(100).repeat()", 1000, []),
    ("cosine(100).repeat(5)", None, []),
    ("cosine(10).repeat(stretch=3)", 400, []),
    ("cosine(100).repeat(5, decay=0.5, stretch=2)", None, []),
    ("(warmup(10) >> cosine(90)).repeat(3) * 3e-4", None, ["zero-start"]),
    ("cosine(100).repeat(3).clip(0.01).take(300)", None, []),
    ("warmup(10).shift(-1) >> (linear(1000) * rex(1000)).stretch(500)", None, []),
    ("cosine(10).repeat(3).stretch(300)", None, []),
    ("cosine_waves(100, cycles=1) >> linear(100)", None, []),
    ("linear(100).staircase(25)", None, []),
    ("hold(30) >> hold(30, 0.1) >> hold(30, 0.01)", None, []),
    ("constant(1).branch(800, cooldown(200))", None, []),
    ("0.95 - 0.1 * triangular(50)", None, []),  # the momentum of one cycle
    ("1 - warmup(10) * 0.1", 1000, []),
]

MISTAKES = [
    ("warmup(500) >> cosine(9500)", 300, ["short-run", "endless-warmup", "zero-start"]),
    ("linear(1000)", 999, ["short-run"]),
    ("linear(1000)", 700, ["short-run", "high-end"]),
    ("hold(1000)", 700, []),
    ("cosine(100) >> hold(100, 0.0)", 150, []),
    ("wsd_s(10, 80, 20, n=3)", 180, ["short-run", "high-end", "zero-start"]),
    ("saturation(1000)", 100, ["endless-warmup"]),
    ("noam(512, 4000)", 100, ["endless-warmup", "zero-start"]),
    ("noam_clamped(512, 4000)", 100, ["endless-warmup"]),
    ("hold(0, 0.5)", None, []),
    ("exponential(0)", 10, ["epochs-as-steps"]),
    ("triangular(1000).repeat()", 300, ["endless-warmup", "zero-start"]),
    ("range_test(100)", 60, ["short-run", "endless-warmup"]),
    ("cosine(100).repeat()", 1010, ["high-end"]),
    ("cosine_waves(100, cycles=1)", None, ["high-end"]),
    ("cosine(10000)", 10_100, []),
    ("cosine(10000)", 10_200, ["long-run"]),
    ("cosine(10000, end=0.1)", 19_000, []),
    ("cosine(10000, end=0.1)", 21_000, ["long-run"]),
    ("cosine(10000, end=0.6)", 100_000, []),
    ("exponential(0.999)", 20_000, []),
    ("exponential(0.999)", 40_000, ["long-run"]),
    ("cosine(90)", 90 * 391, ["epochs-as-steps"]),
    ("cosine(1001)", 1001 * 391, ["long-run"]),
    ("cosine(900)", 900 * 9, ["long-run"]),
    ("multistep([30, 60, 80])", 90 * 391, ["epochs-as-steps"]),
    ("step(30)", 90 * 391, ["epochs-as-steps"]),
    ("exponential(0.95)", 100 * 391, ["epochs-as-steps"]),
    ("warmup(5, start=0.1) >> cosine(85) >> hold(100)", None, ["high-end", "rises-again", "jump"]),
    ("cosine(100).repeat(3) >> linear(100)", None, ["rises-again", "jump"]),
    ("cosine(10).repeat(3) >> cosine(10).repeat(3)", None, ["jump"]),
    (
        "cosine(10).repeat(1000) >> piecewise([(0, 0), (5, 0.5), (9, 0)])",
        None,
        ["rises-again", "jump"],
    ),
    ("cosine(100) >> warmup(100)", None, ["high-end", "rises-again"]),
    ("cosine(100, end=0.1) >> linear(50, start=0.14, end=0)", None, []),
    ("cosine(100, end=0.1) >> linear(50, start=0.16, end=0)", None, ["rises-again"]),
    ("cosine(100, end=0.6) >> linear(50)", None, ["jump"]),
    ("hold(100) >> linear(50, start=0.91)", None, []),
    ("hold(100) >> linear(50, start=0.89)", None, ["jump"]),
    ("hold(50, 0.5) >> hold(50)", None, ["jump"]),
    ("warmup(10, start=0.1) >> cosine(20, start=0.5).repeat(3)", None, ["jump"]),
    ("(cosine(10).repeat(2) >> hold(5, 0.5)) * 3e-4", None, ["high-end", "rises-again", "jump"]),
    ("triangular(100) - 0.1", None, ["negative"]),
    ("constant(0)", 10, ["zero-start"]),
    ("exponential(1.1)", 10_000, ["not-finite"]),
]


def codes(schedule: gs.Schedule, steps: int | None) -> list[str]:
    return [finding.code for finding in schedule.lint(steps)]


@pytest.mark.parametrize(("text", "steps", "expected"), IN_ORDER)
def test_nothing_is_said_of_a_schedule_used_as_intended(
    text: str, steps: int | None, expected: list[str]
) -> None:
    assert codes(gs.parse(text), steps) == expected


@pytest.mark.parametrize(("text", "steps", "expected"), MISTAKES)
def test_mistakes_are_found(text: str, steps: int | None, expected: list[str]) -> None:
    assert codes(gs.parse(text), steps) == expected


def test_every_recipe_and_curve_is_in_the_table() -> None:
    text = " ".join(text for text, _, _ in IN_ORDER)
    names = {name for name in gs.schedules.__all__ if name.islower()} - {"parse", "function"}
    assert {name for name in names if f"{name}(" not in text} == set()


def test_the_documented_codes_are_those_that_are_given() -> None:
    documented = re.findall(r"^    - ``([a-z-]+)``", gs.Finding.__doc__ or "", re.MULTILINE)
    given = {code for _, _, expected in IN_ORDER + MISTAKES for code in expected}
    assert sorted(documented) == sorted(given)


@pytest.mark.parametrize(
    ("text", "steps", "finding"),
    [
        (
            "linear(1000)",
            700,
            "high-end: the run ends at 0.3, while the schedule comes down to 0",
        ),
        (
            "cosine(100).repeat(3) >> linear(100)",
            None,
            "rises-again: down to 0.000247 at step 299, then up again to 1"
            " (on purpose is written .repeat())",
        ),
        ("cosine(100) >> hold(50, 0.5)", None, "jump: from 0 to 0.5 at step 100"),
        (
            "cosine(10000)",
            20_500,
            "long-run: over at step 10000 of 20500: the rest of the run stays at 0",
        ),
        (
            "cosine(90)",
            35_190,
            "epochs-as-steps: over at step 90 of 35190: lengths in epochs are written"
            ' "10ep" and bound by bind(steps_per_epoch=...)',
        ),
        ("warmup(50) - 0.1", None, "negative: the value at step 0 is -0.1"),
    ],
)
def test_a_finding_reads_as_a_sentence(text: str, steps: int | None, finding: str) -> None:
    assert finding in map(str, gs.parse(text).lint(steps))


def test_a_finding_knows_its_step() -> None:
    found = {f.code: f.step for f in gs.parse("warmup(10) >> cosine(90) >> hold(50)").lint()}
    assert found == {"high-end": 149, "rises-again": 99, "jump": 100, "zero-start": 0}


def test_a_jump_in_a_long_run_is_found_to_the_step() -> None:
    text = "hold(1234567) >> linear(3000000, start=0.5) >> hold(5000000, 0.0)"
    assert [f.step for f in gs.parse(text).lint() if f.code == "jump"] == [1_234_567]
    upward = gs.parse("hold(7654321, 0.5) >> linear(3000000)").lint()
    assert [f.step for f in upward if f.code == "jump"] == [7_654_321]


def test_steep_is_not_broken() -> None:
    steep = gs.function(lambda t: 1 + math.tanh(20 * (t - 50.5)), 100)
    assert "jump" not in codes(steep, None)
    broken = gs.function(lambda t: 0.2 if t < 50.5 else 1.0, 100)
    assert [f.step for f in broken.lint() if f.code == "jump"] == [51]


def test_a_cosine_that_climbs_again_is_found() -> None:
    periodic = gs.function(lambda t: (1 + math.cos(math.pi * t / 100)) / 2)
    assert codes(periodic, 100) == []
    assert codes(periodic, 200) == ["high-end", "rises-again"]


def test_an_endless_schedule_without_a_run_is_judged_by_its_curve_alone() -> None:
    assert codes(gs.parse("saturation(1000)"), None) == []
    assert codes(gs.parse("exponential(0.5)"), None) == []
    assert codes(gs.parse("constant(0.1) - 0.2"), None) == ["negative"]


def test_an_unbound_schedule_is_refused() -> None:
    with pytest.raises(gs.errors.UnboundError, match="unbound length '5%'"):
        gs.cosine("5%").lint(steps=100)


def test_a_run_has_a_step() -> None:
    with pytest.raises(gs.errors.InvalidValue, match="`steps` must be at least 1, got 0"):
        gs.cosine(10).lint(steps=0)


@given(st.integers(1, 1000), st.integers(2, 10**6), st.floats(0, 1), st.floats(1e-6, 1e3))
def test_a_warm_up_and_a_cosine_of_any_size_are_in_order(
    warmup: int, decay: int, end: float, height: float
) -> None:
    schedule = (gs.warmup(warmup, start=0.01) >> gs.cosine(decay, end=end)) * height
    assert codes(schedule, None) == []


@given(st.sampled_from([text for text, _, _ in IN_ORDER + MISTAKES]), st.integers(1, 10**7))
def test_a_finding_lies_in_the_run(text: str, steps: int) -> None:
    assert all(0 <= finding.step <= steps for finding in gs.parse(text).lint(steps))
