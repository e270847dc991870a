from __future__ import annotations

import unicodedata

import pytest

import glideslope as gs
from glideslope.cli._terminal_plot import Canvas, Chart, ticks


@pytest.mark.parametrize(
    ("x", "y", "dot"),
    [(0, 0, 7), (0, 1, 3), (0, 2, 2), (0, 3, 1), (1, 0, 8), (1, 1, 6), (1, 2, 5), (1, 3, 4)],
)
def test_each_dot_is_where_unicode_numbers_it(x: int, y: int, dot: int) -> None:
    canvas = Canvas(1)
    canvas.dot(x, y, owner=0)
    assert unicodedata.name(canvas.row(0, ascii_only=False).plain) == f"BRAILLE PATTERN DOTS-{dot}"


def test_dots_of_one_character_add_up() -> None:
    canvas = Canvas(1)
    canvas.line((0, 0), (0, 3), owner=0)
    canvas.dot(1, 3, owner=1)
    text = canvas.row(0, ascii_only=False)
    assert unicodedata.name(text.plain) == "BRAILLE PATTERN DOTS-12347"
    assert text.spans[0].style == "magenta"  # of the one drawn last


def test_a_number_has_its_own_colour() -> None:
    chart = Chart([gs.constant(0.5), gs.constant(0.5)], 100, 80)
    colors = {
        (row.plain[span.start], str(span.style))
        for row in chart.lines(ascii_only=False)
        for span in row.spans
        if row.plain[span.start] in "12"
    }
    assert colors == {("1", "cyan"), ("2", "magenta")}


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 3e-4, 6, [0, 1e-4, 2e-4, 3e-4]),
        (-0.5, 0.5, 6, [-0.4, -0.2, 0, 0.2, 0.4]),
        (0.85, 0.95, 6, [0.86, 0.88, 0.9, 0.92, 0.94]),
        (0, 10_000, 8, [0, 2000, 4000, 6000, 8000, 10_000]),
        (0, 3, 8, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, most: int, expected: list[float]) -> None:
    assert ticks(low, high, most) == expected


def test_steps_on_the_axis_are_whole() -> None:
    *_, numbers = Chart([gs.cosine(3)], 3, 80).lines(ascii_only=False)
    assert numbers.plain.split() == ["0", "1", "2", "3"]


def test_a_number_stands_under_its_step() -> None:
    chart = Chart([gs.cosine(10_000)], 10_000, 80)
    *_, axis, numbers = (line.plain for line in chart.lines(ascii_only=False))
    for tick in (2000, 4000, 6000, 8000):
        middle = numbers.index(f"{tick:,}") + 2.5
        column = axis.index("└") + 1.5 + tick / 10_000 * (chart.canvas.width - 1)
        assert abs(middle - column) <= 1.5
        assert axis[round(column - 0.5)] == "┬" or axis[round(column - 0.5) - 1] == "┬"
