"""Functions that generated kernels import: the compiled versions of `glideslope.rules`'.

Each function compiles for float32 or float64, holds nothing that keeps LLVM from vectorising the
loop around it, and treats infinities and not-a-numbers as the tensor engine does.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, float32, float64, njit, types, uint32

from .instructions import (
    float32_at,
    float64_at,
    int8_at,
    int16_at,
    int32_at,
    int64_at,
    jitter,
    joined_int8,
    joined_int16,
    multiply_add,
    narrow_bfloat16,
    narrow_float16,
    noise,
    random_bfloat16,
    remainder_int8,
    remainder_int16,
    take,
    uint16_at,
    upper_int8,
    upper_int16,
    use_short_loops,
    widen_bfloat16,
    widen_float16,
)

Decorator = Callable[[Any], Any]

# The text says which product and sum are fused, that is rounded once instead of twice (see
# `with_products`). Nothing that changes a result is allowed.
inline: Decorator = njit(error_model="numpy", forceinline=True)
"""A function of a kernel."""

reduction: Decorator = njit(error_model="numpy", fastmath={"contract", "reassoc"}, forceinline=True)
"""A function of a kernel that adds numbers up in whatever order is fastest."""

entry: Decorator = cfunc(types.void(types.CPointer(types.int64)), cache=True, error_model="numpy")
"""The function a thread runs: it takes the address of a job."""


@inline
def wide(x):
    return float64(x)


@inline
def absolute(x):
    return abs(x)


@inline
def sqrt(x):
    return math.sqrt(x)


@inline
def sign(x):
    return type(x)(x > 0) - type(x)(x < 0)


@inline
def maximum(x, y):
    return x if (x > y) | (x != x) else y


@inline
def minimum(x, y):
    return x if (x < y) | (x != x) else y


@inline
def clip(x, low, high):
    return low if x < low else high if x > high else x


@inline
def where(condition, x, y):
    return x if condition else y


@inline
def store_sums(sums, first, values):
    for i, value in enumerate(values):
        sums[first + i] = value


INFINITY = np.float32(np.inf)
ZERO = np.float32(0.0)
SMALLEST_NORMAL = np.float32(2.0**-14)


@inline
def stochastic_bfloat16(x, random):
    """One of the two bfloat16 around x, the nearer the likelier."""
    return jitter(x, random, 0xFFFF) if abs(x) < INFINITY else x


@inline
def random_float16(x, random):
    """The bits of one of the two float16 around x."""
    return narrow_float16(stochastic_float16(x, random))


@inline
def stochastic_float16(x, random):
    """One of the two float16 around x, the nearer the likelier.

    Below the smallest normal number they are as far apart as just above it, so it is added first.
    """
    magnitude = abs(x)
    offset = SMALLEST_NORMAL if magnitude < SMALLEST_NORMAL else ZERO
    moved = jitter(magnitude + offset, random, 0x1FFF) - offset
    return math.copysign(moved if magnitude < INFINITY else magnitude, x)


__all__ = [
    "absolute",
    "clip",
    "entry",
    "float32",
    "float32_at",
    "float64",
    "float64_at",
    "inline",
    "int16_at",
    "int32_at",
    "int64_at",
    "int8_at",
    "joined_int16",
    "joined_int8",
    "maximum",
    "minimum",
    "multiply_add",
    "narrow_bfloat16",
    "narrow_float16",
    "noise",
    "random_bfloat16",
    "random_float16",
    "reduction",
    "remainder_int16",
    "remainder_int8",
    "sign",
    "sqrt",
    "stochastic_bfloat16",
    "stochastic_float16",
    "store_sums",
    "take",
    "uint16_at",
    "uint32",
    "upper_int16",
    "upper_int8",
    "use_short_loops",
    "where",
    "wide",
    "widen_bfloat16",
    "widen_float16",
]
