"""Schedules given for a key: for all groups or for each, as factors or as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Any, TypedDict, Union, cast

from glideslope.errors import InvalidType, UnboundError, require, require_type
from glideslope.groups import NewGroup, SharedKey, Source
from glideslope.schedules import Constant, Schedule, parse

from ._sources import Evaluated, Plain, Scaled


@dataclass(frozen=True)
class Absolute:
    """A schedule whose values are the hyperparameter itself, not factors of each group's own.

    Args:
        schedule: a schedule, or the text of one.

    Raises:
        InvalidType: ``schedule`` is neither.

    Example:
        >>> import torch, glideslope as gs
        >>> from glideslope.optim.lr_scheduler import Scheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = Scheduler(optimizer, lr=Absolute(gs.noam(512, 4000)))
        >>> scheduler.step(4000)
        >>> round(optimizer.param_groups[0]["lr"], 8)
        0.00069877
    """

    schedule: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", as_schedule("schedule", self.schedule))

    def __str__(self) -> str:
        return f"Absolute({self.schedule})"


GroupCurve = Schedule | Absolute | None
"""A group's schedule; None leaves its value alone."""


class Groups(dict[Any, GroupCurve]):
    """Schedules by the index or the ``"name"`` of a group; groups not named are left alone."""


Spec = Schedule | Absolute | Groups
"""One schedule for all groups, or one for each."""

GivenCurve = Schedule | Absolute | str | float | None
Given = Union[  # noqa: UP007 -- it refers to itself
    GivenCurve,
    Sequence["Given"],
    Mapping[str, GivenCurve],
    Mapping[int, GivenCurve],
    Mapping[str | int, GivenCurve],
]
"""The values that a key accepts: a schedule, its text, a number; a list or mapping of them by
group; a tuple for the elements of a tuple."""


class Keys(TypedDict, total=False):
    """The hyperparameters of the optimizers here and in torch that are numbers, or tuples of them.

    Others are given as ``**{"name": schedule}``, which type checkers take as it is.
    """

    alpha: Given
    beta2_decay: Given
    betas: Given
    clip_threshold: Given
    d_coef: Given
    dampening: Given
    eps: Given
    etas: Given
    growth_rate: Given
    lambd: Given
    lr_decay: Given
    momentum: Given
    momentum_decay: Given
    rho: Given
    step_sizes: Given
    t0: Given
    trust_coefficient: Given
    weight_decay: Given


BindNumbers = Mapping[str, float | None]
"""The arguments of `Schedule.bind`."""


def elements(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each key with its schedules; a tuple has one for each element of a tuple."""
    for key, spec in given.items():
        if isinstance(spec, tuple):
            yield from elements({f"{key}[{index}]": part for index, part in enumerate(spec)})
        elif spec is not None:
            yield key, spec


def check_spelling(keys: Iterable[str], options: Sequence[str]) -> None:
    """Refuse a key that looks like one of the scheduler's other arguments."""
    for key in keys:
        for meant in get_close_matches(key, options, n=1, cutoff=0.85):
            raise InvalidType(f"Scheduler has no argument `{key}`: did you mean `{meant}`?")


def read_spec(key: str, spec: Any, numbers: BindNumbers) -> Spec:
    """The schedules given for ``key``, their lengths in steps."""
    if isinstance(spec, Mapping):
        return Groups({name: read_curve(key, curve, numbers) for name, curve in spec.items()})
    if isinstance(spec, list):
        return Groups({index: read_curve(key, curve, numbers) for index, curve in enumerate(spec)})
    curve = read_curve(key, spec, numbers)
    assert curve is not None
    return curve


def read_curve(key: str, curve: Any, numbers: BindNumbers) -> GroupCurve:
    """One group's schedule, absolute schedule, or None."""
    if curve is None:
        return None
    if isinstance(curve, Absolute):
        return Absolute(bound_schedule(key, curve.schedule, numbers))
    return bound_schedule(key, as_schedule(key, curve), numbers)


def bound_schedule(key: str, schedule: Schedule, numbers: BindNumbers) -> Schedule:
    """A schedule with its lengths in steps, as far as ``numbers`` bind them."""
    given = {name: value for name, value in numbers.items() if value is not None}
    try:
        if given:
            schedule = schedule.bind(**given)
        schedule(0)
    except UnboundError as error:
        names = ", ".join(f"{name}=..." for name in numbers)
        message = f"`{key}`: {error}; Scheduler takes {names} to bind it"
        raise UnboundError(message) from None
    return schedule


def as_schedule(key: str, value: Any) -> Schedule:
    """A schedule from a schedule, its text, or a number."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Real) and not isinstance(value, bool):
        return Constant(float(value))
    if callable(value) and not isinstance(value, Schedule | type):
        rule = "be a schedule or the text of one; glideslope.function(f) makes one of a function"
        raise InvalidType(f"`{key}` must {rule}, got {value!r}")
    require_type(isinstance(value, Schedule), key, "be a schedule or the text of one", value)
    return cast(Schedule, value)


def schedule_of(curve: Schedule | Absolute) -> Schedule:
    """The schedule itself, of an absolute one too."""
    return curve.schedule if isinstance(curve, Absolute) else curve


def map_spec(spec: Spec, change: Callable[[Schedule], Schedule]) -> Spec:
    """The same with every schedule changed."""
    if isinstance(spec, Groups):
        return Groups({name: curve and map_spec(curve, change) for name, curve in spec.items()})
    return Absolute(change(spec.schedule)) if isinstance(spec, Absolute) else change(spec)


def curves_of(spec: Spec) -> list[Schedule]:
    """The schedules of all groups."""
    if isinstance(spec, Groups):
        return [schedule_of(curve) for curve in spec.values() if curve is not None]
    return [schedule_of(spec)]


def curve_of(spec: Spec, number: int, group: Any) -> GroupCurve:
    """The schedule of the group at ``number``."""
    if not isinstance(spec, Groups):
        return spec
    name = group.get("name") if hasattr(group, "get") else None
    return spec.get(number) if name is None else spec.get(name, spec.get(number))


class PerGroup(Plain):
    """A schedule for each group: ``base · s(t)``, ``s(t)`` itself, or the base where it is None.

    Equal schedules are evaluated once.
    """

    def __init__(self, spec: Spec, curves: Sequence[GroupCurve]) -> None:
        self.spec = spec
        self.curves: list[GroupCurve] = []
        self.at: list[Evaluated | None] = []
        self._known: dict[Schedule, Evaluated] = {}
        for curve in curves:
            self._append(curve)

    def _append(self, curve: GroupCurve) -> None:
        self.curves.append(curve)
        schedule = schedule_of(curve) if curve is not None else None
        self.at.append(
            None if schedule is None else self._known.setdefault(schedule, Evaluated(schedule))
        )
        self.absolute = all(map(self.is_absolute, range(len(self.curves))))

    def is_absolute(self, group: int) -> bool:
        """True if the values of this group do not come from its base."""
        return isinstance(self.curves[group], Absolute)

    def values(self, t: float, bases: list[float]) -> list[float]:
        """The values of every group."""
        now = {curve: curve.at(t) for curve in self._known.values()}
        rows = zip(bases, self.curves, self.at)  # noqa: B905
        return [
            base if at is None else now[at] if isinstance(curve, Absolute) else base * now[at]
            for base, curve, at in rows
        ]

    def join(self, new: NewGroup) -> float:
        """Add a group with its schedule."""
        self._append(curve_of(self.spec, new.number, new.group))
        return new.base


def source_of(key: str, spec: Spec, optimizer: Any) -> Source:
    """The source of a key under ``spec``.

    Raises:
        InvalidType: a group that is scheduled has no such key.
        InvalidValue: schedules for groups that are not there.
    """
    shared = SharedKey.of(optimizer, key)
    groups = shared.port.groups()
    if isinstance(spec, Schedule):
        shared.refuse_missing()
        return Scaled(spec)
    if isinstance(spec, Groups):
        _check_groups(key, spec, groups)
    curves = [(curve_of(spec, number, group), group) for number, group in enumerate(groups)]
    holders = shared.groups()
    for number, (curve, group) in enumerate(curves):
        if curve is not None and all(group is not holder for holder in holders):
            held = ", ".join(sorted(map(str, group)))
            raise InvalidType(f"`{key}` must be in parameter group {number}, which holds {held}")
    return PerGroup(spec, [curve for curve, group in curves if any(group is h for h in holders)])


def _check_groups(key: str, spec: Groups, groups: Sequence[Any]) -> None:
    """Refuse schedules for groups that are not there."""
    names = [group.get("name") for group in groups if hasattr(group, "get")]
    known = {*range(len(groups)), *(name for name in names if name is not None)}
    for name in spec:
        require(name in known, key, f"name groups of the optimizer ({_shown(known)})", name)


def _shown(names: set[Any]) -> str:
    """Indices and names, in order."""
    return ", ".join(map(str, sorted(names, key=lambda name: (isinstance(name, str), name))))
