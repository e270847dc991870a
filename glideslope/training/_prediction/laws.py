"""Two laws of the loss under a schedule, in one form.

The loss after ``t`` updates is ::

    L(t) = L0 + A S(t)^-a - B R(t)
    S(t) = η[0] + … + η[t-1]
    R(t) = sum over k <= t of (η[k-1] - η[k]) (1 - exp(-(clock(t) - clock(k)) / memory))

``η`` is the learning rate divided by its highest value. The first sum is the progress; the second
one is the noise that falling rates have removed: each fall of the rate takes effect with one time
constant, the memory. The laws differ in the clock: of the annealing law it counts updates, of the
relaxation law it is the progress.

Source of the annealing law: Tissue, Wang, Wang, "Scaling Law with Learning Rate Annealing", 2024,
whose momentum is ``exp(-1 / memory)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_RATE = 0.999
"""The share of the highest rate at which a warm-up counts as over."""
KNOTS = 600
"""The number of places at which a law is evaluated along a run."""
TINY = 1e-30
"""Of what is divided by, so that 0 is not."""


@dataclass(frozen=True)
class Rates:
    """The learning rates of a run at some of its updates.

    Args:
        knots: numbers of updates, ascending, from 0 to the length of the run.
        updates: the updates before each knot whose rate is not 0.
        progress: S at the knots.
        drops: the fall of η at each knot; 0 during the warm-up.
    """

    knots: Array
    updates: Array
    progress: Array
    drops: Array

    @classmethod
    def of(cls, rates: Array, peak: float, places: Array) -> Rates:
        """From the rate of each update; the knots include ``places``.

        Between two knots the rate is its mean, so that cycles shorter than that have no effect.
        """
        eta, warm = rates / peak, warmup_of(rates)
        even = np.round(np.linspace(0, len(eta), KNOTS + 1))
        knots = np.unique(np.concatenate([even, places, [warm]]))
        at = knots.astype(int)
        progress = sums(eta)[at]
        means = np.diff(progress) / np.diff(knots)
        drops = np.concatenate([[0.0], means[:-1] - means[1:], [0.0]])
        return cls(knots, sums(eta > 0)[at], progress, np.where(knots > warm, drops, 0.0))

    def index(self, places: Array) -> NDArray[np.intp]:
        """The positions of some places among the knots."""
        return np.searchsorted(self.knots, places)


@dataclass(frozen=True)
class Law:
    """A law of the loss.

    Args:
        name: its name.
        clock: the clock of the falls of the rate at the knots of some rates.
    """

    name: str
    clock: Callable[[Rates], Array]

    def removed(self, rates: Rates, memories: Array) -> Array:
        """R at each knot for each memory: an array of one row per memory."""
        clock = self.clock(rates)
        fallen, pending = np.cumsum(rates.drops), np.zeros(len(memories))
        removed = np.zeros((len(memories), len(clock)))
        for knot in range(1, len(clock)):
            pending = pending * np.exp((clock[knot - 1] - clock[knot]) / memories)
            removed[:, knot] = fallen[knot - 1] - pending
            pending = pending + rates.drops[knot]
        return removed


def sums(values: NDArray[Any]) -> Array:
    """The sum of the first values, for each number of them from 0 on."""
    return np.concatenate([[0.0], np.cumsum(values)])


def warmup_of(eta: Array) -> int:
    """The number of updates before the rate is first at its highest."""
    return int(np.argmax(eta >= FULL_RATE * eta.max()))


ANNEALING = Law("annealing law", lambda rates: rates.updates)
RELAXATION = Law("relaxation law", lambda rates: rates.progress)
LAWS = (ANNEALING, RELAXATION)
