"""Predictions of the loss under another schedule."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glideslope.errors import PredictionError, require, require_type
from glideslope.schedules import Schedule, parse

from .._scalar import number
from .fit import Fit, fit
from .laws import LAWS, TINY, Array, Rates
from .recorded import FIRST_SHARE, MOST_UPDATES, Recorded

SEED_NOISE = 0.013
"""The standard deviation of the final loss between two seeds, as a share of the loss."""
WIDTH = 1.645
"""Standard deviations on each side of an interval that holds 9 of 10."""
LARGEST_RESIDUAL = 0.03
"""As a share of the loss: a law that misses by more does not describe the run."""
FURTHEST = 3.0
"""The progress of a prediction, in that of the run."""
LOWEST, HIGHEST = 0.9, 1.1
"""The highest rate of a prediction, in that of the run."""
WIDEST = 0.5
"""The uncertainty of a loss, in that loss: with a greater one, nothing is known of it."""


@dataclass(frozen=True)
class Estimate:
    """A loss from `predict`, with the interval that holds it in 9 of 10 runs.

    Args:
        loss: the expected value.
        low, high: the interval.
    """

    loss: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.loss:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Prediction:
    """The loss that a schedule would give, from `predict`.

    Args:
        schedule: the schedule.
        lr: the learning rate where the schedule is 1.
        metric: the name of the loss in the history.
        final: the loss at the end.
        laws: the loss at the end by each law alone.
        steps: numbers of updates along the run.
        losses: the expected loss after each.
        lows, highs: the interval at each.
    """

    schedule: Schedule
    lr: float
    metric: str
    final: Estimate
    laws: dict[str, Estimate] = field(repr=False)
    steps: tuple[int, ...] = field(repr=False)
    losses: tuple[float, ...] = field(repr=False)
    lows: tuple[float, ...] = field(repr=False)
    highs: tuple[float, ...] = field(repr=False)

    @property
    def described_from(self) -> int:
        """The place in ``steps`` from which on the laws describe a run: after its first quarter."""
        return bisect_left(self.steps, FIRST_SHARE * self.steps[-1])

    def __str__(self) -> str:
        laws = ", ".join(f"{name} {estimate.loss:.3f}" for name, estimate in self.laws.items())
        return f"{self.schedule}: {self.metric} {self.final} after {self.steps[-1]} updates; {laws}"


class Predictor:
    """The laws fitted to one run, for predictions under several schedules.

    Args:
        history: the records of the run, see `predict`.
        metric: the name of the loss, see `predict`.

    Raises:
        PredictionError: see `predict`.

    Example:
        >>> import glideslope as gs
        >>> half = gs.parse("hold(300) >> linear(300)")
        >>> losses = [2 + 8 * (step + 9) ** -0.5 - 0.3 * (1 - half(step)) for step in range(600)]
        >>> predictor = gs.training.Predictor(
        ...     {"step": step, "lr": half(step), "loss": loss} for step, loss in enumerate(losses)
        ... )
        >>> early, late = (predictor.predict(f"hold({n}) >> linear(200)") for n in (200, 400))
        >>> early.final.loss > late.final.loss
        True
    """

    def __init__(self, history: Iterable[Mapping[str, Any]], metric: str | None = None) -> None:
        self.recorded = Recorded.of(history, metric)
        rates = self.recorded.compressed()
        self._progress = float(rates.progress[-1])
        first = rates.index(self.recorded.places[:1])
        self._nearest = float(rates.progress[first][0]) / self._progress
        fits = (fit(law, rates, self.recorded.places, self.recorded.losses) for law in LAWS)
        self.fits = [found for found in fits if found and is_close(found, self.recorded)]
        if not self.fits:
            name, most = self.recorded.metric, f"{LARGEST_RESIDUAL:.0%}"
            raise PredictionError(
                f"no law describes `{name}`: they miss it by more than {most} of its value, or it"
                " rises as the rate falls"
            )
        self._weights = likelihoods(self.fits)

    def predict(self, schedule: Schedule | str, lr: float | None = None) -> Prediction:
        """The loss under a schedule, see `predict`.

        Args:
            schedule: the schedule, or its text.
            lr: the rate where it is 1; the highest rate of the run unless given.

        Raises:
            PredictionError: the run does not tell the loss of this schedule.
            InvalidValue: a schedule without an end, or with a rate below 0; ``lr`` not above 0.
        """
        schedule = checked_schedule(schedule)
        lr = self.recorded.peak if lr is None else number("lr", lr)
        require(0 < lr < math.inf, "lr", "be more than 0 and finite", lr)
        rates = self._rates(schedule, lr)
        by_law = {found.law.name: found.predict(rates) for found in self.fits}
        means = np.array([mean for mean, _ in by_law.values()])
        spread = np.array([deviation for _, deviation in by_law.values()])
        loss = self._weights @ means
        deviation = np.sqrt(self._weights @ (spread**2 + (means - loss) ** 2))
        low, high = interval(loss, deviation)
        if not WIDTH * deviation[-1] <= WIDEST * loss[-1]:
            ends = f"{low[-1]:.3g} to {high[-1]:.3g}"
            raise PredictionError(f"the run does not tell the loss of `{schedule}`: {ends}")
        shown = rates.knots > 0
        return Prediction(
            schedule,
            lr,
            self.recorded.metric,
            estimate(loss[-1], deviation[-1]),
            {name: estimate(m[-1], d[-1]) for name, (m, d) in by_law.items()},
            *(
                tuple(values[shown].tolist())
                for values in (rates.knots.astype(int), loss, low, high)
            ),
        )

    def __repr__(self) -> str:
        """The metric, the extent of the run and the laws that describe it."""
        steps = len(self.recorded.rates)
        laws = " and ".join(found.law.name for found in self.fits)
        return f"Predictor({self.recorded.metric} of {steps} updates, {laws})"

    def _rates(self, schedule: Schedule, lr: float) -> Rates:
        peak = self.recorded.peak
        values = lr * np.asarray(schedule(np.arange(math.ceil(schedule.steps))), dtype=float)
        require(values.min() >= 0, "schedule", "have no rate below 0", schedule)
        if not LOWEST <= values.max() / peak <= HIGHEST:
            raise PredictionError(
                f"the highest rate of `{schedule}` is {values.max():.3g}, that of the run"
                f" {peak:.3g}: the laws hold for {LOWEST:g} to {HIGHEST:g} times as high a one"
            )
        rates = Rates.of(values, peak, np.array([]))
        times = rates.progress[-1] / self._progress
        if not self._nearest <= times <= FURTHEST:
            raise PredictionError(
                f"`{schedule}` has {times:.3g} times the sum of rates of the run: predictions reach"
                f" from {self._nearest:.3g} to {FURTHEST:g} times"
            )
        return rates


def predict(
    history: Iterable[Mapping[str, Any]],
    schedule: Schedule | str,
    *,
    lr: float | None = None,
    metric: str | None = None,
) -> Prediction:
    """The loss that a run would have had under another schedule, with an interval.

    Two laws are fitted to the recorded losses, the annealing law and the relaxation law. The
    expected loss is their mean, each with its likelihood as weight. The interval holds the loss in
    9 of 10 runs: it has the spread of each fit, the difference between the laws, half of what
    a longer run gains, and the noise of a seed, taken as 1.3 % of the loss.

    The laws are those of one model, data set, batch size and optimizer, and of one warm-up. The
    first quarter of the run and its warm-up are left out of the fit.

    Args:
        history: the records of the run in order, such as a `History`: with a ``step``, the learning
            rate under ``lr`` or ``lr/GROUP``, and losses. Steps that a resumed run made again
            replace the first ones. Of several groups the first one whose rate falls counts.
        schedule: the schedule, or its text, with its lengths in updates.
        lr: the learning rate where the schedule is 1; unless given, the highest of the run.
        metric: the name of the loss; unless given, ``val_loss`` where it has 15 values to fit, else
            ``loss``.

    Raises:
        PredictionError: the run does not tell: it has too few losses, its rate never falls, no law
            describes it, or the schedule is far from it: its highest rate differs by more than a
            tenth, or its sum of rates is above three times the run's, or below that of the part
            left out; or the interval would be wider than the loss.
        InvalidValue: a schedule without an end, or with a rate below 0; ``lr`` not above 0.
        InvalidType: no records, no schedule, no number or no text.

    Example:
        >>> import glideslope as gs
        >>> half = gs.parse("hold(300) >> linear(300)")
        >>> losses = [2 + 8 * (step + 9) ** -0.5 - 0.3 * (1 - half(step)) for step in range(600)]
        >>> records = [
        ...     {"step": step, "lr": 0.01 * half(step), "loss": loss}
        ...     for step, loss in enumerate(losses)
        ... ]
        >>> prediction = gs.training.predict(records, "hold(500) >> linear(100)")
        >>> prediction.final.low < losses[-1] < prediction.final.high
        True

    Source: the laws of Tissue, Wang, Wang, "Scaling Law with Learning Rate Annealing", 2024.
    """
    return Predictor(history, metric).predict(schedule, lr)


def checked_schedule(schedule: Schedule | str) -> Schedule:
    """A schedule, or the text of one, that has an end and lengths in updates."""
    curve = parse(schedule) if isinstance(schedule, str) else schedule
    rule = "be a schedule or the text of one"
    require_type(isinstance(curve, Schedule), "schedule", rule, schedule)
    curve(0)  # refuses lengths that are not bound
    rule = f"have an end, and at most {MOST_UPDATES:,} updates"
    require(0 < curve.steps <= MOST_UPDATES, "schedule", rule, curve)
    return curve


def likelihoods(fits: list[Fit]) -> Array:
    """The weight of each law by how well it follows the losses; their sum is 1."""
    best = min(fits, key=lambda found: found.cost)
    excess = np.array([found.cost - best.cost for found in fits])
    likely = np.exp(-excess / (2 * max(best.noise, TINY)))
    weights: Array = likely / likely.sum()
    return weights


def is_close(found: Fit, recorded: Recorded) -> bool:
    """True if a law follows the losses, smoothed over a tenth of them."""
    width = max(1, len(found.residuals) // 10)
    smooth = np.convolve(found.residuals, np.ones(width) / width, mode="valid")
    return bool(np.abs(smooth).max() <= LARGEST_RESIDUAL * np.median(np.abs(recorded.losses)))


def interval(loss: Array, deviation: Array) -> tuple[Array, Array]:
    """The ends of the interval; this run and the predicted one each have the noise of a seed."""
    width = WIDTH * np.sqrt(deviation**2 + 2 * (SEED_NOISE * loss) ** 2)
    return loss - width, loss + width


def estimate(loss: float, deviation: float) -> Estimate:
    """A loss and its interval."""
    low, high = interval(np.asarray(loss), np.asarray(deviation))
    return Estimate(float(loss), float(low), float(high))
