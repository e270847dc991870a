"""What `glideslope show` writes to files."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

import numpy as np

from glideslope.errors import MissingDependency, require
from glideslope.pages import Summary
from glideslope.plot import plot

ROWS = 1 << 14
"""How many rows of a table are computed at once."""


def write(reports: Sequence[Summary], files: Mapping[str, Path]) -> bool:
    """Write each file in its format, and tell whether one of them was the standard output."""
    on_output = [kind for kind, path in files.items() if is_output(path)]
    require(len(on_output) <= 1, "-", "be the file of one option", ", ".join(on_output))
    for kind, path in files.items():
        FORMATS[kind](reports, path)
    return bool(on_output)


def is_output(path: Path) -> bool:
    return str(path) == "-"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to write; - is the standard output."""
    if is_output(path):
        yield sys.stdout.buffer
    else:
        with path.open("wb") as file:
            yield file


def write_picture(kind: str, reports: Sequence[Summary], path: Path) -> None:
    """The curves as `glideslope.plot` draws them."""
    if find_spec("matplotlib") is None:
        raise MissingDependency("matplotlib", "plot")
    from matplotlib.figure import Figure  # not for those who want no picture

    figure = Figure(figsize=(8, 4), layout="constrained")
    schedules = [report.schedule for report in reports]
    plot(*schedules, steps=longest(reports), ax=figure.subplots())
    with opened(path) as file:
        figure.savefig(file, format=kind, dpi=150)


def write_csv(reports: Sequence[Summary], path: Path) -> None:
    """A row for each step: the step, and the value of each schedule."""
    with opened(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["step", *(report.schedule for report in reports)])
        for start in range(0, longest(reports), ROWS):
            steps = range(start, min(start + ROWS, longest(reports)))
            columns = [report.schedule(np.array(steps)).tolist() for report in reports]
            table.writerows(zip(steps, *columns, strict=True))
        text.detach()


def write_json(reports: Sequence[Summary], path: Path) -> None:
    """All that is said of each schedule, as a list."""
    text = json.dumps([report.as_dict() for report in reports], indent=2, ensure_ascii=False)
    with opened(path) as file:
        file.write(f"{text}\n".encode())


def longest(reports: Sequence[Summary]) -> int:
    """How many steps the schedules are looked at together."""
    return max(report.steps for report in reports)


FORMATS: dict[str, Callable[[Sequence[Summary], Path], None]] = {
    "png": partial(write_picture, "png"),
    "svg": partial(write_picture, "svg"),
    "csv": write_csv,
    "json": write_json,
}
