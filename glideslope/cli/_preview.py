"""`glideslope preview`: early stopping and a plateau controller, tried on a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideslope.errors import require, require_installed

from ._app import app
from ._options import count_option, number_option


@app.command()
def preview(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    patience: Annotated[int, count_option("How many measurements without improvement.")] = 3,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="Its name in history.jsonl.")
    ] = "val_loss",
    mode: Annotated[
        str, typer.Option(metavar="MODE", help="min if less is better, max if more is.")
    ] = "min",
    factor: Annotated[
        float, number_option("Factor by which a plateau controller cuts the learning rate.")
    ] = 0.1,
) -> None:
    """Say what another patience would have done to a run.

    It says where early stopping would have stopped the run, and where a plateau controller would
    have cut its learning rate. Both follow the metric as it was recorded; under other learning
    rates it would have been another.
    """
    path = run / "history.jsonl"
    require(path.is_file(), "run", "be a folder with a history.jsonl", str(run))
    require_installed(torch="torch")
    from ._preview_run import show  # loads torch, which takes seconds: not for --help or a mistake

    show(path, patience, metric, mode, factor)
