"""State dictionaries in torch's format: checks, warnings, and copies."""

from __future__ import annotations

import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from glideslope.errors import StateMismatch
from glideslope.schedules import Schedule

from ._checks import same

FACTORS = "_factors"
"""The key of a controller's factors in its state; torch's states have the rates alone."""

# Keys that every state of torch has or has had, and none needs; and those that torch's never have.
BOOKKEEPING = frozenset(
    {"_get_lr_called_within_step", "_is_initial", "_last_lr", "_step_count", "verbose", FACTORS}
)


def copied(value: Any) -> Any:
    """A copy of plain containers and tensors that shares nothing with them."""
    if isinstance(value, Counter):
        return Counter(value)
    if isinstance(value, dict):
        return {key: copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set) and type(value) in (list, tuple, set):
        return type(value)(map(copied, value))
    return value.clone() if isinstance(value, Tensor) else value


def check_keys(name: str, known: Iterable[str], state: Mapping[str, Any], strict: bool) -> None:
    """Refuse the state of another class.

    Raises:
        StateMismatch: keys are missing or, if ``strict``, there are others.
    """
    missing = sorted(set(known) - set(state) - BOOKKEEPING)
    others = sorted(set(state) - set(known) - BOOKKEEPING) if strict else []
    problems = [
        f"{what} {', '.join(keys)}" for what, keys in [("lacks", missing), ("has", others)] if keys
    ]
    if problems:
        raise StateMismatch(f"not a state of {name}: it {' and '.join(problems)}")


def warn_of_changes(name: str, mine: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Warn of settings of the code that those of the checkpoint replace."""
    changes = [
        f"{key}={saved[key]!r} (was {value!r})"
        for key, value in mine.items()
        if key in saved and not _agree(value, saved[key])
    ]
    if changes:
        text = f"{name} takes the settings of the loaded state: {', '.join(changes)}"
        warnings.warn(text, UserWarning, stacklevel=4)


def _agree(mine: Any, saved: Any) -> bool:
    """True for equal settings; a list may have more groups in it than were saved."""
    if isinstance(mine, list) and isinstance(saved, list):
        known = mine[: len(saved)]
        return known == saved or same_numbers(known, saved)
    if isinstance(mine, Counter) and isinstance(saved, Mapping):
        return mine == Counter(saved)
    return bool(mine == saved)


def same_numbers(mine: list[Any], saved: list[Any]) -> bool:
    """True for lists of numbers that agree, but for rounding to a float32 tensor."""
    are_numbers = all(isinstance(each, float) for each in (*mine, *saved))
    return are_numbers and same(mine, saved)


def saved_callable(function: Callable[..., Any] | None) -> dict[str, Any] | None:
    """The attributes of a callable object; None for functions and schedules, which never change."""
    if isinstance(function, types.FunctionType | Schedule) or not hasattr(function, "__dict__"):
        return None
    return dict(vars(function))


def restore_callable(function: Any, saved: Mapping[str, Any] | None) -> None:
    """Restore the saved attributes of a callable object."""
    if saved and hasattr(function, "__dict__"):
        vars(function).update(saved)


def check_count(name: str, state: Mapping[str, Any], count: int) -> None:
    """Refuse a state of more groups than there are."""
    saved = len(state.get("base_lrs") or state.get("_last_lr") or [])
    if saved > count:
        raise StateMismatch(
            f"the state of {name} is of {saved} parameter groups, the optimizer has {count}"
        )
