"""Means with their standard errors, and claims that need three of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

ERRORS = 3
"""Standard errors that a difference must be worth."""


class Mean(NamedTuple):
    """Mean of a sample.

    Args:
        value: the mean.
        error: its standard error; infinity where there is one value, or one is infinite.
    """

    value: float
    error: float

    @property
    def reach(self) -> float:
        """Half the width of the interval."""
        return ERRORS * self.error


def mean(sample: Sequence[float]) -> Mean:
    """The mean of a sample, its error from the sample's own spread."""
    if len(sample) < 2 or not all(map(math.isfinite, sample)):
        return Mean(math.fsum(sample) / len(sample), math.inf)
    return Mean(statistics.fmean(sample), statistics.stdev(sample) / math.sqrt(len(sample)))


def reaches(sample: Mean, target: float) -> bool:
    """True if the mean is below the target by three standard errors."""
    return sample.value + sample.reach <= target


def verdict(sample: Mean, other: Mean) -> str:
    """The word for a difference of two losses: none is claimed below three standard errors."""
    if not math.isfinite(sample.value):
        return "diverged"
    reach = ERRORS * math.hypot(sample.error, other.error)
    difference = sample.value - other.value
    if difference == 0 or abs(difference) < reach:
        return "none claimed"
    return "lower" if difference < 0 else "higher"
