"""`glideslope train --resume`: a run continues from its newest checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from glideslope.errors import InvalidValue, StateMismatch
from glideslope.runs import RunFolder
from glideslope.schedules import Schedule
from glideslope.training import Checkpoint, Checkpointer

from ._config import describe
from ._corpus import Corpus
from ._launch import require_shares
from ._loop import Training, bound_schedule
from ._notes import warnings_as_notes
from ._ranks import folder_of_run, joined, require_same_text
from ._run import go, introduce, new_console, save
from ._settings import Settings

ROWS = 8
"""How many steps the comparison of two schedules shows."""


def resume_run(path: Path, given: Mapping[str, Any], extend: int) -> int:
    """Continue the run in a folder, and return the program's exit code.

    Args:
        path: the run's folder.
        given: settings for the rest of the run.
        extend: how many updates to add.
    """
    console = new_console()
    with joined():
        folder = folder_of_run(path)
        with folder.taken_over(), folder.checkpoints() as checkpoints:
            return continue_run(folder, checkpoints, given, extend, console)


def continue_run(
    folder: RunFolder,
    checkpoints: Checkpointer,
    given: Mapping[str, Any],
    extend: int,
    console: Console,
) -> int:
    """The same, in its folder."""
    with warnings_as_notes(console):
        found = newest(checkpoints, folder)
        before = Settings.from_dict(found.state["settings"])
        training = restored(found, folder, before, before.resumed(given), extend)
    checkpoints.keep = training.settings.keep
    save(training, checkpoints, found.metrics)
    checkpoints.wait()
    folder.write_config(describe(training))
    folder.forget_end()
    introduce(training, console)
    console.print(f"resumed   after {found.step} of {training.settings.steps} updates")
    note_changes(training, folder, before, console)
    return go(training, folder, checkpoints, console)


def newest(checkpoints: Checkpointer, folder: RunFolder) -> Checkpoint:
    """The newest whole checkpoint of a run."""
    found = checkpoints.latest()
    if found is None:
        raise InvalidValue(f"there is no checkpoint in {folder.path}: start another run")
    require_own(found)
    return found


def require_own(found: Checkpoint) -> None:
    """Refuse a checkpoint of another program."""
    if not isinstance(found.state, dict) or found.state.keys() != {"settings", "text", "run"}:
        raise StateMismatch(f"{found.path} was not saved by `glideslope train`")


def restored(
    found: Checkpoint, folder: RunFolder, before: Settings, after: Settings, extend: int
) -> Training:
    """The run as it was at the checkpoint, under the settings for the rest of it."""
    if found.step >= before.steps + extend and folder.has_ended():
        problem = f"the run in {folder.path} has made all of its {before.steps} updates"
        raise InvalidValue(f"{problem}: `--extend` with a `--schedule` for all of them adds some")
    require_shares(after.batch_size)
    rescheduled = after.schedule != before.schedule
    if rescheduled:
        after = replace(after, steps=before.steps + extend)
    training = Training(after, folder.history, on_mismatch="keep" if rescheduled else "error")
    require_same_text(training.corpus.sha256)
    require_text(training.corpus, found, folder)
    training.run.load_state_dict(found.state["run"])
    if extend and not rescheduled:
        training.extend(extend)
    return training


def require_text(corpus: Corpus, found: Checkpoint, folder: RunFolder) -> None:
    """Refuse a run that learns another text."""
    if found.state["text"] != corpus.sha256:
        raise StateMismatch(f"the run in {folder.path} learns the text of another Python")


def note_changes(training: Training, folder: RunFolder, before: Settings, console: Console) -> None:
    """Record and print what is different from here on."""
    step, settings = training.run.step, training.settings
    folder.note("resumed", step)
    if settings.steps > before.steps:
        folder.note("extended", step, by=settings.steps - before.steps)
    if settings.schedule != before.schedule:
        folder.note("rescheduled", step, schedule=str(training.schedule))
        old = bound_schedule(before, training.corpus, training.run.model.context)
        print_difference(training, old, before.steps, console)


def print_difference(training: Training, old: Schedule, old_steps: int, console: Console) -> None:
    """The learning rates that were to come, beside those that now are."""
    settings, lr = training.settings, training.settings.lr or 0.0  # never None in a run
    console.print(f"update  {'before':>8}  {'now':>8}")
    for step in evenly(training.run.step, max(old_steps, settings.steps) - 1):
        cells = (
            f"{lr * schedule(step):.2e}" if step < steps else "end"
            for schedule, steps in ((old, old_steps), (training.schedule, settings.steps))
        )
        console.print(f"{step:6}  " + "  ".join(f"{cell:>8}" for cell in cells))


def evenly(first: int, last: int) -> list[int]:
    """A few steps from the first to the last."""
    return sorted({first + (last - first) * row // (ROWS - 1) for row in range(ROWS)})
