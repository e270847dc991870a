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

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_RATE = 0.999
"""The share of the highest rate at which a warm-up counts as over."""
KNOTS = 600
"""The number of places at which a law is evaluated along a run."""


@dataclass(frozen=True)
class Rates:
    """The learning rates of a run at some of its updates.

    Args:
        knots: numbers of updates, ascending, from 0 to the length of the run.
        progress: S at the knots.
        drops: the fall of η from each knot to the next; 0 during the warm-up.
    """

    knots: Array
    progress: Array
    drops: Array

    @classmethod
    def of(cls, rates: Array, peak: float, places: Array) -> Rates:
        """From the rate of each update; the knots include ``places``."""
        eta = rates / peak
        even = np.round(np.linspace(0, len(eta), KNOTS + 1))
        knots = np.unique(np.concatenate([even, places]))
        at = knots.astype(int)
        progress = np.concatenate([[0.0], np.cumsum(eta)])[at]
        now = eta[np.minimum(at, len(eta) - 1)]
        drops = np.concatenate([[0.0], now[:-1] - now[1:]])
        return cls(knots, progress, np.where(knots > warmup_of(eta), drops, 0.0))

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


def warmup_of(eta: Array) -> int:
    """The number of updates before the rate is first at its highest."""
    return int(np.argmax(eta >= FULL_RATE * eta.max()))


ANNEALING = Law("annealing law", lambda rates: rates.knots)
RELAXATION = Law("relaxation law", lambda rates: rates.progress)
LAWS = (ANNEALING, RELAXATION)
