"""Nests of plain values for checkpoints, checked and copied."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from glideslope.distributed import is_sharded, shard, sharded_as
from glideslope.errors import require, require_type

from ._sharded.stored import StoredTensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

Keys = tuple[object, ...]
"""The path to a value: keys and indices."""

ALLOWED = "be a tensor, a number, text, bytes, None, or a dict, list, tuple or set of those"
UNSHARDED = "be a plain tensor (a Checkpointer on all ranks saves sharded ones)"
LEAVES = {
    *(type(None), bool, complex, float, str),
    *(torch.Size, torch.device, torch.dtype, torch.layout),
}
# The unpickler that runs no code reads no longer integers; deeper nests have no use.
MAX_BITS = 2039
MAX_DEPTH = 200


class _NoBytes(bytes):
    """``b""``, pickled in a form that the unpickler that runs no code reads."""

    def __reduce__(self) -> tuple[Callable[..., bytes], tuple[str, str]]:
        from _codecs import encode

        return encode, ("", "latin1")


class Sharing:
    """Takes tensors without a copy, for a save that ends before training continues."""

    def __init__(self) -> None:
        self._storages: set[int] = set()

    def take(self, keys: Keys, tensor: Tensor) -> Tensor:
        """The tensor itself; a copy if it shows a part of its storage, or shows it again."""
        if tensor.device.type != "cpu":
            return tensor.cpu()
        if tensor.layout is not torch.strided:
            return tensor.clone()  # its indices and values may be views of larger storages
        storage = tensor.untyped_storage()
        if storage.nbytes() != tensor.nbytes or storage.data_ptr() in self._storages:
            return tensor.clone()
        self._storages.add(storage.data_ptr())
        return tensor


class Buffers:
    """Copies tensors into buffers that the next copy reuses.

    New memory costs several times as much as copying, because its pages are cleared first.
    """

    def __init__(self) -> None:
        self._spare: dict[Keys, Tensor] = {}
        self._filled: dict[Keys, Tensor] = {}

    def snapshot(self, state: object, *, sharded: bool = False) -> Any:
        """A copy of ``state``; the previous copy is overwritten.

        Args:
            state: the nest.
            sharded: see `plain`.
        """
        self._spare, self._filled = self._filled, {}
        copy = plain(state, self.take, sharded=sharded)
        self._spare = {}
        return copy

    def take(self, keys: Keys, tensor: Tensor) -> Tensor:
        """A copy of ``tensor``, in the buffer of the last copy from the same place."""
        if isinstance(tensor, StoredTensor):
            return tensor.whole().clone()
        if tensor.layout is not torch.strided or tensor.is_quantized:
            return tensor.cpu().clone()
        buffer = self._spare.get(keys)
        if buffer is None or (buffer.shape, buffer.dtype) != (tensor.shape, tensor.dtype):
            buffer = torch.empty_like(tensor, device="cpu")
        self._filled[keys] = buffer
        _copy(tensor, buffer)
        return buffer


def _copy(source: Tensor, target: Tensor) -> None:
    """Copy the numbers; contiguous ones as bytes, which is several times faster."""
    if source.device.type == "cpu" and source.is_contiguous() and target.is_contiguous():
        np.copyto(_as_bytes(target), _as_bytes(source))
    else:
        target.copy_(source)


def _as_bytes(tensor: Tensor) -> Any:
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy()


def plain(state: object, take: Callable[[Keys, Tensor], Tensor], *, sharded: bool = False) -> Any:
    """Copy the containers of ``state``; ``take`` gives each tensor of the copy.

    A value that could be saved but not loaded without running code is refused, by its place:
    `state["scheduler"]["schedule"]`. NumPy's scalars become Python numbers; subclasses of `dict`
    and `list` become the equal `dict` or `list`. Tensors that are the same view stay one tensor.

    Args:
        state: the nest.
        take: gets the place of a tensor and the tensor.
        sharded: allow sharded tensors, of which ``take`` gives each shard, and tensors that are
            read when they are used.
    """
    return _Walk(take, sharded).value(state, ())


def place(keys: Keys) -> str:
    """The path to a value, as Python writes it: ``state["model"][0]``."""
    return "state" + "".join(f'["{k}"]' if isinstance(k, str) else f"[{k!r}]" for k in keys)


class _Walk:
    def __init__(self, take: Callable[[Keys, Tensor], Tensor], sharded: bool) -> None:
        self._take, self._sharded = take, sharded
        self._taken: dict[object, tuple[Tensor, Tensor]] = {}
        self._inside: set[int] = set()

    def value(self, value: object, keys: Keys) -> Any:
        if _is_leaf(value):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Tensor):
            return self._tensor(value, keys)
        if isinstance(value, dict | list) or type(value) in (tuple, set):
            return self._container(value, keys)
        return _rare_leaf(value, place(keys))

    def _container(self, value: Any, keys: Keys) -> Any:
        require(id(value) not in self._inside, place(keys), "not contain itself", type(value))
        require(len(keys) < MAX_DEPTH, "state", f"be at most {MAX_DEPTH} deep", "a deeper nest")
        self._inside.add(id(value))
        if isinstance(value, dict):
            copy: Any = self._dict(value, keys)
        elif isinstance(value, set):
            copy = {self.value(item, (*keys, item)) for item in value}
        else:
            kind = tuple if isinstance(value, tuple) else list
            copy = kind(self.value(item, (*keys, i)) for i, item in enumerate(value))
        self._inside.remove(id(value))
        return copy

    def _dict(self, value: dict[Any, Any], keys: Keys) -> dict[Any, Any]:
        items = {self._key(k, keys): self.value(v, (*keys, k)) for k, v in value.items()}
        if isinstance(value, Counter):
            return Counter(items)
        if not isinstance(value, OrderedDict):
            return items
        ordered = OrderedDict(items)
        vars(ordered).update(self._dict(vars(value), keys))  # a module's state has `_metadata`
        return ordered

    def _key(self, key: object, keys: Keys) -> Any:
        if _is_leaf(key):
            return key
        if isinstance(key, tuple):
            return tuple(self._key(part, keys) for part in key)
        key = key.item() if isinstance(key, np.generic) else key
        return _rare_leaf(key, f"a key of {place(keys)}")

    def _tensor(self, tensor: Tensor, keys: Keys) -> Tensor:
        if isinstance(tensor, StoredTensor):
            return self._take(keys, tensor if self._sharded else tensor.whole())
        if is_sharded(tensor):
            require_type(self._sharded or is_alone(tensor), place(keys), UNSHARDED, tensor)
            if self._sharded:
                return self._shard(tensor, keys)
            return self._tensor(shard(tensor.detach()), keys)
        source = tensor.detach()
        refused = type(source) is not Tensor or source.is_meta or source.is_nested
        require_type(not refused, place(keys), "be a plain tensor that holds data", type(tensor))
        source = _without_repeats(source).resolve_conj().resolve_neg()
        identity = _identity(source)
        if identity not in self._taken:
            taken = _taken_in_a_row(source, partial(self._take, keys))
            self._taken[identity] = source, taken
        taken = self._taken[identity][1]
        return taken if taken.shape == tensor.shape else taken.expand(tensor.shape)

    def _shard(self, tensor: DTensor, keys: Keys) -> Tensor:
        """The sharded tensor of which ``take`` gives the shard.

        Where one rank sees the same memory under two names, another one may hold nothing of it and
        see none, so the ranks would not agree on which tensors are one: each name has its own.
        """
        detached = tensor.detach()
        own = shard(detached)
        taken = self._take(keys, own)
        return detached if taken is own else sharded_as(taken, tensor)


def is_alone(tensor: DTensor) -> bool:
    """True for a sharded tensor of which one rank holds all."""
    return tensor.device_mesh.size() == 1


def _without_repeats(tensor: Tensor) -> Tensor:
    """The numbers of an expanded tensor, each once; ``expand`` restores its shape."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return tensor
    for dim, (size, stride) in enumerate(zip(tensor.shape, tensor.stride(), strict=True)):
        if stride == 0 and size > 1:
            tensor = tensor.narrow(dim, 0, 1)
    return tensor


def _taken_in_a_row(tensor: Tensor, take: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply ``take`` to a tensor; where it shows numbers twice, to the row of numbers behind it."""
    if tensor.layout is not torch.strided or tensor.is_quantized or not tensor.numel():
        return take(tensor)
    reach = zip(tensor.shape, tensor.stride(), strict=True)
    count = 1 + sum((size - 1) * stride for size, stride in reach)
    if count >= tensor.numel():
        return take(tensor)
    row = take(tensor.as_strided((count,), (1,)))
    return row.as_strided(tensor.shape, tensor.stride())


def _is_leaf(value: Any) -> bool:
    kind = type(value)
    return kind in LEAVES or (kind is int and value.bit_length() <= MAX_BITS)


def _rare_leaf(value: object, name: str) -> object:
    """A leaf that its type alone does not decide; other values are refused by ``name``."""
    if type(value) is bytes:
        return value or _NoBytes()
    if type(value) is bytearray:
        return bytearray(value)
    if type(value) is int:
        bits = value.bit_length()
        require(bits <= MAX_BITS, name, f"be of at most {MAX_BITS} bits", f"{bits} bits")
    rule = "be a tensor (torch.from_numpy makes one)" if isinstance(value, np.ndarray) else ALLOWED
    require_type(_is_leaf(value), name, rule, value)
    return value


def _identity(tensor: Tensor) -> object:
    """A key that is equal for tensors that are the same view of the same memory."""
    if tensor.layout is not torch.strided:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
