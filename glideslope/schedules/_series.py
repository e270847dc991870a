"""Sums over evenly spaced points, by closed forms, and the points themselves.

How many points lie before a boundary is decided in fractions: among a billion, a rounded one would
fall to the other side of a jump.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Number = int | float | Fraction
DENOMINATOR = 1000
"""The largest denominator of a fraction that a double is taken for."""


def plain(steps: Number) -> Fraction:
    """The simplest fraction that rounds to a double: 100/3 for 33.333333333333336."""
    near = Fraction(steps).limit_denominator(DENOMINATOR)
    return near if float(near) == steps else Fraction(steps)


@dataclass(frozen=True)
class Grid:
    """The points ``first + i · stride`` for ``0 <= i < count``; the stride is above 0."""

    first: Fraction
    stride: Fraction
    count: int

    def before(self, edge: Number) -> int:
        """How many points lie before ``edge``."""
        if edge in (math.inf, -math.inf):
            return self.count if edge > 0 else 0
        ahead = math.ceil((Fraction(edge) - self.first) / self.stride)
        return min(max(ahead, 0), self.count)

    def cut(self, start: int, stop: int) -> Grid:
        """The points from number ``start`` to before number ``stop``."""
        return Grid(self.first + start * self.stride, self.stride, stop - start)

    def split(self, edges: Iterable[Number]) -> list[Grid]:
        """The points before the first edge, between it and the next, and so on."""
        counts = [0, *map(self.before, edges), self.count]
        return [self.cut(a, max(a, b)) for a, b in pairwise(counts)]

    def moved(self, by: Number) -> Grid:
        """The points on a clock that begins ``by`` later."""
        return replace(self, first=self.first - Fraction(by))

    def scaled(self, factor: Fraction) -> Grid:
        """The points on a clock that runs so much faster."""
        return Grid(self.first * factor, self.stride * factor, self.count)

    def reversed(self, steps: Number) -> Grid:
        """The points ``steps - t``, the last first."""
        last = self.first + (self.count - 1) * self.stride
        return replace(self, first=Fraction(steps) - last)

    def points(self, numbers: Any) -> NDArray[np.float64]:
        """The points of these numbers, rounded once where doubles hold the integers."""
        import numpy as np

        whole = math.lcm(self.first.denominator, self.stride.denominator)
        first, stride = int(self.first * whole), int(self.stride * whole)
        return (float(first) + np.asarray(numbers) * float(stride)) / float(whole)


class Total(NamedTuple):
    """A sum, and True if it is the sum of every value rather than of samples."""

    value: float
    exact: bool = True

    def times(self, factor: float) -> Total:
        return Total(self.value * factor, self.exact)


def added(totals: Iterable[Total]) -> Total:
    """The sum of sums."""
    listed = list(totals)
    return Total(sum_of([total.value for total in listed]), all(total.exact for total in listed))


def sum_of(values: Sequence[float]) -> float:
    """The sum, rounded once; infinite where a double cannot hold it."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.copysign(math.inf, sum(values))


# -- closed forms --------------------------------------------------------------------------------


def sum_of_powers(grid: Grid, power: int) -> Fraction:
    """``Σ t^power`` over the points, exactly."""
    sums = [whole_powers(grid.count, k) for k in range(power + 1)]
    terms = (
        math.comb(power, k) * grid.first ** (power - k) * grid.stride**k * sums[k]
        for k in range(power + 1)
    )
    return sum(terms, Fraction(0))


def whole_powers(n: int, power: int) -> int:
    """``0^p + 1^p + … + (n - 1)^p``, from ``n^(p+1) = Σ_k C(p+1, k) S_k``."""
    sums: list[int] = []
    for p in range(power + 1):
        rest = sum(math.comb(p + 1, k) * sums[k] for k in range(p))
        sums.append((n ** (p + 1) - rest) // (p + 1))
    return sums[power]


def sum_of_exponentials(grid: Grid, rate: float) -> float:
    """``Σ e^(rate · t)`` over the points: a geometric series."""
    if grid.count == 0:  # its first point may be anywhere
        return 0.0
    step = rate * float(grid.stride)
    try:
        return math.exp(rate * float(grid.first)) * geometric_series(step, grid.count)
    except OverflowError:
        return math.inf


def geometric_series(step: float, count: int) -> float:
    """``1 + e^step + … + e^((count - 1) · step)``."""
    return float(count) if step == 0 else math.expm1(step * count) / math.expm1(step)


def sum_of_ratios(ratio: float, count: int) -> float:
    """``1 + ratio + … + ratio^(count - 1)``, for a ratio of any sign."""
    try:
        if ratio > 0:
            return geometric_series(math.log(ratio), count)
        return (1 - ratio**count) / (1 - ratio)
    except OverflowError:
        return math.inf


def sum_of_cosines(grid: Grid) -> float:
    """``Σ cos πt`` over the points."""
    half = math.pi * float(grid.stride / 2)
    middle = math.pi * float(grid.first + (grid.count - 1) * grid.stride / 2)
    across = math.pi * float(grid.count * grid.stride / 2)
    return math.sin(across) / math.sin(half) * math.cos(middle) if half else float(grid.count)
