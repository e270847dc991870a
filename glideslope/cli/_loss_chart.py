"""The losses of a range test drawn with characters, the suggestions as numbers on the curve."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from glideslope.schedules import piecewise
from glideslope.training import RangeTestResult

from ._terminal_plot import Chart

EXPLOSION = 1.25
"""How far above where the losses began the picture ends."""


class LossChart(Chart):
    """The smoothed losses over the learning rate, in decades; there are at least two."""

    def __init__(self, result: RangeTestResult, width: int) -> None:
        smoothed, low = result.smoothed, min(result.smoothed)
        first = max(smoothed[: len(smoothed) // 2 + 1])
        top = low + EXPLOSION * (first - low)
        shown = next((t for t, loss in enumerate(smoothed) if loss > top), len(smoothed) - 1)
        points = [(t, min(loss, top)) for t, loss in enumerate(smoothed[: shown + 1])]
        self.lrs = result.lrs[: shown + 1]
        super().__init__([piecewise(points, shape="linear")], len(points) - 1, width)
        for number, lr in enumerate(result.suggestions().values()):
            self.mark(number, lr)

    def mark(self, number: int, lr: float) -> None:
        """Write the number of a suggestion where its rate is."""
        step = min(bisect_left(self.lrs, lr), self.stop)
        row = round(self.y(self.schedules[0](step))) // 4
        column = int(self.x(step)) // 2
        while (column, row) in self.canvas.numbers:
            column += 1
        self.canvas.numbers[column, row] = number

    def place(self, power: int) -> float:
        """The step, and the share of the next one, at which the sweep is at a power of ten."""
        exponents = [math.log10(max(lr, 1e-300)) for lr in self.lrs]
        return float(np.interp(power, exponents, range(len(exponents))))

    def step_axis(self) -> Iterator[str]:
        """The lower axis: a tick at each power of ten, as far as there is room for its name."""
        width = self.canvas.width
        marks, names = ["─"] * width, [" "] * (width + 8)
        lowest, highest = (math.log10(max(lr, 1e-300)) for lr in (self.lrs[0], self.lrs[-1]))
        free = 0
        for power in range(math.ceil(lowest - 1e-9), math.floor(highest + 1e-9) + 1):
            column = int(self.x(self.place(power))) // 2
            name = f"{10.0**power:.0e}".replace("e-0", "e-").replace("e+0", "e")
            if column < free:
                continue
            marks[column] = "┬"
            names[column : column + len(name)] = name
            free = column + len(name) + 1
        yield "└" + "".join(marks)
        yield " " + "".join(names).rstrip()
