"""`glideslope train`: a small language model, trained under any schedule."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from glideslope.errors import MissingDependency
from glideslope.schedules import parse

from ._app import app
from ._settings import Settings

USUAL_SCHEDULE = "warmup(10%, start=0.1) >> hold(65%) >> linear(25%)"


@app.command()
def train(
    schedule: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Factor of the learning rate at each update. Lengths count updates, or percent"
            " of --steps (5%), passes over the text (2ep), characters (1e5tok).",
        ),
    ] = USUAL_SCHEDULE,
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="Any optimizer of torch.optim, such as SGD.")
    ] = "AdamW",
    lr: Annotated[
        float | None,
        typer.Option(
            help="Learning rate where the schedule is 1.",
            show_default="one that suits the optimizer",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Weight decay.", show_default="the optimizer's own")
    ] = None,
    steps: Annotated[int, typer.Option(help="Updates of the parameters.")] = 600,
    batch_size: Annotated[int, typer.Option(help="Windows of 64 characters per update.")] = 32,
    seed: Annotated[int, typer.Option(help="Of the first parameters and the order of text.")] = 0,
    threads: Annotated[
        int, typer.Option(help="Processor threads; more pay only on an idle machine.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the run is kept; a new or an empty folder.",
            show_default="runs/ and the time",
        ),
    ] = None,
) -> None:
    """Train a small language model under a schedule, in about a minute.

    A transformer of a quarter of a million parameters learns to predict the next character of
    Python's own reference text; the last tenth of the text is held out to measure it.

    The run is kept in a folder: config.json, history.jsonl (a line per update), curves.png and
    result.json. The same options on the same machine give the same run. Ctrl-C stops after the
    current update and keeps what there is; a second one stops at once.
    """
    settings = Settings(
        parse(schedule), optimizer, lr, weight_decay, steps, batch_size, seed, threads
    )
    for package, extra in (("torch", "torch"), ("matplotlib", "plot")):
        if find_spec(package) is None:
            raise MissingDependency(package, extra)
    from ._demo_run import run  # loads torch, which takes seconds: not for --help or a mistake

    raise typer.Exit(run(settings, out or Path("runs", f"{datetime.now():%Y%m%d-%H%M%S}")))
