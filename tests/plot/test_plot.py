from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue, MissingDependency, UnboundError
from glideslope.plot import plot


@pytest.fixture
def ax() -> Axes:
    return Figure(layout="constrained").subplots()


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def legend(axes: Axes) -> list[str]:
    shown = axes.get_legend()
    return [] if shown is None else [text.get_text() for text in shown.get_texts()]


def drawn(axes: Axes, k: int = 0) -> tuple[np.ndarray, np.ndarray]:
    line = axes.get_lines()[k]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_the_line_is_the_schedule_from_its_start_to_its_end(ax: Axes) -> None:
    schedule = gs.parse("warmup(500) >> cosine(9500, end=0.1)")
    steps, values = drawn(plot(schedule, ax=ax))
    assert (steps[0], steps[-1]) == (0, 10_000)
    np.testing.assert_array_equal(values, schedule(steps))
    np.testing.assert_allclose(
        np.interp(range(10_000), steps, values), schedule.values(), atol=1e-5
    )


def test_the_method_draws_the_same(ax: Axes) -> None:
    schedule = gs.cosine(100)
    assert schedule.plot(gs.linear(50), ax=ax, labels=["a", "b"]) is ax
    assert legend(ax) == ["a", "b"]


def test_without_axes_there_is_a_new_figure() -> None:
    axes = gs.cosine(100).plot()
    assert axes.figure is pyplot.gcf()


def test_one_schedule_is_shaded_by_phases_which_the_legend_names(ax: Axes) -> None:
    plot(gs.parse("warmup(10) >> hold(50) >> linear(40)"), ax=ax)
    assert legend(ax) == ["warmup(10)", "hold(50)", "linear(40)"]
    assert ax.get_title(loc="left") == "warmup(10) >> hold(50) >> linear(40)"
    colors = {area.get_facecolor().tobytes() for area in ax.collections}
    assert len(ax.collections) == len(colors) == 3


def test_equal_phases_share_a_colour_and_a_name(ax: Axes) -> None:
    plot(gs.parse("warmup(10) >> cosine(30).repeat(3)"), ax=ax)
    assert legend(ax) == ["warmup(10)", "cosine(30)"]
    colors = [area.get_facecolor().tobytes() for area in ax.collections]
    assert len(colors) == 4
    assert len(set(colors)) == 2


def test_a_single_curve_and_many_phases_have_no_legend(ax: Axes) -> None:
    assert legend(plot(gs.cosine(10), ax=ax)) == []
    many = gs.cosine(10).repeat(12, decay=0.9)
    assert legend(plot(many, ax=Figure().subplots())) == []


def test_several_are_compared_over_the_longest_with_dots_at_their_phases(ax: Axes) -> None:
    plot(gs.parse("warmup(10) >> hold(20) >> linear(30)"), gs.linear(100, end=0.2), ax=ax)
    assert legend(ax) == ["warmup(10) >> hold(20) >> linear(30)", "linear(100, end=0.2)"]
    assert drawn(ax, 0)[0][-1] == drawn(ax, 1)[0][-1] == 100
    assert drawn(ax, 0)[1][-1] == 0
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), [(10, 1), (30, 1)])


def test_steps_say_how_far_to_draw(ax: Axes) -> None:
    plot(gs.warmup(10) >> gs.cosine(90), gs.warmup(40) >> gs.linear(10), ax=ax, steps=30)
    assert drawn(ax)[0].max() <= 30
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), [(10, 1)])


def test_an_endless_schedule_is_drawn_as_far_as_shows_its_shape(ax: Axes) -> None:
    steps, _ = drawn(plot(gs.cosine(100).repeat(), ax=ax))
    assert 399 < steps[-1] < 400


def test_zero_is_in_the_picture_unless_all_values_are_far_from_it(ax: Axes) -> None:
    low, high = plot(gs.linear(100, start=1, end=0.4), ax=ax).get_ylim()
    assert low <= 0 < 1 <= high
    low, high = plot(gs.linear(100, start=0.95, end=0.85), ax=Figure().subplots()).get_ylim()
    assert 0.8 < low < 0.85 < 0.95 < high < 1


def test_a_long_text_is_cut_in_the_middle(ax: Axes) -> None:
    long = gs.parse(" >> ".join(f"hold({k})" for k in range(1, 30)))
    (line,) = plot(long, ax=ax).get_lines()
    label = str(line.get_label())
    assert len(label) <= 72
    assert label.startswith("hold(1) >> hold(2)")
    assert label.endswith("hold(29)")


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InvalidValue, match="`schedules` must be at least one"):
        plot()
    with pytest.raises(InvalidType, match=r"`schedules` must be schedules, got 0\.1"):
        plot(gs.cosine(10), 0.1)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="`steps` must be at least 1, got 0"):
        plot(gs.cosine(10), steps=0)
    with pytest.raises(InvalidValue, match="`labels` must be as many as the schedules, 1"):
        plot(gs.cosine(10), labels=["a", "b"])
    with pytest.raises(UnboundError):
        plot(gs.cosine("5%"))
    with pytest.raises(UnboundError):
        plot(gs.cosine("5%"), steps=100)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependency, match=r"pip install .*\[plot\]'"):
        plot(gs.cosine(10))
