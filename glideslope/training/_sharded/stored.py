"""A tensor whose parts are in several files, read when it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from glideslope.distributed import is_sharded, part_of

DESCRIPTIONS = {
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.stride, Tensor.element_size),
    *(Tensor.is_floating_point, Tensor.is_complex, torch.is_floating_point, torch.is_complex),
    *(getattr(Tensor, name).__get__ for name in ("shape", "dtype", "device", "layout", "ndim")),
    *(getattr(Tensor, name).__get__ for name in ("requires_grad", "is_meta", "is_nested")),
}
"""The functions that need no element."""


class Part(NamedTuple):
    """A box of a tensor.

    Attributes:
        offsets: its first place along each dimension of the tensor.
        data: its elements.
    """

    offsets: tuple[int, ...]
    data: Tensor


class StoredTensor(Tensor):
    """A box of a tensor, read from its parts when an operation needs elements.

    It is a plain tensor to all who use it; `narrow` reads nothing, so that a rank which narrows it
    to its shard reads no other part. Copied into a sharded tensor, it is narrowed to the shard.

    Args:
        parts: all parts of the whole tensor; they are not read.
        corner: the first place of the box along each dimension.
        shape: the size of the box.
    """

    parts: Sequence[Part]
    corner: tuple[int, ...]

    @staticmethod
    def __new__(
        cls, parts: Sequence[Part], corner: Sequence[int], shape: Sequence[int]
    ) -> StoredTensor:
        dtype = parts[0].data.dtype
        made: StoredTensor = Tensor._make_wrapper_subclass(cls, tuple(shape), dtype=dtype)
        made.parts, made.corner = parts, tuple(corner)
        return made

    def whole(self) -> Tensor:
        """The box as a plain tensor: a part, where that is all of it, else a copy."""
        found = [shared for part in self.parts if (shared := self._shared(part)) is not None]
        if len(found) == 1 and found[0].data.shape == self.shape:
            return found[0].data
        whole = torch.empty(self.shape, dtype=self.dtype, device="cpu")
        for offsets, data in found:
            target = whole
            for dim, (start, length) in enumerate(zip(offsets, data.shape, strict=True)):
                target = target.narrow(dim, start, length)
            target.copy_(data)
        return whole

    def _shared(self, part: Part) -> Part | None:
        """The elements that a part shares with the box, placed in the box; None if none."""
        offsets, data = [], part.data
        for dim, (corner, length) in enumerate(zip(self.corner, self.shape, strict=True)):
            first = max(corner, part.offsets[dim])
            last = min(corner + length, part.offsets[dim] + part.data.shape[dim])
            if first >= last:
                return None
            data = data.narrow(dim, first - part.offsets[dim], last - first)
            offsets.append(first - corner)
        return Part(tuple(offsets), data)

    def _narrowed(self, dim: int, start: int, length: int) -> StoredTensor:
        corner, shape = list(self.corner), list(self.shape)
        corner[dim] += int(start)
        shape[dim] = int(length)
        return StoredTensor(self.parts, corner, shape)

    @classmethod
    def __torch_function__(
        cls,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in DESCRIPTIONS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        if func is Tensor.detach:
            return args[0]
        if func is Tensor.narrow:
            return args[0]._narrowed(*args[1:], **(kwargs or {}))
        if func is Tensor.copy_ and is_sharded(args[0]):
            return args[0].copy_(part_of(args[1], args[0]))
        return _on_wholes(func, args, kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _on_wholes(func, args, kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.whole().clone()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.whole().__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return repr(self.whole())


def _on_wholes(func: Any, args: Any, kwargs: Mapping[str, Any] | None) -> Any:
    args, kwargs = tree_map_only(
        StoredTensor, StoredTensor.whole, (tuple(args), dict(kwargs or {}))
    )
    return func(*args, **kwargs)
