"""The recorded metrics of a run by name, and its clocks: seconds and tokens by update."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from ._names import LOSSES, SECONDS, STEPS, TOKENS, VALIDATION_LOSSES, first_used, is_hyperparameter
from ._recorded import Point, RecordedRun, inside, is_finite

NO_METRICS = {*STEPS, *SECONDS, *TOKENS, *LOSSES[:1], *VALIDATION_LOSSES[:1], "skipped", "lr"}
LATEST_ELAPSED = 1e8
"""A larger number of seconds counts from 1970, not from the start of the run."""


def metrics(run: RecordedRun) -> dict[str, list[Point]]:
    """Every other number that the records hold, by name; parts of a metric are ``NAME/PART``.

    Losses, learning rates, times and tokens are not among them. Skipped updates are left out, of
    hyperparameters alone they are kept.

    Example:
        >>> from pathlib import Path
        >>> records = [{"step": 0, "loss": 2.0, "grad": {"norm": 1.5}, "accuracy": 0.5}]
        >>> metrics(RecordedRun(Path("run"), {}, {}, records, [], []))
        {'grad/norm': [Point(step=0, value=1.5)], 'accuracy': [Point(step=0, value=0.5)]}
    """
    left_out = NO_METRICS | {run.loss_name, run.validation_name}
    found: dict[str, list[Point]] = {}
    for record in run.records:
        step, skipped = record["step"], record.get("skipped")
        for name, value in record.items():
            if name in left_out or name.startswith("lr/"):
                continue
            for part, number in _numbers(name, value):
                if not skipped or is_hyperparameter(part):
                    found.setdefault(part, []).append(Point(step, float(number)))
    return found


def seconds(run: RecordedRun) -> list[Point]:
    """The time of training, in seconds, that had passed after so many updates.

    It comes from the records. A run that records no times but only their total counts as one whose
    updates took equally long. Empty where neither is known.

    Example:
        >>> from pathlib import Path
        >>> records = [{"step": t, "elapsed": 0.5 * (t + 1)} for t in range(2)]
        >>> seconds(RecordedRun(Path("run"), {}, {}, records, [], []))
        [Point(step=0, value=0.0), Point(step=1, value=0.5), Point(step=2, value=1.0)]
    """
    name = first_used(SECONDS, run.records)
    recorded = ((r["step"], _as_seconds(r[name])) for r in run.records if name in r)
    points = [Point(step + 1, value) for step, value in recorded if value is not None]
    if len(points) > 1:
        return _from_the_start(_joined(points))
    total = run.result.get("seconds")
    return [Point(0, 0.0), Point(run.steps, float(total))] if run.steps and is_finite(total) else []


def tokens(run: RecordedRun) -> list[Point]:
    """The tokens that had been trained on after so many updates; empty where they are not known.

    A number that does not grow from record to record is taken to be that of one update.

    Example:
        >>> from pathlib import Path
        >>> records = [{"step": t, "tokens": 512} for t in range(2)]
        >>> tokens(RecordedRun(Path("run"), {}, {}, records, [], []))
        [Point(step=0, value=0.0), Point(step=1, value=512.0), Point(step=2, value=1024.0)]
    """
    name = first_used(TOKENS, run.records)
    points = [Point(step + 1, value) for step, value in run.series(name)] if name else []
    if not points:
        size = inside(run.config, "settings", "batch_size")
        length = inside(run.config, "model", "context")
        known = run.steps and is_finite(size) and is_finite(length)
        return [Point(0, 0.0), Point(run.steps, float(size * length * run.steps))] if known else []
    grows = all(before.value < after.value for before, after in pairwise(points))
    return _with_origin(points if grows else _summed(points))


def _numbers(name: str, value: Any) -> list[tuple[str, float]]:
    """A finite number with its name, or the numbers in an object or a list, by their place."""
    if is_finite(value):
        return [(name, value)]
    if isinstance(value, Mapping):
        parts = [(f"{name}/{key}", part) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{name}[{number}]", part) for number, part in enumerate(value)]
    else:
        return []
    return [(part, number) for part, number in parts if is_finite(number)]


def _as_seconds(value: Any) -> float | None:
    """Seconds as a number; a time of day in ISO 8601 counts from 1970."""
    if is_finite(value):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _joined(points: list[Point]) -> list[Point]:
    """Times that continue where a resumed run began at 0 again."""
    joined, before = points[:1], 0.0
    for (_, last), (step, value) in pairwise(points):
        before += last if value < last else 0.0
        joined.append(Point(step, before + value))
    return joined


def _from_the_start(points: list[Point]) -> list[Point]:
    """Times since the first update began, of times of day and of time elapsed alike."""
    first = points[0]
    if first.value < LATEST_ELAPSED:
        return _with_origin(points)
    step, value = points[-1]
    pace = (value - first.value) / max(1, step - first.step)
    start = first.value - pace * first.step
    return [Point(0, 0.0), *(Point(step, value - start) for step, value in points)]


def _with_origin(points: list[Point]) -> list[Point]:
    return [Point(0, 0.0), *points] if points[0].step > 0 else points


def _summed(points: list[Point]) -> list[Point]:
    """The sums of what each update has; between two records, updates have what the second has."""
    summed, at, total = [], 0, 0.0
    for step, value in points:
        total += value * (step - at)
        at = step
        summed.append(Point(step, total))
    return summed
