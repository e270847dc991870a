"""Checks of arguments that many schedulers have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from glideslope.errors import InvalidType, InvalidValue, require, require_type


def number(name: str, value: Any) -> float:
    """A finite number: an int or float as given, any other number as a float."""
    require_type(hasattr(value, "__float__"), name, "be a number", value)
    given: float = value if isinstance(value, int | float) else float(value)
    require(math.isfinite(given), name, "be finite", value)
    return given


def above(name: str, value: Any, low: float) -> float:
    """A finite number above ``low``."""
    given = number(name, value)
    require(given > low, name, f"be more than {low}", value)
    return given


def at_least(name: str, value: Any, low: float) -> float:
    """A finite number not below ``low``."""
    given = number(name, value)
    require(given >= low, name, f"be at least {low}", value)
    return given


def in_unit(name: str, value: Any) -> float:
    """A finite number in [0, 1]."""
    given = number(name, value)
    require(0 <= given <= 1, name, "be from 0 to 1", value)
    return given


def as_step(value: Any) -> Any:
    """A step as a plain number: an int where it is whole, whatever kind of number it is."""
    if type(value) is int:
        return value
    try:
        step = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, RuntimeError):
        step = math.nan
    if math.isnan(step):
        rule = "be a step or left out (a handler of events: `lambda _: scheduler.step()`)"
        require_type(False, "epoch", rule, value)
    require(math.isfinite(step), "epoch", "be finite", value)
    return int(step) if step.is_integer() else step


def whole_number(name: str, value: Any, low: int) -> int:
    """A whole number of at least ``low``."""
    require_type(isinstance(value, int), name, "be a whole number", value)
    require(value >= low, name, f"be at least {low}", value)
    return int(value)


def per_group(name: str, value: Any, groups: Sequence[Any]) -> list[float]:
    """One finite float for each group, from one number or from a list of them."""
    values = list(value) if isinstance(value, list | tuple) else [value] * len(groups)
    if len(values) != len(groups):
        raise InvalidValue(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(values)} values, param_groups has {len(groups)}."
        )
    return [float(number(name, each)) for each in values]


def same(values: Sequence[float], others: Sequence[float]) -> bool:
    """True if two lists of rates agree, but for rounding to a float32 tensor."""
    return len(values) == len(others) and all(
        math.isclose(value, other, rel_tol=1e-7)
        for value, other in zip(values, others, strict=True)
    )


def refused(scheduler: Any, error: Exception) -> Exception:
    """The error, its message prefixed by the scheduler and the step."""
    kind = InvalidType if isinstance(error, InvalidType) else InvalidValue
    is_beyond = isinstance(error, OverflowError) or " is not finite at step " in str(error)
    told = "the rate is beyond all floats" if is_beyond else error
    return kind(f"{type(scheduler).__name__}, step {scheduler.last_epoch}: {told}")
