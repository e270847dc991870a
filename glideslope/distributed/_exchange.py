"""Whole matrices on the ranks that own them, and their shards on all.

Each matrix is gathered on one rank, its owner, which computes with it as one process does; the
results go back to where the shards are. All matrices travel together: one exchange there, one back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor


T = TypeVar("T")


def owners(costs: Sequence[float], ranks: int) -> list[int]:
    """The rank that owns each matrix: the costliest first, each to the rank that has least to do.

    >>> owners([1.0, 8.0, 3.0, 4.0], ranks=2)
    [1, 0, 1, 1]
    """
    load, chosen = [0.0] * ranks, [0] * len(costs)
    for place in sorted(range(len(costs)), key=lambda i: -costs[i]):
        chosen[place] = load.index(min(load))
        load[chosen[place]] += costs[place]
    return chosen


class Axis(NamedTuple):
    """The one dimension of a mesh along which a tensor is cut."""

    mesh: DeviceMesh
    dimension: int


def axis_of(tensor: DTensor) -> Axis | None:
    """The dimension along which a tensor is cut; None if it is not, or along several."""
    cut = [i for i, placement in enumerate(tensor.placements) if not placement.is_replicate()]
    if len(cut) != 1 or not tensor.placements[cut[0]].is_shard():
        return None
    return Axis(tensor.device_mesh, cut[0])


class Cut(NamedTuple):
    """A tensor as an axis cuts it: into as many parts as ranks, the last ones smaller or empty.

    Attributes:
        shape: of the whole tensor.
        dtype: of its elements.
        dimension: the one that is cut, as `torch.chunk` does it.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    dimension: int

    def bounds(self, rank: int, ranks: int) -> tuple[int, int]:
        """The first place of a rank's part along the cut, and the number of places."""
        size = self.shape[self.dimension]
        share = -(-size // ranks)
        start = min(rank * share, size)
        return start, min(share, size - start)

    def part(self, rank: int, ranks: int) -> Part:
        """The part of a rank."""
        shape = list(self.shape)
        shape[self.dimension] = self.bounds(rank, ranks)[1]
        return Part(tuple(shape), self.dtype)


class Part(NamedTuple):
    """A tensor that has not arrived yet."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """The size of the elements in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def cut_of(tensor: DTensor, axis: Axis) -> Cut:
    """A sharded tensor as its axis cuts it."""
    dimension: int = tensor.placements[axis.dimension].dim  # type: ignore[attr-defined]
    return Cut(tuple(tensor.shape), tensor.dtype, dimension % tensor.ndim)


class Exchange:
    """Moves tensors between their shards along an axis and their owners.

    Every rank of the axis calls its methods with the same cuts and owners.
    """

    def __init__(self, axis: Axis) -> None:
        self._group = axis.mesh.get_group(axis.dimension)
        self._rank = axis.mesh.get_local_rank(axis.dimension)
        self._device = torch.device(axis.mesh.device_type)
        self.ranks = axis.mesh.size(axis.dimension)

    def gathered(
        self, shards: Sequence[Tensor], cuts: Sequence[Cut], owners: Sequence[int]
    ) -> list[Tensor | None]:
        """Each tensor whole where this rank owns it, None where another does."""
        outgoing = [_of(shards, owners, rank) for rank in range(self.ranks)]
        mine = _of(cuts, owners, self._rank)
        incoming = [[cut.part(rank, self.ranks) for cut in mine] for rank in range(self.ranks)]
        arrived = zip(*self._exchanged(outgoing, incoming), strict=True)
        wholes = (torch.cat(parts, cut.dimension) for cut, parts in zip(mine, arrived, strict=True))
        return [next(wholes) if owner == self._rank else None for owner in owners]

    def scattered(
        self, wholes: Sequence[Tensor | None], cuts: Sequence[Cut], owners: Sequence[int]
    ) -> list[Tensor]:
        """The shards on this rank of tensors that are whole where their owners are."""
        mine = [(w, cut) for w, cut in zip(wholes, cuts, strict=True) if w is not None]
        outgoing = [
            [
                w.to(cut.dtype).narrow(cut.dimension, *cut.bounds(rank, self.ranks))
                for w, cut in mine
            ]
            for rank in range(self.ranks)
        ]
        parts = [cut.part(self._rank, self.ranks) for cut in cuts]
        incoming = [_of(parts, owners, rank) for rank in range(self.ranks)]
        arrived = [iter(row) for row in self._exchanged(outgoing, incoming)]
        return [next(arrived[owner]) for owner in owners]

    def _exchanged(
        self, outgoing: Sequence[Sequence[Tensor]], incoming: Sequence[Sequence[Part]]
    ) -> list[list[Tensor]]:
        """The tensors that arrive from each rank, for those that go to each."""
        packed = [_packed(tensors, self._device) for tensors in outgoing]
        sizes = [sum(part.bytes for part in parts) for parts in incoming]
        received = torch.empty(sum(sizes), dtype=torch.uint8, device=self._device)
        dist.all_to_all_single(
            received, torch.cat(packed), sizes, [len(each) for each in packed], self._group
        )
        rows = received.split(sizes)
        return [_unpacked(row, parts) for row, parts in zip(rows, incoming, strict=True)]


def _of(things: Sequence[T], owners: Sequence[int], rank: int) -> list[T]:
    """The things of one owner."""
    return [thing for thing, owner in zip(things, owners, strict=True) if owner == rank]


def _packed(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """The bytes of tensors, one after the other."""
    rows = [tensor.contiguous().flatten().view(torch.uint8) for tensor in tensors]
    return torch.cat(rows) if rows else torch.empty(0, dtype=torch.uint8, device=device)


def _unpacked(row: Tensor, parts: Sequence[Part]) -> list[Tensor]:
    """The tensors of which the bytes were packed; a copy of each begins where its dtype may."""
    rows = row.split([part.bytes for part in parts])
    return [
        each.clone().view(part.dtype).view(part.shape)
        for each, part in zip(rows, parts, strict=True)
    ]
