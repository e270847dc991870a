"""Suggestions of a learning rate from the curve of a range test: four published rules.

Each rule takes the rates and the smoothed losses, both in the order of the test, and returns the
index of a rate. The results equal fastai's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np

Rule = Callable[[Sequence[float], Sequence[float]], int]

SLIDE_WIDTH = 15
SLIDE_THRESHOLD = 0.005


def valley(_lrs: Sequence[float], losses: Sequence[float]) -> int:
    """Half way down the longest valley.

    The valley ends with the longest falling subsequence, and is taken to begin as many indices
    before; the index is a third and a sixth further, each rounded down.
    """
    lengths = falling_lengths(losses)
    longest = max(lengths)
    stop = lengths.index(longest)
    start = stop - longest if longest > 1 else 0
    return start + (stop - start) // 3 + (stop - start) // 6


def falling_lengths(losses: Sequence[float]) -> list[int]:
    """For each index, the length of the longest falling subsequence that ends there."""
    lowest: list[float] = []  # the best last element, negated, of a subsequence of each length
    lengths = []
    for loss in losses:
        place = bisect_left(lowest, -loss)
        lowest[place : place + 1] = [-loss]
        lengths.append(place + 1)
    return lengths


def steep(lrs: Sequence[float], losses: Sequence[float]) -> int:
    """Where the loss falls fastest with the logarithm of the rate."""
    return int((np.diff(losses) / np.diff(np.log(lrs))).argmin())


def minimum(_lrs: Sequence[float], losses: Sequence[float]) -> int:
    """Where the loss is lowest; the suggestion is a tenth of that rate."""
    return int(np.argmin(losses))


def slide(_lrs: Sequence[float], losses: Sequence[float]) -> int:
    """Left of the divergence: two slopes, 15 apart, move left until they agree to 0.005."""
    slopes = np.gradient(losses)
    right = len(losses) - 1
    found = right - SLIDE_WIDTH
    while right >= SLIDE_WIDTH and abs(slopes[right] - slopes[right - SLIDE_WIDTH]) > (
        SLIDE_THRESHOLD
    ):
        found = right - SLIDE_WIDTH
        right -= 1
    return found


RULES: dict[str, Rule] = {"valley": valley, "steep": steep, "minimum": minimum, "slide": slide}
SHARES = {"minimum": 0.1}
"""The share of the rate found by a rule, where the suggestion is not the rate itself."""
LEAST = {"slide": SLIDE_WIDTH + 1}
"""The least number of points for a rule, where two are too few."""
