"""`glideslope find-lr`: a learning-rate range test on the model that `glideslope train` trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideslope.demo import Settings, require_known_optimizer
from glideslope.errors import require, require_installed
from glideslope.schedules import constant, range_test

from ._app import app
from ._options import count_option, number_option
from ._train import USUAL_OPTIMIZER


@app.command()
def find_lr(
    optimizer: Annotated[
        str, typer.Option(metavar="NAME", help="Any optimizer of glideslope.optim, such as Lion.")
    ] = USUAL_OPTIMIZER,
    start: Annotated[float, number_option("The first learning rate.", "LR")] = 1e-7,
    end: Annotated[float, number_option("The last one.", "LR")] = 10.0,
    steps: Annotated[int, count_option("Updates on the way.")] = 100,
    weight_decay: Annotated[
        float | None, number_option("Weight decay.", show_default="the optimizer's own")
    ] = None,
    batch_size: Annotated[int, count_option("Windows of 64 characters per update.")] = 32,
    seed: Annotated[int, count_option("Of the first parameters and the order of text.")] = 0,
    threads: Annotated[
        int, count_option("Processor threads; more pay only on an idle machine.")
    ] = 1,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture as PNG.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the losses and the suggestions.")
    ] = None,
) -> None:
    """Find a learning rate for `glideslope train`, in seconds.

    The small language model is trained at learning rates that rise from update to update, until its
    loss diverges. The curve shows the smoothed loss; the numbers on it are suggestions, by four
    published rules. Try one with `glideslope train --lr`.

    The file - is the standard output; nothing else is then printed there.
    """
    require(steps >= 2, "steps", "be at least 2", steps)
    require(0 < start < end, "start", f"be more than 0 and less than the end, {end:g}", start)
    sweep = range_test(steps, start, end)
    settings = Settings(
        constant(1.0), optimizer, None, weight_decay, steps, batch_size, seed, threads, steps
    )
    require_installed(torch="torch", **({} if png is None else {"matplotlib": "plot"}))
    require_known_optimizer(optimizer)
    from ._find_lr_run import run  # loads torch, which takes seconds: not for --help or a mistake

    run(settings, sweep, png, json)
