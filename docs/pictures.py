"""Draw the pictures of the documentation into docs/images: python docs/pictures.py."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

import glideslope as gs

IMAGES = Path(__file__).parent / "images"
# Middle tones on a transparent ground: the README is read on white and on black.
GRAY = "#808080"
COLORS = ("#e07b39", "#3b8eea", "#2aa06a", "#a56cd6")
README = {
    "axes.edgecolor": GRAY,
    "axes.labelcolor": GRAY,
    "font.size": 11,
    "grid.color": GRAY,
    "savefig.transparent": True,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
}


def main() -> None:
    """Draw them all."""
    IMAGES.mkdir(exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "glideslope"  # the same file each time
    with mpl.rc_context(README):
        composed()
    compared()
    phases()
    notebook()


def composed() -> None:
    """The README's picture: each part of the text in the colour of its part of the curve."""
    schedule = (
        gs.warmup(1000)
        >> gs.hold(2000)
        >> gs.cosine(2500, end=0.4).repeat(2, decay=0.8)
        >> gs.linear(2000, start=0.32)
    )
    axes = new_axes(9, 3.4)
    start = 0.0
    for part, color in zip(schedule.parts, COLORS, strict=False):
        draw_part(axes, schedule, start, start + part.steps, color)
        start += part.steps
    write_text(axes, [str(part) for part in schedule.parts])
    axes.set(xlim=(-60, start + 60), ylim=(-0.03, 1.06), xlabel="step", yticks=[0, 0.5, 1])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="y", alpha=0.3)
    save(axes, "composed")


def draw_part(axes: Axes, schedule: gs.Schedule, start: float, stop: float, color: str) -> None:
    """The curve from one step to just before another."""
    phases = [phase for phase in schedule.phases() if start <= phase.start < stop]
    ends = [(phase.start, np.nextafter(phase.stop, 0)) for phase in phases]
    steps = np.concatenate([np.linspace(first, last, 200) for first, last in ends])
    axes.plot(steps, schedule(steps), color=color, linewidth=3, solid_capstyle="round")
    axes.fill_between(steps, schedule(steps), color=color, alpha=0.16, linewidth=0)


def write_text(axes: Axes, parts: list[str]) -> None:
    """The parts of a sequence above the picture, each in its colour."""
    words = [TextArea(" >> ", textprops=font(GRAY)) for _ in range(2 * len(parts) - 1)]
    for k, part in enumerate(parts):
        words[2 * k] = TextArea(part, textprops=font(COLORS[k]))
    axes.add_artist(
        AnchoredOffsetbox(
            "lower center",
            child=HPacker(children=words, pad=0, sep=0),
            frameon=False,
            bbox_to_anchor=(0.5, 1.02),
            bbox_transform=axes.transAxes,
        )
    )


def font(color: str) -> dict[str, object]:
    """How code is written."""
    return {"color": color, "family": "monospace", "weight": "bold", "size": 10}


def compared() -> None:
    """Several schedules in one picture."""
    axes = new_axes(8, 3.6)
    schedules = [
        gs.warmup(500) >> gs.cosine(9500),
        gs.warmup(500) >> gs.cosine(3000).repeat(3, decay=0.6),
        gs.linear(10_000),
    ]
    gs.plot.plot(*schedules, ax=axes)
    save(axes, "compared")


def phases() -> None:
    """One schedule with its phases."""
    axes = new_axes(8, 3.6)
    (gs.warmup(500) >> gs.hold(5500) >> gs.cosine(4000, end=0.1)).plot(ax=axes)
    save(axes, "phases")


def notebook() -> None:
    """The picture of a notebook."""
    svg = (gs.warmup(500) >> gs.cosine(9500, end=0.1))._repr_svg_()
    (IMAGES / "notebook.svg").write_text(f"{svg}\n", encoding="utf-8")


def new_axes(width: float, height: float) -> Axes:
    """Axes of a figure that fits what is on it."""
    axes: Axes = Figure(figsize=(width, height), layout="constrained").subplots()
    return axes


def save(axes: Axes, name: str) -> None:
    """Write a picture without the time it was made."""
    axes.get_figure(root=True).savefig(IMAGES / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
