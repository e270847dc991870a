"""Memory layout of tensors: dense, alike, addressable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DTYPES = {
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
    torch.float32: "float32",
    torch.float64: "float64",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.complex64: "float32",
    torch.complex128: "float64",
}
"""The dtypes that fused kernels read and write; a complex number is two real ones."""

_PLAIN_TYPES = {Tensor, nn.Parameter}


def is_plain(*tensors: Tensor) -> bool:
    """True if they are torch's plain tensors, and no subclass (distributed, quantised, traced)."""
    return all(type(tensor) in _PLAIN_TYPES for tensor in tensors)


def has_addresses(tensor: Tensor) -> bool:
    """True if the elements of a tensor lie in memory, by its strides."""
    return tensor.layout is torch.strided and is_plain(tensor)


def real_view(tensor: Tensor) -> Tensor:
    """A complex tensor as its real and imaginary parts, any other as it is."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def real_count(tensor: Tensor) -> int:
    """The number of real numbers in a tensor."""
    return tensor.numel() * (2 if tensor.is_complex() else 1)


def is_dense(tensor: Tensor) -> bool:
    """True if the elements fill one range of memory, in any order of dimensions."""
    if not tensor.numel():
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True


def walk_alike(first: Tensor, second: Tensor) -> bool:
    """True if the n-th element in memory is the same element of both."""
    if first.shape != second.shape:
        return False
    if first.is_contiguous() and second.is_contiguous():
        return True
    return first.stride() == second.stride()


def copy_laid_out_as(tensor: Tensor, model: Tensor) -> Tensor:
    """A copy of the tensor that is laid out as the model."""
    return torch.empty_like(model, dtype=tensor.dtype).copy_(tensor)
