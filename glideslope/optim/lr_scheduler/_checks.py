"""Rules on the arguments that many schedulers share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from glideslope.errors import InvalidType, InvalidValue, require, require_type


def number(name: str, value: Any) -> float:
    """A finite number as it is given; what is no plain number (a tensor) becomes one."""
    require_type(hasattr(value, "__float__"), name, "be a number", value)
    given: float = value if isinstance(value, int | float) else float(value)
    require(math.isfinite(given), name, "be finite", value)
    return given


def above(name: str, value: Any, low: float) -> float:
    """A finite number above ``low``."""
    given = number(name, value)
    require(given > low, name, f"be above {low}", value)
    return given


def at_least(name: str, value: Any, low: float) -> float:
    """A finite number not below ``low``."""
    given = number(name, value)
    require(given >= low, name, f"be at least {low}", value)
    return given


def in_unit(name: str, value: Any) -> float:
    """A finite number in [0, 1]."""
    given = number(name, value)
    require(0 <= given <= 1, name, "be in [0, 1]", value)
    return given


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
    """Whether two lists of rates agree, but for rounding to a float32 tensor."""
    return len(values) == len(others) and all(
        math.isclose(value, other, rel_tol=1e-7)
        for value, other in zip(values, others, strict=True)
    )


def plain(values: Sequence[Any]) -> list[float]:
    """Python floats, from numbers, torch's tensors, or what else makes a float."""
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise InvalidType(f"learning rates must be real numbers, got {values!r}") from None
