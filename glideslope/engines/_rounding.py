"""Stochastic rounding of float32 tensors to 16 bits: to one of the two numbers around, at random.

The nearer the likelier, so that the mean is exact: an update too small to reach the next number
still moves the parameter, on average, by what it should.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_NORMAL = {torch.bfloat16: 0.0, torch.float16: 2.0**-14}
_SUBNORMAL_ULP = 2.0**-24
_DROPPED_BITS = {torch.bfloat16: 16, torch.float16: 13}


def stochastic(x: Tensor, dtype: torch.dtype) -> Tensor:
    """``x`` in ``dtype``, each element rounded up or down with the chances its distances give.

    A bfloat16 has the exponents of a float32, so adding random bits below its last one and cutting
    them off is all. A float16 has fewer: its smallest numbers are equally spaced.
    """
    last = 1 << _DROPPED_BITS[dtype]
    random = torch.randint(last, x.shape, dtype=torch.int32, device=x.device)
    cut = ((x.view(torch.int32) + random) & -last).view(torch.float32)
    rounded = torch.where(x.isfinite(), cut, x)
    tiny = x.abs() < _SMALLEST_NORMAL[dtype]
    return torch.where(tiny, _equally_spaced(x), rounded).to(dtype)


def _equally_spaced(x: Tensor) -> Tensor:
    ulps = x / _SUBNORMAL_ULP
    return (ulps + torch.rand_like(ulps)).floor() * _SUBNORMAL_ULP
