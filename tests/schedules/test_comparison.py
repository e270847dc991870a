"""Tables of values."""

from __future__ import annotations

from typing import Any

import pytest

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue, UnboundError

CURVE = gs.warmup(10) >> gs.hold(25) >> gs.linear(65)


def read(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()[1:]]


def test_rows_are_even_steps_and_the_first_step_of_each_phase() -> None:
    rows = read(CURVE.table(rows=5))
    assert [int(step) for step, _ in rows] == [0, 10, 25, 35, 50, 75, 100]


def test_each_column_holds_the_values_of_its_schedule() -> None:
    other = gs.cosine(40, end=0.1) * 3e-4
    for step, first, second in read(CURVE.table(other, steps=60)):
        assert float(first) == pytest.approx(CURVE(int(step)), rel=1e-3)
        assert float(second) == pytest.approx(other(int(step)), rel=1e-3)


def test_a_rounding_error_is_shown_as_zero() -> None:
    wave = gs.cosine_waves(100, 1)
    assert read(wave.table(rows=3))[1] == ["50", "0"]


def test_a_long_text_is_shortened_in_the_heading() -> None:
    long = gs.parse(" >> ".join(["hold(5)"] * 40))
    assert max(map(len, long.table(rows=2).splitlines())) < 45


WRONG: list[tuple[Any, type[Exception], str]] = [
    (lambda: CURVE.table(0.1), InvalidType, "`others` must be schedules, got 0.1"),  # type: ignore[arg-type]
    (lambda: CURVE.table(steps=0), InvalidValue, "`steps` must be a whole number of at least 1"),
    (lambda: CURVE.table(rows=1), InvalidValue, "`rows` must be a whole number of at least 2"),
    (lambda: CURVE.table(gs.linear("5%")), UnboundError, "has the unbound length '5%'"),
    (lambda: gs.linear("5%").table(steps=5), UnboundError, "has the unbound length '5%'"),
]


@pytest.mark.parametrize(("make", "error", "sentence"), WRONG, ids=[row[2][:30] for row in WRONG])
def test_what_cannot_be_listed_is_refused(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
