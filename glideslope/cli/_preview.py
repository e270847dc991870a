"""`glideslope preview`: what another patience would have done to a run that is over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideslope.errors import require, require_installed

from ._app import app


@app.command()
def preview(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    patience: Annotated[
        int, typer.Option(metavar="N", help="How many measurements without improvement.")
    ] = 3,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="Its name in history.jsonl.")
    ] = "val_loss",
    mode: Annotated[str, typer.Option(metavar="MODE", help="Whether min or max is better.")] = (
        "min"
    ),
    factor: Annotated[
        float, typer.Option(help="What a plateau controller multiplies the rate with.")
    ] = 0.1,
) -> None:
    """Say what another patience would have done to a run.

    Where early stopping would have stopped it, and where a plateau controller would have cut its
    learning rate. The answer is about the metric as it was: under other rates it would have gone
    another way.
    """
    path = run / "history.jsonl"
    require(path.is_file(), "run", "be a folder with a history.jsonl", str(run))
    require_installed(torch="torch")
    from ._preview_run import show  # loads torch, which takes seconds: not for --help or a mistake

    show(path, patience, metric, mode, factor)
