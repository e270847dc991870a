"""Losses and learning rates of a run as arrays, from its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from glideslope.errors import PredictionError

from .laws import Array, Rates, warmup_of

FIRST_SHARE = 0.25
"""The share of a run, from its start, that no law describes."""
FEWEST = 15
"""Of measurements after it."""
BINS = 150
MOST_UPDATES = 20_000_000
LARGEST = 1e100
LEAST_FALL = 0.05
"""The share of its highest value by which a rate must fall to tell of falls."""


@dataclass(frozen=True)
class Recorded:
    """The losses and rates of a run.

    Args:
        metric: the name of the loss.
        rates: the learning rate of each update.
        places: the numbers of updates after which the losses were measured.
        losses: the losses, means of neighbours where there are many.
    """

    metric: str
    rates: Array
    places: Array
    losses: Array

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], metric: str | None) -> Recorded:
        """From records with a ``step``, a rate, ``lr`` or ``lr/GROUP``, and a loss.

        Raises:
            PredictionError: they have too few losses, no rates, or rates that never fall.
        """
        found = list(records)
        rates = _rates_of(found)
        warm = warmup_of(rates)
        span = (max(FIRST_SHARE * len(rates), warm), len(rates))
        name = metric or _metric_of(found, span)
        points = _within(span, _series(found, name))
        few = f"got {len(points)}, and {FEWEST} are needed"
        _check(len(points) >= FEWEST, f"too few values of `{name}` after the first quarter: {few}")
        fall = 1 - rates[warm:].min() / rates.max()
        _check(
            fall >= LEAST_FALL, "the rate of the run never falls: that tells of no other schedule"
        )
        return cls(name, rates, *_binned(np.array(points, dtype=float)))

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


def _metric_of(records: list[Mapping[str, Any]], span: tuple[float, float]) -> str:
    """``val_loss`` where it was measured often enough to be fitted, else ``loss``."""
    return "val_loss" if len(_within(span, _series(records, "val_loss"))) >= FEWEST else "loss"


def _within(span: tuple[float, float], series: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The values that were measured after a number of updates within a span, by that number."""
    first, last = span
    return [(step + 1, value) for step, value in series if first <= step + 1 <= last]


def _rates_of(records: list[Mapping[str, Any]]) -> Array:
    """The rate of every update; between two records it changes evenly."""
    used = {key for record in records for key in record}
    names = sorted(key for key in used if key == "lr" or str(key).startswith("lr/"))
    points = dict(_series(records, names[0])) if names else {}
    _check(bool(points), "the records have no learning rate: no number under `lr` or `lr/GROUP`")
    steps = sorted(points)
    _check(steps[-1] < MOST_UPDATES, f"the run has more than {MOST_UPDATES:,} updates")
    rates = np.interp(np.arange(steps[-1] + 1), steps, [points[step] for step in steps])
    _check(rates.min() >= 0 and rates.max() > 0, "the learning rate of the run is 0 or below")
    return rates


def _series(records: list[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """The finite numbers under a name, by step."""
    pairs = ((record.get("step"), record.get(name)) for record in records)
    return [(step, float(value)) for step, value in pairs if _is_count(step) and is_finite(value)]


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def is_finite(value: Any) -> TypeGuard[float]:
    """True for a number whose square is finite."""
    return type(value) in (int, float) and abs(value) <= LARGEST


def _binned(points: Array) -> tuple[Array, Array]:
    """Means of neighbouring points, where there are more than ``BINS``."""
    groups = np.array_split(points, min(BINS, len(points)))
    means = np.array([group.mean(axis=0) for group in groups])
    return np.round(means[:, 0]), means[:, 1]


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise PredictionError(problem)
