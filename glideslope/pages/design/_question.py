"""The schedule and the numbers that the design page asks about."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import rshift
from typing import Any

from glideslope.errors import GlideslopeError, require, require_type
from glideslope.schedules import Schedule, parse
from glideslope.schedules.notation import from_arguments, whole

from ._catalogue import GROUPS

Json = dict[str, Any]
DEPTH = 40
"""Groups within groups; as deep as the notation goes."""

UNITS = {
    "total_steps": "updates in the run",
    "steps_per_epoch": "updates in an epoch",
    "tokens_per_step": "tokens in an update",
}
"""The numbers of a run that lengths are bound by, as the page names them."""


class Refused(Exception):
    """A question that has no answer.

    Args:
        error: the reason.
        field: the field of the page that is wrong; empty for the schedule.
    """

    def __init__(self, error: GlideslopeError, field: str = "") -> None:
        super().__init__(str(error))
        self.field = field


def numbers_asked_for(question: Json) -> dict[str, float | None]:
    """The numbers of the run and the base rate of a question, None where one is not given.

    Raises:
        Refused: one of them is no positive number.
    """
    return {name: number_asked_for(question, name) for name in NUMBERS}


def number_asked_for(question: Json, name: str) -> float | None:
    """One number of a question."""
    value = question.get(name)
    try:
        return None if value is None else NUMBERS[name](value)
    except GlideslopeError as error:
        raise Refused(error, name) from None


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    require_type(is_number(value), name, "be a number", value)
    require(0 < value < math.inf, name, "be more than 0 and finite", value)
    return float(value)


def is_number(value: object) -> bool:
    """True for an int or a float that a double can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < 2**1023


NUMBERS: Mapping[str, Callable[[Any], float]] = {
    "total_steps": lambda value: whole("the updates in the run", value, 1),
    "steps_per_epoch": lambda value: positive("the updates in an epoch", value),
    "tokens_per_step": lambda value: positive("the tokens in an update", value),
    "lr": lambda value: positive("the base rate", value),
}
"""The numbers of a question, and the function that reads each."""


def schedule_asked_for(question: Json) -> Schedule:
    """The schedule of a question, by its text or by its phases."""
    return parse(question["text"]) if "text" in question else sequence(question.get("parts"))


def sequence(parts: Any, depth: int = 0) -> Schedule:
    """Phases one after the other."""
    require_type(isinstance(parts, list), "parts", "be a list", parts)
    require(bool(parts), "phases", "be at least one", 0)
    require(depth <= DEPTH, "groups", f"be nested at most {DEPTH} deep", depth)
    return reduce(rshift, [phase(part, depth) for part in parts])


def phase(part: Any, depth: int) -> Schedule:
    """One phase: a text, a shape with its arguments, or a group with its phases."""
    require_type(isinstance(part, dict), "a phase", "be an object", part)
    if "text" in part:
        return parse(part["text"])
    given = part.get("arguments")
    require_type(isinstance(given, dict), "arguments", "be an object", given)
    kind = part.get("kind")
    if not isinstance(kind, str) or kind not in GROUPS:
        return from_arguments(kind, given)
    return GROUP_KINDS[kind](sequence(part.get("parts"), depth + 1), given)


def repeated(inner: Schedule, given: Json) -> Schedule:
    """The phases in cycles."""
    n, decay, stretch = given.get("n"), given.get("decay", 1), given.get("stretch", 1)
    return inner.repeat(math.inf if n in (None, "") else n, decay=decay, stretch=stretch)


def multiplied(inner: Schedule, given: Json) -> Schedule:
    """The phases times a number."""
    factor = given.get("factor")
    require_type(is_number(factor), "factor", "be a number", factor)
    return inner * factor  # type: ignore[operator]


def added(inner: Schedule, given: Json) -> Schedule:
    """The phases plus a number."""
    offset = given.get("offset")
    require_type(is_number(offset), "offset", "be a number", offset)
    return inner + offset  # type: ignore[operator]


GROUP_KINDS: Mapping[str, Callable[[Schedule, Json], Schedule]] = {
    "repeat": repeated,
    "product": multiplied,
    "sum": added,
}
"""The constructor of each group."""
