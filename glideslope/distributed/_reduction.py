"""Sums over the ranks that hold parts of the same parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from glideslope.errors import InvalidValue, require

from ._agreement import device_of
from ._shards import is_sharded

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.device_mesh import DeviceMesh


class Reduction:
    """Adds up numbers over the ranks that hold the parameters of one model.

    Args:
        mesh: the ranks that hold shards of the same parameters; None if none is sharded.
        group: the ranks that hold other parameters of the model, or other elements of them, as
            plain tensors; None if there are none.

    Raises:
        InvalidValue: a rank is in the mesh and in the group, so that its part would count twice.
    """

    def __init__(self, mesh: DeviceMesh | None, group: ProcessGroup | None = None) -> None:
        self._mesh = mesh
        self._axes = [] if mesh is None else [mesh.get_group(i) for i in range(mesh.ndim)]
        self._group = group
        if mesh is not None and group is not None:
            twice = {*dist.get_process_group_ranks(group)} & {*mesh.mesh.flatten().tolist()}
            others = sorted(twice - {dist.get_rank()})
            rule = "be of ranks that hold other parameters: sums over the mesh of `params` include"
            require(not others, "process_group", f"{rule} some of its ranks already", others)

    @property
    def is_first(self) -> bool:
        """True on one rank of the mesh, which adds what all of them hold a copy of."""
        return self._mesh is None or not any(_coordinate(self._mesh))

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
        if self._mesh is None or mesh == self._mesh:
            return True
        names, own = self._mesh.mesh_dim_names or (), mesh.mesh_dim_names or ()
        pairs = zip(names, _coordinate(self._mesh), strict=True)
        return all(place == 0 for name, place in pairs if name not in own)

    def sum(self, numbers: Tensor) -> Tensor:
        """The sums over the mesh, in double precision, the same bits on each rank."""
        return _reduced(numbers, dist.ReduceOp.SUM, self._axes)

    def total(self, numbers: Tensor) -> Tensor:
        """The sums over all ranks, those of the group too."""
        return _reduced(numbers, dist.ReduceOp.SUM, self._all_groups)

    def max(self, numbers: Tensor) -> Tensor:
        """The largest of all ranks."""
        return _reduced(numbers, dist.ReduceOp.MAX, self._all_groups)

    @property
    def _all_groups(self) -> list[ProcessGroup]:
        return self._axes if self._group is None else [*self._axes, self._group]


def _reduced(
    numbers: Tensor, operation: dist.ReduceOp.RedOpType, groups: Sequence[ProcessGroup]
) -> Tensor:
    reduced = numbers.to(torch.float64, copy=True)
    for group in groups:
        travelling = reduced.to(device_of(group))
        dist.all_reduce(travelling, operation, group)
        reduced = travelling.to(numbers.device)
    return reduced


def reduction_of(
    parameters: Iterable[Tensor], group: ProcessGroup | None = None
) -> Reduction | None:
    """The reduction over all ranks that hold parts of some parameters; None if there are none.

    Args:
        parameters: those that this rank holds, whole or sharded.
        group: the ranks that hold others: see `Reduction`.

    Raises:
        InvalidValue: they are on meshes of which none contains all others.
    """
    meshes = {p.device_mesh: None for p in parameters if is_sharded(p)}
    if not meshes:
        return None if group is None else Reduction(None, group)
    largest = max(meshes, key=lambda mesh: mesh.size())
    for mesh in meshes:
        if mesh != largest and not _is_part(mesh, largest):
            raise InvalidValue(f"`params` must be on one mesh and parts of it, got {[*meshes]}")
    return Reduction(largest, group)


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
