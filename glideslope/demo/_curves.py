"""The picture of a run: its loss above, its learning rate below, on one axis of updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Record = Mapping[str, float]

INK, GRID = "#334155", "#e2e8f0"
LOSS, HELD_OUT, RATE = "#2563eb", "#dc2626", "#0f766e"


def draw_curves(records: Sequence[Record], title: str, path: Path) -> None:
    """Write the picture of a history to a PNG file, under a title of one line or more."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    lines = [fill(line, 80) for line in title.splitlines()]
    losses.set_title("\n".join(lines), loc="left", fontsize=12, color=INK, pad=12)
    _draw_losses(losses, records)
    _draw_rates(rates, records)
    for axes in (losses, rates):
        _tidy(axes)
    figure.align_ylabels()
    figure.savefig(path, dpi=150)


def _draw_losses(axes: Axes, records: Sequence[Record]) -> None:
    steps = [record["step"] for record in records]
    loss = np.array([record["loss"] for record in records])
    axes.plot(steps, loss, color=LOSS, alpha=0.3, linewidth=0.8)
    axes.plot(steps, _smooth(loss), color=LOSS, linewidth=1.8, label="training batches, smoothed")
    _draw_measurements(axes, records)
    axes.set_ylabel("loss (nats per character)", color=INK)
    axes.legend(frameon=False, labelcolor=INK)


def _draw_measurements(axes: Axes, records: Sequence[Record]) -> None:
    measured = [(r["step"] + 1, r["val_loss"]) for r in records if "val_loss" in r]
    if not measured:
        return
    axes.plot(
        *zip(*measured, strict=True), "o-", color=HELD_OUT, markersize=5, label="held-out text"
    )
    axes.annotate(
        f"{measured[-1][1]:.3f}",
        xy=measured[-1],
        xytext=(0, 10),
        textcoords="offset points",
        color=HELD_OUT,
        weight="bold",
        ha="right",
    )


def _draw_rates(axes: Axes, records: Sequence[Record]) -> None:
    steps = [record["step"] for record in records]
    names = [name for record in records[:1] for name in record if name.partition("/")[0] == "lr"]
    for name in names:
        rates = [record[name] for record in records]
        axes.plot(steps, rates, color=RATE, linewidth=1.8)
        axes.fill_between(steps, rates, color=RATE, alpha=0.12, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("learning rate", color=INK)
    axes.set_xlabel("update", color=INK)


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and its neighbours, of fewer where the steep start would drag it."""
    steps = np.arange(len(values))
    reach = np.minimum(len(values) // 30, steps)
    stop = np.minimum(steps + reach + 1, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    smoothed: NDArray[np.float64] = (sums[stop] - sums[steps - reach]) / (stop - steps + reach)
    return smoothed


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.margins(x=0.01)
    axes.set_axisbelow(True)
