"""`glideslope runs`: the runs of a folder as a table."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from glideslope.errors import require

from ._app import app
from ._tables import Column, Row, print_table, print_text

if TYPE_CHECKING:
    from glideslope.runs import RecordedRun

STATES = {"finished": "green", "interrupted": "yellow", "unfinished": "yellow", "diverged": "red"}
COLUMNS = [
    Column("run"),
    *(Column(name, right=True) for name in ("steps", "best", "last")),
    *(Column(name) for name in ("state", "written", "optimizer", "schedule")),
]


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of runs.")] = Path(
        "runs"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the runs as JSON, with their exact numbers.")
    ] = False,
) -> None:
    """List the runs of a folder, the oldest first.

    Best and last are validation losses; the lowest of all is marked with a star. A run is
    unfinished while it is being made, and stays so if it was killed.

    Where the terminal is too narrow for a table, each run is a block; in a pipe it is a line.
    """
    from glideslope.runs import find_runs  # NumPy takes a moment: not for --help

    found = find_runs(folder)
    require(bool(found), "folder", "hold runs of `glideslope train`", str(folder))
    if as_json:
        print(json.dumps([as_dict(run) for run in found], indent=2))
        return
    console = Console(highlight=False)
    best = min((run.best.value for run in found if run.best), default=None)
    print_table(console, COLUMNS, [row(run, best) for run in found])
    for run in found:
        for note in run.notes:
            print_text(console, Text(f"note: {run.name}: {note}"))


def row(run: RecordedRun, best: float | None) -> Row:
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


def as_dict(run: RecordedRun) -> dict[str, Any]:
    """One run as plain data; what is not known is null."""
    return {
        "run": run.name,
        "path": str(run.path),
        "state": run.state,
        "steps": run.steps,
        "planned_steps": run.planned_steps,
        "best": run.best and run.best._asdict(),
        "last": run.validation[-1]._asdict() if run.validation else None,
        "written": run.when.astimezone().isoformat(timespec="seconds"),
        "optimizer": run.optimizer or None,
        "schedule": run.schedule_text or None,
        "notes": run.notes,
    }


def made(run: RecordedRun) -> str:
    """The updates made, and of how many where there are more to come."""
    planned = run.planned_steps
    return str(run.steps) if not planned or run.steps >= planned else f"{run.steps} of {planned}"


def loss(value: float | None) -> str:
    """A loss as text."""
    return "" if value is None else f"{value:.4f}"
