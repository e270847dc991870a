"""The files of `glideslope show`: pictures, a table, JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from glideslope.errors import require, require_installed
from glideslope.pages import Summary
from glideslope.plot import plot

from ._output import is_output, opened
from ._terminal_plot import drawn_limits

ROWS = 1 << 14
"""How many rows of a table are computed at once."""
COLUMNS = 100
"""The columns in which the extremes of a picture are looked for."""
MANY_ROWS = 10_000_000
"""A longer table is announced."""


def write(summaries: Sequence[Summary], files: Mapping[str, Path]) -> bool:
    """Write each file in its format; True if one of them is the standard output."""
    on_output = [kind for kind, path in files.items() if is_output(path)]
    require(len(on_output) <= 1, "-", "be the file of one option", ", ".join(on_output))
    for kind, path in files.items():
        FORMATS[kind](summaries, path)
    return bool(on_output)


def write_picture(kind: str, summaries: Sequence[Summary], path: Path) -> None:
    """The curves as `glideslope.plot` draws them."""
    require_installed(matplotlib="plot")
    from matplotlib.figure import Figure  # not for those who want no picture

    figure = Figure(figsize=(8, 4), layout="constrained")
    schedules = [summary.schedule for summary in summaries]
    drawn = [schedule.outline(longest(summaries), COLUMNS).values for schedule in schedules]
    drawn_limits(np.concatenate(drawn))  # refuses what no axis can hold
    plot(*schedules, steps=longest(summaries), ax=figure.subplots())
    with opened(path) as file:
        figure.savefig(file, format=kind, dpi=150)


def write_csv(summaries: Sequence[Summary], path: Path) -> None:
    """A row for each step: the step, and the value of each schedule."""
    if longest(summaries) > MANY_ROWS:
        told = f"note: a table of {longest(summaries):,} rows; --steps makes a shorter one"
        print(told, file=sys.stderr)
    with opened(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["step", *(summary.schedule for summary in summaries)])
        for start in range(0, longest(summaries), ROWS):
            steps = range(start, min(start + ROWS, longest(summaries)))
            columns = [summary.schedule(np.array(steps)).tolist() for summary in summaries]
            table.writerows(zip(steps, *columns, strict=True))
        text.detach()


def write_json(summaries: Sequence[Summary], path: Path) -> None:
    """All key values, phases and findings of each schedule, as a list."""
    text = json.dumps([summary.as_dict() for summary in summaries], indent=2, ensure_ascii=False)
    with opened(path) as file:
        file.write(f"{text}\n".encode())


def longest(summaries: Sequence[Summary]) -> int:
    """The number of steps of the longest."""
    return max(summary.steps for summary in summaries)


FORMATS: dict[str, Callable[[Sequence[Summary], Path], None]] = {
    "png": partial(write_picture, "png"),
    "svg": partial(write_picture, "svg"),
    "csv": write_csv,
    "json": write_json,
}
