"""Numbers in two parts: a bfloat16 that a model uses, and an integer remainder in the state.

A float32 is cut by its bits: the bfloat16 is the nearest one, of two that are equally near the one
further from 0, and the remainder is the difference of their bits, so a pair stands for one float32
and each float32 for one pair. With 8 bits of remainder the number is rounded to 24 bits first.
"""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

REMAINDERS = MappingProxyType({"split": torch.int16, "split24": torch.int8})
"""The dtype of the remainder of each rounding."""

_NAN = 0x7FC0


def joined(upper: Tensor, remainder: Tensor) -> Tensor:
    """The float32 of a bfloat16 and its remainder."""
    dropped = _dropped(remainder.dtype)
    bits = upper.contiguous().view(torch.int16).to(torch.int32) << 16
    return (bits + (remainder.to(torch.int32) << dropped)).view(torch.float32)


def parted(number: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The nearest bfloat16 and the remainder, which has a dtype of `REMAINDERS`."""
    number = number.to(torch.float32).contiguous()
    dropped = _dropped(dtype)
    bits = number.view(torch.int32) >> dropped
    if dropped:
        bits = _rounded_off(number.view(torch.int32), dropped)
    upper = (bits + (1 << (15 - dropped))) >> (16 - dropped)
    is_number = ~number.isnan()
    upper = torch.where(is_number, upper, _NAN).to(torch.int16).view(torch.bfloat16)
    return upper, torch.where(is_number, bits, 0).to(dtype)


def _dropped(dtype: torch.dtype) -> int:
    """The bits of a float32 that are in neither part."""
    return 0 if dtype == torch.int16 else 8


def _rounded_off(bits: Tensor, dropped: int) -> Tensor:
    """Bits without the last ones, rounded to the nearest, ties to even."""
    last = (bits >> dropped) & 1
    return (bits + (last + (1 << (dropped - 1)) - 1)) >> dropped
