"""Noticing that tensors are no longer what a table of addresses was made for.

torch's compiler has such a check in C++, at the price of one `is_contiguous`. It is not public, so
where it is missing the same questions are asked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor

try:
    from torch._C._dynamo.guards import TensorGuards
except ImportError:
    TensorGuards = None  # type: ignore[assignment, misc]

_HAS_GUARDS = TensorGuards is not None


class Watch:
    """Remembers the class, dtype, device, shape, strides and laziness of dense tensors.

    The same tensor may be there several times; then it has to be so the next time too.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._first = first_places(tensors)
        self._unique = sorted(set(self._first))
        self._has_repeats = len(self._unique) < len(tensors)
        unique = [tensors[i] for i in self._unique]
        fixed = {"dynamic_dims_sizes": None, "dynamic_dims_strides": None}
        self._guards = TensorGuards(*unique, **fixed) if _HAS_GUARDS else None
        self._descriptions = [] if _HAS_GUARDS else list(map(_description, unique))

    def all_unchanged(self, tensors: Sequence[Tensor | None]) -> TypeGuard[Sequence[Tensor]]:
        """True if each is a tensor, and as the one in its place was."""
        if self._has_repeats:
            if any(tensors[i] is not tensors[first] for i, first in enumerate(self._first)):
                return False
            tensors = [tensors[i] for i in self._unique]  # the guards refuse a tensor given twice
        if self._guards:
            return bool(self._guards.check(*tensors))
        return self._descriptions == list(map(_description, tensors))


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
