"""Detect tensors that differ from those a table of addresses was made for.

torch's compiler has such a check in C++, at the price of one `is_contiguous`. It is not public, so
where it is missing the same questions are asked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from operator import is_
from sys import getrefcount
from typing import Any, TypeGuard

import torch
from torch import Tensor

from ._layout import has_addresses

try:
    from torch._C._dynamo.guards import TensorGuards
except ImportError:
    TensorGuards = None  # type: ignore[assignment, misc]

_HAS_GUARDS = TensorGuards is not None


class Watch:
    """Remembers the class, dtype, device, shape, strides and laziness of dense tensors.

    The same tensor may be there several times; then it has to be so the next time too.

    Args:
        tensors: those to compare later ones with.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._first = first_places(tensors)
        self._unique = sorted(set(self._first))
        self._has_repeats = len(self._unique) < len(tensors)
        unique = [tensors[i] for i in self._unique]
        fixed = {"dynamic_dims_sizes": None, "dynamic_dims_strides": None}
        is_guarded = _HAS_GUARDS and all(map(has_addresses, unique))
        self._guards = TensorGuards(*unique, **fixed) if is_guarded else None
        self._descriptions = [] if is_guarded else list(map(_description, unique))

    def all_unchanged(self, tensors: Sequence[Tensor | None]) -> TypeGuard[Sequence[Tensor]]:
        """True if each is a tensor, and as the one in its place was."""
        if self._has_repeats:
            if any(tensors[i] is not tensors[first] for i, first in enumerate(self._first)):
                return False
            tensors = [tensors[i] for i in self._unique]  # the guards refuse a tensor given twice
        if self._guards:
            return bool(self._guards.check(*tensors))
        return self._descriptions == list(map(_description, tensors))


class StateWatch:
    """Notices that the state of some parameters is no longer the tensors it was, or lies elsewhere.

    Args:
        entries: each a parameter's state and the name of a tensor in it.

    Attributes:
        tensors: the state, as it was.
        addresses: of its elements; 0 for a tensor that has none.
    """

    def __init__(self, entries: Sequence[tuple[dict[str, Tensor], str]]) -> None:
        self._entries = entries
        self.tensors = [dict.__getitem__(*entry) for entry in entries]
        self._watch = Watch(self.tensors)
        self.addresses = addresses_of(self.tensors)

    def has_moved(self) -> bool:
        """True if an entry is another tensor, or one of another kind or at another address."""
        return not (
            all(map(is_, starmap(dict.get, self._entries), self.tensors))
            and self._watch.all_unchanged(self.tensors)
            and addresses_of(self.tensors) == self.addresses
        )

    def is_shared(self) -> bool:
        """True if others hold a tensor, and could resize or free it."""
        return any(getrefcount(tensor) != _OURS for tensor in self.tensors)


def _own_references() -> int:
    """The references to a state tensor that only its entry and a watch hold."""
    entry = {"state": object()}
    held = [entry["state"]]
    return next(getrefcount(state) for state in held)


_OURS = _own_references()


def addresses_of(tensors: Sequence[Tensor]) -> list[int]:
    """Address of the first element of each; 0 if there is none, or no address."""
    try:
        return list(map(Tensor.data_ptr, tensors))
    except RuntimeError:  # sparse tensors have none, nor have those of other libraries
        return [tensor.data_ptr() if has_addresses(tensor) else 0 for tensor in tensors]


def first_places(tensors: Sequence[Tensor]) -> list[int]:
    """For each tensor the place where the very same one is first."""
    places: dict[int, int] = {}
    return [places.setdefault(id(tensor), i) for i, tensor in enumerate(tensors)]


def _description(tensor: Tensor | None) -> tuple[Any, ...]:
    if tensor is None:
        return ()
    kind = (type(tensor), tensor.dtype, tensor.device, tensor.layout)
    strides = tensor.stride() if tensor.layout is torch.strided else ()
    return (*kind, tensor.shape, strides, tensor.is_conj(), tensor.is_neg())
