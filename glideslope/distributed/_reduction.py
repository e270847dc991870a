"""Sums over the ranks that hold parts of the same parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from glideslope.errors import InvalidValue

from ._shards import is_sharded

if TYPE_CHECKING:
    from torch.distributed.device_mesh import DeviceMesh


class Reduction:
    """Adds up numbers over the ranks of a mesh.

    Args:
        mesh: the ranks, in one dimension or several.
    """

    def __init__(self, mesh: DeviceMesh) -> None:
        self._mesh = mesh
        self._groups = [mesh.get_group(dimension) for dimension in range(mesh.ndim)]

    @property
    def is_first(self) -> bool:
        """True on one rank, which adds what all ranks hold a copy of."""
        return not any(_coordinate(self._mesh))

    def counts(self, tensor: Tensor) -> bool:
        """True if this rank adds the elements of its shard, or of its copy of a plain tensor.

        Of the ranks that hold the same elements only the first does.
        """
        if not is_sharded(tensor):
            return self.is_first
        own, sharding = tensor.device_mesh, tensor.placements
        within = (
            place == 0 or not placement.is_replicate()
            for place, placement in zip(_coordinate(own), sharding, strict=True)
        )
        return all(within) and self._is_first_beside(own)

    def _is_first_beside(self, mesh: DeviceMesh) -> bool:
        """True if this rank comes first along the dimensions that a smaller mesh lacks."""
        if mesh == self._mesh:
            return True
        names, own = self._mesh.mesh_dim_names or (), mesh.mesh_dim_names or ()
        pairs = zip(names, _coordinate(self._mesh), strict=True)
        return all(place == 0 for name, place in pairs if name not in own)

    def sum(self, numbers: Tensor) -> Tensor:
        """The sums over all ranks, in double precision, the same bits on each."""
        return self._reduced(numbers, dist.ReduceOp.SUM)

    def max(self, numbers: Tensor) -> Tensor:
        """The largest of all ranks."""
        return self._reduced(numbers, dist.ReduceOp.MAX)

    def _reduced(self, numbers: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        travelling = numbers.to(self._mesh.device_type, torch.float64, copy=True)
        for group in self._groups:
            dist.all_reduce(travelling, operation, group)
        return travelling.to(numbers.device)


def reduction_of(parameters: Iterable[Tensor]) -> Reduction | None:
    """The reduction over all ranks that hold parts of some parameters; None if all are plain.

    Raises:
        InvalidValue: they are on meshes of which none contains all others.
    """
    meshes = {p.device_mesh: None for p in parameters if is_sharded(p)}
    if not meshes:
        return None
    largest = max(meshes, key=lambda mesh: mesh.size())
    for mesh in meshes:
        if mesh != largest and not _is_part(mesh, largest):
            raise InvalidValue(f"`params` must be on one mesh and parts of it, got {[*meshes]}")
    return Reduction(largest)


def _is_part(mesh: DeviceMesh, largest: DeviceMesh) -> bool:
    """True if a mesh is a slice of a larger one along some of its named dimensions."""
    names = set(mesh.mesh_dim_names or ())
    ranks = set(mesh.mesh.flatten().tolist())
    return (
        bool(names)
        and names < set(largest.mesh_dim_names or ())
        and ranks < set(largest.mesh.flatten().tolist())
    )


def _coordinate(mesh: DeviceMesh) -> Sequence[int]:
    """The place of this rank along each dimension of a mesh."""
    return mesh.get_coordinate() or ()
