"""The data of the report: curves, clocks, events and panels, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glideslope.runs import (
    Event,
    Point,
    RecordedRun,
    base_name,
    is_hyperparameter,
    metrics,
    planned,
    rate_name,
    seconds,
    tokens,
)

Floats = NDArray[np.float64]

COLUMNS = 4000
"""The number of columns of a longer curve, each with its lowest and highest point and its mean."""
MOST_PLANNED = 50_000
"""The number of updates at which a schedule is evaluated; of more, a part of them."""
SHOWN_PANELS = 8
"""The number of panels that are open at first; the others are a click away."""
VALIDATION = "val_"
"""``val_accuracy`` is drawn with ``accuracy``."""
TITLES = {"loss": "Loss", "lr": "Learning rate"}
IDS = {"loss": "loss", "lr": "rate"}


def chart_data(run: RecordedRun, happened: Iterable[Event]) -> dict[str, Any]:
    """The curves of a run, its clocks, and the events on the curves."""
    measured = {f"{VALIDATION}loss": run.validation} | metrics(run)
    curves = {"loss": run.loss} | {name: after(name, measured[name]) for name in measured}
    rates = {rate_name(name): rate for name, rate in run.rates.items()}
    plans = {rate_name(name): plan(run, name) for name in run.rates or ["lr"]}
    return {
        "length": max(run.steps, run.planned_steps or 0, 1),
        "curves": {name: curve(points) for name, points in (curves | rates).items() if points},
        "plans": {name: curve(points) for name, points in plans.items() if points},
        "seconds": curve(seconds(run)),
        "tokens": curve(tokens(run)),
        "events": [event._asdict() for event in happened],
    }


def after(name: str, points: list[Point]) -> list[Point]:
    """A measurement of validation at the number of updates it was made after."""
    if not name.startswith(VALIDATION) or name == f"{VALIDATION}loss":
        return points
    return [Point(step + 1, value) for step, value in points]


def panels(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The panels: loss and learning rate first, then every other metric by its name.

    A panel has the names of its curves, and of the validation curve that is drawn with them.
    Metrics that never change are closed at first.

    Args:
        runs: the data of all runs, from `chart_data`.
    """
    names = dict.fromkeys(n for run in runs for n in (*run["curves"], *run["plans"]))
    validation = {name for name in names if name.removeprefix(VALIDATION) in names}
    validation = {name for name in validation if name.startswith(VALIDATION)}
    validation |= names.keys() & {f"{VALIDATION}loss"}
    families: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (name != "loss", base_name(name) != "lr")):
        if name not in validation:
            families.setdefault(base_name(name), []).append(name)
    if f"{VALIDATION}loss" in validation and "loss" not in families:
        families = {"loss": []} | families
    found = [panel(key, names, validation, runs) for key, names in families.items()]
    varying = [one["key"] for one in found if one["varies"] or one["key"] in TITLES]
    for one in found:
        one["open"] = one["key"] in varying[:SHOWN_PANELS]
    return found


def panel(
    key: str, names: list[str], validation: set[str], runs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One panel of `panels`."""
    setting = is_hyperparameter(key)
    companion = VALIDATION + key
    drawn = [*names, companion]
    return {
        "key": key,
        "id": IDS.get(key, ""),
        "title": TITLES.get(key, key),
        "setting": setting,
        "names": names,
        "validation": companion if companion in validation else None,
        "varies": any(varies(run["curves"].get(name)) for run in runs for name in drawn),
    }


def varies(drawn: dict[str, list[float]] | None) -> bool:
    """True if a curve has two values."""
    return bool(drawn) and len(set(drawn["y"] if drawn else ())) > 1


def plan(run: RecordedRun, group: str) -> list[Point]:
    """A group's planned learning rate, to the end of the run as it was asked for.

    Of a very long run, a part of the updates, evenly.
    """
    first, stop = run.planned_from, max(run.steps, run.planned_steps or 0)
    steps = range(first, stop, max(1, (stop - first) // MOST_PLANNED))
    points = zip(steps, planned(run, group, steps) or [], strict=False)
    return [Point(step, value) for step, value in points if np.isfinite(value)]


def curve(points: Sequence[Point]) -> dict[str, Any]:
    """Steps and values, thinned where there are more than any screen shows.

    A thinned curve has the ``mean`` of each column beside, with the number ``n`` of its points.
    """
    steps = np.array([step for step, _ in points], np.float64)
    values = np.array([value for _, value in points], np.float64)
    if len(points) <= 2 * COLUMNS:
        return {"x": numbers(steps), "y": numbers(values)}
    columns = np.array_split(np.arange(len(points)), COLUMNS)
    kept = extremes(values, columns)
    x = [steps[column].mean() for column in columns]
    y = [(values[column] / len(column)).sum() for column in columns]  # a sum could overflow
    mean = {"x": numbers(x), "y": numbers(y), "n": [len(column) for column in columns]}
    return {"x": numbers(steps[kept]), "y": numbers(values[kept]), "mean": mean}


def extremes(values: Floats, columns: Iterable[NDArray[np.int64]]) -> list[int]:
    """The first, the last, and the lowest and the highest point of each column, in order."""
    kept = {0, len(values) - 1}
    for column in columns:
        kept |= {int(column[values[column].argmin()]), int(column[values[column].argmax()])}
    return sorted(kept)


def numbers(values: Iterable[Any]) -> list[float]:
    """Numbers to eight digits, integers without a point."""
    rounded = (float(f"{value:.8g}") if abs(value) < 1e15 else float(value) for value in values)
    return [int(value) if value.is_integer() and abs(value) < 1e15 else value for value in rounded]
