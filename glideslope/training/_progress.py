"""Attributes that objects change during a run: a count of epochs, an order shuffled in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ._random import is_same_state

SCALARS = {type(None), bool, int, float, str}
LARGEST = 1 << 24
"""The number of values up to which a list or array counts as progress; above, it is data."""


class Progress:
    """The attributes of some objects that have changed since this was built.

    Only attributes with a number, text, a list of those, or an array count.

    Args:
        owners: the objects, by name.
    """

    def __init__(self, owners: Mapping[str, object]) -> None:
        self._owners = {name: owner for name, owner in owners.items() if hasattr(owner, "__dict__")}
        self._first = {name: dict(_attributes(owner)) for name, owner in self._owners.items()}

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """The attributes that have changed, by the name of their object."""
        found = {name: self._changed(name, owner) for name, owner in self._owners.items()}
        return {name: changed for name, changed in found.items() if changed}

    def load_state_dict(self, state: dict[str, dict[str, Any]]) -> None:
        """Set the attributes in ``state``; reset the others to their first values."""
        for name, owner in self._owners.items():
            for key, value in {**self._undone(name, owner), **state.get(name, {})}.items():
                _set(owner, key, value)

    def _changed(self, name: str, owner: object) -> dict[str, Any]:
        first = self._first[name]
        return {
            key: value
            for key, value in _attributes(owner)
            if key not in first or not _is_equal(first[key], value)
        }

    def _undone(self, name: str, owner: object) -> dict[str, Any]:
        first = self._first[name]
        return {key: first[key] for key in self._changed(name, owner) if key in first}


def _attributes(owner: object) -> Iterator[tuple[str, Any]]:
    """Copies of the attributes that hold plain values; of arrays as tensors."""
    for name, value in vars(owner).items():
        if type(value) in SCALARS:
            yield name, value
        elif type(value) in (list, tuple):
            if len(value) <= LARGEST and set(map(type, value)) <= SCALARS:
                yield name, type(value)(value)
        elif isinstance(value, torch.Tensor):
            if type(value) is torch.Tensor and value.numel() <= LARGEST:
                yield name, value.detach().clone()
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.size <= LARGEST:
            yield name, torch.from_numpy(value.copy())


def _is_equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and is_same_state(a, b)


def _set(owner: Any, name: str, value: Any) -> None:
    """Set an attribute; lists and arrays are filled in place, because other code may hold them."""
    held = vars(owner).get(name)
    if isinstance(held, list) and isinstance(value, list):
        held[:] = value
    elif isinstance(held, np.ndarray):
        vars(owner)[name] = _filled(held, value.numpy().astype(held.dtype))
    else:
        vars(owner)[name] = value


def _filled(held: Any, value: Any) -> Any:
    if held.shape != value.shape or not held.flags.writeable:
        return value
    held[...] = value
    return held
