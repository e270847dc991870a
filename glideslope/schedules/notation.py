"""Texts and arguments of schedules, for tools that edit them piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from glideslope.errors import UnboundError

from ._codec import VERSION, argument_name, encode
from ._length import UNITS
from ._length import whole as whole
from ._parse import Token as Token
from ._parse import tokenize as tokenize
from ._schedule import Schedule, unbound_lengths

__all__ = ["Token", "arguments", "bind_named", "from_arguments", "tokenize", "whole"]


def arguments(schedule: Schedule) -> dict[str, Any]:
    """Every argument of a schedule as plain data, those left at their defaults included.

    >>> import glideslope as gs
    >>> arguments(gs.linear("10ep"))
    {'steps': '10ep', 'start': 1.0, 'end': 0.0, 'include_end': False}
    """
    return {argument_name(f): encode(getattr(schedule, f.name)) for f in fields(schedule)}


def from_arguments(kind: str, given: Mapping[str, Any]) -> Schedule:
    """The schedule of a kind with the arguments that `arguments` gave, or some of them.

    Args:
        kind: the name in the notation, such as ``"cosine"``.
        given: the arguments by name.

    Raises:
        InvalidValue: no such kind, or arguments that it does not take.

    >>> from_arguments("cosine", {"steps": 100, "end": 0.1})
    cosine(100, end=0.1)
    """
    return Schedule.from_dict({"glideslope": VERSION, "schedule": {**given, "kind": kind}})


def bind_named(
    schedule: Schedule, numbers: Mapping[str, float | None], names: Mapping[str, str]
) -> Schedule:
    """`Schedule.bind`, where a missing number is asked for by the caller's own name for it.

    Args:
        schedule: the schedule.
        numbers: the arguments of `Schedule.bind`.
        names: for each of them, its name in messages, such as ``"--total-steps"``.

    Raises:
        UnboundError: a unit is used whose number is None.

    >>> import glideslope as gs
    >>> bind_named(gs.linear("5%"), {"total_steps": None}, {"total_steps": "--total-steps"})
    Traceback (most recent call last):
    glideslope.errors.UnboundError: the length '5%' needs --total-steps
    """
    for length in unbound_lengths(schedule):
        name = UNITS[length.unit]
        if numbers.get(name) is None:
            raise UnboundError(f"the length {str(length)!r} needs {names[name]}")
    return schedule.bind(**numbers)


def __dir__() -> list[str]:
    return __all__
