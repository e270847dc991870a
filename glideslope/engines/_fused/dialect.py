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
from numba import cfunc, float32, float64, int8, njit, types, uint8, uint32

from .instructions import (
    float32_at,
    float64_at,
    fraction,
    int8_at,
    int16_at,
    int32_at,
    int64_at,
    jitter,
    joined_int8,
    joined_int16,
    larger,
    multiply_add,
    narrow_bfloat16,
    narrow_float16,
    noise,
    number_of,
    random_bfloat16,
    remainder_int8,
    remainder_int16,
    size_bits,
    take,
    tile,
    uint8_at,
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


ONE, TWO = np.float32(1.0), np.float32(2.0)
TOP7, TOP8 = np.float32(127.0), np.float32(255.0)


@inline
def curved(code):
    """The magnitude of a code of either sign, as in `glideslope.engines.packed`."""
    t = code / TOP7
    return t / (TWO - t)


@inline
def raised(code):
    """The magnitude of a code that is never negative."""
    t = code / TOP8
    return (t * t) * (t * t)


@inline
def unpacked_int8(code, unit):
    number: Any = float32(code)
    return math.copysign(curved(abs(number)), number) * unit


@inline
def unpacked_uint8(code, unit):
    return raised(float32(code)) * unit


@inline
def share_of(number, unit):
    """The size of a number in a unit; 0 for what is none."""
    size = abs(number) / (unit if unit > ZERO else ONE)
    return size if size <= ONE else ZERO


@inline
def packed_int8(number, unit, random):
    size = share_of(number, unit)
    place = np.floor(TWO * size / (ONE + size) * TOP7)
    low = place if place < TOP7 - ONE else TOP7 - ONE
    below = curved(low)
    is_up = fraction(random) * (curved(low + ONE) - below) < size - below
    signed: Any = math.copysign(low + ONE if is_up else low, number)
    return int8(signed)


@inline
def packed_uint8(number, unit, random):
    size = share_of(number, unit)
    place = np.floor(math.sqrt(math.sqrt(size)) * TOP8)
    low = place if place < TOP8 - ONE else TOP8 - ONE
    below = raised(low)
    is_up = fraction(random) * (raised(low + ONE) - below) < size - below
    code: Any = low + ONE if is_up else low
    chosen: Any = ONE if (size > ZERO) & (code < ONE) else code
    return uint8(chosen)


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
    "packed_int8",
    "packed_uint8",
    "larger",
    "number_of",
    "size_bits",
    "tile",
    "uint8_at",
    "unpacked_int8",
    "unpacked_uint8",
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
