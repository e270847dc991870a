"""What the methods of a schedule make of it; each registers under the name of its method."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

from glideslope.errors import InvalidValue, require, require_type

from ._algebra import check_depth, map_phases, total
from ._curves import Constant
from ._far import CYCLES, held, knots_of_parts, sampled, sampled_pieces, sum_of_parts
from ._fields import set_length, set_period, set_values
from ._length import REST, Binder, Length, Steps, as_any_steps, as_steps, bound_steps, real
from ._maths import power
from ._schedule import Phase, Schedule, Span, has_rest
from ._series import Grid, Number, Total, added, plain, sum_of_ratios

PHASES = 64
"""In up to so many ways the points may lie in cycles of the same length."""


@dataclass(frozen=True, repr=False)
class Transformation(Schedule):
    """Base of what the methods make of one schedule; as long as ``inner`` unless it says so."""

    _has_name = False
    inner: Schedule

    def __post_init__(self) -> None:
        require_type(isinstance(self.inner, Schedule), "inner", "be a schedule", self.inner)
        check_depth(self)

    @property
    def _length(self) -> float | Length:
        return self.inner._length

    def _must_end(self) -> None:
        require(not self.inner._endless, "inner", f"have an end to {self.notation}", self.inner)


@dataclass(frozen=True, repr=False)
class Clip(Transformation):
    """`Schedule.clip`."""

    notation = "clip"
    lo: float | None = None
    hi: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("lo", "hi") if getattr(self, name) is not None]
        set_values(self, *given)
        require(bool(given), "clip", "be given lo or hi", None)
        if self.lo is not None and self.hi is not None:
            require(self.lo <= self.hi, "lo", f"be at most hi = {self.hi}", self.lo)

    def _at(self, t: Any, xp: Any) -> Any:
        lo = -math.inf if self.lo is None else self.lo
        return xp.clip(self.inner._at(t, xp), lo, math.inf if self.hi is None else self.hi)

    def _total(self, grid: Grid) -> Total:
        return sampled_pieces(self, grid)

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        return self.inner._knots(start, stop, every)

    def _phases(self) -> Iterator[Phase]:
        return map_phases(self.inner, lambda curve: Clip(curve, self.lo, self.hi))


@dataclass(frozen=True, repr=False)
class Repeat(Transformation):
    """`Schedule.repeat`."""

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
        require(self.n >= 1 and isinstance(self.n, int), "n", "be a whole number above 0", self.n)
        require(self.growth > 0, "stretch", "be more than 0", self.growth)
        if self.growth != 1:
            require(self.n <= 100_000, "n", "be at most 100000 with a stretch", self.n)
            self._check_cycles()

    def _must_have_steps(self) -> None:
        """Cycles of no steps cannot be counted, nor shared out of what is left of the run."""
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


@dataclass(frozen=True, repr=False)
class Resized(Transformation):
    """What `Stretch` and `Take` share: a length of their own."""

    steps: Steps = field()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        if as_any_steps("steps", self.steps) == REST:
            object.__setattr__(self, "steps", REST)
        else:
            set_period(self, "steps")

    @property
    def _length(self) -> float | Length:
        inner = self.inner._length
        return inner if isinstance(inner, Length) else self.steps  # type: ignore[return-value]

    def _bind(self, binder: Binder) -> Schedule:
        inner = self.inner._bind(binder.own_clock())
        steps = binder.resolve(self.steps)  # type: ignore[arg-type]
        return replace(self, inner=inner, steps=steps) if steps else self._of_no_steps(inner)

    @abstractmethod
    def _of_no_steps(self, inner: Schedule) -> Schedule:
        """The value that is held when a length comes to no steps."""


@dataclass(frozen=True, repr=False)
class Stretch(Resized):
    """`Schedule.stretch`."""

    notation = "stretch"
    _keeps_clock = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_end()

    def _at(self, t: Any, xp: Any) -> Any:
        if self.steps == self.inner.steps:  # a scaled boundary may be rounded to its other side
            return self.inner._at(t, xp)
        return self.inner._over(self.steps, xp.clip(t, 0, self.steps), xp)

    def _of_no_steps(self, inner: Schedule) -> Schedule:
        return Constant(inner.end, 0)

    @property
    def _factor(self) -> Fraction:
        """How much faster the inner clock runs."""
        return plain(self.inner.steps) / plain(bound_steps(self.steps))

    def _total(self, grid: Grid) -> Total:
        if not self.inner.steps:
            return held(self, 0, grid.count)
        early, inside, late = grid.split((0, bound_steps(self.steps)))
        within = self.inner._total(inside.scaled(self._factor))
        ends = held(self, 0, early.count), held(self, bound_steps(self.steps), late.count)
        return added((*ends, within))

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        if not self.inner.steps:
            return []
        whole = bound_steps(self.steps)
        reach = Fraction(max(start, 0)), Fraction(min(stop, whole))
        inner = self.inner._knots(reach[0] * self._factor, reach[1] * self._factor, every=True)
        return None if inner is None else [whole, *(Fraction(k) / self._factor for k in inner)]

    def _phases(self) -> Iterator[Phase]:
        whole, steps = self.inner.steps, bound_steps(self.steps)
        if not whole:
            yield from super()._phases()
            return
        for start, stop, curve in self.inner._phases():
            end = steps if stop == whole else stop * steps / whole
            longer = curve.stretch(curve.steps * steps / whole) if curve.steps else curve
            yield Phase(start * steps / whole, end, longer)


@dataclass(frozen=True, repr=False)
class Reverse(Transformation):
    """`Schedule.reverse`."""

    notation = "reverse"
    _keeps_clock = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_end()

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(xp.number(self.inner.steps) - t, xp)

    def _total(self, grid: Grid) -> Total:
        return self.inner._total(grid.reversed(self.inner.steps))

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        whole = plain(self.inner.steps)
        inner = self.inner._knots(whole - Fraction(stop), whole - Fraction(start), every)
        return None if inner is None else [whole - Fraction(knot) for knot in inner]


@dataclass(frozen=True, repr=False)
class Shift(Transformation):
    """`Schedule.shift`."""

    notation = "shift"
    _keeps_clock = False
    k: Steps

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "k", as_steps("k", self.k))
        length = self.inner._length
        if not isinstance(length, Length) and not isinstance(self.k, Length):
            require(length + self.k >= 0, "k", f"be at least {-length}", self.k)  # type: ignore[operator]

    @property
    def _length(self) -> float | Length:
        return total([self.inner._length, self.k])  # type: ignore[list-item]

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(xp.clip(t, 0, math.inf) - xp.number(self.k), xp)

    def _total(self, grid: Grid) -> Total:
        early, inside = grid.split((0,))
        return added(
            (held(self, 0, early.count), self.inner._total(inside.moved(bound_steps(self.k))))
        )

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        k = Fraction(bound_steps(self.k))
        inner = self.inner._knots(Fraction(max(start, 0)) - k, Fraction(stop) - k, every)
        return None if inner is None else [0, *(Fraction(knot) + k for knot in inner)]


@dataclass(frozen=True, repr=False)
class Take(Resized):
    """`Schedule.take`."""

    notation = "take"

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(xp.clip(t, -math.inf, self.steps), xp)

    def _of_no_steps(self, inner: Schedule) -> Schedule:
        return Constant(inner(0), 0)

    def _total(self, grid: Grid) -> Total:
        inside, late = grid.split((bound_steps(self.steps),))
        return added((self.inner._total(inside), held(self, bound_steps(self.steps), late.count)))

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        inner = self.inner._knots(start, min(stop, bound_steps(self.steps)), every)
        return None if inner is None else [bound_steps(self.steps), *inner]

    def _phases(self) -> Iterator[Phase]:
        steps = bound_steps(self.steps)
        begun = [phase for phase in self.inner._phases() if phase.start < steps]
        yield from begun[:-1]
        start, stop, curve = begun[-1]
        yield Phase(start, steps, curve if stop <= steps else curve.take(steps - start))


@dataclass(frozen=True, repr=False)
class Staircase(Transformation):
    """`Schedule.staircase`."""

    notation = "staircase"
    every: Steps

    def __post_init__(self) -> None:
        super().__post_init__()
        set_period(self, "every")

    @property
    def _length(self) -> float | Length:
        return self.every if isinstance(self.every, Length) else self.inner._length

    def _at(self, t: Any, xp: Any) -> Any:
        t = xp.clip(t, 0, self.inner.steps)
        return self.inner._at(xp.quotient(t, self.every) * xp.number(self.every), xp)

    def _total(self, grid: Grid) -> Total:
        early, inside, late = grid.split((0, self.inner.steps))
        ends = [held(self, 0, early.count)]
        if late.count:
            ends.append(held(self, self.inner.steps, late.count))
        return added((*ends, self._sum_of_stairs(inside)))

    def _sum_of_stairs(self, grid: Grid) -> Total:
        """The sum over stairs that all have the same number of points in them."""
        every = plain(bound_steps(self.every))
        if (every / grid.stride).denominator != 1 or grid.count <= every / grid.stride:
            return sampled(self, grid)
        wide = int(every / grid.stride)
        first = math.ceil(grid.first / every) * every
        head, rest = grid.split((first,))
        stairs = Grid(first, every, rest.count // wide)
        tail = rest.cut(stairs.count * wide, rest.count)
        ends = sampled(self, head), sampled(self, tail)
        return added((*ends, self.inner._total(stairs).times(wide)))

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        stair = plain(bound_steps(self.every))
        inner = self.inner._knots(Fraction(start) - stair, stop, every=True)
        if inner is None:
            return None
        numbers = {math.floor(Fraction(knot) / stair) for knot in inner}
        ends = [] if self.inner._endless else [self.inner.steps]
        return [*ends, *(k * stair for k in numbers | {k + 1 for k in numbers})]


@dataclass(frozen=True, repr=False)
class Branch(Transformation):
    """`Schedule.branch`."""

    notation = "branch"
    _keeps_clock = False
    at: Steps
    decay: Schedule

    def __post_init__(self) -> None:
        super().__post_init__()
        require_type(isinstance(self.decay, Schedule), "decay", "be a schedule", self.decay)
        set_length(self, "at", least=0)

    @property
    def _length(self) -> float | Length:
        inner = self.inner._length
        return inner if isinstance(inner, Length) else total([self.at, self.decay._length])  # type: ignore[list-item]

    @cached_property
    def _parts(self) -> tuple[Schedule, Schedule]:
        return self.inner, times(self.decay, self.inner(bound_steps(self.at)))

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.select(t, (0, self.at), self._parts)

    def _total(self, grid: Grid) -> Total:
        return sum_of_parts(grid, (0, bound_steps(self.at)), self._parts)

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        return knots_of_parts((0, bound_steps(self.at)), self._parts, start, stop, every)

    def _bind(self, binder: Binder) -> Branch:
        inner = self.inner._bind(binder.own_clock())
        at = binder.resolve(self.at)  # type: ignore[arg-type]
        if not has_rest(self.decay):
            return Branch(inner, at, self.decay._bind(binder))
        binder.carry = Fraction(0)
        return Branch(inner, at, self.decay._bind(binder.leaving(at, self)))

    def _phases(self) -> Iterator[Phase]:
        before, after = self._parts
        if self.at != 0:
            yield from before.take(self.at)._phases()
        for start, stop, curve in after._phases():
            yield Phase(start + self.at, stop + self.at, curve)  # type: ignore[operator]


def times(schedule: Schedule, factor: float) -> Schedule:
    """``schedule * factor``, without the trace of a factor of one."""
    return schedule if factor == 1 else schedule * factor
