"""One run of `glideslope train`, from its settings to its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ._demo_config import describe
from ._demo_curves import draw_curves
from ._demo_loop import Record, Training
from ._demo_progress import Display
from ._interrupt import interruptible
from ._run_folder import RunFolder
from ._settings import Settings

EXIT_CODES = {"finished": 0, "diverged": 1, "interrupted": 130}


def run(settings: Settings, path: Path) -> int:
    """Train, keep everything in a new folder, and return the program's exit code."""
    console = Console(highlight=False, soft_wrap=True)
    training = Training(settings)
    folder = RunFolder(path)
    folder.write_config(describe(training))
    introduce(training, console)
    started = time.perf_counter()
    outcome, records = follow(training, folder, console)
    result = summary(outcome, records, time.perf_counter() - started)
    folder.write_result(result)
    draw_curves(records, f"{optimizer_text(training)}\n{training.schedule}", folder.curves)
    conclude(result, folder, console)
    return EXIT_CODES[outcome]


def introduce(training: Training, console: Console) -> None:
    """Say what is about to run, and what a person would want to know before it does."""
    corpus = training.corpus
    console.print(f"model     {training.parameters:,} parameters")
    console.print(f"text      {len(corpus.train):,} characters, {len(corpus.held_out):,} held out")
    console.print(f"optimizer {optimizer_text(training)}")
    console.print(f"schedule  {training.schedule}")
    for finding in training.schedule.lint(steps=training.settings.steps):
        console.print(f"note: {finding}")


def optimizer_text(training: Training) -> str:
    """The optimizer and its learning rate, for people."""
    optimizer = training.optimizer
    return f"{type(optimizer).__name__}, learning rate {optimizer.defaults['lr']:g}"


def follow(training: Training, folder: RunFolder, console: Console) -> tuple[str, list[Record]]:
    """Train to the end, or until Ctrl-C, or until the loss is no number; say which."""
    records: list[Record] = []
    display = Display(training.settings.steps, console)
    with interruptible() as stop, folder.open_history() as history, display.bar:
        for record in training.train():
            if not record.is_finite():
                return "diverged", records
            history.write(json.dumps(record.as_dict()) + "\n")
            records.append(record)
            display.show(record)
            if stop.is_set():
                return "interrupted", records
    return "finished", records


def summary(outcome: str, records: Sequence[Record], seconds: float) -> dict[str, Any]:
    """What `result.json` says; the loss is the last one measured, `null` before there is one."""
    measured = [record.val_loss for record in records if record.val_loss is not None]
    return {
        "outcome": outcome,
        "steps": len(records),
        "val_loss": measured[-1] if measured else None,
        "seconds": round(seconds, 2),
    }


def conclude(result: dict[str, Any], folder: RunFolder, console: Console) -> None:
    """Say how the run ended and what is kept where."""
    console.print(f"{result['outcome']} after {result['steps']} updates, {result['seconds']:.0f} s")
    if result["val_loss"] is not None:
        console.print(f"validation loss {result['val_loss']:.3f} nats per character")
    console.print(f"kept in {folder.path}: {', '.join(folder.names())}")
