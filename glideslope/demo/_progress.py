"""Progress of a training run: a bar on a terminal, and a line at each measurement."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ._loop import Record


class Display:
    """Moves `bar` at each update and prints a line at each measured one."""

    def __init__(self, steps: int, console: Console) -> None:
        self.console = console
        self.bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task("", total=steps)
        console.print("update    loss  validation  learning rate")

    def show(self, record: Record) -> None:
        """One more update is done."""
        numbers = f"loss {record.loss:.3f}  lr {record.lr:.2e}"
        self.bar.update(self.task, completed=record.step + 1, description=numbers)
        if record.val_loss is not None:
            losses = f"{record.step + 1:6}  {record.loss:6.3f}  {record.val_loss:10.3f}"
            self.console.print(f"{losses}  {record.lr:13.2e}")
