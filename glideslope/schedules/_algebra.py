"""Schedules made of schedules. Each registers under the name of its method or operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import accumulate, pairwise
from operator import add, mul
from typing import Any, ClassVar, Self

from glideslope.errors import InvalidValue, require, require_type

from ._codec import PRODUCT, SEQUENCE, SUM, inside, value_text
from ._curves import Constant
from ._length import Length, Plan, Steps, as_steps, bound, real
from ._maths import power
from ._ramps import set_length, set_period, set_values
from ._schedule import Phase, Schedule

DEPTH = 64
"""Schedules within schedules; a few calls of Python's stack each."""


@dataclass(frozen=True, repr=False)
class Sequence(Schedule):
    """One schedule after another, each on its own clock: ``a >> b``.

    ``s(t) = part_k(t - B_k)`` where ``B_k`` is the sum of the lengths before part k.

    Args:
        parts: the schedules in order; all but the last have an end.

    Raises:
        InvalidValue: a schedule follows an endless one.

    Example:
        >>> import glideslope as gs
        >>> a, b, c = gs.warmup(10), gs.hold(80), gs.linear(10)
        >>> (a >> b) >> c == a >> (b >> c)
        True
    """

    notation = "sequence"
    _rank = SEQUENCE
    parts: tuple[Schedule, ...]

    @classmethod
    def join(cls, parts: tuple[Schedule, ...]) -> Schedule:
        """The parts in a row."""
        return cls(parts)

    def __post_init__(self) -> None:
        set_parts(self, flatten(self, self.parts))
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

    def _bind(self, plan: Plan) -> Sequence:
        return Sequence(tuple(part._bind(plan) for part in self.parts))

    def _phases(self) -> Iterator[Phase]:
        for start, part in zip(self._starts, self.parts, strict=True):
            for phase in part._phases():
                yield Phase(start + phase.start, start + phase.stop, phase.curve)

    def __repr__(self) -> str:
        return " >> ".join(inside(part, SEQUENCE + 1) for part in self.parts)


@dataclass(frozen=True, repr=False)
class Arithmetic(Schedule):
    """What product and sum share: parts in order, and all numbers gathered into the last one."""

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
        parts = flatten(self, self.parts)
        curves = [part for part in parts if not is_number(part)]
        require(len(curves) > 0, "parts", "have a schedule that is not a number", self.parts)
        numbers = [part.value for part in parts if is_number(part)]  # type: ignore[attr-defined]
        number = [Constant(self._fold(numbers))] if numbers else []
        set_parts(self, (*curves, *number))

    @classmethod
    def _fold(cls, values: Iterable[Any]) -> Any:
        """From left to right, as Python would: numbers, or the values of the parts."""
        return reduce(cls._operator, values)

    def _at(self, t: Any, xp: Any) -> Any:
        return self._fold(part._at(t, xp) for part in self.parts)

    @property
    def _length(self) -> float | Length:
        return longest([part._length for part in self.parts if not is_number(part)])

    def _bind(self, plan: Plan) -> Self:
        plans = [replace(plan) for _ in self.parts]
        parts = [part._bind(own) for part, own in zip(self.parts, plans, strict=True)]
        lengths = [0 if is_number(part) else part._length for part in parts]
        plan.carry = plans[lengths.index(max(lengths))].carry  # type: ignore[type-var]
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

    def _number_text(self, number: float) -> str:
        return f" - {value_text(-number)}" if number < 0 else super()._number_text(number)


@dataclass(frozen=True, repr=False)
class Transformation(Schedule):
    """What the methods make: one schedule, seen differently. By default as long as ``inner``."""

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

    def _check_cycles(self) -> None:
        """The shortest of the cycles and all together must be countable in steps."""
        length = self.inner._length
        if not isinstance(length, Length):
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
        if self.growth == 1:
            t = xp.clip(t, 0, math.inf)
            k = xp.clip(xp.quotient(t, self.inner.steps), 0, self.n - 1)
            values = self.inner._at(t - k * self.inner.steps, xp)
            return values if self.decay == 1 else self.decay**k * values
        t = xp.clip(t, 0, self._starts[-1])
        lengths, heights = self._cycles
        k = xp.count(self._starts[1:-1], t)
        local = t - xp.take(self._starts, k)
        return xp.take(heights, k) * self.inner._over(xp.take(lengths, k), local, xp)

    def _bind(self, plan: Plan) -> Repeat:
        own = plan.own_clock()
        inner = self.inner._bind(own)
        if self.growth == 1 and self.n != math.inf:
            plan.carry += own.carry * int(self.n)
        return Repeat(inner, self.n, decay=self.decay, growth=self.growth)

    def _phases(self) -> Iterator[Phase]:
        if self.n > 64:
            yield from super()._phases()
            return
        starts = [k * self.inner.steps for k in range(int(self.n) + 1)]
        starts = starts if self.growth == 1 else self._starts
        for k in range(int(self.n)):
            start, stop = starts[k], starts[k + 1]
            cycle = self.inner if k == 0 or self.growth == 1 else self.inner.stretch(stop - start)
            yield Phase(start, stop, scaled(cycle, self.decay**k))


@dataclass(frozen=True, repr=False)
class Resized(Transformation):
    """What `Stretch` and `Take` share: a length of their own."""

    steps: Steps = field()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        set_period(self, "steps")

    @property
    def _length(self) -> float | Length:
        inner = self.inner._length
        return inner if isinstance(inner, Length) else self.steps  # type: ignore[return-value]

    def _bind(self, plan: Plan) -> Self:
        inner = self.inner._bind(plan.own_clock())
        return replace(self, inner=inner, steps=plan.resolve(self.steps))  # type: ignore[arg-type]


@dataclass(frozen=True, repr=False)
class Stretch(Resized):
    """`Schedule.stretch`."""

    notation = "stretch"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_end()

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._over(self.steps, xp.clip(t, 0, self.steps), xp)

    def _phases(self) -> Iterator[Phase]:
        scale = bound(self.steps) / self.inner.steps
        for start, stop, curve in self.inner._phases():
            yield Phase(start * scale, stop * scale, curve.stretch(curve.steps * scale))


@dataclass(frozen=True, repr=False)
class Reverse(Transformation):
    """`Schedule.reverse`."""

    notation = "reverse"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._must_end()

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(self.inner.steps - t, xp)


@dataclass(frozen=True, repr=False)
class Shift(Transformation):
    """`Schedule.shift`."""

    notation = "shift"
    k: Steps

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "k", as_steps("k", self.k))
        length = self.inner._length
        if not isinstance(length, Length) and not isinstance(self.k, Length):
            require(length + self.k > 0, "k", f"be more than {-length}", self.k)  # type: ignore[operator]

    @property
    def _length(self) -> float | Length:
        return total([self.inner._length, self.k])  # type: ignore[list-item]

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(xp.clip(t, 0, math.inf) - self.k, xp)


@dataclass(frozen=True, repr=False)
class Take(Resized):
    """`Schedule.take`."""

    notation = "take"

    def _at(self, t: Any, xp: Any) -> Any:
        return self.inner._at(xp.clip(t, -math.inf, self.steps), xp)

    def _phases(self) -> Iterator[Phase]:
        whole, steps = self.inner.steps, bound(self.steps)
        for start, stop, curve in self.inner._phases():
            if stop >= steps > start:
                yield Phase(start, steps, curve if stop == steps else curve.take(steps - start))
            elif stop < steps:
                yield Phase(start, steps if stop == whole else stop, curve)


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
        return self.inner._at(xp.quotient(t, self.every) * self.every, xp)


@dataclass(frozen=True, repr=False)
class Branch(Transformation):
    """`Schedule.branch`."""

    notation = "branch"
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
        return self.inner, scaled(self.decay, self.inner(self.at))

    def _at(self, t: Any, xp: Any) -> Any:
        return xp.select(t, (0, self.at), self._parts)

    def _bind(self, plan: Plan) -> Branch:
        inner = self.inner._bind(plan.own_clock())
        return Branch(inner, plan.resolve(self.at, least=0), self.decay._bind(plan))  # type: ignore[arg-type]

    def _phases(self) -> Iterator[Phase]:
        before, after = self._parts
        if self.at != 0:
            yield from before.take(self.at)._phases()
        for start, stop, curve in after._phases():
            yield Phase(start + self.at, stop + self.at, curve)  # type: ignore[operator]


# -- what several of them need -------------------------------------------------------------------


def flatten(node: Sequence | Arithmetic, parts: Any) -> tuple[Schedule, ...]:
    """The parts with those of the same kind opened, so that grouping leaves no trace."""
    for part in parts:
        require_type(isinstance(part, Schedule), "parts", "be schedules", part)
    opened = [part.parts if type(part) is type(node) else (part,) for part in parts]
    return tuple(part for group in opened for part in group)


def set_parts(node: Sequence | Arithmetic, parts: tuple[Schedule, ...]) -> None:
    """Set the field ``parts``, in its final form."""
    require(len(parts) > 1, "parts", "be at least two schedules", parts)
    object.__setattr__(node, "parts", parts)
    check_depth(node)


def check_depth(schedule: Schedule) -> None:
    """Refuse what is nested so deep that Python's stack could end when it is evaluated."""
    depth = schedule._depth
    require(depth <= DEPTH, "schedule", f"be nested at most {DEPTH} deep", depth)


def is_number(part: Schedule) -> bool:
    """Whether a part is a plain number in a product or sum."""
    return isinstance(part, Constant) and part._endless


def total(lengths: list[float | Length]) -> float | Length:
    """The sum of the lengths; the first unbound one if there is any."""
    unbound = [length for length in lengths if isinstance(length, Length)]
    return unbound[0] if unbound else reduce(add, lengths)


def longest(lengths: list[float | Length]) -> float | Length:
    """The longest of the lengths; the first unbound one if there is any."""
    unbound = [length for length in lengths if isinstance(length, Length)]
    return unbound[0] if unbound else max(lengths, default=math.inf)  # type: ignore[type-var]


def scaled(schedule: Schedule, factor: float) -> Schedule:
    """``schedule * factor``, without the trace of a factor of one."""
    return schedule if factor == 1 else schedule * factor


def map_phases(schedule: Schedule, change: Callable[[Schedule], Schedule]) -> Iterator[Phase]:
    """The phases of ``schedule`` with ``change`` applied to the curve of each."""
    for start, stop, curve in schedule._phases():
        yield Phase(start, stop, change(curve))
