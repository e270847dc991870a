"""Events of a recorded run: those that it recorded, and those that follow from its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from glideslope.schedules.view import value_label

from ._recorded import Json, Point, RecordedRun

CHANGE = 1e-3
"""A learning rate leaves its plan when its share of the plan changes by more than this."""
CHANGES = 50
"""More changes than these are no cuts: the run follows something else."""
UNREMARKABLE = ("started", "finished", "diverged")
KINDS = {"resumed": "resume", "interrupted": "end"}
ENDINGS = {
    "diverged": "stopped: the loss was no longer a number. Try a lower learning rate (glideslope "
    "find-lr measures one), a longer warmup, or clipping with max_grad_norm=1",
    "unfinished": "the history ends here: killed, or still running",
}


class Event(NamedTuple):
    """Something to mark on a curve, as `events` gives it.

    Args:
        step: the number of updates made before it.
        kind: best, resume, cut, rise, skip, end or note; the mark that is drawn.
        text: a sentence.
        curve: which curve it is drawn on, ``loss`` or ``lr``.
    """

    step: int
    kind: str
    text: str
    curve: str = "loss"


def events(run: RecordedRun) -> list[Event]:
    """The events of a run by ascending step: those recorded, and those that its numbers show.

    Example:
        >>> from pathlib import Path
        >>> records = [{"step": t, "loss": 1.0, "skipped": t == 2} for t in range(4)]
        >>> run = RecordedRun(Path("run"), {}, {"outcome": "finished"}, records, [], [])
        >>> events(run)
        [Event(step=2, kind='skip', text='update skipped', curve='loss')]
    """
    sources = (noted(run), skipped(run), cuts(run), best(run), ending(run))
    return sorted((event for source in sources for event in source), key=lambda event: event.step)


def noted(run: RecordedRun) -> Iterator[Event]:
    """The events that the run recorded, except a plain start and end."""
    for note in run.happenings:
        if note.event not in UNREMARKABLE:
            rest = ", ".join(f"{name} {short(value)}" for name, value in note.details.items())
            text = note.event.replace("_", " ") + (rest and f": {rest}")
            yield Event(note.step, KINDS.get(note.event, "note"), text)


def short(value: Any) -> str:
    """A value without the digits that rounding left at its end: 0.3 of 0.30000000000000004."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def skipped(run: RecordedRun) -> Iterator[Event]:
    """Updates that were left out, and losses that are no number; neighbours are one event."""
    texts: list[tuple[Callable[[Json], bool], str]] = [
        (lambda record: bool(record.get("skipped")), "skipped"),
        (lambda record: not_finite(record.get(run.loss_name)), "with a loss that is not finite"),
    ]
    for is_one, text in texts:
        for first, last in stretches(r["step"] for r in run.records if is_one(r)):
            count = last - first + 1
            updates = "update" if count == 1 else f"{count:,} updates"
            yield Event(first, "skip", f"{updates} {text}")


def not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def stretches(steps: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of each group of consecutive steps."""
    first = last = None
    for step in steps:
        if first is not None and last is not None and step != last + 1:
            yield first, last
            first = None
        first, last = step if first is None else first, step
    if first is not None and last is not None:
        yield first, last


def cuts(run: RecordedRun) -> Iterator[Event]:
    """The changes of a learning rate against its plan, as a plateau controller makes them.

    The groups that change are named, unless all do.
    """
    found: dict[tuple[int, float], list[str]] = {}
    for group, rate in run.rates.items():
        for change in changes(run, group, rate):
            found.setdefault(change, []).append(group)
    if len(found) > CHANGES:
        yield Event(min(found)[0], "note", "the learning rate is off its plan from here on", "lr")
        return
    for (step, factor), groups in found.items():
        named = f" of {', '.join(groups)}" if len(groups) < len(run.rates) else ""
        kind = "cut" if factor < 1 else "rise"
        yield Event(step, kind, f"learning rate{named} times {factor:.3g} against its plan", "lr")


def changes(run: RecordedRun, group: str, rate: list[Point]) -> Iterator[tuple[int, float]]:
    """The steps at which a group's rate changed its share of the plan, and by what factor."""
    under_plan = [point for point in rate if point.step >= run.planned_from]
    plan = planned(run, group, [point.step for point in under_plan])
    if plan is None:
        return
    least = 1e-9 * max(map(abs, plan), default=0.0)
    shares = [
        (point.step, point.value / value)
        for point, value in zip(under_plan, plan, strict=True)
        if abs(value) > least and point.value
    ]
    for (_, before), (step, after) in pairwise(shares):
        if abs(after / before - 1) > CHANGE:
            yield step, round(after / before, 6)


def planned(run: RecordedRun, group: str, steps: Sequence[int]) -> list[float] | None:
    """The learning rates that the schedule gives at these steps; None where it is not known.

    Args:
        run: the run.
        group: the name of the parameter group in the records; of a single one, ``lr``.
        steps: numbers of updates, from 0.

    Example:
        >>> from pathlib import Path
        >>> config = {"schedule": "linear(4)", "lr": 0.5}
        >>> planned(RecordedRun(Path("run"), config, {}, [], [], []), "lr", [0, 2, 4])
        [0.5, 0.25, 0.0]
    """
    base = run.base_rate(group)
    if run.schedule is None or base is None:
        return None
    with np.errstate(all="ignore"):
        values = base * np.asarray(run.schedule(np.array(steps, np.float64)))
    return [float(value) for value in values]


def best(run: RecordedRun) -> Iterator[Event]:
    """The lowest validation loss, and its checkpoint where that was kept."""
    if run.best is None:
        return
    files = sorted(run.path.glob(f"*/step-{run.best.step:08d}.pt"))
    kept = f", kept in {files[0].parent.name}/{files[0].name}" if files else ""
    loss = value_label(run.best.value, run.best.value, digits=5)
    yield Event(run.best.step, "best", f"best validation loss {loss}{kept}")


def ending(run: RecordedRun) -> Iterator[Event]:
    """How the run ended, unless as planned or as it noted itself."""
    if run.records and run.state in ENDINGS:
        yield Event(run.steps, "end", ENDINGS[run.state])
