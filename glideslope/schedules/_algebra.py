"""Schedules joined by operators: sequences, products, sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, reduce
from itertools import accumulate, pairwise
from operator import add, mul
from typing import Any, ClassVar

from glideslope.errors import InvalidValue, require, require_type

from ._codec import PRODUCT, SEQUENCE, SUM, inside, value_text
from ._curves import Constant
from ._far import knots_of_parts, sampled_pieces, sum_of_parts
from ._length import Binder, Length, RunNumbers
from ._schedule import Phase, Schedule, Span, has_rest
from ._series import Grid, Number, Total, added

DEPTH = 64
"""The deepest nesting of schedules; each level takes a few calls of Python's stack."""


@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """One schedule after another, each on its own clock: ``a >> b``.

    ``s(t) = part_k(t - B_k)`` where ``B_k`` is the sum of the lengths before part k.

    Args:
        parts: the schedules in order; all but the last have an end.

    A part of no steps is dropped; if all have none, the last one is kept.

    Raises:
        InvalidValue: a schedule follows an endless one, or two take the rest of the run.

    Example:
        >>> import glideslope as gs
        >>> a, b, c = gs.warmup(10), gs.hold(80), gs.linear(10)
        >>> (a >> b) >> c == a >> (b >> c)
        True
    """

    notation = "sequence"
    _has_name = False
    _rank = SEQUENCE
    parts: tuple[Schedule, ...]

    @classmethod
    def join(cls, parts: tuple[Schedule, ...]) -> Schedule:
        """The sequence of the parts; a single part is returned as it is."""
        parts = with_steps(flatten(cls, parts))
        return parts[0] if len(parts) == 1 else cls(parts)

    def __post_init__(self) -> None:
        set_parts(self, with_steps(flatten(type(self), self.parts)))
        rests = [part for part in self.parts if has_rest(part)]
        if len(rests) > 1:
            raise InvalidValue(f"`{rests[0]}` and `{rests[1]}` cannot both take the rest of a run")
        for part, following in pairwise(self.parts):
            if part._endless:
                raise InvalidValue(f"`{following}` can never begin: `{part}` before it is endless")

    @property
    def _length(self) -> float | Length:
        return total([part._length for part in self.parts])

    @cached_property
    def _starts(self) -> list[float]:
        """The step at which each part begins."""
        return [0, *accumulate(part.steps for part in self.parts[:-1])]

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.select(t, self._starts, self.parts)

    def _total(self, grid: Grid) -> Total:
        return sum_of_parts(grid, self._starts, self.parts)

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        return knots_of_parts(self._starts, self.parts, start, stop, every)

    def _shape_steps(self) -> int:
        *heads, tail = (part.view_steps() for part in self.parts)
        return sum(heads) + max(sum(heads), tail)

    def _restarts(self) -> Iterator[Span]:
        for begin, part in zip(self._starts, self.parts, strict=True):
            for start, stop in part._restarts():
                yield begin + start, begin + stop

    def _bind(self, binder: Binder) -> Schedule:
        return Sequence.join(self._bound_parts(binder))

    def bind_parts(
        self,
        *,
        steps_per_epoch: float | None = None,
        tokens_per_step: float | None = None,
        total_steps: float | None = None,
    ) -> tuple[Schedule, ...]:
        """The parts with every length in whole steps, as `Schedule.bind` gives them.

        A part that comes to no steps is kept, so the parts correspond to ``parts`` one by one.

        >>> import glideslope as gs
        >>> (gs.warmup("0.1%") >> gs.linear("rest")).bind_parts(total_steps=100)
        (warmup(0), linear(100))
        """
        run = RunNumbers.of(
            steps_per_epoch=steps_per_epoch,
            tokens_per_step=tokens_per_step,
            total_steps=total_steps,
        )
        return self._bound_parts(Binder(run))

    def _bound_parts(self, binder: Binder) -> tuple[Schedule, ...]:
        """Every part in steps, those of none included."""
        middle = next((k for k, part in enumerate(self.parts) if has_rest(part)), None)
        if middle is None:
            return tuple(part._bind(binder) for part in self.parts)
        before = [part._bind(binder) for part in self.parts[:middle]]
        # Boundaries after the rest are measured from the end of the run, as those before from 0.
        clock = binder.own_clock()
        after = [part._bind(clock) for part in reversed(self.parts[middle + 1 :])][::-1]
        binder.carry = Fraction(0)
        taken = sum(part.steps for part in (*before, *after))
        rest = self.parts[middle]._bind(binder.leaving(taken, self))
        return (*before, rest, *after)

    def _phases(self) -> Iterator[Phase]:
        for start, part in zip(self._starts, self.parts, strict=True):
            for phase in part._phases():
                yield Phase(start + phase.start, start + phase.stop, phase.curve)

    def __repr__(self) -> str:
        return " >> ".join(inside(part, SEQUENCE + 1) for part in self.parts)


@dataclass(frozen=True, repr=False)
class Arithmetic(Schedule):
    """Base of `Product` and `Sum`: parts in order, all numbers combined into the last one."""

    _has_name = False
    _sign: ClassVar[str]
    _operator: ClassVar[Callable[[Any, Any], Any]]
    parts: tuple[Schedule, ...]

    @classmethod
    def join(cls, parts: tuple[Schedule, ...]) -> Schedule:
        """The parts combined; numbers alone make a number: ``constant(2) * 3`` is one."""
        if all(is_number(part) for part in parts):
            return Constant(cls._fold(part.value for part in parts))  # type: ignore[attr-defined]
        return cls(parts)

    def __post_init__(self) -> None:
        parts = flatten(type(self), self.parts)
        curves = [part for part in parts if not is_number(part)]
        require(len(curves) > 0, "parts", "have a schedule that is not a number", self.parts)
        numbers = [part.value for part in parts if is_number(part)]  # type: ignore[attr-defined]
        number = [Constant(self._fold(numbers))] if numbers else []
        set_parts(self, (*curves, *number))

    @classmethod
    def _fold(cls, values: Iterable[Any]) -> Any:
        """Combine numbers, or the values of the parts, from left to right, as Python does."""
        return reduce(cls._operator, values)

    def _at(self, t: Any, xp: Any) -> Any:
        return self._fold(part._at(t, xp) for part in self.parts)

    @property
    def _number(self) -> float | None:
        """The number that a single curve is combined with; None if there are several curves."""
        last = self.parts[-1]
        return last.value if len(self.parts) == 2 and is_number(last) else None  # type: ignore[attr-defined]

    def _knots(self, start: Number, stop: Number, every: bool) -> list[Number] | None:
        return None if self._number is None else self.parts[0]._knots(start, stop, every)

    @property
    def _length(self) -> float | Length:
        return longest([part._length for part in self.parts if not is_number(part)])

    def _bind(self, binder: Binder) -> Schedule:
        binders = [replace(binder) for _ in self.parts]
        parts = [part._bind(own) for part, own in zip(self.parts, binders, strict=True)]
        lengths = [0 if is_number(part) else part._length for part in parts]
        binder.carry = binders[lengths.index(max(lengths))].carry  # type: ignore[type-var]
        return type(self)(tuple(parts))

    def _phases(self) -> Iterator[Phase]:
        first, *rest = self.parts
        if not all(is_number(part) for part in rest):
            return super()._phases()
        return map_phases(first, lambda curve: type(self)((curve, *rest)))

    def __repr__(self) -> str:
        curves = [inside(part, self._rank + 1) for part in self.parts if not is_number(part)]
        text = f" {self._sign} ".join(curves)
        last = self.parts[-1]
        return text + self._number_text(last.value) if is_number(last) else text  # type: ignore[attr-defined]

    def _number_text(self, number: float) -> str:
        return f" {self._sign} {value_text(number)}"


@dataclass(frozen=True, repr=False)
class Product(Arithmetic):
    """The values multiplied: ``a * b``, ``a * 3e-4``.

    As long as its longest part: warm-up times an endless decay never ends.

    Example:
        >>> import glideslope as gs
        >>> s = gs.warmup(10) * gs.exponential(0.5, every=100) * 3e-4
        >>> s
        warmup(10) * exponential(0.5, every=100) * 0.0003
        >>> s(100)
        0.00015
    """

    notation = "product"
    _rank = PRODUCT
    _sign = "*"
    _operator = mul

    def _total(self, grid: Grid) -> Total:
        if self._number is None:
            return sampled_pieces(self, grid)
        return self.parts[0]._total(grid).times(self._number)


@dataclass(frozen=True, repr=False)
class Sum(Arithmetic):
    """The values added: ``a + b``, ``a + 0.1``, ``1 - a``.

    As long as its longest part.

    Example:
        >>> import glideslope as gs
        >>> (1 - gs.linear(10))(4)
        0.4
    """

    notation = "sum"
    _rank = SUM
    _sign = "+"
    _operator = add

    def _total(self, grid: Grid) -> Total:
        return added(part._total(grid) for part in self.parts)

    def _number_text(self, number: float) -> str:
        return f" - {value_text(-number)}" if number < 0 else super()._number_text(number)


# -- helpers of several classes ------------------------------------------------------------------


def flatten(kind: type[Sequence | Arithmetic], parts: Any) -> tuple[Schedule, ...]:
    """The parts, those of the same kind replaced by their own parts: grouping has no effect."""
    for part in parts:
        require_type(isinstance(part, Schedule), "parts", "be schedules", part)
    opened = [part.parts if type(part) is kind else (part,) for part in parts]
    return tuple(part for group in opened for part in group)


def with_steps(parts: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
    """The parts that take steps; the last one if none does."""
    return tuple(part for part in parts if part._length != 0) or parts[-1:]


def set_parts(node: Sequence | Arithmetic, parts: tuple[Schedule, ...]) -> None:
    """Set the field ``parts``, in its final form."""
    require(len(parts) > 1, "parts", "be at least two schedules", parts)
    object.__setattr__(node, "parts", parts)
    check_depth(node)


def check_depth(schedule: Schedule) -> None:
    """Refuse a schedule nested so deep that its evaluation could exhaust Python's stack."""
    depth = schedule._depth
    require(depth <= DEPTH, "schedule", f"be nested at most {DEPTH} deep", depth)


def is_number(part: Schedule) -> bool:
    """True if a part is a plain number in a product or sum."""
    return isinstance(part, Constant) and part._endless


def total(lengths: list[float | Length]) -> float | Length:
    """The sum of the lengths; the first unbound one if there is any."""
    unbound = [length for length in lengths if isinstance(length, Length)]
    return unbound[0] if unbound else reduce(add, lengths)


def longest(lengths: list[float | Length]) -> float | Length:
    """The longest of the lengths; the first unbound one if there is any."""
    unbound = [length for length in lengths if isinstance(length, Length)]
    return unbound[0] if unbound else max(lengths, default=math.inf)  # type: ignore[type-var]


def map_phases(schedule: Schedule, change: Callable[[Schedule], Schedule]) -> Iterator[Phase]:
    """The phases of ``schedule`` with ``change`` applied to the curve of each."""
    for start, stop, curve in schedule._phases():
        yield Phase(start, stop, change(curve))
