"""State of 8 bits: codes of one byte, and a float32 scale for each group of 64 elements.

The scale is the largest absolute value of the group, so codes stand for numbers of at most 1:

- of either sign, an int8 ``c``: ``x = t / (2 - |t|)`` with ``t = c / 127``, finer near 0;
- never negative, a uint8 ``c``: ``x = t**4`` with ``t = c / 255``, over nine orders of magnitude;
  0 only where the number is, for an optimizer divides by its root.

A number between two codes takes one of them at random, the nearer the likelier, so that the mean is
exact and averages fall as well as rise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

GROUP = 64
"""Elements that share a scale: neighbours in the order of a contiguous tensor."""


class _Format(NamedTuple):
    """Codes of magnitudes from 0 to 1.

    Attributes:
        top: the largest code.
        magnitude: of a code divided by ``top``.
        place: the inverse of ``magnitude``.
        least: the smallest code of a number that is not 0.
    """

    top: int
    magnitude: Callable[[Tensor], Tensor]
    place: Callable[[Tensor], Tensor]
    least: int


_FORMATS = {
    torch.int8: _Format(127, lambda t: t / (2 - t), lambda x: 2 * x / (1 + x), 0),
    torch.uint8: _Format(255, lambda t: t.square().square(), lambda x: x.sqrt().sqrt(), 1),
}
CODES = tuple(_FORMATS)
"""The dtypes of codes: for numbers of either sign, and for those that are never negative."""


def scale_shape(shape: torch.Size) -> tuple[int]:
    """The shape of the scales of a tensor."""
    return (-(-shape.numel() // GROUP),)


def unpacked(codes: Tensor, scales: Tensor) -> Tensor:
    """The numbers in float32."""
    top, magnitude, _, _ = _FORMATS[codes.dtype]
    t = _grouped(codes.float()) / top
    found = magnitude(t.abs()).copysign(t) * scales[:, None]
    return found.reshape(-1)[: codes.numel()].view(codes.shape)


def packed(
    numbers: Tensor, dtype: torch.dtype, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Codes of a dtype of `CODES`, and scales.

    An infinity or a not-a-number makes its whole group not-a-number.
    """
    top, magnitude, place, least = _FORMATS[dtype]
    x = _grouped(numbers.detach().float())
    scales = x.abs().amax(1)
    x = (x / scales.where(scales > 0, 1.0)[:, None]).nan_to_num(0.0)
    size = x.abs()
    low = (place(size) * top).floor().clamp(max=top - 1)
    below, above = magnitude(low / top), magnitude((low + 1) / top)
    random = torch.rand(size.shape, generator=generator, device=size.device)
    code = low + (random * (above - below) < size - below)
    code = torch.where(size > 0, code.clamp(min=least), code).copysign(x)
    return code.reshape(-1)[: numbers.numel()].view(numbers.shape).to(dtype), scales


def _grouped(flat: Tensor) -> Tensor:
    """Elements in rows of a group each; the last is filled up with zeros."""
    flat = flat.reshape(-1)
    return F.pad(flat, (0, -flat.numel() % GROUP)).view(-1, GROUP)
