"""Checks of the hyperparameters of saved groups: kinds and bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from glideslope.errors import InvalidType, InvalidValue, StateMismatch, require, require_type

from .._base.hyperparameters import check_values, require_number, starts
from .matching import Group


def check_saved_groups(
    optimizer: Any, groups: Sequence[Group], is_driven: Callable[[str, Group, Group], bool]
) -> None:
    """Refuse values of the wrong kind, or outside their bounds.

    A key that a schedule drives may have any number: that of a cosine can round below 0.

    Args:
        optimizer: the optimizer, with its own groups.
        groups: the groups as they would be after loading.
        is_driven: True if a schedule drives a key, of this group or of that one.

    Raises:
        StateMismatch: there is one; the message has its name, the rule and the value.
    """
    for number, (own, group) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        keys = [key for key in optimizer.defaults if key in group and key in own]
        free = [key for key in keys if key != "lr" and not is_driven(key, own, group)]
        try:
            for key in (key for key in keys if key not in optimizer._of_several_forms):
                if group[key] is not None or not _may_be_left(optimizer, key):
                    _check_kind(key, group[key], starts(own[key]))
            check_values({key: group[key] for key in free}, optimizer._fractions)
            optimizer._check_group(group)
        except (InvalidType, InvalidValue) as error:
            raise StateMismatch(f"the saved group {number} does not fit: {error}") from error


def _may_be_left(optimizer: Any, key: str) -> bool:
    """True if an argument may be None, as it is by default."""
    argument = signature(type(optimizer)).parameters.get(key)
    return argument is not None and argument.default is None


def _check_kind(name: str, value: Any, own: Any) -> None:
    """Refuse a value that is no number where the optimizer's own is one, and so on."""
    if own is None:
        if not isinstance(value, str | None):
            require_number(name, starts(value))
    elif isinstance(own, bool):
        is_flag = isinstance(value, bool | int | np.bool_ | None)
        require_type(is_flag, name, "be True or False", value)
    elif isinstance(own, Real | Tensor):
        require_number(name, starts(value))
    elif isinstance(own, tuple | list):
        is_same = isinstance(value, tuple | list) and len(value) == len(own)
        require(is_same, name, f"be {len(own)} numbers", value)
        _check_numbers(name, starts(value))
    elif isinstance(own, str):
        require_type(isinstance(value, str | None), name, "be text", value)


def _check_numbers(name: str, values: Iterable[Any]) -> None:
    for index, value in enumerate(values):
        if value is not None:  # it leaves one to the optimizer
            require_number(f"{name}[{index}]", value)
