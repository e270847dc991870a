"""The phases of a schedule as the design page edits them: a tree of shapes, groups and texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from glideslope.schedules import Constant, Product, Repeat, Schedule, Sequence, Sum
from glideslope.schedules.notation import arguments

from ._catalogue import SHAPES

Json = dict[str, Any]


class Place(NamedTuple):
    """Where a phase is in the picture: a value v of its own is drawn at ``scale · v + shift``.

    Args:
        start: its first step.
        scale: the factor of its values.
        shift: what is added to them.
    """

    start: float
    scale: float
    shift: float


class Group(NamedTuple):
    """A schedule around a sequence of phases.

    Args:
        kind: ``repeat``, ``product`` or ``sum``.
        arguments: its own arguments.
        inner: the schedule inside.
        scale: the factor on the values inside, in the first cycle.
        shift: what is added to them.
    """

    kind: str
    arguments: Json
    inner: Schedule
    scale: float = 1.0
    shift: float = 0.0


def phases(schedule: Schedule, units: Mapping[str, float | None], lr: float) -> list[Json]:
    """The parts of a schedule: how each is written, where it is, its first and its last value."""
    place = Place(0.0, lr, 0.0)
    return list(phases_of(parts_of(schedule), parts_in_steps(schedule, units), place))


def phases_of(parts: Iterable[Schedule], bound: Iterable[Schedule], place: Place) -> Iterator[Json]:
    """Parts that follow each other; ``bound`` are the same parts with their lengths in steps."""
    for part, known in zip(parts, bound, strict=True):
        yield phase(part, known, place)
        place = place._replace(start=place.start + known.steps)


def phase(part: Schedule, known: Schedule, place: Place) -> Json:
    """One part."""
    ends = math.isfinite(known.steps)
    return written(part, known, place) | {
        "start": place.start,
        "length": known.steps if ends else None,
        "first": place.scale * known(0) + place.shift,
        "last": place.scale * known.end + place.shift if ends else None,
        "scale": place.scale,
        "shift": place.shift,
    }


def written(part: Schedule, known: Schedule, place: Place) -> Json:
    """A part as a shape with its arguments, as a group with its phases, or else as text."""
    if part.notation in SHAPES and part.steps != math.inf:
        return {"kind": part.notation, "arguments": arguments(part)}
    group, in_steps = group_of(part), group_of(known)
    if group is None or in_steps is None:
        return {"text": str(part)}
    parts, bound = parts_of(group.inner), parts_of(in_steps.inner)
    if len(parts) != len(bound):  # one came to no steps
        return {"text": str(part)}
    scale, shift = place.scale * group.scale, place.scale * group.shift + place.shift
    inside = phases_of(parts, bound, Place(place.start, scale, shift))
    return {"kind": group.kind, "arguments": group.arguments, "parts": list(inside)}


def group_of(schedule: Schedule) -> Group | None:
    """The group that a schedule is; None if it is a single curve or another combination."""
    if isinstance(schedule, Repeat):
        n = None if schedule.n == math.inf else schedule.n
        own = {"n": n, "decay": schedule.decay, "stretch": schedule.growth}
        return Group("repeat", own, schedule.inner)
    number = number_of(schedule)
    if isinstance(schedule, Product) and number is not None:
        return Group("product", {"factor": number}, schedule.parts[0], scale=number)
    if isinstance(schedule, Sum) and number is not None:
        return Group("sum", {"offset": number}, schedule.parts[0], shift=number)
    return None


def number_of(schedule: Schedule) -> float | None:
    """The number that a product or sum combines a single curve with."""
    if not isinstance(schedule, Product | Sum) or len(schedule.parts) != 2:
        return None
    last = schedule.parts[1]
    return last.value if isinstance(last, Constant) and last.steps == math.inf else None


def parts_of(schedule: Schedule) -> tuple[Schedule, ...]:
    """The phases of a sequence; any other schedule is one."""
    return schedule.parts if isinstance(schedule, Sequence) else (schedule,)


def parts_in_steps(schedule: Schedule, units: Mapping[str, float | None]) -> tuple[Schedule, ...]:
    """The same phases in steps, those that come to none included."""
    if isinstance(schedule, Sequence):
        return schedule.bind_parts(**units)
    return (schedule.bind(**units),)
