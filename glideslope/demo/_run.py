"""One run of `glideslope train`, from its settings or from a state to its end in its folder."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from glideslope._interrupt import interruptible
from glideslope.distributed import launch
from glideslope.runs import RunFolder
from glideslope.training import Checkpointer, History

from ._config import describe
from ._curves import draw_curves
from ._launch import program, require_shares
from ._loop import Training
from ._progress import Display
from ._ranks import folder_of_run, joined, made, require_same_text, total
from ._settings import Settings

EXIT_CODES = {"finished": 0, "diverged": 1, "interrupted": 130}


def new_console() -> Console:
    """The console that messages go to; of several ranks only the first prints."""
    return Console(highlight=False, soft_wrap=True, quiet=not launch().is_first)


def start_run(settings: Settings, path: Path) -> int:
    """Train in a new run folder, and return the program's exit code."""
    console = new_console()
    require_shares(settings.batch_size)
    with joined():
        folder = folder_of_run(path)
        training = Training(settings, folder.history)
        require_same_text(training.corpus.sha256)
        with made(folder), folder.checkpoints(settings.keep) as checkpoints:
            folder.write_config(describe(training))
            save(training, checkpoints, {})
            checkpoints.wait()
            introduce(training, console)
            folder.note("started", 0)
            return go(training, folder, checkpoints, console)


def introduce(training: Training, console: Console) -> None:
    """Print the model, the text, the optimizer, the schedule and its findings."""
    corpus = training.corpus
    console.print(f"model     {training.parameters:,} parameters")
    console.print(f"text      {len(corpus.train):,} characters, {len(corpus.held_out):,} held out")
    console.print(f"optimizer {optimizer_text(training)}")
    console.print(f"schedule  {training.schedule}")
    for finding in training.schedule.lint(steps=training.settings.steps):
        console.print(f"note: {finding}")


def optimizer_text(training: Training) -> str:
    """The optimizer and its learning rate, as text."""
    settings = training.settings
    return f"{settings.optimizer}, learning rate {settings.lr:g}"


def go(training: Training, folder: RunFolder, checkpoints: Checkpointer, console: Console) -> int:
    """Train to the end, write the result, and return the program's exit code."""
    outcome = follow(training, folder.history, checkpoints, console)
    checkpoints.wait()
    if launch().is_first:
        conclude(training, outcome, folder, console)
    return EXIT_CODES[outcome]


def conclude(training: Training, outcome: str, folder: RunFolder, console: Console) -> None:
    """Write the result and the picture, and print how the run ended."""
    records = list(folder.history)
    measured = folder.history.values("val_loss")
    result = {
        "outcome": outcome,
        "steps": len(records),
        "val_loss": measured[-1] if measured else None,
        "seconds": round(training.run.seconds, 2),
    }
    draw_curves(records, f"{optimizer_text(training)}\n{training.schedule}", folder.curves)
    folder.note(outcome, len(records))
    folder.write_result(result)
    print_end(result, folder, training.settings, console)


def follow(
    training: Training, history: History, checkpoints: Checkpointer, console: Console
) -> str:
    """Train to the end, to Ctrl-C or to a loss that is not finite; return which of these.

    All ranks come to the same end: they have the same losses, and Ctrl-C on one stops all.
    """
    run, every = training.run, training.settings.save_every
    display = Display(training.settings.steps, console)
    before = time.perf_counter() - run.seconds
    with interruptible() as stop, display.bar:
        for record in training.train():
            if not record.is_finite():
                return "diverged"
            history.append(record.as_dict())
            display.show(record)
            run.seconds = time.perf_counter() - before
            stopping = total(stop.is_set()) > 0
            if stopping or record.val_loss is not None or run.step % every == 0:
                save(training, checkpoints, record.metrics())
            if stopping:
                return "interrupted"
    return "finished"


def save(training: Training, checkpoints: Checkpointer, metrics: Mapping[str, float]) -> None:
    """Begin a checkpoint of everything that is needed to continue, the settings included."""
    settings, text = training.settings.as_dict(), training.corpus.sha256
    state = {"settings": settings, "text": text, "run": training.run.state_dict()}
    checkpoints.save(training.run.step, state, **metrics)


def print_end(
    result: dict[str, Any], folder: RunFolder, settings: Settings, console: Console
) -> None:
    """Print how the run ended, where its files are, and what to do next."""
    console.print(f"{result['outcome']} after {result['steps']} updates, {result['seconds']:.0f} s")
    if result["val_loss"] is not None:
        console.print(f"validation loss {result['val_loss']:.3f} nats per character")
    console.print(f"kept in {folder.path}: {', '.join(folder.names())}")
    for hint in next_steps(result["outcome"], folder.path, settings):
        console.print(hint)


def next_steps(outcome: str, path: Path, settings: Settings) -> Iterator[str]:
    """The commands that a user may want next."""
    if outcome == "interrupted":
        words = (*program(), "train", "--resume", "--out", str(path))
        yield f"continue with: {shlex.join(words)}"
    if outcome == "diverged":
        yield f"try a lower learning rate than --lr {settings.lr:g}, or a longer warm-up"
        yield f"find one with: {command('find-lr', '--optimizer', settings.optimizer)}"
    yield f"look at it with: {command('report', str(path), '--open')}"


def command(*words: str) -> str:
    """A command line of this program."""
    return shlex.join(["glideslope", *words])
