"""Nests of plain values to save: drawn at random, and compared exactly."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.bool),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.complex64, torch.complex128),
]


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Tensors of any dtype with any bits, some of them views."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = int(torch.Size(shape).numel())
    size = count * dtype.itemsize
    content = draw(st.binary(min_size=size, max_size=size))
    if dtype == torch.bool:  # other bits are no booleans
        content = bytes(byte & 1 for byte in content)
    flat = (
        torch.frombuffer(bytearray(content), dtype=dtype)
        if content
        else torch.empty(0, dtype=dtype)
    )
    tensor = flat.reshape(shape)
    views = [tensor, tensor.expand(2, *shape)]
    if shape:
        window = tensor.unfold(0, max(1, shape[0] - 1), 1) if shape[0] else tensor
        views += [tensor.transpose(0, -1), tensor.expand(2, *shape).transpose(0, -1), window]
    return draw(st.sampled_from(views))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**2039) + 1, 2**2039 - 1),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),
    st.binary(max_size=20),
    st.binary(max_size=20).map(bytearray),
    st.sampled_from([torch.float16, torch.device("cuda:1"), torch.Size([2, 3]), torch.strided]),
    tensors(),
)
KEYS = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.booleans(),
    st.none(),
    st.binary(max_size=3),
    st.tuples(st.text(max_size=2), st.integers()),
)
NESTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=4).map(OrderedDict),
        st.sets(KEYS, max_size=4),
        st.dictionaries(KEYS, st.integers(), max_size=4).map(Counter),
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """True if two nests have the same types and the same bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        return (a.dtype, a.shape, a.layout) == (b.dtype, b.shape, b.layout) and bits(a) == bits(b)
    if isinstance(a, dict):
        items = same(list(a), list(b)) and same(list(a.values()), list(b.values()))
        return items and getattr(a, "__dict__", None) == getattr(b, "__dict__", None)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) or (a != a and repr(a) == repr(b))  # NaN


def bits(tensor: Tensor) -> bytes:
    dense = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    return dense.contiguous().resolve_conj().flatten().view(torch.uint8).numpy().tobytes()
