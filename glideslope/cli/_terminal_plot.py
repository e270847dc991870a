"""Curves drawn with characters: braille dots, a colour and a number for each curve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from glideslope.errors import require
from glideslope.schedules import Schedule
from glideslope.schedules.view import value_limits

COLORS = ("cyan", "magenta", "green", "yellow", "red", "blue")
NUMBERS = "123456789abcdefghijklmnopqrstuvwxyz"
HEIGHT = 14
BLANK = 0x2800
DOTS = ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08))
"""The bits of a braille character's dots, by row from below and by column."""
REACH = 20
"""How many characters are between two numbers that name the same curve."""
SMALLEST = 1e-300
"""Values that differ by less are drawn as one."""
IN_ASCII = str.maketrans("┤│└┬─", "+|++-")
"""The characters of the axes where the terminal shows only ASCII."""


def color(number: int) -> str:
    """The colour of a curve."""
    return COLORS[number % len(COLORS)]


@dataclass
class Canvas:
    """A grid of characters, rows counted from below, each of two by four dots."""

    width: int
    height: int = HEIGHT
    dots: dict[tuple[int, int], int] = field(default_factory=dict)
    owners: dict[tuple[int, int], int] = field(default_factory=dict)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)

    def dot(self, x: int, y: int, owner: int) -> None:
        """Set a dot; its character takes the owner's colour."""
        place = (x // 2, y // 4)
        self.dots[place] = self.dots.get(place, 0) | DOTS[y % 4][x % 2]
        self.owners[place] = owner

    def line(self, start: tuple[float, float], stop: tuple[float, float], owner: int) -> None:
        """Set the dots from one place to another."""
        count = math.ceil(max(abs(stop[0] - start[0]), abs(stop[1] - start[1]), 1))
        for x, y in np.linspace(start, stop, count + 1).round().astype(int).tolist():
            self.dot(x, y, owner)

    def row(self, y: int, ascii_only: bool) -> Text:
        """One row of characters."""
        text = Text()
        for place in ((x, y) for x in range(self.width)):
            owner = self.numbers.get(place, self.owners.get(place))
            style = "" if owner is None else color(owner)
            text.append(self.character(place, ascii_only), style)
        text.rstrip()
        return text

    def character(self, place: tuple[int, int], ascii_only: bool) -> str:
        """A curve's number, its dots, or nothing."""
        if place in self.numbers:
            return NUMBERS[self.numbers[place]]
        if place not in self.dots:
            return " "
        return "*" if ascii_only else chr(BLANK + self.dots[place])


class Chart:
    """Curves over ``0 <= t <= stop`` with their axes; several carry their numbers."""

    def __init__(self, schedules: Sequence[Schedule], stop: int, width: int) -> None:
        self.schedules, self.stop = schedules, stop
        values = np.concatenate([s.outline(stop, width).values for s in schedules])
        self.low, self.high = drawn_limits(values)
        self.labels = {int(self.y(v)) // 4: f"{v:g}" for v in ticks(self.low, self.high, 6)}
        self.margin = max(map(len, self.labels.values()))
        self.canvas = Canvas(max(width - self.margin - 2, 10))
        for owner, schedule in enumerate(schedules):
            self.draw(schedule, owner)
        if len(schedules) > 1:
            for owner, schedule in enumerate(schedules):
                self.number(schedule, owner)

    def x(self, step: float) -> float:
        """How many dots from the left a step is."""
        return step / self.stop * (2 * self.canvas.width - 1)

    def y(self, value: float) -> float:
        """How many dots from below a value is."""
        return (value - self.low) / (self.high - self.low) * (4 * HEIGHT - 1)

    def draw(self, schedule: Schedule, owner: int) -> None:
        """Join the points of a curve; where it oscillates fast, they fill the band it covers."""
        # Several columns of the outline for each column of dots, so that each has its extremes.
        steps, values = schedule.outline(self.stop, 8 * self.canvas.width)
        places = [(self.x(t), self.y(v)) for t, v in zip(steps, values, strict=True)]
        for start, stop in pairwise(places):
            self.canvas.line(start, stop, owner)

    def number(self, schedule: Schedule, owner: int) -> None:
        """Write a curve's number on it, now and then, each curve's in columns of its own."""
        first = REACH * (owner + 1) // (len(self.schedules) + 1)
        for column in range(first, self.canvas.width, REACH):
            step = (2 * column + 0.5) / (2 * self.canvas.width - 1) * self.stop
            place = (column, round(self.y(schedule(step))) // 4)
            if place in self.canvas.dots:
                self.canvas.numbers[place] = owner

    def lines(self, ascii_only: bool) -> Iterator[Text]:
        """The picture from top to bottom."""
        for y in reversed(range(HEIGHT)):
            axis = f"{self.labels.get(y, ''):>{self.margin}} {'┤' if y in self.labels else '│'}"
            yield Text(readable(axis, ascii_only)) + self.canvas.row(y, ascii_only)
        for line in self.step_axis():
            yield Text(readable(" " * (self.margin + 1) + line, ascii_only))

    def step_axis(self) -> Iterator[str]:
        """The lower axis: a line with ticks, and the steps below them."""
        width = self.canvas.width
        choices = (self.step_ticks(most) for most in range(max(width // 10, 2), 1, -1))
        chosen = next(filter(None, choices), {0: (0, "0")})
        marks, names = ["─"] * width, [" "] * (width + 1)
        for column, (begin, name) in chosen.items():
            marks[column] = "┬"
            names[begin : begin + len(name)] = name
        yield "└" + "".join(marks)
        yield "".join(names).rstrip()

    def step_ticks(self, most: int) -> dict[int, tuple[int, str]] | None:
        """For the column of each tick, its label and where that begins; None if labels touch."""
        width, free = self.canvas.width, 0
        placed: dict[int, tuple[int, str]] = {}
        for tick in filter(float.is_integer, ticks(0, self.stop, most)):
            name, column = step_label(tick), int(self.x(tick)) // 2
            begin = min(max(column + 1 - len(name) // 2, 0), width + 1 - len(name))
            if begin < free:
                return None
            placed[column] = begin, name
            free = begin + len(name) + 1
        return placed


def drawn_limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of the value axis, apart by a number that can be divided by.

    Raises:
        InvalidValue: they are further apart than the largest number.
    """
    low, high = value_limits(values)
    with np.errstate(over="ignore"):
        rule = "have values closer to each other than the largest number"
        require(bool(np.isfinite(np.float64(high) - low)), "schedule", rule, [low, high])
    return (low, high) if high - low > SMALLEST else (0.0, 1.0)


def step_label(step: float) -> str:
    """A number of steps, short.

    >>> [step_label(step) for step in (800_000, 2_500_000, 200e6, 1e9, 12.5e9)]
    ['800,000', '2.5M', '200M', '1e9', '1.25e10']
    """
    if step < 1e6:
        return f"{step:,.0f}"
    if step < 1e9:
        return f"{step / 1e6:g}M"
    power = math.floor(math.log10(step) + 1e-9)
    return f"{step / 10**power:g}e{power}"


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many, evenly apart."""
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    apart = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * 0.999999)
    first, last = math.ceil(low / apart - 1e-6), math.floor(high / apart + 1e-6)
    return [float(f"{k * apart:.6g}") for k in range(first, last + 1)]


def readable(text: str, ascii_only: bool) -> str:
    """Lines as this terminal can show them."""
    return text.translate(IN_ASCII) if ascii_only else text
