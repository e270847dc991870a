"""Sums and extremes over more steps than can be evaluated one by one.

A curve without a closed form is sampled, densely at its beginning and then in blocks. A curve that
is not known to be monotone between some steps is sampled evenly. The results say so: see `Area` and
`Peak`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from ._codec import inner_schedules
from ._series import Grid, Number, Total, added

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ADDED = 1 << 20
"""Up to so many steps are evaluated one by one."""
HEAD = 1 << 14
"""The number of points at the beginning of a curve that are added one by one."""
BLOCKS = 4093
"""The number of blocks for each doubling of the time after that. It is a prime, so that no starts
of cycles coincide with the middles of blocks."""
LOOKS = 1 << 16
"""The number of samples of a curve that may turn anywhere."""
PIECES = 16
"""The number of phases of a curve that are sampled separately."""
CYCLES = 1 << 10
"""The number of cycles that are distinguished."""


class Area(float):
    """A sum of values: a float with an attribute ``exact``, printed with ``≈`` if it is sampled.

    Args:
        value: the sum.
        exact: False when the curve was sampled, because it has no closed form and more than
            1,048,576 steps. Samples of a smooth curve are good to about 1e-7, of one with
            thousands of cycles in it to a percent.

    Example:
        >>> import glideslope as gs
        >>> gs.linear(10**9).area(), gs.rex(10**9).area().exact
        (500000000.5, False)
    """

    exact: bool

    def __new__(cls, value: float, exact: bool = True) -> Area:
        area = super().__new__(cls, value)
        area.exact = exact
        return area

    def __repr__(self) -> str:
        return f"{'' if self.exact else '≈'}{float(self)!r}"

    def __reduce__(self) -> tuple[type[Area], tuple[float, bool]]:
        return Area, (float(self), self.exact)


class _Peak(NamedTuple):
    step: int
    value: float


class Peak(_Peak):
    """The highest value of a schedule and the first step that has it; see `Schedule.peak`.

    Args:
        step: the step.
        value: the value.
        exact: an attribute, not an item of the pair: False if the curve was sampled, as it has
            more than 1,048,576 steps and may turn anywhere between them.
    """

    exact: bool

    def __new__(cls, step: int, value: float, exact: bool = True) -> Peak:
        peak = super().__new__(cls, step, value)
        peak.exact = exact
        return peak


# -- sums ----------------------------------------------------------------------------------------


def sampled(curve: Any, grid: Grid) -> Total:
    """The sum over the points: of each while there are few, then of blocks by their middles."""
    if grid.count <= LOOKS:
        return Total(sum_at(curve, grid, range(grid.count)))
    head = sum_at(curve, grid, range(HEAD))
    blocks = (block_sum(curve, grid, a, b) for a, b in pairwise(doublings(grid.count)))
    return Total(head + math.fsum(blocks), exact=False)


def doublings(count: int) -> Iterator[int]:
    """`HEAD`, twice it, and so on up to ``count``."""
    edge = HEAD
    while edge < count:
        yield edge
        edge *= 2
    yield count


def sum_at(curve: Any, grid: Grid, numbers: Sequence[int]) -> float:
    return float(values_at(curve, grid, numbers).sum())


def block_sum(curve: Any, grid: Grid, start: int, stop: int) -> float:
    """The sum over the points from number ``start`` to ``stop``, each block by its middle."""
    import numpy as np

    edges = np.linspace(float(start), float(stop), min(BLOCKS, stop - start) + 1).round()
    middles = (edges[:-1] + edges[1:] - 1) / 2
    return float((values_at(curve, grid, middles) * np.diff(edges)).sum())


def values_at(curve: Any, grid: Grid, numbers: Any) -> NDArray[np.float64]:
    """The values at the points of these numbers; those that overflow are infinite."""
    import numpy as np

    with np.errstate(all="ignore"):
        return np.asarray(curve(grid.points(np.asarray(numbers, np.float64))), np.float64)


def held(curve: Any, t: Number, count: int) -> Total:
    """The sum of ``count`` times the value at ``t``."""
    return Total(float(curve(float(t))) * count if count else 0.0)


def sampled_pieces(curve: Any, grid: Grid) -> Total:
    """The sum over the points, sampled between the boundaries of the first phases inside."""
    inner = (part._phases() for part in inner_schedules(curve))
    starts = {phase.start for phases in inner for phase in islice(phases, PIECES)}
    return added(sampled(curve, own) for own in grid.split(sorted(starts)) if own.count)


def sum_of_parts(grid: Grid, starts: Sequence[float], parts: Sequence[Any]) -> Total:
    """The sum over a sequence: each part on its own clock."""
    grids = zip(grid.split(starts[1:]), starts, parts, strict=True)
    return added(part._total(own.moved(start)) for own, start, part in grids if own.count)


# -- extremes ------------------------------------------------------------------------------------

Ask = Callable[[Any], Any]


def knots_of_parts(
    starts: Sequence[float], parts: Sequence[Any], start: Number, stop: Number, every: bool
) -> list[Number] | None:
    """The knots of a sequence: its boundaries, and those of each part on its own clock."""
    found: list[Number] = []
    for begin, end, part in zip(starts, (*starts[1:], math.inf), parts, strict=True):
        low, high = max(start, begin) if begin else start, min(stop, end)
        if low < high:
            inner = part._knots(
                Fraction(low) - Fraction(begin), Fraction(high) - Fraction(begin), every
            )
            if inner is None:
                return None
            found += [begin, *(Fraction(knot) + Fraction(begin) for knot in inner)]
    return found


def runs(knots: Sequence[Number], stop: int) -> list[int]:
    """Whole steps from 0 to ``stop``: strictly between two of them the curve is monotone."""
    inside = [knot for knot in knots if 0 <= knot <= stop]
    whole = {side(knot) for knot in inside for side in (math.floor, math.ceil)}
    return sorted(whole | {0, stop})


def highest(ask: Ask, edges: Sequence[int]) -> tuple[int, float]:
    """The first step of the highest value, among steps that are monotone between ``edges``."""
    steps = sorted({t for a, b in pairwise(edges) for t in (a, min(a + 1, b - 1), b - 1)})
    values = ask(steps)
    k = int(values.argmax())
    top = float(values[k])
    if k and steps[k] - steps[k - 1] > 1:
        return bisected(lambda t: float(ask([t])[0]) >= top, steps[k - 1], steps[k]), top
    return steps[k], top


def first_reached(ask: Ask, reached: Callable[[Any], Any], edges: Sequence[int]) -> int | None:
    """The first step whose value is ``reached``, among steps monotone between ``edges``."""
    steps = sorted({t for a, b in pairwise(edges) for t in (a, min(a + 1, b - 1), b - 1)})
    found = reached(ask(steps))
    if not found.any():
        return None
    k = int(found.argmax())
    before = steps[k - 1] if k else steps[k] - 1
    return bisected(lambda t: bool(reached(ask([t]))[0]), before, steps[k])


def bisected(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The first step after ``low`` from which ``holds`` is true; it is true at ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def looks(schedule: Any, stop: int) -> list[int]:
    """The steps that are sampled: even and early ones, both sides of a boundary, and ``stop``."""
    import numpy as np

    even = map(int, np.linspace(0.0, float(stop - 1), LOOKS).round().tolist())
    starts = [phase.start for phase in schedule.phases() if 0 < phase.start < stop]
    sides = [math.ceil(start) + side for start in starts for side in (-1, 0)]
    early = [round(1.1**k) for k in range(200) if 1.1**k < stop - 1]
    return sorted({*even, *sides, *early, 0, stop})


def highest_looked_at(ask: Ask, steps: Sequence[int]) -> tuple[int, float]:
    """The highest value among these steps and those between the neighbours of the highest."""
    import numpy as np

    while True:
        values = ask(steps)
        k = int(values.argmax())
        low, high = steps[max(k - 1, 0)], steps[min(k + 1, len(steps) - 1)]
        if high - low < len(steps[max(k - 1, 0) : k + 2]):
            return steps[k], float(values[k])
        near = map(int, np.linspace(float(low), float(high), LOOKS).round().tolist())
        steps = sorted({*near, steps[k]})


# -- answers for a schedule ----------------------------------------------------------------------


def far_area(schedule: Any, a: int, stop: int) -> Area:
    """The sum of many steps."""
    return Area(*schedule._total(Grid(Fraction(a), Fraction(1), stop - a)))


def far_peak(schedule: Any, stop: int) -> Peak:
    """The highest of many steps."""
    knots, ask = schedule._knots(0, stop, every=False), asked(schedule)
    if knots is None:
        return Peak(*highest_looked_at(ask, looks(schedule, stop)[:-1]), exact=False)
    return Peak(*highest(ask, runs(knots, stop)))


def far_first(schedule: Any, value: float, side: float, edges: Sequence[int]) -> int | None:
    """The first of many steps at or beyond ``value``, which the curve begins at the ``side`` of."""
    return first_reached(asked(schedule), lambda values: (values - value) * side <= 0, edges)


def asked(schedule: Any) -> Ask:
    """The values at a list of steps."""
    once = Grid(Fraction(0), Fraction(1), 1)
    return lambda steps: values_at(schedule, once, steps)
