"""The folders of the runs that a report is on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glideslope.errors import InvalidValue
from glideslope.runs import run_folders

RULE = "be a folder with config.json or history.jsonl, or a folder of such folders"


def reported_runs(folders: Sequence[Path]) -> list[Path]:
    """The folders of the runs to report: each given one, or all that are in it.

    Raises:
        InvalidValue: a folder neither holds a run nor contains one that does.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        inside = run_folders(folder)
        if not inside:
            raise InvalidValue(f"`run` must {RULE}, got {str(folder)!r}")
        for path in inside:
            found.setdefault(path.resolve(), path)
    return list(found.values())
