"""Hyperparameters of a parameter group: their bounds, their names, and schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any

from torch import Tensor

from glideslope.errors import InvalidType, InvalidValue, require, require_type
from glideslope.groups import NOTE
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
FRACTIONS = frozenset({"beta1", "beta2", "beta3", "betas", "vector_betas"})

_NUMERALS = {2: "two", 3: "three"}

SCHEDULERS_KEYS = {
    "base_momentum",
    "max_lr",
    "max_momentum",
    "min_lr",
    "schedules",
    "swa_lr",
    "updates",
}
"""The keys that schedulers write into a group, besides the notes of its bases: not misspelt."""


def check_values(group: Mapping[str, Any], fractions: Iterable[str] = FRACTIONS) -> None:
    """Refuse a number outside its bounds, at once and by name; a fraction is less than 1."""
    for name, value in group.items():
        for part in _parts(value):
            number = at_start(part)
            if name in fractions:
                require_fraction(name, number)
            elif name == "rho":
                require_number(name, number)
                require(bool(0 <= number <= 1), name, "be from 0 to 1", number)
            elif name == "decay_peak_lr" and number is not None:
                require_number(name, number)
                require(bool(number > 0), name, "be more than 0", number)
            elif name in AT_LEAST_0:
                require_number(name, number)
                require(bool(number >= 0), name, "be at least 0", number)


def check_lengths(
    group: Mapping[str, Any], examples: Mapping[str, Any], excepted: frozenset[str]
) -> None:
    """Refuse a tuple of more or fewer numbers than that of its argument's default."""
    for name, example in examples.items():
        if isinstance(example, tuple) and name in group and name not in excepted:
            value, length = group[name], len(example)
            fits = isinstance(value, tuple | list) and len(value) == length
            require(fits, name, f"be {_NUMERALS.get(length, length)} numbers", value)


def _parts(value: Any) -> list[Any]:
    """The numbers of a hyperparameter; None among several leaves one to the optimizer."""
    if isinstance(value, tuple | list):
        return [part for part in value if part is not None]
    return [value]


def require_number(name: str, value: Any) -> None:
    """Refuse what is not one real number: of Python, of NumPy, or in a tensor of one element."""
    number = isinstance(value, Real | Tensor)
    if callable(value) and not number:
        rule = "be a number or a schedule; glideslope.function(f) makes one of a function"
        raise InvalidType(f"`{name}` must {rule}, got {value!r}")
    require_type(number, name, "be a number, a tensor of one element or a schedule", value)
    single = not isinstance(value, Tensor) or (value.numel() == 1 and not value.is_complex())
    require(single, name, "be a number, a tensor of one element or a schedule", value)


def require_fraction(name: str, value: Any) -> None:
    """Refuse what is not one real number that is at least 0 and less than 1."""
    require_number(name, value)
    require(bool(0 <= value < 1), name, "be at least 0 and less than 1", value)


def check_keys(group: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a key that looks like a known one, but is not; other keys are the caller's own."""
    names = set(known)
    for key in set(group) - names - SCHEDULERS_KEYS:
        if key.startswith(NOTE):
            continue
        for meant in get_close_matches(key.lower(), names, n=1, cutoff=0.75):
            raise InvalidValue(f"a parameter group has `{key}`: did you mean `{meant}`?")


def at_start(value: Any) -> Any:
    """A hyperparameter, or the first value of its schedule."""
    return value(0) if isinstance(value, Schedule) else value


def starts(value: Any) -> Any:
    """The same of each of several."""
    if isinstance(value, tuple | list):
        return tuple(map(at_start, value))
    return at_start(value)
