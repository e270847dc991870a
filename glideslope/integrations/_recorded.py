"""Schedules read from another library's scheduler: what is refused, and tables of its values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NoReturn

from glideslope.errors import InvalidType, require, require_type, shortened
from glideslope.schedules import Piecewise, Schedule, hold


class UnknownFormula(Exception):
    """A scheduler, or a part of one, whose formula is not known here; the text says which."""


def read_or_record(
    name: str,
    value: Any,
    read: Callable[[], Schedule],
    record: Callable[[int], Iterable[Any]],
    sampled: bool,
    steps: int | None,
) -> Schedule:
    """The schedule that ``read`` gives or, where the formula is unknown, a table if wanted.

    Args:
        name: the argument that holds ``value``, for messages.
        value: the scheduler.
        read: gives its closed form.
        record: gives its first values.
        sampled: record a table where there is no closed form.
        steps: the number of steps to record.
    """
    require_type(isinstance(sampled, bool), "sampled", "be True or False", sampled)
    require(steps is None or sampled, "steps", "be left out without sampled=True", steps)
    try:
        return read()
    except UnknownFormula as unknown:
        if not sampled:
            refuse(name, value, unknown)
    whole = isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1
    require(whole, "steps", "be the number of steps to record, at least 1", steps)
    return table(name, record(steps))  # type: ignore[arg-type]


def refuse(name: str, value: Any, unknown: UnknownFormula) -> NoReturn:
    """Refuse a scheduler whose formula is not known, with what can be done instead."""
    rule = "must have a known formula (sampled=True, steps=n records n values instead)"
    raise InvalidType(f"`{name}` {rule}, got {shortened(value, 80)}: {unknown}")


def table(name: str, values: Iterable[Any]) -> Schedule:
    """The schedule with these values at the steps 0, 1, 2, …, as long as there are values."""
    numbers = [_number(name, value, t) for t, value in enumerate(values)]
    changes = enumerate(pairwise(numbers), start=1)
    points = [(0, numbers[0]), *((t, new) for t, (old, new) in changes if new != old)]
    if len(points) == 1:
        return hold(len(numbers), numbers[0])
    return Piecewise(tuple(points)).take(len(numbers))


def _number(name: str, value: Any, t: int) -> float:
    """The value of a step as a float; refused if it is not one finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    require(math.isfinite(number), name, f"give one finite number at step {t}", value)
    return number


def first_steps(schedule: Schedule, steps: float) -> Schedule:
    """So many steps of a schedule, or all of an endless number."""
    return schedule if steps in (math.inf, schedule.steps) else schedule.take(steps)


def in_group(name: str, values: Any, group: int) -> Any:
    """The value of the parameter group at an index."""
    whole = isinstance(group, int) and not isinstance(group, bool)
    require_type(whole, "group", "be the index of a parameter group", group)
    rule = f"be the index of one of the {len(values)} parameter groups of `{name}`"
    require(0 <= group < len(values), "group", rule, group)
    return values[group]
