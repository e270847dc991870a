"""Stochastic rounding of float32 tensors to 16 bits: to one of the two numbers around, at random.

The nearer the likelier, so that the mean is exact: an update too small to reach the next number
still moves the parameter, on average, by what it should.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST_NORMAL = 2.0**-14
_SUBNORMAL_ULP = 2.0**-24
_DROPPED_BITS = {torch.bfloat16: 16, torch.float16: 13}


def stochastic(x: Tensor, dtype: torch.dtype, generator: torch.Generator | None = None) -> Tensor:
    """``x`` in ``dtype``, each element rounded up or down with the chances its distances give.

    A bfloat16 has the exponents of a float32, so adding random bits below its last one and cutting
    them off is all. A float16 has fewer: its smallest numbers are equally spaced.
    """
    x, last = x.float(), 1 << _DROPPED_BITS[dtype]
    random = torch.randint(last, x.shape, generator=generator, dtype=torch.int32, device=x.device)
    cut = ((x.view(torch.int32) + random) & -last).view(torch.float32)
    rounded = torch.where(x.isfinite(), cut, x)
    if dtype is torch.bfloat16:
        return rounded.to(dtype)
    tiny = x.abs() < _SMALLEST_NORMAL
    return torch.where(tiny, _equally_spaced(x, random / last), rounded).to(dtype)


def _equally_spaced(x: Tensor, random: Tensor) -> Tensor:
    ulps = (x.abs() / _SUBNORMAL_ULP + random).floor()
    return torch.copysign(ulps * _SUBNORMAL_ULP, x)


def is_narrow(dtype: torch.dtype) -> bool:
    """True if averages of this dtype are rounded stochastically."""
    return dtype in _DROPPED_BITS


def stored(x: Tensor, dtype: torch.dtype, generator: torch.Generator | None = None) -> Tensor:
    """An average as it is stored: rounded stochastically where that is 16 bits."""
    return stochastic(x, dtype, generator) if is_narrow(dtype) else x.to(dtype)


def generator_of(device: torch.device, seed: int) -> torch.Generator | None:
    """A generator that gives the same numbers for the same seed, where a device has any."""
    try:
        return torch.Generator(device).manual_seed(seed)
    except RuntimeError:  # such as "meta"
        return None
