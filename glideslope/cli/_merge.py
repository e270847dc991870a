"""`glideslope merge`: the loss of a run after a cooldown that was not run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from glideslope.errors import require, require_installed
from glideslope.schedules import parse
from glideslope.schedules.notation import bind_named

from ._app import app
from ._options import IN_UPDATES
from ._tables import Column, print_table, print_text

if TYPE_CHECKING:
    from glideslope.demo import Cooldown, TrainedRun

FINEST = 5
"""The number of gaps between checkpoints that a cooldown needs to be more than a rough guess."""

COLUMNS = [
    Column("val_loss", right=True),
    Column("checkpoints", right=True),
    Column("of steps"),
    Column("apart", right=True),
    Column("cooldown"),
]


@app.command()
def merge(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run of `glideslope train`.")
    ],
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...",
            help="Cooldowns, such as linear(20%), as in `glideslope show`. Percent are of the"
            " updates made.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the merged model there, as a checkpoint.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure the model that a cooldown of a run, ending now, would have given.

    A weighted mean of the checkpoints is close to that model. The weights follow from the cooldown.
    Nothing is trained, and a run that continues meanwhile is not disturbed.

    The run must keep the checkpoints of as many updates, ten or more of them, and must not decay by
    itself: glideslope train --schedule "warmup(10%) >> hold(90%)" --keep 40 --save-every 5.
    """
    require(out is None or len(specs) == 1, "out", "come with one SPEC", str(out))
    schedules = [parse(spec) for spec in specs]
    require_installed(torch="torch")
    from glideslope.demo import TrainedRun, warnings_as_notes  # load torch, which takes seconds

    console = Console(highlight=False, soft_wrap=True)
    with warnings_as_notes(console):
        trained = TrainedRun(run)
        numbers = {"total_steps": trained.step}
        bound = [bind_named(schedule, numbers, IN_UPDATES) for schedule in schedules]
        found = [trained.cooled(schedule) for schedule in bound]
    print_table(console, COLUMNS, [as_it_is(trained), *map(row, found)])
    for cooldown in found:
        print_note(cooldown, console)
    if out is not None:
        found[0].save(out)
        print_text(console, f"written to {out}")


def as_it_is(run: TrainedRun) -> list[Text]:
    """The newest checkpoint."""
    words = (f"{run.loss:.3f}", "1", str(run.step), "", "none")
    return [Text(word) for word in words]


def row(found: Cooldown) -> list[Text]:
    """One cooldown."""
    steps = found.merged.steps
    span = f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else str(steps[0])
    words = (str(len(steps)), span, str(found.widest or ""), str(found.schedule))
    return [Text(f"{found.loss:.3f}", "bold"), *map(Text, words)]


def print_note(found: Cooldown, console: Console) -> None:
    """Say where the checkpoints are too far apart to follow the cooldown."""
    span = found.merged.steps[-1] - found.merged.steps[0]
    if found.widest * FINEST > span:
        finer = max(1, span // (2 * FINEST))
        apart = f"note: the checkpoints for {found.schedule} are up to {found.widest} updates apart"
        hint = f"--save-every {finer} or less brings it closer to a real cooldown"
        print_text(console, f"{apart}: {hint}")
