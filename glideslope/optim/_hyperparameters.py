"""The values a parameter group may hold: their bounds, their names, and schedules among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from torch import Tensor

from glideslope.errors import InvalidValue, require, require_type
from glideslope.schedules import Schedule

Scalar = float | Tensor | Schedule
"""A hyperparameter: a number, a tensor of one element, or a schedule of numbers."""

AT_LEAST_0 = {
    "alpha",
    "d_coef",
    "eps",
    "gamma",
    "initial_accumulator_value",
    "lr",
    "lr_decay",
    "momentum",
    "momentum_decay",
    "r",
    "trust_coefficient",
    "warmup_steps",
    "weight_decay",
    "weight_lr_power",
}
FRACTIONS = frozenset({"betas", "vector_betas"})

_NUMERALS = {2: "two", 3: "three"}

SCHEDULERS_KEYS = {
    "base_momentum",
    "initial_lr",
    "max_lr",
    "max_momentum",
    "min_lr",
    "swa_lr",
}
"""What torch's schedulers write into a group: these are not misspelt."""


def check_values(group: Mapping[str, Any], fractions: Iterable[str] = FRACTIONS) -> None:
    """Refuse a number outside its bounds, at once and by name; a fraction is less than 1."""
    host = not group.get("capturable")
    require(host, "capturable", "be False: updates are counted on the host", True)
    for name, value in group.items():
        for part in _parts(value):
            number = part(0) if isinstance(part, Schedule) else part
            if name in fractions:
                _require_number(name, number)
                require(bool(0 <= number < 1), name, "be at least 0 and less than 1", number)
            elif name == "rho":
                _require_number(name, number)
                require(bool(0 <= number <= 1), name, "be from 0 to 1", number)
            elif name in AT_LEAST_0:
                _require_number(name, number)
                require(bool(number >= 0), name, "be at least 0", number)


def check_lengths(group: Mapping[str, Any], examples: Mapping[str, Any]) -> None:
    """Refuse a tuple of more or fewer numbers than that of its argument's default."""
    for name, example in examples.items():
        if isinstance(example, tuple) and name in group:
            value, length = group[name], len(example)
            fits = isinstance(value, tuple | list) and len(value) == length
            require(fits, name, f"be {_NUMERALS.get(length, length)} numbers", value)


def _parts(value: Any) -> list[Any]:
    """The numbers of a hyperparameter; None among several leaves one to the optimizer."""
    if isinstance(value, tuple | list):
        return [part for part in value if part is not None]
    return [value]


def _require_number(name: str, value: Any) -> None:
    single = not isinstance(value, Tensor) or value.numel() == 1
    number = isinstance(value, int | float | Tensor) and single
    require_type(number, name, "be a number, a tensor of one element or a schedule", value)


def check_spelling(group: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a key that looks like a known one, but is not; other keys are the caller's own."""
    names = set(known)
    for key in set(group) - names - SCHEDULERS_KEYS:
        for meant in get_close_matches(key.lower(), names, n=1, cutoff=0.75):
            raise InvalidValue(f"a parameter group has `{key}`: did you mean `{meant}`?")


def has_schedule(value: Any) -> bool:
    """Whether a hyperparameter, or one of a tuple of them, is a schedule."""
    parts = value if isinstance(value, tuple | list) else (value,)
    return any(isinstance(part, Schedule) for part in parts)


def at_step(value: Any, step: int) -> Any:
    """A hyperparameter with every schedule in it replaced by its value at a step."""
    if isinstance(value, Schedule):
        return value(step)
    if isinstance(value, tuple | list):
        return tuple(at_step(part, step) for part in value)
    return value
