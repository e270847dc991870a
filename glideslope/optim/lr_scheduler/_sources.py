"""Sources of values, as `glideslope.groups` defines them.

Here are those that follow a schedule, and the one that calls a user's `get_lr`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from glideslope.errors import InvalidValue
from glideslope.groups import NewGroup, blended, scaled
from glideslope.schedules import Schedule


class Evaluated:
    """A schedule as one compiled function, which a copy compiles again."""

    __slots__ = ("at", "schedule")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.at: Callable[[float], float] = schedule.evaluator()

    def __reduce__(self) -> tuple[Any, ...]:
        return Evaluated, (self.schedule,)


class EvaluatedOnce(Evaluated):
    """A schedule that several keys follow, evaluated once for all of them."""

    __slots__ = ()

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.at = _once(schedule.evaluator())

    def __reduce__(self) -> tuple[Any, ...]:
        return EvaluatedOnce, (self.schedule,)


def _once(evaluate: Callable[[float], float]) -> Callable[[float], float]:
    """The function, with its last result kept."""
    step, value = math.nan, 0.0

    def at(t: float) -> float:
        nonlocal step, value
        if t != step:
            value = evaluate(t)
            step = t
        return value

    return at


class Curve(Protocol):
    """A function of the step that gives a share or a factor."""

    def at(self, t: float) -> float:
        """The value of step ``t``."""


class Plain:
    """A source with the usual properties."""

    absolute = outright = keeps_late_values = resets = depends_on_more = False

    def is_absolute(self, _group: int) -> bool:
        """True if the values of this group do not come from its base."""
        return self.absolute

    def join(self, new: NewGroup) -> float:
        """Use the group's own value as its base."""
        return new.base


class Scaled(Plain):
    """One schedule of factors for all groups: ``base · s(t)``.

    While the factor stays the same, so does the list object, which is then not written again.
    """

    def __init__(
        self, schedule: Schedule, keeps_late_values: bool = False, resets: bool = False
    ) -> None:
        self.keeps_late_values, self.resets = keeps_late_values, resets
        self.follow(schedule)

    def follow(self, schedule: Schedule) -> None:
        """Follow another schedule from now on."""
        self.curve = Evaluated(schedule)
        self._at = self.curve.at
        self._factor: float | None = None
        self._bases: list[float] = []
        self._given: list[float] = []

    def values(self, t: float, bases: list[float]) -> list[float]:
        """``base · s(t)`` for every group."""
        factor = self._at(t)
        if factor != self._factor or bases is not self._bases:
            self._factor, self._bases = factor, bases
            self._given = [bases[0] * factor] if len(bases) == 1 else scaled(bases, factor)
        return self._given

    def __getstate__(self) -> dict[str, Any]:
        return {"schedule": self.curve.schedule} | {
            name: getattr(self, name) for name in ("keeps_late_values", "resets")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class Floored(Plain):
    """One schedule with a lowest value: ``base · s(t) + floor · (1 - s(t))``.

    The floor is one number for all groups. With ``capped`` a group whose base is lower stays at
    that, and before step ``warm`` there is no floor.
    """

    def __init__(
        self,
        schedule: Schedule,
        floor: float,
        *,
        resets: bool = False,
        capped: bool = False,
        warm: float = 0.0,
    ) -> None:
        self.curve = Evaluated(schedule)
        self.floor, self.resets, self.capped, self.warm = floor, resets, capped, warm

    def values(self, t: float, bases: list[float]) -> list[float]:
        """``base · s(t) + floor · (1 - s(t))`` for every group."""
        share = self.curve.at(t)
        if t < self.warm:
            return scaled(bases, share)
        floors = [min(self.floor, base) if self.capped else self.floor for base in bases]
        return blended(bases, floors, share)


class Cycle(Plain):
    """One schedule between two values of every group: ``top · s(t) + bottom · (1 - s(t))``.

    With ``notes``, a later group keeps the two values under these keys.
    """

    absolute = resets = True

    def __init__(
        self,
        curve: Curve,
        tops: list[float],
        bottoms: list[float],
        notes: tuple[str, str] | None = None,
    ) -> None:
        self.curve = curve
        self.tops, self.bottoms = tops, bottoms
        self.notes = notes

    def values(self, t: float, _bases: list[float]) -> list[float]:
        """``top · s(t) + bottom · (1 - s(t))`` for every group."""
        return blended(self.tops, self.bottoms, self.curve.at(t))

    def join(self, new: NewGroup) -> float:
        """Add a group with the range of the last one."""
        for ends in (self.tops, self.bottoms):
            ends[new.index :] = [ends[new.index - 1]]
        for note, ends in zip(self.notes or (), (self.tops, self.bottoms), strict=False):
            new.group[note] = ends[-1]
        return new.base


class OwnRates(Plain):
    """The `get_lr` of a user's subclass.

    If it is a recursion on the groups, as torch's own are, its rates contain all other factors
    already and are written ``outright``.
    """

    depends_on_more = True

    def __init__(self, scheduler: Any, outright: bool) -> None:
        self.outright = outright
        self.ask(scheduler)

    def ask(self, scheduler: Any) -> None:
        """Call this scheduler, by a weak reference."""
        self._find: Callable[[], Any] = (lambda: None) if scheduler is None else ref(scheduler)

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnRates, (None, self.outright)

    def values(self, _t: float, bases: list[float]) -> list[float]:
        """The rates of `get_lr` at the scheduler's clock.

        Raises:
            InvalidValue: there are fewer than groups.
        """
        rates: list[float] = self._find().own_rates()
        if len(rates) < len(bases):
            rule = f"give {len(bases)} rates, one per parameter group"
            raise InvalidValue(f"get_lr() must {rule}, got {rates!r}")
        return rates
