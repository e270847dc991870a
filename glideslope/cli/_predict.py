"""`glideslope predict`: the loss that a recorded run would have had under other schedules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from glideslope.errors import require
from glideslope.schedules import Schedule, parse
from glideslope.schedules.notation import bind_named

from ._app import app
from ._options import IN_UPDATES, count_option, number_option
from ._tables import Column, print_table, print_text

if TYPE_CHECKING:
    from glideslope.runs import RecordedRun
    from glideslope.training import Prediction, Recommendation

OPTIONS = {"total_steps": "--steps", **IN_UPDATES}


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC",
            help="Schedules, as in `glideslope show`.",
            show_default="the best of a family",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        count_option("Updates, of which 5% is a part.", show_default="those of the run"),
    ] = None,
    lr: Annotated[
        float | None,
        number_option("Learning rate where a schedule is 1.", "LR", show_default="that of the run"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A loss in history.jsonl.", show_default="val_loss or loss"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the predictions as JSON, with their curves.")
    ] = False,
) -> None:
    """Predict the final loss of a run under other schedules.

    Two laws are fitted to the losses and learning rates of the run. The interval holds the loss in
    9 of 10 runs. Without a SPEC the schedule with the lowest predicted loss is recommended, of a
    family that warms up as the run does and ends with a decay.

    A run whose rate never falls, or that no law describes, tells nothing; that is said.
    """
    from glideslope.runs import read_run  # NumPy takes a moment: not for --help
    from glideslope.training import recommend

    require(steps is None or steps >= 1, "steps", "be at least 1", steps)
    require(lr is None or bool(specs), "lr", "come with a SPEC", lr)
    recorded = read_run(run)
    records, total = recorded.as_history(metric), steps or recorded.planned_steps or recorded.steps
    if specs:
        schedules = [bind_named(parse(spec), {"total_steps": total}, OPTIONS) for spec in specs]
        show(predictions_of(recorded, records, schedules, lr, metric), None, as_json)
    else:
        found = recommend(records, total, metric=metric)
        show([found.prediction], found, as_json)


def predictions_of(
    run: RecordedRun,
    records: list[dict[str, Any]],
    schedules: list[Schedule],
    lr: float | None,
    metric: str | None,
) -> list[Prediction]:
    """The predictions for several schedules from one fit."""
    from glideslope.training import Predictor

    predictor = Predictor(records, metric)
    group = predictor.recorded.group.removeprefix("lr/")
    base = lr if lr is not None else run.base_rate(group)
    return [predictor.predict(schedule, base) for schedule in schedules]


def show(found: list[Prediction], recommended: Recommendation | None, as_json: bool) -> None:
    """Print predictions, as a table or as JSON."""
    if as_json:
        print(json.dumps([as_dict(prediction) for prediction in found], indent=2))
        return
    console = Console(highlight=False)
    laws = list(found[0].laws)
    columns = [
        Column(found[0].metric, right=True),
        Column("9 of 10"),
        *(Column(law, right=True) for law in laws),
        Column("updates", right=True),
        Column("schedule"),
    ]
    print_table(console, columns, [row(prediction) for prediction in found])
    if recommended:
        print_text(console, verdict(recommended))


def row(prediction: Prediction) -> list[Text]:
    """One prediction."""
    final = prediction.final
    laws = [f"{estimate.loss:.3f}" for estimate in prediction.laws.values()]
    interval = f"{final.low:.3f} to {final.high:.3f}"
    steps = str(prediction.steps[-1])
    return [
        Text(f"{final.loss:.3f}", "bold"),
        *map(Text, (interval, *laws, steps, str(prediction.schedule))),
    ]


def verdict(found: Recommendation) -> str:
    """The gain of a recommendation in a sentence."""
    unchanged = f"the run's own rates over as many updates: {found.unchanged.final.loss:.3f}"
    return f"{unchanged}; the recommended schedule {found.verdict}"


def as_dict(prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain data."""
    return {
        "schedule": str(prediction.schedule),
        "lr": prediction.lr,
        "metric": prediction.metric,
        "loss": prediction.final.loss,
        "low": prediction.final.low,
        "high": prediction.final.high,
        "laws": {name: estimate.loss for name, estimate in prediction.laws.items()},
        "steps": prediction.steps,
        "losses": prediction.losses,
        "lows": prediction.lows,
        "highs": prediction.highs,
    }
