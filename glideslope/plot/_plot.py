"""Schedules as curves over the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from glideslope.errors import require, require_type, shortened

from ._axes import clear_frame, count_steps, new_axes, show_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

COLUMNS = 1000
"""The width in columns for which curves are sampled: more than most screens show."""
NAMED_PHASES = 6
"""The most phases in the legend; more are shaded and not named."""
LABEL = 72
"""The length of a label in characters; a longer text keeps its beginning and its end."""


class PhaseLike(Protocol):
    """The steps ``start <= t < stop``, and the curve within them, named by its ``repr``."""

    @property
    def start(self) -> float: ...
    @property
    def stop(self) -> float: ...
    @property
    def curve(self) -> object: ...


class Points(Protocol):
    """Ascending steps, the value at each, and the limits of an axis that shows them."""

    @property
    def steps(self) -> Values: ...
    @property
    def values(self) -> Values: ...
    @property
    def limits(self) -> tuple[float, float]: ...


@runtime_checkable
class Drawable(Protocol):
    """The methods by which `plot` knows a schedule; its ``repr`` is its label."""

    def __call__(self, steps: Values, /) -> Values:
        """The values at these steps."""

    def phases(self) -> Sequence[PhaseLike]:
        """The phases: each has ``start``, ``stop`` and ``curve``."""

    def view_steps(self) -> int:
        """The number of steps to draw unless another is asked for."""

    def outline(self, stop: float, columns: int) -> Points:
        """The points that draw it up to ``stop``: ``steps``, ``values`` and ``limits``."""


def plot(
    *schedules: Drawable,
    steps: int | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw schedules over the steps of a run.

    One schedule is shaded in the colours of its phases, which the legend names. Several are drawn
    over each other, with a dot where each new phase begins; a schedule that is shorter than the
    others holds its end.

    Args:
        schedules: one or more, with every length bound.
        steps: the last step drawn; unless given, the end of the longest, and of an endless one
            enough steps to show its shape.
        labels: their names in the legend; their texts unless given.
        ax: the axes to draw on; a new figure unless given.

    Returns:
        The axes drawn on; ``.figure`` is the whole picture.

    Raises:
        InvalidType: an argument is not a schedule.
        InvalidValue: no schedule, ``steps`` below 1, or not as many ``labels`` as schedules.
        UnboundError: some length is still in epochs, tokens or percent.
        MissingDependency: Matplotlib is not installed.

    Example:
        >>> import glideslope as gs
        >>> axes = (gs.warmup(500) >> gs.cosine(9500)).plot(gs.linear(10_000))
        >>> [line.get_label() for line in axes.get_lines()]
        ['warmup(500) >> cosine(9500)', 'linear(10000)']
    """
    require(len(schedules) > 0, "schedules", "be at least one", schedules)
    for schedule in schedules:
        require_type(isinstance(schedule, Drawable), "schedules", "be schedules", schedule)
    require(steps is None or steps >= 1, "steps", "be at least 1", steps)
    names = [shortened(s, LABEL) for s in schedules] if labels is None else labels
    rule = f"be as many as the schedules, {len(schedules)}"
    require(len(names) == len(schedules), "labels", rule, labels)
    stop = steps or max(schedule.view_steps() for schedule in schedules)
    ax = new_axes() if ax is None else ax
    draw_curves(ax, schedules, names, stop)
    return ax


def draw_curves(ax: Axes, schedules: Sequence[Drawable], names: Sequence[str], stop: int) -> None:
    """Draw the curves with their phases, on axes without a frame."""
    for schedule, name in zip(schedules, names, strict=True):
        drawn = schedule.outline(stop, COLUMNS)
        (line,) = ax.plot(drawn.steps, drawn.values, label=name, linewidth=2, zorder=3)
        ax.update_datalim([(0, drawn.limits[0]), (stop, drawn.values[-1])])
        if len(schedules) > 1:
            mark_phases(ax, schedule, stop, line.get_color())
    clear_frame(ax)
    count_steps(ax)
    if len(schedules) > 1:
        show_legend(ax)
    else:
        shade_phases(ax, schedules[0], stop)
        ax.set_title(names[0], loc="left")


def mark_phases(ax: Axes, schedule: Drawable, stop: int, color: Any) -> None:
    """A dot where each phase but the first begins."""
    starts = np.array([phase.start for phase in schedule.phases() if 0 < phase.start < stop])
    if len(starts):
        ax.scatter(starts, schedule(starts), s=24, color=color, zorder=4)


def shade_phases(ax: Axes, schedule: Drawable, stop: int) -> None:
    """The area under each phase, equal curves in one colour; the legend names them if few."""
    drawn = schedule.outline(stop, COLUMNS)
    steps, ground = drawn.steps, max(0.0, drawn.limits[0])
    areas: dict[object, Any] = {}
    phases = schedule.phases()
    colors = [f"C{k + 1}" for k in range(len(phases))] if len(phases) > 1 else ["C0"]
    for phase in phases:
        known = areas.get(phase.curve)
        color = known.get_facecolor() if known else colors[len(areas)]
        within = (phase.start <= steps) & (steps <= phase.stop)
        area = ax.fill_between(
            steps, ground, drawn.values, within.tolist(), color=color, alpha=0.25, linewidth=0
        )
        areas.setdefault(phase.curve, area)
    if 1 < len(areas) <= NAMED_PHASES:
        names = [shortened(curve, LABEL) for curve in areas]
        show_legend(ax, handles=list(areas.values()), labels=names)
