"""`glideslope report`: one page on one run or several."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from glideslope._interrupt import ended_by_ctrl_c
from glideslope.errors import require

from ._app import app
from ._options import count_option
from ._output import is_output, opened

USUAL = Path("report.html")


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Folders of runs, or folders that hold several."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the page is written; - is the standard output.",
            show_default="report.html, or the next free of report-2.html, …",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file of --out if it exists.")
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Serve the page and keep it up to date, until Ctrl-C."),
    ] = False,
    forecast: Annotated[
        bool,
        typer.Option(
            "--forecast",
            help="With the loss under the schedule that is recommended for each run, see"
            " `glideslope predict`.",
        ),
    ] = False,
    port: Annotated[
        int, count_option("Where --watch serves the page.", "PORT", show_default="a free one")
    ] = 0,
) -> None:
    """Write one HTML page on one run or several.

    The losses and every other recorded metric, the learning rates as planned and as they were, what
    happened when, and the settings in which the runs differ. The page needs no network and nothing
    beside it.

    With --watch nothing is written: the page is served to this machine alone, at an address that
    holds a secret, and follows the runs while they continue.
    """
    # The report needs NumPy, which takes a moment: not for --help.
    from glideslope.pages.report import report_page, reported_runs
    from glideslope.runs import read_run

    if watch:
        require(out is None, "out", "be left out with --watch, which writes no file", str(out))
        require(
            not forecast, "forecast", "be left out with --watch, because it takes long", forecast
        )
        follow(runs, port, show)
        return
    paths = reported_runs(runs)
    file = out or next_free(USUAL)
    is_free = force or is_output(file) or not file.exists()
    require(is_free, "out", "be a new file (--force replaces one)", str(file))
    page = report_page([read_run(path) for path in paths], forecast=forecast)
    with opened(file) as written:
        written.write(page.encode(errors="replace"))
    if is_output(file):
        return
    typer.echo(f"written to {file}" + (f": {len(paths)} runs" if len(paths) > 1 else ""))
    if show:
        webbrowser.open(file.resolve().as_uri())


def next_free(path: Path) -> Path:
    """The path, or the first of ``NAME-2``, ``NAME-3``, … that does not exist."""
    names = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(name for name in names if not name.exists()) if path.exists() else path


def follow(runs: Sequence[Path], port: int, show: bool) -> None:
    """Serve a page that follows the runs until Ctrl-C."""
    from glideslope.pages.report import ReportServer

    with ended_by_ctrl_c(), ReportServer(port, runs) as server:
        try:
            typer.echo(f"{server.address}\nCtrl-C ends it.")
            if show:
                Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")
