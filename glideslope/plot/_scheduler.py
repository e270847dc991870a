"""The values of a scheduler as curves over the steps of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from glideslope.errors import InvalidValue, require

from ._axes import clear_frame, count_steps, new_axes, show_legend
from ._plot import COLUMNS, Drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class KeyBinding(Protocol):
    """The key of the groups that is driven, and the names of the groups that have it."""

    @property
    def key(self) -> str: ...
    def group_names(self) -> list[str]: ...


class Planned(Protocol):
    """A scheduler whose values can be known before they are written."""

    last_epoch: int

    def planned(self, t: int) -> Mapping[str, Sequence[float]]: ...
    def curves(self) -> Sequence[Drawable]: ...
    def bindings(self) -> Sequence[KeyBinding]: ...


def plot_scheduler(
    scheduler: Planned, key: str | None = None, steps: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the values that a scheduler gives each parameter group, with its present step.

    Groups whose values are the same share a curve. A dashed line marks the present step.

    Args:
        scheduler: a scheduler whose values depend on the step alone.
        key: such as ``"weight_decay"``; the learning rate, or the first key, unless given.
        steps: the last step drawn; unless given, the end of the schedule, and at least the
            present step.
        ax: the axes to draw on; a new figure unless given.

    Returns:
        The axes drawn on.

    Raises:
        InvalidType: the values depend on more than the step, as those of `ReduceLROnPlateau` do.
        InvalidValue: ``key`` is not driven, or ``steps`` is below 1.
        MissingDependency: Matplotlib is not installed.

    Example:
        >>> import torch
        >>> from glideslope.optim.lr_scheduler import StepLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> axes = plot_scheduler(StepLR(optimizer, step_size=30), steps=90)
        >>> axes.get_ylabel(), len(axes.get_lines())
        ('lr', 2)
    """
    require(steps is None or steps >= 1, "steps", "be at least 1", steps)
    now = scheduler.planned(scheduler.last_epoch)
    key = key or next(iter(now))
    if key not in now:
        raise InvalidValue(f"`key` must be one of {', '.join(now)}, got {key!r}")
    stop = steps or max(*(c.view_steps() for c in scheduler.curves()), scheduler.last_epoch)
    at = np.unique(np.linspace(0, stop, COLUMNS).round()).astype(int)
    values = np.array([scheduler.planned(int(t))[key] for t in at])
    ax = new_axes() if ax is None else ax
    draw_groups(ax, at, values, names_of_groups(scheduler, key))
    ax.axvline(scheduler.last_epoch, color="0.4", linestyle="--", linewidth=1)
    ax.set_ylabel(key)
    ax.set_title(type(scheduler).__name__, loc="left")
    return ax


def names_of_groups(scheduler: Planned, key: str) -> list[str]:
    """The names of the groups that have the key."""
    return next(b.group_names() for b in scheduler.bindings() if b.key == key)


def draw_groups(ax: Axes, at: Any, values: Any, names: list[str]) -> None:
    """A curve for each group, equal ones once."""
    curves: dict[bytes, list[int]] = {}
    for group in range(values.shape[1]):
        curves.setdefault(values[:, group].tobytes(), []).append(group)
    for groups in curves.values():
        label = ", ".join(names[group] for group in groups)
        ax.plot(at, values[:, groups[0]], label=label, linewidth=2, zorder=3)
    clear_frame(ax)
    count_steps(ax)
    if len(curves) > 1:
        show_legend(ax)
