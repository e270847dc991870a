from __future__ import annotations

import numpy as np
import pytest

import glideslope as gs
from glideslope.schedules.view import value_label, value_limits


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("warmup(500) >> cosine(9500)", 10_000),
        ("linear(10).shift(-0.5)", 10),
        ("cosine(100).repeat()", 400),
        ("cosine(10).repeat(stretch=3)", 10 + 30 + 90 + 270),
        ("growing_polynomial(100)", 400),
        ("warmup(10) >> cosine(100).repeat()", 410),
        ("warmup(500) >> constant(1)", 1000),
        ("triangular(10).repeat() * 0.9 + 0.1", 80),
    ],
)
def test_as_many_steps_as_show_the_shape(text: str, steps: int) -> None:
    assert gs.parse(text).view_steps() == steps


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.99, 0.999, 0.99999])
def test_a_decay_is_seen_until_it_has_nearly_come_to_rest(gamma: float) -> None:
    decay = gs.exponential(gamma)
    assert 1e-5 < decay(decay.view_steps()) < 0.1


def test_growth_is_seen_while_its_beginning_can_be_seen() -> None:
    growth = gs.exponential(1.01)
    assert 10 < growth(growth.view_steps()) < 1000


def test_the_outline_keeps_what_is_narrower_than_a_column() -> None:
    spike = gs.hold(1234, 0.5) >> gs.hold(1) >> gs.hold(8765, 0.2)
    steps, values = spike.outline(10_000, 20)
    assert values.max() == 1
    assert 1234 <= steps[values.argmax()] < 1235
    assert (values[0], values[-1], steps[0], steps[-1]) == (0.5, 0.2, 0, 10_000)
    assert len(steps) <= 2 * 20 + 2


def test_the_outline_keeps_both_sides_of_a_break() -> None:
    broken = gs.linear(1, start=0, end=1) >> gs.linear(6, start=0.1, end=0)
    _, values = broken.outline(7, 4)
    assert values.max() == pytest.approx(1, abs=1e-12)


def test_the_outline_lies_on_the_curve_and_goes_forward() -> None:
    schedule = gs.parse("warmup(10) >> cosine(30).repeat(3, decay=0.5)")
    steps, values = schedule.outline(100, 50)
    np.testing.assert_array_equal(values, schedule(steps))
    assert (np.diff(steps) > 0).all()


def test_the_outline_stops_before_the_next_cycle() -> None:
    _, values = gs.cosine(100).repeat().outline(400, 50)
    assert values[-1] < 1e-20


@pytest.mark.parametrize("cycles", [500, 610, 1000, 6765, 10**6, 10**9])
def test_an_oscillation_faster_than_a_column_fills_its_band(cycles: int) -> None:
    steps, values = gs.linear(100).repeat(cycles).outline(100 * cycles, 20)
    columns = np.minimum(steps * 20 // (100 * cycles), 19)
    assert [values[columns == k].max() > 0.9 for k in range(20)] == [True] * 20
    assert [values[columns == k].min() < 0.1 for k in range(20)] == [True] * 20


@pytest.mark.parametrize(
    "text", ["hold(1e30)", "warmup(1e20) >> rex(1e20)", "linear(1e19).repeat(3)", "cosine(1e18)"]
)
def test_a_schedule_of_any_length_is_measured_and_drawn(text: str) -> None:
    schedule = gs.parse(text)
    steps, values = schedule.outline(columns=10)
    assert steps[-1] == pytest.approx(schedule.steps, rel=1e-12)
    assert schedule.peak().value == values.max() == 1
    assert 0.5 <= schedule.area() / schedule.steps <= 1
    assert all(finding.message for finding in schedule.lint(10**40))
    assert "<svg" in schedule._repr_svg_()


def test_the_outline_leaves_out_what_is_no_number() -> None:
    steps, values = gs.exponential(1e10).outline(100, 50)
    assert np.isfinite(values).all()
    assert steps[-1] < 31


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.0, 1.0], (0, 1)),
        ([0.1, 1.0], (0, 1)),
        ([0.85, 0.95], (0.85, 0.95)),
        ([0.3, 0.3], (0, 0.3)),
        ([0.0, 0.0], (0, 1)),
        ([-0.5, 0.5], (-0.5, 0.5)),
        ([-1.0, -0.2], (-1, 0)),
    ],
)
def test_limits_begin_at_zero_unless_all_values_are_far_from_it(
    values: list[float], limits: tuple[float, float]
) -> None:
    assert value_limits(np.array(values)) == limits


def test_a_rounding_error_is_written_as_nothing() -> None:
    assert value_label(6e-17, 1.0) == "0"
    assert value_label(6e-17, 1e-16) == "6e-17"
    assert value_label(0.00012345, 1.0, digits=3) == "0.000123"
