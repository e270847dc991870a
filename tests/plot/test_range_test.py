"""Pictures of range tests."""

from __future__ import annotations

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import glideslope as gs
from glideslope.errors import InvalidValue
from glideslope.training import RangeTestResult

LOSSES = [1.0] * 40 + [1 - t / 50 for t in range(40)] + [0.2 + t * t for t in range(10)]
RESULT = RangeTestResult(("0",), (gs.range_test(100),), tuple(LOSSES), 0.0)


def test_the_curve_and_its_suggestions_are_drawn() -> None:
    axes = RESULT.plot(Figure().subplots())
    dots, curve, *marks = axes.get_lines()
    assert list(dots.get_xdata()) == list(curve.get_xdata()) == list(RESULT.lrs)
    assert list(curve.get_ydata()) == list(RESULT.smoothed)
    assert [mark.get_xdata()[0] for mark in marks] == list(RESULT.suggestions().values())
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.split()[0] for label in labels] == list(RESULT.suggestions())
    assert axes.get_xscale() == "log"


def test_the_explosion_leaves_the_picture() -> None:
    low, high = RESULT.plot(Figure().subplots()).get_ylim()
    assert low < min(LOSSES)
    assert 1.0 < high < 2.0


@pytest.mark.parametrize("losses", [[1.0], [1.0, 1.0], [1.0, 1e300]])
def test_little_can_be_drawn_too(losses: list[float]) -> None:
    axes = RangeTestResult(("0",), (gs.range_test(100),), tuple(losses)).plot()
    axes.figure.canvas.draw()
    pyplot.close("all")
    assert axes.get_legend() is None


def test_nothing_is_refused() -> None:
    with pytest.raises(InvalidValue, match="`losses` must be at least one"):
        RangeTestResult(("0",), (gs.range_test(100),), ()).plot()
