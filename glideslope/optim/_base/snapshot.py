"""Copies of a state."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from torch import Tensor


def snapshot(value: Any) -> Any:
    """A copy of a value and of all tensors in it, as plain containers; no gradient flows on.

    An object of the user's own that cannot be copied, such as a lock, is shared.
    """
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: snapshot(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(snapshot, value))
    try:
        return deepcopy(value)
    except TypeError:
        return value


def separate(entry: Any) -> Any:
    """A plain dict with the same state, whose counts share no memory with other parameters'."""
    if not isinstance(entry, dict):
        return entry
    return {name: _apart(value) for name, value in entry.items()}


def _apart(value: Any) -> Any:
    if isinstance(value, Tensor) and value.ndim == 0:
        return value.detach().clone().requires_grad_(value.requires_grad)
    return value
