"""`glideslope report`: one page on one run or several."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ._app import app
from ._output import opened


@app.command()
def report(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Folders that `glideslope train` made.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page is written.")] = Path(
        "report.html"
    ),
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write one HTML page on one run or several.

    The losses, the learning rates as planned and as they were, what happened when, and the settings
    in which the runs differ. The page needs no network and nothing beside it.
    """
    from glideslope.pages.report import report_page  # NumPy takes a moment: not for --help
    from glideslope.runs import read_run

    page = report_page([read_run(run) for run in runs])
    with opened(out) as file:
        file.write(page.encode(errors="replace"))
    typer.echo(f"written to {out}")
    if show:
        webbrowser.open(out.resolve().as_uri())
