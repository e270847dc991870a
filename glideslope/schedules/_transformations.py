"""Results of the methods of a schedule; each kind is registered under the name of its method."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from glideslope.errors import require, require_type

from ._algebra import check_depth, map_phases, total
from ._codec import call_text, value_text
from ._curves import Constant, Exponential
from ._far import held, knots_of_parts, sampled, sampled_pieces, sum_of_parts
from ._fields import set_length, set_period, set_values
from ._length import REST, Binder, Length, Steps, as_any_steps, as_steps, bound_steps
from ._schedule import Phase, Schedule, has_rest
from ._series import Grid, Number, Total, added, plain


@dataclass(frozen=True, repr=False)
class Transformation(Schedule):
    """Base of the schedules that methods return: ``inner``, changed; as long as it by default."""

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
    """Result of `Schedule.clip`, which has the formula and the arguments.

    Raises:
        InvalidValue: neither ``lo`` nor ``hi`` is given, or ``lo`` is above ``hi``.
    """

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
class Resized(Transformation):
    """Base of `Stretch` and `Take`, which have a length of their own."""

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
    """Result of `Schedule.stretch`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``inner`` is endless, or ``steps`` is not above 0.
    """

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
        """The steps of the inner clock per step."""
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
    """Result of `Schedule.reverse`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``inner`` is endless.
    """

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
    """Result of `Schedule.shift`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``k`` goes back by more than the length of ``inner``.
    """

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
    """Result of `Schedule.take`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``steps`` is not above 0.
    """

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
    """Result of `Schedule.staircase`, which has the formula and the arguments.

    Raises:
        InvalidValue: ``every`` is not above 0.
    """

    notation = "staircase"
    every: Steps

    def __post_init__(self) -> None:
        super().__post_init__()
        set_period(self, "every")

    @property
    def _length(self) -> float | Length:
        return self.every if isinstance(self.every, Length) else self.inner._length

    def __repr__(self) -> str:
        inner = self.inner
        if not isinstance(inner, Exponential) or inner.every != self.every:
            return call_text(self)
        gamma = "" if inner.gamma == 0.1 else f", {value_text(inner.gamma)}"
        return f"step({value_text(self.every)}{gamma})"

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
    """Result of `Schedule.branch`, which has the formula and the arguments.

    Raises:
        InvalidType: ``decay`` is no schedule.
        InvalidValue: ``at`` is below 0.
    """

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
    """``schedule * factor``; a factor of one is left out."""
    return schedule if factor == 1 else schedule * factor
