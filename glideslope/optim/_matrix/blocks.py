"""Blocks of rows of a matrix, each of which a matrix method takes for a matrix of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from glideslope.errors import require

Split = int | Sequence[int]
"""The number of blocks of equal height, or the rows of each."""

RULE = "be a number of equal blocks of rows that makes up each matrix, or the rows of each block"


def blocks_of(matrix: Tensor, split: Split) -> Sequence[Tensor]:
    """The blocks of a matrix, or of each of a stack; those of equal height as one stack."""
    if isinstance(split, int):
        return [matrix if split == 1 else matrix.unflatten(-2, (split, -1))]
    return torch.split(matrix, list(split), -2)


def joined(blocks: Iterable[Tensor], matrix: Tensor) -> Tensor:
    """The blocks as a matrix, or a stack, of this one's number of dimensions."""
    rows = [block if block.ndim == matrix.ndim else block.flatten(-3, -2) for block in blocks]
    return rows[0] if len(rows) == 1 else torch.cat(rows, -2)


def check_split(split: Any, matrices: Iterable[Tensor]) -> None:
    """Refuse blocks that do not make up each of the matrices."""
    is_known = is_count(split) or (isinstance(split, tuple | list) and all(map(is_count, split)))
    require(is_known, "split", RULE, split)
    for matrix in matrices:
        rows = matrix.shape[0]
        fits = rows % split == 0 if isinstance(split, int) else rows == sum(split)
        require(fits, "split", f"{RULE}: one has {rows} rows", split)


def is_count(value: Any) -> bool:
    """True for a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
