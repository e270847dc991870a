"""Repetition of a schedule, in cycles that may shrink in height and grow in length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from glideslope.errors import InvalidValue, require

from ._far import CYCLES, held, sampled
from ._fields import set_values
from ._length import Binder, Length, real
from ._maths import power
from ._schedule import Phase, Span, has_rest
from ._series import Grid, Number, Total, added, plain, sum_of_ratios
from ._transformations import Transformation, times

PHASES = 64
"""The most different positions of the points in cycles of the same length."""


@dataclass(frozen=True, repr=False)
class Repeat(Transformation):
    """Result of `Schedule.repeat`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``inner`` is endless or has no steps, ``n`` is no whole number above 0,
            ``stretch`` is not above 0, or the cycles become too short or too long.
    """

    notation = "repeat"
    n: float = math.inf
    decay: float = field(default=1.0, kw_only=True)
    growth: float = field(default=1.0, kw_only=True, metadata={"argument": "stretch"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_end()
        self._must_have_steps()
        set_values(self, "decay")
        object.__setattr__(self, "growth", real("stretch", self.growth))
        if self.n == math.inf:
            rule = "be 1 or at least 1.001 when endless"
            require(self.growth == 1 or self.growth >= 1.001, "stretch", rule, self.growth)
            return
        object.__setattr__(self, "n", real("n", self.n))
        require(
            self.n >= 1 and isinstance(self.n, int), "n", "be a whole number of at least 1", self.n
        )
        require(self.growth > 0, "stretch", "be more than 0", self.growth)
        if self.growth != 1:
            require(self.n <= 100_000, "n", "be at most 100000 with a stretch", self.n)
            self._check_cycles()

    def _must_have_steps(self) -> None:
        """Refuse cycles of no steps, and cycles whose length is the rest of the run."""
        if has_rest(self.inner):
            raise InvalidValue("`rest` cannot be repeated: write .repeat(n).stretch('rest')")
        endless = self.n == math.inf and self.inner._length == 0
        require(not endless, "inner", "have steps to repeat without an end", self.inner)

    def _check_cycles(self) -> None:
        """The shortest of the cycles and all together must be countable in steps."""
        length = self.inner._length
        if not isinstance(length, Length) and length:
            shortest = length * power(min(self.growth, 1), int(self.n) - 1)
            require(shortest >= 1, "stretch", "leave every cycle at least 1 step", self.growth)
            rule = "keep all cycles together below 2^53 steps"
            require(len(self._starts) > self.n, "stretch", rule, self.growth)

    @property
    def _length(self) -> float | Length:
        length = self.inner._length
        if isinstance(length, Length) or self.n == math.inf:
            return length if isinstance(length, Length) else math.inf
        return length * self.n if self.growth == 1 else self._starts[-1]

    @cached_property
    def _starts(self) -> list[float]:
        """Where each cycle begins, exact in integers, and where the last one ends.

        Cycles are listed until they begin past 2^53, the last step a double can count.
        """
        starts: list[float] = [0]
        length = self.inner.steps
        while len(starts) <= self.n and starts[-1] < 2**53:
            starts.append(starts[-1] + length)
            length = length * self.growth
        return starts

    @cached_property
    def _cycles(self) -> tuple[list[float], list[float]]:
        """The length and the height of each cycle."""
        lengths = [stop - start for start, stop in pairwise(self._starts)]
        return lengths, [power(self.decay, k) for k in range(len(lengths))]

    def _at(self, t: Any, xp: Any) -> Any:
        if not self.inner.steps:
            return power(self.decay, int(self.n) - 1) * self.inner._at(t, xp)
        if self.growth == 1:
            t = xp.clip(t, 0, math.inf)
            k = xp.clip(xp.quotient(t, self.inner.steps), 0, self.n - 1)
            values = self.inner._at(t - k * xp.number(self.inner.steps), xp)
            return values if self.decay == 1 else xp.power(self.decay, k) * values
        t = xp.clip(t, 0, self._starts[-1])
        lengths, heights = self._cycles
        k = xp.count(self._starts[1:-1], t)
        local = t - xp.take(self._starts, k)
        return xp.take(heights, k) * self.inner._over(xp.take(lengths, k), local, xp)

    def _total(self, grid: Grid) -> Total:
        stop = self.steps
        if not stop:
            return held(self, 0, grid.count)
        early, inside, late = grid.split((0, stop))
        cycles = self._sum_of_grown(inside) if self.growth != 1 else self._sum_of_equal(inside)
        after = held(self, stop, late.count) if late.count else Total(0.0)
        return added((held(self, 0, early.count), cycles, after))

    def _sum_of_equal(self, grid: Grid) -> Total:
        """The sum over cycles of the same length, those with the same points in them at once."""
        period = plain(self.inner.steps)
        first, last = (self._cycle_at(grid, number) for number in (0, grid.count - 1))
        phases = (period / grid.stride).denominator
        if grid.count == 0 or (phases > PHASES and last - first > CYCLES):
            return sampled(self, grid)
        totals = [self._cycle_sum(grid, first), *([self._cycle_sum(grid, last)] * (last > first))]
        for k in range(first + 1, min(first + 1 + phases, last)):
            repeats = -((k - last) // phases)
            alike = sum_of_ratios(power(self.decay, phases), repeats)
            totals.append(self._cycle_sum(grid, k).times(alike))
        return added(totals)

    def _cycle_at(self, grid: Grid, number: int) -> int:
        return math.floor((grid.first + number * grid.stride) / plain(self.inner.steps))

    def _cycle_sum(self, grid: Grid, k: int) -> Total:
        start = k * plain(self.inner.steps)
        own = grid.split((start, start + plain(self.inner.steps)))[1]
        return self.inner._total(own.moved(start)).times(power(self.decay, k))

    def _sum_of_grown(self, grid: Grid) -> Total:
        """The sum over cycles of different lengths, one by one."""
        grids = grid.split(self._starts[1:-1])
        cycles = zip(grids, self._starts, *self._cycles, strict=False)
        begun = [cycle for cycle in cycles if cycle[0].count]
        if len(begun) > CYCLES:
            return sampled(self, grid)
        whole = plain(self.inner.steps)
        return added(
            self.inner._total(own.moved(start).scaled(whole / Fraction(steps))).times(height)
            for own, start, steps, height in begun
        )

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        if not self.inner.steps:
            return []
        cycles = self._cycles_between(start, stop, every)
        whole = plain(self.inner.steps)
        inner = self.inner._knots(0, whole, every or self.growth != 1)
        if cycles is None or inner is None:
            return None
        shares = [Fraction(knot) / whole for knot in (0, *inner, whole)]
        return [begin + share * steps for begin, steps in cycles for share in shares]

    def _cycles_between(
        self, start: Number, stop: Number, every: bool
    ) -> list[tuple[Fraction, Fraction]] | None:
        """Where cycles begin and how long they are; None where there are too many.

        Of many equal ones the first and the last are enough to find the highest value, three for
        every way that whole steps lie in them: one may be there in part, and a negative decay has
        two kinds.
        """
        if self.growth != 1:
            pairs = [pair for pair in pairwise(self._starts) if pair[0] < stop and pair[1] > start]
            cycles = [(Fraction(a), Fraction(b) - Fraction(a)) for a, b in pairs]
            return cycles if len(cycles) <= CYCLES else None
        whole = plain(self.inner.steps)
        first, last = max(math.floor(start / whole), 0), math.ceil(min(stop / whole, self.n))
        chosen: Iterable[int] = range(first, last)
        if last - first > CYCLES:
            if every or whole.denominator > PHASES:
                return None
            enough = 3 * whole.denominator
            chosen = (*range(first, first + enough), *range(last - enough, last))
        return [(k * whole, whole) for k in chosen]

    def _shape_steps(self) -> int:
        return math.ceil(float(self.inner.steps * sum(self.growth**k for k in range(4))))

    def _restarts(self) -> Iterator[Span]:
        yield 0.0, self.steps

    def _bind(self, binder: Binder) -> Repeat:
        own = binder.own_clock()
        inner = self.inner._bind(own)
        if self.growth == 1 and self.n != math.inf:
            binder.carry += own.carry * int(self.n)
        return Repeat(inner, self.n, decay=self.decay, growth=self.growth)

    def _phases(self) -> Iterator[Phase]:
        if self.n > 64 or not self.inner.steps:
            yield from super()._phases()
            return
        starts = [k * self.inner.steps for k in range(int(self.n) + 1)]
        starts = starts if self.growth == 1 else self._starts
        for k in range(int(self.n)):
            start, stop = starts[k], starts[k + 1]
            cycle = self.inner if k == 0 or self.growth == 1 else self.inner.stretch(stop - start)
            yield Phase(start, stop, times(cycle, self.decay**k))
