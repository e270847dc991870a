"""Matplotlib axes, made when they are first needed, and the look that all pictures share."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glideslope.errors import MissingDependency

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def new_axes() -> Axes:
    """The axes of a new figure."""
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError:
        raise MissingDependency("matplotlib", "plot") from None
    axes: Axes = pyplot.subplots(figsize=(8, 4), layout="constrained")[1]
    return axes


def clear_frame(ax: Axes) -> None:
    """A light grid instead of a frame."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(length=0)
    ax.grid(axis="y", alpha=0.4)
    ax.set_axisbelow(True)


def count_steps(ax: Axes) -> None:
    """Whole steps on the axis below."""
    ticker = import_module("matplotlib.ticker")
    ax.margins(x=0.01, y=0.05)
    ax.autoscale_view()
    ax.xaxis.set_major_locator(ticker.MaxNLocator(nbins=8, integer=True))
    ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel("step")


def show_legend(ax: Axes, **options: Any) -> None:
    """A legend through which the curves are seen."""
    ax.legend(framealpha=0.9, edgecolor="none", **options)
