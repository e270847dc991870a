"""The memory that tensors reach, and which of them share some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from ._layout import has_addresses, is_dense

_ADDRESSED = ("cpu", "cuda", "xpu")


class Use(NamedTuple):
    """A tensor that an owner reads or writes in a step."""

    owner: int
    tensor: Tensor
    is_written: bool


def is_backed(tensor: Tensor) -> bool:
    """True if the memory of a tensor reaches as far as its elements.

    It does not where the storage was shrunk or freed: torch's own operations end the process
    there.
    """
    if not _is_in_reach(tensor):
        return True
    last = tensor.storage_offset() + _reach(tensor)
    return last * tensor.element_size() <= tensor.untyped_storage().nbytes()


def overlaps_itself(tensor: Tensor) -> bool:
    """True if elements of a tensor share memory, as after `Tensor.expand`."""
    if tensor.layout is not torch.strided:
        return False
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    reach = 0
    for size, stride in sorted(pairs, key=lambda pair: pair[1]):
        if size > 1 and stride <= reach:
            return bool(tensor.numel())
        reach += (size - 1) * stride
    return False


def tangled(tensors: Sequence[Tensor]) -> tuple[int, int] | None:
    """The places of two tensors that share memory without being the same elements, if any do.

    torch's operations refuse to write one of them from the other. Two that both have gaps may lie
    in each other's, as the columns of a matrix do: they pass, as with torch.
    """
    reached = [(place, t) for place, t in enumerate(tensors) if _is_in_reach(t)]
    spans = [(place, *_span(tensor)) for place, tensor in reached]
    for (i, start, end), (j, other, stop) in combinations(spans, 2):
        if start < stop and other < end and _are_tangled(tensors[i], tensors[j]):
            return i, j
    return None


def _are_tangled(one: Tensor, other: Tensor) -> bool:
    """True if tensors whose spans overlap share elements, and not all in the same order."""
    return not _are_same(one, other) and (is_dense(one) or is_dense(other))


def _are_same(one: Tensor, other: Tensor) -> bool:
    """True if two tensors are the same elements in the same order."""
    alike = one.dtype == other.dtype and one.data_ptr() == other.data_ptr()
    return alike and one.shape == other.shape and one.stride() == other.stride()


def sharing_owners(uses: Sequence[Use]) -> set[int]:
    """The owners of which a tensor shares memory with one that is written."""
    return {owner for pair in _overlaps(uses) for owner in pair}


def _overlaps(uses: Sequence[Use]) -> Iterator[tuple[int, int]]:
    """Pairs of owners, perhaps the same, whose tensors overlap, one of them being written."""
    spans = sorted(
        (*_span(use.tensor), place) for place, use in enumerate(uses) if _is_in_reach(use.tensor)
    )
    reaching: list[tuple[int, int]] = []  # those met before that reach beyond the present start
    for start, end, place in spans:
        reaching = [(stop, other) for stop, other in reaching if stop > start]
        for _, other in reaching:
            if uses[place].is_written or uses[other].is_written:
                yield uses[place].owner, uses[other].owner
        reaching.append((end, place))


def _is_in_reach(tensor: Tensor) -> bool:
    """True if a tensor has elements, on a device that tells where they are."""
    return tensor.device.type in _ADDRESSED and has_addresses(tensor) and bool(tensor.numel())


def _span(tensor: Tensor) -> tuple[int, int]:
    """The addresses of the first byte and of the one after the last."""
    start = tensor.data_ptr()
    return start, start + _reach(tensor) * tensor.element_size()


def _reach(tensor: Tensor) -> int:
    """The number of elements from the first to the last in memory."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    return 1 + sum((size - 1) * stride for size, stride in pairs)
