"""Sums of squares of many tensors at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._layout import is_plain, real_view


def squares_of(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of the squares of tensors of one device, in double precision: one operation for all.

    A sharded tensor's is that of all its parts.
    """
    values = [tensor.coalesce().values() if tensor.is_sparse else tensor for tensor in tensors]
    plain = [real_view(each.resolve_conj()) for each in values if is_plain(each)]
    squares = [_norm(each).square() for each in values if not is_plain(each)]
    if plain:
        norms = torch._foreach_norm(plain, dtype=torch.float64)
        squares.append(torch.stack(norms).square().sum())
    return squares[0] if len(squares) == 1 else torch.stack(squares).sum()


def _norm(tensor: Tensor) -> Tensor:
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    norm: Tensor = torch.linalg.vector_norm(tensor, dtype=wide)
    return norm
