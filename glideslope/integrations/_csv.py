"""A schedule as a table in a file."""

from __future__ import annotations

import os

from glideslope.files import replacing
from glideslope.schedules import Schedule


def to_csv(schedule: Schedule, path: str | os.PathLike[str], steps: int | None = None) -> None:
    """Write a CSV file with a row for each step: ``step,value``.

    The values are written with all their digits. ``glideslope show --csv`` writes several
    schedules, and the longest.

    Args:
        schedule: a schedule whose lengths are in steps.
        path: the file; an old one is replaced.
        steps: the number of rows; the whole schedule unless given.

    Raises:
        InvalidValue: the schedule is endless and ``steps`` is not given, or is below 1.
        UnboundError: some length is still in epochs, tokens or percent.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     to_csv(gs.linear(4), Path(folder, "linear.csv"))
        ...     print(Path(folder, "linear.csv").read_text(), end="")
        step,value
        0,1.0
        1,0.75
        2,0.5
        3,0.25
    """
    rows = enumerate(schedule.values(steps).tolist())
    lines = ["step,value", *(f"{step},{value!r}" for step, value in rows)]
    with replacing(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
