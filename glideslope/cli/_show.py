"""`glideslope show`: curves, key values and findings of schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glideslope.errors import require
from glideslope.pages import Summary
from glideslope.schedules import Schedule, parse
from glideslope.schedules.notation import bind_named

from ._app import app
from ._options import count_option, number_option
from ._show_files import FORMATS, write
from ._show_screen import show_on_screen

EXAMPLES = """\b
Examples:
  glideslope show "warmup(500) >> cosine(9500)"
  glideslope show "cosine(1000)" "linear(1000)" --lr 3e-4
  glideslope show "warmup(5%) >> hold(75%) >> linear(20%)" --steps 20000
  glideslope show "warmup(2ep) >> cosine(88ep)" --steps-per-epoch 391
  glideslope show "cosine(100).repeat(3, decay=0.5)" --png cycles.png
  glideslope show "step(30)" --steps 90 --csv -
"""
OPTIONS = {
    "total_steps": "--steps",
    "steps_per_epoch": "--steps-per-epoch",
    "tokens_per_step": "--tokens-per-step",
}


@app.command(epilog=EXAMPLES)
def show(
    specs: Annotated[
        list[str],
        typer.Argument(metavar="SPEC", help='Schedules, such as "warmup(500) >> cosine(9500)".'),
    ],
    steps: Annotated[
        int | None,
        count_option(
            "Updates in the run: how far to draw, and what the findings are about.",
            show_default="the length of the longest",
        ),
    ] = None,
    lr: Annotated[float, number_option("Learning rate where a schedule is 1.", "LR")] = 1.0,
    total_steps: Annotated[
        int | None, count_option("The steps that 5% is a part of.", show_default="--steps")
    ] = None,
    steps_per_epoch: Annotated[
        float | None, number_option("Updates in an epoch, for lengths like 10ep.", "N")
    ] = None,
    tokens_per_step: Annotated[
        float | None, number_option("Tokens in an update, for lengths like 2e9tok.", "N")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture as PNG.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture as SVG.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the value at every step.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the key values, phases and findings.")
    ] = None,
) -> None:
    """Draw schedules, list their key values, and look for mistakes.

    Several are drawn over each other, each with a number and a colour. The file - is the
    standard output; nothing else is then printed there.
    """
    require(steps is None or steps >= 1, "steps", "be at least 1", steps)
    total = steps if total_steps is None else total_steps
    units = dict(zip(OPTIONS, (total, steps_per_epoch, tokens_per_step), strict=True))
    schedules = [times(bind_named(parse(spec), units, OPTIONS), lr) for spec in specs]
    summaries = [Summary(s, steps or s.view_steps(), steps) for s in schedules]
    files = dict(zip(FORMATS, (png, svg, csv, json), strict=True))
    if not write(summaries, {kind: path for kind, path in files.items() if path is not None}):
        show_on_screen(summaries)


def times(schedule: Schedule, lr: float) -> Schedule:
    """The schedule as a learning rate, where one was given."""
    return schedule if lr == 1 else schedule * lr
