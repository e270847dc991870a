"""The losses of a learning-rate range test, and what it suggests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from glideslope.errors import require

from ._axes import clear_frame, new_axes, show_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"valley": "v", "steep": "s", "minimum": "o", "slide": "D"}


class Losses(Protocol):
    """The losses of a range test, smoothed too, over ascending learning rates."""

    @property
    def lrs(self) -> tuple[float, ...]: ...
    @property
    def losses(self) -> Sequence[float]: ...
    @property
    def smoothed(self) -> tuple[float, ...]: ...
    def suggestions(self) -> Mapping[str, float]: ...


def plot_range_test(result: Losses, ax: Axes | None = None) -> Axes:
    """Draw the losses of a range test over the learning rate, with its suggestions.

    The line is the smoothed loss, the dots are the losses themselves. Losses that explode are
    outside the picture.

    Args:
        result: the `glideslope.training.RangeTestResult` that `glideslope.training.lr_range_test`
            returned.
        ax: the axes to draw on; a new figure unless given.

    Returns:
        The axes drawn on; ``.figure`` is the whole picture.

    Raises:
        InvalidValue: no loss was recorded.
        MissingDependency: Matplotlib is not installed.

    Example:
        >>> import glideslope as gs
        >>> losses = [abs(t - 60) / 40 for t in range(80)]
        >>> result = gs.training.RangeTestResult(("0",), (gs.range_test(100),), losses)
        >>> result.plot().get_xlabel()
        'learning rate'
    """
    require(len(result.losses) >= 1, "losses", "be at least one", result.losses)
    ax = new_axes() if ax is None else ax
    lrs, smoothed = result.lrs, result.smoothed
    ax.plot(lrs, result.losses, ".", color="C0", alpha=0.3, markersize=4, zorder=2)
    ax.plot(lrs, smoothed, color="C0", linewidth=2, zorder=3)
    for number, (method, lr) in enumerate(result.suggestions().items(), start=1):
        height = height_at(lr, lrs, smoothed)
        (mark,) = ax.plot([lr], [height], MARKS[method], color=f"C{number}", zorder=4)
        mark.set(label=f"{method}  {lr:.2g}", markersize=8)
    scale_axes(ax, min(result.losses), smoothed)
    clear_frame(ax)
    if ax.get_legend_handles_labels()[1]:
        show_legend(ax, title="suggestions", loc="lower left")
    return ax


def height_at(lr: float, lrs: tuple[float, ...], losses: tuple[float, ...]) -> float:
    """The loss on the curve at the first rate that is no lower."""
    return next((loss for at, loss in zip(lrs, losses, strict=True) if at >= lr), losses[-1])


def scale_axes(ax: Axes, low: float, smoothed: tuple[float, ...]) -> None:
    """Learning rates in decades, and losses up to where the curve starts to explode."""
    start = max(smoothed[: len(smoothed) // 2 + 1])
    margin = 0.05 * (start - low) or 1.0
    ax.set_ylim(low - margin, start + 6 * margin)
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
