"""Losses and learning rates of a run as arrays, from its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glideslope.errors import InvalidType, PredictionError, require_type

from .._scalar import scalar
from .laws import TINY, Array, Rates, warmup_of

FIRST_SHARE = 0.25
"""The share of a run, from its start, that no law describes."""
FEWEST = 15
"""Of measurements after it."""
BINS = 150
MOST_UPDATES = 20_000_000
LARGEST = 1e100
LEAST_FALL = 0.05
"""The share of its highest value by which a rate must fall to tell of falls."""
NO_STEP = "the records have no `step`: no whole number of at least 0 under it"
NO_RATE = "the records have no learning rate: no number under `lr` or `lr/GROUP`"


@dataclass(frozen=True)
class Recorded:
    """The losses and rates of a run.

    Args:
        metric: the name of the loss.
        group: the name of the learning rate: ``lr``, or ``lr/GROUP``.
        rates: the learning rate of each update.
        places: the numbers of updates after which the losses were measured.
        losses: the losses, means of neighbours where there are many.
    """

    metric: str
    group: str
    rates: Array
    places: Array
    losses: Array

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], metric: str | None) -> Recorded:
        """From records with a ``step``, a rate, ``lr`` or ``lr/GROUP``, and a loss.

        Of several groups, the first one whose rate falls counts.

        Raises:
            InvalidType: ``records`` are none, or ``metric`` is no text.
            PredictionError: they have too few losses, no rates, or rates that never fall.
        """
        found = _checked(records)
        require_type(metric is None or isinstance(metric, str), "metric", "be text", metric)
        group, rates = _rates_of(found)
        span = (max(FIRST_SHARE * len(rates), warmup_of(rates)), len(rates))
        name = _metric_of(found, span) if metric is None else metric
        places, losses = _binned(_losses_of(found, name, span))
        _check(np.median(losses) > 0, f"`{name}` is 0 or below: the laws are for a loss above 0")
        _check_falls(rates, places)
        return cls(name, group, rates, places, losses)

    @property
    def peak(self) -> float:
        """The highest rate."""
        return float(self.rates.max())

    @property
    def eta(self) -> Array:
        """The rates in the highest one."""
        return self.rates / self.peak

    def compressed(self) -> Rates:
        """The rates at the places of the losses and some others."""
        return Rates.of(self.rates, self.peak, self.places)


def _checked(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of an iterable."""
    rule = "be records, each a dict with a `step`, a learning rate and a loss"
    require_type(isinstance(records, Iterable), "history", rule, records)
    found = list(records)
    for record in found:
        require_type(isinstance(record, Mapping), "history", rule, record)
    return found


def _metric_of(records: list[Mapping[str, Any]], span: tuple[float, float]) -> str:
    """``val_loss`` where it was measured often enough to be fitted, else ``loss``."""
    return "val_loss" if len(_within(span, _series(records, "val_loss"))) >= FEWEST else "loss"


def _losses_of(records: list[Mapping[str, Any]], name: str, span: tuple[float, float]) -> Array:
    """The losses within a span, each with the number of updates it was measured after."""
    series = _series(records, name)
    _check(bool(series), f"the records have no `{name}`: no number under it")
    points = _within(span, series)
    few = f"got {len(points)}, and {FEWEST} are needed"
    _check(
        len(points) >= FEWEST,
        f"too few values of `{name}` after the first quarter and the warm-up: {few}",
    )
    return np.array(points, dtype=float)


def _within(span: tuple[float, float], series: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The values that were measured after a number of updates within a span, by that number."""
    first, last = span
    return [(step + 1, value) for step, value in series if first <= step + 1 <= last]


def _rates_of(records: list[Mapping[str, Any]]) -> tuple[str, Array]:
    """The name and the rate of every update, of the first group whose rate falls."""
    used = {key for record in records for key in record}
    names = sorted(key for key in used if isinstance(key, str) and is_rate(key))
    series = {name: _series(records, name) for name in names}
    rates = [(name, _between(points)) for name, points in series.items() if points]
    falling = (pair for pair in rates if _fall(pair[1]) >= LEAST_FALL)
    found = next(falling, next(iter(rates), None))
    if found is None:
        _check(bool(records), "there are no records")
        _check(any(_step(record) is not None for record in records), NO_STEP)
        raise PredictionError(NO_RATE)
    low, high = found[1].min(), found[1].max()
    _check(low >= 0 and high > 0, f"the learning rate of the run, `{found[0]}`, is 0 or below")
    return found


def is_rate(name: str) -> bool:
    """True for the name of a learning rate."""
    return name == "lr" or name.startswith("lr/")


def _between(points: list[tuple[int, float]]) -> Array:
    """The rate of every update; between two records it changes evenly."""
    steps, values = zip(*points, strict=True)
    made = steps[-1] + 1
    _check(made <= MOST_UPDATES, f"the run has more than {MOST_UPDATES:,} updates")
    _check(
        steps[0] <= max(1, FIRST_SHARE * made),
        f"the learning rates before step {steps[0]:,} are missing, of a run of {made:,} updates",
    )
    rates: Array = np.interp(np.arange(made), steps, values)
    return rates


def _fall(rates: Array) -> float:
    """The fall of a rate after its highest value, in that value."""
    return float(1 - rates[warmup_of(rates) :].min() / max(rates.max(), TINY))


def _check_falls(rates: Array, places: Array) -> None:
    """The rate must change where losses tell of it."""
    nothing = "that tells of no other schedule"
    _check(_fall(rates) >= LEAST_FALL, f"the rate of the run never falls: {nothing}")
    first, last = int(places[0]), int(places[-1])
    change = np.ptp(rates[first - 1 : last]) / rates.max()
    _check(
        change >= LEAST_FALL,
        f"the rate of the run does not change from update {first} to {last}, between the losses"
        f" that are fitted: {nothing}",
    )


def _series(records: list[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """The finite numbers under a name, by step; those made again replace what they repeat."""
    points: list[tuple[int, float]] = []
    for record in records:
        step, value = _step(record), finite(record.get(name))
        if step is None or value is None:
            continue
        while points and points[-1][0] >= step:
            points.pop()
        points.append((step, value))
    return points


def _step(record: Mapping[str, Any]) -> int | None:
    """The number of the update that a record belongs to."""
    step = finite(record.get("step"))
    return int(step) if step is not None and step >= 0 and step.is_integer() else None


def finite(value: Any) -> float | None:
    """A number of Python, NumPy or torch whose square is finite, as a float."""
    if type(value) not in (int, float):
        try:
            value = scalar(value)
        except InvalidType:
            return None
    return float(value) if type(value) in (int, float) and abs(value) <= LARGEST else None


def _binned(points: Array) -> tuple[Array, Array]:
    """Means of neighbouring points, where there are more than ``BINS``."""
    groups = np.array_split(points, min(BINS, len(points)))
    means = np.array([group.mean(axis=0) for group in groups])
    return np.round(means[:, 0]), means[:, 1]


def _check(holds: Any, problem: str) -> None:
    if not holds:
        raise PredictionError(problem)
