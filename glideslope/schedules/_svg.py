"""A schedule as a small SVG, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from glideslope.errors import shortened

from ._length import number_text
from .view import value_label

WIDTH, HEIGHT = 300, 120
LEFT, RIGHT, TOP, BOTTOM = 8, 292, 26, 96
COLUMNS = (RIGHT - LEFT) // 2
# JupyterLab shows an SVG as an image, which does not see the page's colours: `currentColor` would
# be black on a dark theme. These two are visible on white and on black.
CURVE, TEXT = "#3b8eea", "#808080"
TOOLTIP = 500
"""The longest text in the tooltip, in characters."""


def svg(schedule: Any) -> str:
    """The curve with its first, highest and last value; its text is the tooltip."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
            f' viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
            f"<title>{escape(shortened(schedule, TOOLTIP), quote=False)}</title>",
            *Picture(schedule).elements(),
            "</svg>",
        ]
    )


class Picture:
    """The curve in the coordinates of the picture."""

    def __init__(self, schedule: Any) -> None:
        self.schedule = schedule
        self.stop = schedule.view_steps()
        drawn = schedule.outline(self.stop, COLUMNS)
        self.steps, self.values = drawn
        self.lowest, self.highest = drawn.limits

    def point(self, step: float, value: float) -> str:
        """Where a value at a step is: to the right, and down."""
        x = LEFT + (RIGHT - LEFT) * step / self.stop
        y = BOTTOM - (BOTTOM - TOP) * (value - self.lowest) / (self.highest - self.lowest)
        return f"{x:.1f},{y:.1f}"

    def elements(self) -> Iterator[str]:
        """The parts of the picture, from back to front."""
        curve = " ".join(map(self.point, self.steps, self.values))
        ground = min(max(0.0, self.lowest), self.highest)
        left, right = self.point(0, ground), self.point(self.stop, ground)
        yield f'<path d="M{left} L{right}" stroke="{TEXT}" stroke-opacity=".5"/>'
        yield f'<path d="M{left} L{curve} L{right}" fill="{CURVE}" fill-opacity=".15"/>'
        yield (
            f'<polyline points="{curve}" fill="none" stroke="{CURVE}" stroke-width="1.8"'
            ' stroke-linejoin="round"/>'
        )
        yield from self.marks()

    def marks(self) -> Iterator[str]:
        """Dots and labels of the first, the highest and the last value."""
        first, last = float(self.values[0]), float(self.values[-1])
        step, highest = self.peak()
        yield self.dot(0, first)
        yield self.dot(step, highest)
        yield self.dot(self.stop, last)
        yield text_element(LEFT, HEIGHT - 8, "start", f"start {self.text(first)}")
        where = f"at {number_text(self.stop)}"
        end = (
            f"end {self.text(last)} {where}" if self.is_whole() else f"{self.text(last)} {where} …"
        )
        yield text_element(RIGHT, HEIGHT - 8, "end", end)
        x = LEFT + (RIGHT - LEFT) * step / self.stop
        anchor = "start" if x < WIDTH / 3 else "end" if x > WIDTH * 2 / 3 else "middle"
        yield text_element(x, TOP - 10, anchor, f"peak {self.text(highest)} at {number_text(step)}")

    def is_whole(self) -> bool:
        """True if the end is in the picture."""
        return bool(self.stop >= self.schedule.steps)

    def dot(self, step: float, value: float) -> str:
        x, y = self.point(step, value).split(",")
        return f'<circle cx="{x}" cy="{y}" r="2.5" fill="{CURVE}"/>'

    def text(self, value: float) -> str:
        return value_label(value, float(abs(self.values).max()))

    def peak(self) -> tuple[int, float]:
        """The first step with the highest value, and that value."""
        highest = self.schedule.peak(self.stop + 1)
        return highest.step, highest.value


def text_element(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" fill="{TEXT}" text-anchor="{anchor}">{text}</text>'
