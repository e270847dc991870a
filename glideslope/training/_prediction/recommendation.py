"""Recommendations: the schedule of a bounded family with the lowest predicted loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from operator import rshift
from typing import Any

import numpy as np

from glideslope.errors import PredictionError, require
from glideslope.schedules import Cosine, Linear, Piecewise, Polynomial, Schedule, hold, warmup

from .laws import Array, sums, warmup_of
from .prediction import Prediction, Predictor
from .recorded import Recorded

SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
"""Of the updates after the warm-up, those in which the rate falls."""
FLOORS = (0.0, 0.1, 0.2)
"""The rate at the end, in the highest one."""
CLOSE = 0.02
"""A floor that is lower than the lowest rate of the run by no more counts as seen."""
STEEPER = 2.0
"""A decay may be so many times as steep as the steepest of the run."""
POINTS = 200
"""The number of means that the rates of a run are reduced to."""
NEAR = 0.005
"""The distance from the lines, in the highest rate, at which such a mean counts as on them."""
DIGITS = 4


@dataclass(frozen=True)
class Recommendation:
    """The schedule of a family with the lowest predicted loss, from `recommend`.

    Args:
        schedule: the schedule.
        prediction: the loss that it would give.
        unchanged: the loss of the run's own rates, stretched to as many updates.
    """

    schedule: Schedule
    prediction: Prediction = field(repr=False)
    unchanged: Prediction = field(repr=False)

    @property
    def gain(self) -> float:
        """The loss that the schedule saves."""
        return self.unchanged.final.loss - self.prediction.final.loss

    @property
    def is_clear(self) -> bool:
        """True if the loss of the run's own rates is above the interval of the prediction."""
        return self.unchanged.final.loss > self.prediction.final.high

    @property
    def verdict(self) -> str:
        """The gain in words, for a sentence about the schedule."""
        if self.prediction is self.unchanged:
            return "is the run's own: none of the family is better"
        clear = "" if self.is_clear else ", which is within the interval"
        return f"saves {self.gain:.3f}{clear}"

    def __str__(self) -> str:
        return f"{self.prediction}; it {self.verdict}"


def recommend(
    history: Iterable[Mapping[str, Any]], steps: int, *, metric: str | None = None
) -> Recommendation:
    """The schedule with the lowest predicted loss for a number of updates.

    The candidates begin with the run's own warm-up, hold its highest rate, and end with a decay:
    linear, cosine or 1-sqrt, over 5 % to all of the rest, down to 0, 0.1 or 0.2. Decays that are
    more than twice as steep as the run's steepest, or that end below its lowest rate, are left out.
    If none is better, the run's own rates are recommended, stretched to as many updates.

    Args:
        history: the records of the run, see `predict`.
        steps: the number of updates.
        metric: the name of the loss, see `predict`.

    Raises:
        PredictionError, InvalidValue: see `predict`.

    Example:
        >>> import glideslope as gs
        >>> half = gs.parse("hold(300) >> linear(300)")
        >>> losses = [2 + 8 * (step + 9) ** -0.5 - 0.3 * (1 - half(step)) for step in range(600)]
        >>> records = [
        ...     {"step": step, "lr": 0.01 * half(step), "loss": loss}
        ...     for step, loss in enumerate(losses)
        ... ]
        >>> gs.training.recommend(records, 900).schedule.steps
        900
    """
    require(type(steps) is int and steps >= 1, "steps", "be a whole number of at least 1", steps)
    predictor = Predictor(history, metric)
    recorded = predictor.recorded
    warm, made = warmup_of(recorded.eta), len(recorded.eta)
    require(steps > warm, "steps", f"be more than the {warm} of the run's warm-up", steps)
    try:
        unchanged = predictor.predict(stretched(recorded, steps))
    except PredictionError as error:
        message = f"{steps} updates are too far from the {made} of the run"
        raise PredictionError(message) from error
    predictions = [unchanged]
    for schedule in family(recorded, steps):
        with suppress(PredictionError):  # it makes too little progress, or too much
            predictions.append(predictor.predict(schedule))
    best = min(predictions, key=lambda prediction: prediction.final.loss)
    return Recommendation(best.schedule, best, unchanged)


def family(recorded: Recorded, steps: int) -> Iterator[Schedule]:
    """The warm-up of the run, a constant rate, and a decay of some shape, length and floor.

    No decay is much steeper than the steepest one of the run, and none ends below its lowest rate:
    the laws are not tested there. Without the run's floor there is none of the family, so that one
    is always in it.
    """
    warm = warmup_of(recorded.eta)
    rise = [warmup(warm, start=round(float(recorded.eta[0]), DIGITS))] if warm else []
    after = steps - warm
    for share in SHARES:
        decay = max(1, round(share * after))
        rest = [hold(after - decay)] if after > decay else []
        for floor in floors(recorded):
            if share == SHARES[-1] or (1 - floor) / decay <= STEEPER * steepest(recorded):
                for curve in decays(decay, floor):
                    yield reduce(rshift, [*rise, *rest, curve])


def decays(steps: int, floor: float) -> Iterator[Schedule]:
    """A decay of each shape."""
    yield Linear(steps, end=floor)
    yield Cosine(steps, end=floor)
    yield Polynomial(steps, end=floor, power=0.5, mirrored=True)


def floors(recorded: Recorded) -> list[float]:
    """The rates at the end that the run has seen, and its lowest."""
    lowest = float(recorded.eta[warmup_of(recorded.eta) :].min())
    seen = [floor for floor in FLOORS if floor >= lowest - CLOSE]
    return seen or [round(lowest, DIGITS)]


def steepest(recorded: Recorded) -> float:
    """The fastest fall of the run's rate, per update."""
    return float(-np.diff(recorded.eta[warmup_of(recorded.eta) :]).min())


def stretched(recorded: Recorded, steps: int) -> Schedule:
    """The rates of the run over another number of updates, as lines between few points."""
    made = len(recorded.eta)
    edges = np.linspace(0, made, min(made, steps, POINTS) + 1).astype(int)
    means = np.diff(sums(recorded.eta)[edges]) / np.diff(edges)
    middles = np.floor((edges[1:-1] + edges[2:] - 1) / 2 * steps / made)
    at = np.concatenate([[0], middles, [steps]])
    values = np.concatenate([recorded.eta[:1], means[1:], recorded.eta[-1:]]).round(DIGITS)
    kept = corners(at, values)
    points = zip(at[kept].astype(int).tolist(), values[kept].tolist(), strict=True)
    return Piecewise(list(points), "linear")


def corners(at: Array, values: Array) -> list[int]:
    """The indices of the points that the lines between them need to pass near all points."""
    kept, spans = {0, len(at) - 1}, [(0, len(at) - 1)]
    while spans:
        first, last = spans.pop()
        inner = np.arange(first, last + 1)
        line = np.interp(at[inner], at[[first, last]], values[[first, last]])
        far = int(np.abs(values[inner] - line).argmax()) + first
        if abs(values[far] - line[far - first]) > NEAR:
            kept.add(far)
            spans += [(first, far), (far, last)]
    return sorted(kept)
