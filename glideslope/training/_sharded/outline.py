"""States taken apart into an outline and named tensors, and put together again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from glideslope.distributed import is_sharded

from .._nest import Keys, plain

SAMPLE = 4096
"""The number of elements, at even distances, by which ranks compare plain tensors."""


class Outline(NamedTuple):
    """A state without its tensors.

    Attributes:
        nest: the state; in the place of each tensor the index of its key, as a tensor.
        keys: the keys.
    """

    nest: Any
    keys: list[str]


def taken_apart(state: object) -> tuple[Outline, dict[str, Tensor]]:
    """The outline of a state, and its tensors by key. No tensor is copied.

    A key is the place of a tensor and a digest, the same on ranks that hold the same: of a sharded
    tensor, a digest of the ranks that hold it.

    Raises:
        InvalidType, InvalidValue: see `save_checkpoint`.
    """
    whole = plain(state, lambda _, tensor: tensor, sharded=True)
    keys: dict[int, str] = {}
    tensors: dict[str, Tensor] = {}

    digest_of_mesh = cache(lambda mesh: _digest(mesh.mesh))  # many tensors have the same

    def digest(tensor: Tensor) -> str:
        return digest_of_mesh(tensor.device_mesh) if is_sharded(tensor) else _digest(tensor)

    def collect(place: Keys, tensor: Tensor) -> Tensor:
        if id(tensor) not in keys:
            keys[id(tensor)] = key = f"{place!r}#{digest(tensor)}"
            tensors[key] = tensor
        return tensor

    replaced(whole, collect)
    # Elements of one tensor, so that a file has one record for all of them.
    index = dict(zip(keys, torch.arange(len(keys), device="cpu"), strict=True))
    nest = replaced(whole, lambda _, tensor: index[id(tensor)])
    return Outline(nest, list(tensors)), tensors


def put_together(outline: Outline, tensor_of: Callable[[str], Tensor]) -> Any:
    """The state that has been taken apart, with tensors by key."""
    tensors = [tensor_of(key) for key in outline.keys]
    return replaced(outline.nest, lambda _, index: tensors[int(index)])


def replaced(nest: Any, change: Callable[[Keys, Tensor], Any], keys: Keys = ()) -> Any:
    """A copy of a nest that `plain` made, with other tensors."""
    if isinstance(nest, Tensor):
        return change(keys, nest)
    kind = type(nest)
    if isinstance(nest, dict):
        copy: Any = kind({k: replaced(v, change, (*keys, k)) for k, v in nest.items()})
        if isinstance(nest, OrderedDict):
            vars(copy).update(replaced(vars(nest), change, keys))
        return copy
    if kind in (list, tuple):
        return kind(replaced(item, change, (*keys, i)) for i, item in enumerate(nest))
    if kind is set:
        return {replaced(item, change, (*keys, item)) for item in nest}
    return nest


def _digest(tensor: Tensor) -> str:
    """A digest of what a tensor is and of a sample of its elements."""
    kind = f"{tensor.dtype} {tuple(tensor.shape)} {tensor.layout}"
    digest = hashlib.sha256(kind.encode())
    for each in _dense(tensor):
        row = _row(each)
        sample = torch.cat((row[:: 1 + len(row) // SAMPLE], row[-1:]))
        digest.update(sample.cpu().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _dense(tensor: Tensor) -> list[Tensor]:
    """The tensors without gaps that a tensor consists of."""
    if tensor.is_quantized:
        return [tensor.int_repr()]
    if tensor.layout is torch.strided:
        return [tensor]
    if tensor.layout is torch.sparse_coo:
        whole = tensor.coalesce()
        return [whole.indices(), whole.values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]


def _row(tensor: Tensor) -> Tensor:
    """The elements in a row: a view in the order of memory where they are without gaps."""
    reach = zip(tensor.shape, tensor.stride(), strict=True)
    count = 1 + sum((size - 1) * stride for size, stride in reach)
    is_whole = tensor.numel() and count <= tensor.numel()
    return tensor.as_strided((count,), (1,)) if is_whole else tensor.reshape(-1)
