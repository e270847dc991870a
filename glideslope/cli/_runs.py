"""`glideslope runs`: the runs of a folder as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glideslope.errors import require
from glideslope.runs import RecordedRun, find_runs

from ._app import app

STATES = {"finished": "green", "interrupted": "yellow", "unfinished": "yellow", "diverged": "red"}
COLUMNS = ("run", "steps", "best", "last", "state", "written", "optimizer", "schedule")


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of runs.")] = Path(
        "runs"
    ),
) -> None:
    """List the runs of a folder, the oldest first.

    Best and last are validation losses; the lowest of all is marked with a star. A run is
    unfinished while it is being made, and stays so if it was killed.
    """
    found = find_runs(folder)
    require(bool(found), "folder", "hold runs of `glideslope train`", str(folder))
    console = Console(highlight=False)
    console.print(table(found))
    for run in found:
        for note in run.notes:
            console.print(Text(f"note: {run.name}: {note}"), soft_wrap=True)


def table(found: Sequence[RecordedRun]) -> Table:
    """A row for each run; long schedules are folded."""
    best = min((run.best.value for run in found if run.best), default=None)
    rows = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in COLUMNS:
        right = column in ("steps", "best", "last")
        folded = column in ("run", "schedule")
        rows.add_column(
            column, justify="right" if right else "left", no_wrap=not folded, overflow="fold"
        )
    for run in found:
        rows.add_row(*row(run, best))
    return rows


def row(run: RecordedRun, best: float | None) -> list[Text]:
    """One run; ``best`` is the lowest validation loss of all."""
    last = run.validation[-1].value if run.validation else None
    is_best = run.best is not None and run.best.value == best
    return [
        Text(run.name, "bold"),
        Text(made(run)),
        Text(f"{'*' if is_best else ''}{loss(run.best and run.best.value)}", "green" * is_best),
        Text(loss(last)),
        Text(run.state, STATES.get(run.state, "")),
        Text(f"{run.when:%H:%M}" if run.when.date() == date.today() else f"{run.when:%Y-%m-%d}"),
        Text(run.optimizer),
        Text(run.schedule_text),
    ]


def made(run: RecordedRun) -> str:
    """The updates made, and of how many where there are more to come."""
    planned = run.planned_steps
    return str(run.steps) if not planned or run.steps >= planned else f"{run.steps} of {planned}"


def loss(value: float | None) -> str:
    """A loss as a person reads it."""
    return "" if value is None else f"{value:.4f}"
