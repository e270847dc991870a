"""The range test of `glideslope find-lr`, and what becomes of its result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from glideslope.demo import Settings, Training
from glideslope.errors import require
from glideslope.schedules import Schedule
from glideslope.training import History, LRFinder, RangeTestResult

from ._loss_chart import LossChart
from ._output import is_output, opened
from ._terminal_plot import NUMBERS, color


def run(settings: Settings, sweep: Schedule, png: Path | None, json: Path | None) -> None:
    """Run the test, write the files, and show what was found."""
    files = [path for path in (png, json) if path is not None]
    on_output = any(map(is_output, files))
    require(len({*map(str, files)}) == len(files), "--json", "be another file than --png", str(png))
    console = Console(highlight=False, quiet=on_output)
    console.print(
        f"{settings.optimizer}: {settings.steps} updates from {sweep(0):g} to {sweep.end:g}"
    )
    result = tested(settings, sweep)
    if png is not None:
        write_picture(result, png)
    if json is not None:
        with opened(json) as file:
            file.write(result.to_json().encode() + b"\n")
    show(result, console)


def tested(settings: Settings, sweep: Schedule) -> RangeTestResult:
    """The result of the test, on the model and the batches of `glideslope train`."""
    training = Training(settings, History("never-written.jsonl"))
    run = training.run

    def batches() -> Iterator[Any]:
        while True:
            yield training.corpus.batch(settings.batch_size, run.model.context, run.order)

    def train_step(_model: Any, batch: tuple[Tensor, Tensor]) -> float:
        return float(run.optimizer.step(lambda: training.evaluate(*batch)).item())

    return LRFinder(run.model, run.optimizer, train_step).run(batches(), sweep)


def write_picture(result: RangeTestResult, path: Path) -> None:
    """The curve as `glideslope.plot` draws it."""
    from matplotlib.figure import Figure  # not for those who want no picture

    figure = Figure(figsize=(8, 4), layout="constrained")
    result.plot(ax=figure.subplots())
    with opened(path) as file:
        figure.savefig(file, format="png", dpi=150)


def show(result: RangeTestResult, console: Console) -> None:
    """The curve, why it ended, and the suggestions."""
    suggestions = result.suggestions()
    if len(result.losses) >= 2:
        console.print()
        for line in LossChart(result, console.width).lines(console.options.ascii_only):
            console.print(line, no_wrap=True)
    console.print(f"\n{len(result.losses)} updates: {result.reason}", soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("", "suggestion", "learning rate"):
        table.add_column(column, justify="right" if column == "learning rate" else "left")
    for number, (method, lr) in enumerate(suggestions.items()):
        table.add_row(Text(NUMBERS[number], f"bold {color(number)}"), method, f"{lr:.2g}")
    console.print(table if suggestions else "no suggestion: the losses never fell, or are too few")
