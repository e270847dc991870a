"""Schedules as text and as plain data, derived from their fields: no kind has code of its own.

A schedule is recognised by its ``notation``, so this file knows no class and none imports it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from glideslope.errors import InvalidType, InvalidValue, shortened

from ._length import Length, number_text

VERSION = 1
SEQUENCE, SUM, PRODUCT, ATOM = range(4)
"""How tightly a schedule's text binds, loosest first, as in Python: ``>>``, ``+``, ``*``, calls."""


def is_schedule(value: object) -> bool:
    """True if ``value`` is a schedule; the class itself is not imported."""
    return bool(getattr(type(value), "notation", ""))


def inner_schedules(schedule: Any) -> Iterator[Any]:
    """The schedules that a schedule is made of, in order."""
    for field in fields(schedule):
        value = getattr(schedule, field.name)
        yield from filter(is_schedule, value if isinstance(value, tuple) else (value,))


# -- text ----------------------------------------------------------------------------------------


def call_text(schedule: Any) -> str:
    """``name(arguments)`` of a curve, ``inner.name(arguments)`` of a transformation."""
    arguments = [f for f in fields(schedule) if f.name != "inner"]
    shown = [_argument(schedule, f, f is arguments[0]) for f in arguments]
    call = f"{schedule.notation}({', '.join(a for a in shown if a)})"
    inner = getattr(schedule, "inner", None)
    return call if inner is None else f"{inside(inner, ATOM)}.{call}"


def inside(schedule: Any, rank: int) -> str:
    """The text of a schedule within a context that binds as tightly as ``rank``."""
    return f"({schedule!r})" if schedule._rank < rank else repr(schedule)


def value_text(value: Any) -> str:
    """One argument as Python and `parse` read it."""
    if isinstance(value, bool) or value is None or is_schedule(value):
        return repr(value)
    if isinstance(value, tuple):
        items = ", ".join(value_text(item) for item in value)
        return f"({items})" if not isinstance(value[0], tuple) else f"[{items}]"
    if isinstance(value, str | Length):
        return f'"{value}"'
    return number_text(value) if isinstance(value, int | float) else _name(value)


def _argument(schedule: Any, field: Field[Any], first: bool) -> str:
    value = getattr(schedule, field.name)
    if value == field.default:
        return ""
    positional = first or field.default is MISSING
    return value_text(value) if positional else f"{argument_name(field)}={value_text(value)}"


def argument_name(field: Field[Any]) -> str:
    """The name of a field in text and data; it differs where a method has that name."""
    return str(field.metadata.get("argument", field.name))


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


# -- plain data ----------------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """A schedule, or an argument of one, as dicts, lists, strings and numbers."""
    if is_schedule(value):
        items = [(f, getattr(value, f.name)) for f in fields(value)]
        given = {argument_name(f): encode(item) for f, item in items if item != f.default}
        return {"kind": value.notation} | given
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Length):
        return str(value)
    if callable(value):
        raise InvalidType(f"the function `{_name(value)}` has no plain form: it cannot be saved")
    return value


def decode(data: Any, registry: Mapping[str, type]) -> Any:
    """The inverse of `encode`, by the kinds of ``registry``."""
    if isinstance(data, list):
        return tuple(decode(item, registry) for item in data)
    if not isinstance(data, dict):
        return data
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in registry or kind == "function":
        raise InvalidValue(f"`kind` must be the name of a schedule, got {shortened(kind)}")
    names = {argument_name(f): f.name for f in fields(registry[kind])}
    unknown = data.keys() - names.keys() - {"kind"}
    if unknown:
        raise InvalidValue(f"`{kind}` has no argument `{min(unknown, key=str)}`")
    arguments = {names[k]: decode(v, registry) for k, v in data.items() if k != "kind"}
    make = getattr(registry[kind], "join", registry[kind])  # where parts of no steps vanish
    try:
        return make(**arguments)
    except TypeError as error:
        if isinstance(error, InvalidType):
            raise
        raise InvalidValue(f"`{kind}` lacks an argument, it has only {sorted(arguments)}") from None


def unwrap(data: Any) -> Any:
    """The schedule's own data from `Schedule.to_dict`'s, with its version checked."""
    if not isinstance(data, dict) or not {"glideslope", "schedule"} <= data.keys():
        raise InvalidValue(f"not a saved schedule: {data!r:.80}")
    if data["glideslope"] != VERSION:
        rule = f"this version reads format {VERSION}"
        raise InvalidValue(f"a schedule in format {data['glideslope']!r}: {rule}")
    return data["schedule"]
