"""What the methods of a schedule make of it; each registers under the name of its method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from glideslope.errors import require, require_type

from ._algebra import check_depth, map_phases, total
from ._length import Length, Plan, Steps, as_steps, bound, real
from ._maths import power
from ._ramps import set_length, set_period, set_values
from ._schedule import Phase, Schedule


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
        if self.steps == self.inner.steps:  # a scaled boundary may be rounded to its other side
            return self.inner._at(t, xp)
        return self.inner._over(self.steps, xp.clip(t, 0, self.steps), xp)

    def _phases(self) -> Iterator[Phase]:
        whole, steps = self.inner.steps, bound(self.steps)
        for start, stop, curve in self.inner._phases():
            end = steps if stop == whole else stop * steps / whole
            yield Phase(start * steps / whole, end, curve.stretch(curve.steps * steps / whole))


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
        steps = bound(self.steps)
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


def scaled(schedule: Schedule, factor: float) -> Schedule:
    """``schedule * factor``, without the trace of a factor of one."""
    return schedule if factor == 1 else schedule * factor
