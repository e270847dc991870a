"""The part of a sharded tensor that this rank holds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def is_sharded(tensor: Any) -> TypeGuard[DTensor]:
    """True for a `DTensor`."""
    module = sys.modules.get("torch.distributed.tensor")  # loaded by whoever made a DTensor
    return module is not None and isinstance(tensor, module.DTensor)


def shard(tensor: Tensor) -> Tensor:
    """The plain tensor that this rank holds of a tensor: itself, if it is not sharded.

    Called under `torch.no_grad`: elsewhere it is a differentiable view.
    """
    return tensor.to_local() if is_sharded(tensor) else tensor


def aligned(tensor: Tensor, model: Tensor) -> Tensor:
    """A tensor sharded as a model is: itself, or a copy that the ranks exchange parts for.

    All ranks of the model's mesh call it, as any collective of torch, and under `torch.no_grad`.
    """
    if not is_sharded(model) or layout_of(tensor) == layout_of(model):
        return tensor
    if not is_sharded(tensor):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(tensor, model.device_mesh, model.placements)
    return tensor.redistribute(model.device_mesh, model.placements)


def sharded_as(part: Tensor, model: DTensor) -> DTensor:
    """The tensor of which every rank holds a part, of a model's shape and sharded as it is."""
    from torch.distributed.tensor import DTensor

    mesh, placements = model.device_mesh, model.placements
    shape, stride = model.shape, model.stride()
    return DTensor.from_local(part, mesh, placements, run_check=False, shape=shape, stride=stride)


def part_of(whole: Tensor, model: DTensor) -> DTensor:
    """A tensor that every rank has whole, sharded as a model of its shape: each takes its part.

    The ranks exchange nothing. The part is a copy, where the model is.
    """
    (own,) = model.__create_chunk_list__()
    part = whole.detach()
    for dim, (start, length) in enumerate(zip(own.offsets, own.sizes, strict=True)):
        part = part.narrow(dim, start if length else 0, length)
    return sharded_as(part.to(device=model.device, copy=True), model)


def is_flat_shard(tensor: Tensor) -> bool:
    """True for what FSDP1 makes of a parameter: a plain vector, of which other ranks hold more."""
    return bool(getattr(tensor, "_fsdp_flattened", False))


def layout_of(tensor: Tensor) -> Any:
    """The mesh and the placements of a sharded tensor; None for a plain one."""
    return (tensor.device_mesh, tensor.placements) if is_sharded(tensor) else None
