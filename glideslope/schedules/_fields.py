"""Readers of a schedule's fields: each checks a field and stores its plain value, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope.errors import require, require_type

from ._length import Length, as_length, as_phase, as_steps, as_value

if TYPE_CHECKING:
    from ._schedule import Schedule


def set_length(schedule: Schedule, name: str, least: float = 1) -> None:
    """Read the field ``name`` as a length of at least ``least`` steps, in place."""
    object.__setattr__(schedule, name, as_length(name, getattr(schedule, name), least))


def set_phase(schedule: Schedule, name: str) -> None:
    """Read the field ``name`` as the length of a phase, in place."""
    object.__setattr__(schedule, name, as_phase(name, getattr(schedule, name)))


def set_period(schedule: Schedule, name: str) -> None:
    """Read the field ``name`` as a stretch of time above zero, in place."""
    value = as_steps(name, getattr(schedule, name))
    object.__setattr__(schedule, name, value)
    require(isinstance(value, Length) or value > 0, name, "be more than 0", value)


def set_flag(schedule: Schedule, name: str) -> None:
    """Refuse a field ``name`` that is not True or False."""
    value = getattr(schedule, name)
    require_type(isinstance(value, bool), name, "be True or False", value)


def set_values(schedule: Schedule, *names: str) -> None:
    """Read the fields ``names`` as finite floats, in place."""
    for name in names:
        object.__setattr__(schedule, name, as_value(name, getattr(schedule, name)))


def set_positive(schedule: Schedule, *names: str) -> None:
    """Read the fields ``names`` as finite floats above zero, in place."""
    set_values(schedule, *names)
    for name in names:
        require(getattr(schedule, name) > 0, name, "be more than 0", getattr(schedule, name))
