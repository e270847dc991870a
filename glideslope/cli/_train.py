"""`glideslope train`: a small language model, trained under a schedule."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from glideslope.demo import Settings, require_known_optimizer
from glideslope.distributed import launch
from glideslope.errors import require, require_installed
from glideslope.runs import RunFolder, newest_run
from glideslope.schedules import parse

from ._app import app
from ._options import count_option, number_option

USUAL_OPTIMIZER = "MuonWithAuxAdam"
USUAL_SCHEDULE = "warmup(5%, start=0.1) >> linear(95%)"
RUNS = Path("runs")


@app.command()
def train(
    context: typer.Context,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Factor of the learning rate at each update. Lengths count updates, or percent"
            " of --steps (5%), passes over the text (2ep), characters (1e5tok).",
        ),
    ] = USUAL_SCHEDULE,
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Any optimizer of glideslope.optim, such as Lion or SOAP."
        ),
    ] = USUAL_OPTIMIZER,
    lr: Annotated[
        float | None,
        number_option(
            "Learning rate where the schedule is 1.",
            "LR",
            show_default="one that suits the optimizer",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None, number_option("Weight decay.", show_default="the optimizer's own")
    ] = None,
    steps: Annotated[int, count_option("Updates of the parameters.")] = 600,
    batch_size: Annotated[int, count_option("Windows of 64 characters per update.")] = 32,
    seed: Annotated[int, count_option("Of the first parameters and the order of text.")] = 0,
    threads: Annotated[
        int, count_option("Processor threads; more pay only on an idle machine.")
    ] = 1,
    save_every: Annotated[int, count_option("Updates from one checkpoint to the next.")] = 50,
    keep: Annotated[int, count_option("Newest checkpoints that are kept, also to be merged.")] = 3,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The run's folder: a new or an empty one, or that of the run to resume.",
            show_default="runs/ and the time; to resume, the newest in runs/",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the newest checkpoint of the run.")
    ] = False,
    extend: Annotated[
        int | None,
        count_option(
            "With --resume: make the run so many updates longer; what remains of its schedule is"
            " stretched. A run that has made all its updates needs another --schedule as well.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a small language model under a schedule, in about a minute.

    A transformer of a quarter of a million parameters learns to predict the next character of
    Python's own reference text; the last tenth of the text is held out to measure it.

    The run writes into a folder: config.json, history.jsonl (a line per update), events.jsonl,
    checkpoints, curves.png and result.json. The same options on the same machine give the same run.

    Ctrl-C stops after the current update and saves; a second one stops at once. --resume continues
    bit for bit, however the run was stopped, with the options it began with: only --extend,
    --schedule, --threads, --save-every and --keep may be given with it.

    Under torchrun, several processes train one run: each takes its share of every batch, and the
    first one prints and writes. A run may be resumed on another number of processes.
    """
    options: dict[str, Any] = {
        "schedule": parse(schedule),
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": weight_decay,
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        "threads": threads,
        "save_every": save_every,
        "keep": keep,
    }
    settings = Settings(**options)
    require_known_optimizer(optimizer)
    require(resume or extend is None, "extend", "come with --resume", extend)
    require(extend is None or extend >= 1, "extend", "be at least 1", extend)
    # Of several ranks the first keeps the run, and tells the others what they need of it.
    path = run_path(out, resume) if launch().is_first else RUNS
    require_installed(torch="torch", matplotlib="plot")
    # These load torch, which takes seconds: not for --help or a mistake.
    if resume:
        from glideslope.demo import resume_run

        given = {name: value for name, value in options.items() if _is_given(context, name)}
        raise typer.Exit(resume_run(path, given, extend or 0))
    from glideslope.demo import start_run

    raise typer.Exit(start_run(settings, path))


def run_path(out: Path | None, resume: bool) -> Path:
    """The folder of the run to resume, or of a new one."""
    folder = RunFolder(out or (newest_run(RUNS) if resume else RUNS / now()))
    folder.require_run() if resume else folder.require_empty()
    return folder.path


def now() -> str:
    """The time, as the name of a folder."""
    return f"{datetime.now():%Y%m%d-%H%M%S}"


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
