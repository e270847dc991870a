"""What the page of `glideslope report` is told about the runs: curves, events, settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glideslope.runs import Event, Point, RecordedRun, planned

Floats = NDArray[np.float64]

COLUMNS = 4000
"""A longer curve keeps the lowest and the highest point of so many columns."""
SMOOTHING = 100
"""A smoothed loss is a mean over one part in so many of the run to either side."""

REPEATED = ("command", "schedule.json", "settings.schedule", "settings.optimizer", "settings.lr")
"""Settings that say again what others say."""


def chart_data(run: RecordedRun, happened: Iterable[Event]) -> dict[str, Any]:
    """The curves of a run and the events on them."""
    loss = run.loss
    smooth = [Point(at, value) for (at, _), value in zip(loss, smoothed(loss), strict=True)]
    return {
        "loss": curve(loss),
        "smooth": curve(smooth),
        "validation": curve(run.validation),
        "rates": [{"group": name} | curve(rate) for name, rate in run.rates.items()],
        "plans": [{"group": name} | curve(plan(run, name)) for name in run.rates or ["lr"]],
        "events": [event._asdict() for event in happened],
    }


def plan(run: RecordedRun, group: str) -> list[Point]:
    """What a group's learning rate was to be, to the end of the run as it was asked for."""
    steps = range(run.planned_from, max(run.steps, run.planned_steps or 0))
    points = zip(steps, planned(run, group, steps) or [], strict=False)
    return [Point(step, value) for step, value in points if np.isfinite(value)]


def smoothed(points: Sequence[Point]) -> list[float]:
    """The mean around each point, as far to the right as to the left: it does not lag behind."""
    count = len(points)
    at = np.arange(count)
    reach = np.minimum(at, max(2, count // SMOOTHING))
    first, stop = at - reach, np.minimum(at + reach + 1, count)
    sums = np.cumsum([0.0, *(value for _, value in points)])
    means: list[float] = ((sums[stop] - sums[first]) / (stop - first)).tolist()
    return means


def curve(points: Sequence[Point]) -> dict[str, list[float]]:
    """Steps and values, thinned where there are more than any screen shows."""
    x, y = thinned(
        np.array([step for step, _ in points], np.float64),
        np.array([value for _, value in points], np.float64),
    )
    return {"x": [int(step) for step in x], "y": [float(f"{value:.8g}") for value in y]}


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The first, the last, and the lowest and the highest point of each column, in order."""
    if len(x) <= 2 * COLUMNS:
        return x, y
    kept = {0, len(x) - 1}
    for column in np.array_split(np.arange(len(x)), COLUMNS):
        kept |= {int(column[y[column].argmin()]), int(column[y[column].argmax()])}
    chosen = sorted(kept)
    return x[chosen], y[chosen]


def settings(runs: Sequence[RecordedRun]) -> list[tuple[str, list[str]]]:
    """Every setting and result by its name, with the value that each run has for it."""
    columns = [dict(flat(run.config)) | dict(flat(run.result)) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name, "") for column in columns]) for name in names]


def flat(content: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """The values within values, named ``outer.inner``, without what repeats others."""
    for key, value in content.items():
        name = f"{inside}{key}"
        if name in REPEATED:
            continue
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
