"""Functions that generated Triton kernels import: the versions for a GPU of `glideslope.rules`'.

They treat infinities and not-a-numbers as the other engines do. Numbers of 16 bits are loaded and
stored by their bits and rounded in integer arithmetic, since Triton's interpreter would cut them
off where a GPU rounds.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def float32(x):
    return x.to(tl.float32)


@triton.jit
def float64(x):
    return x.to(tl.float64)


@triton.jit
def wide(x):
    return x.to(tl.float64)


@triton.jit
def uint32(x):
    return tl.full((), x, tl.uint32)


@triton.jit
def absolute(x):
    return tl.abs(x)


@triton.jit
def divide(x, y):
    """The quotient, correctly rounded: ``/`` is off by up to two units in the last place."""
    return x / y if x.dtype == tl.float64 else tl.div_rn(x, y)


@triton.jit
def multiply_add(x, y, z):
    """``x * y + z``, rounded once."""
    return tl.fma(x, y, z)


@triton.jit
def sqrt(x):
    return tl.sqrt(x) if x.dtype == tl.float64 else tl.sqrt_rn(x)


@triton.jit
def sign(x):
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


@triton.jit
def maximum(x, y):
    return tl.where((x > y) | (x != x), x, y)


@triton.jit
def minimum(x, y):
    return tl.where((x < y) | (x != x), x, y)


@triton.jit
def clip(x, low, high):
    return tl.where(x < low, low, tl.where(x > high, high, x))


@triton.jit
def where(condition, x, y):
    return tl.where(condition, x, y)


@triton.jit
def widen_bfloat16(number):
    """The float32 that equals a bfloat16 given by its bits."""
    return (number.to(tl.uint32) << 16).to(tl.float32, bitcast=True)


@triton.jit
def narrow_bfloat16(number):
    """The bits of the bfloat16 nearest to a float32, ties to even."""
    bits = number.to(tl.uint32, bitcast=True)
    rounded = bits + (((bits >> 16) & 1) + 0x7FFF)
    return (tl.where(number != number, 0x7FC00000, rounded) >> 16).to(tl.uint16)


@triton.jit
def random_bfloat16(number, random):
    """The bits of one of the two bfloat16 around a float32, by the low sixteen of random bits."""
    return narrow_bfloat16(stochastic_bfloat16(number, random))


@triton.jit
def widen_float16(number):
    """The float32 that equals a float16 given by its bits."""
    return number.to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def narrow_float16(number):
    """The bits of the float16 nearest to a float32, ties to even."""
    return number.to(tl.float16).to(tl.uint16, bitcast=True)


@triton.jit
def random_float16(number, random):
    """The bits of one of the two float16 around a float32."""
    return narrow_float16(stochastic_float16(number, random))


@triton.jit
def stochastic_bfloat16(x, random):
    """One of the two bfloat16 around x, the nearer the likelier."""
    return tl.where(tl.abs(x) < float("inf"), jitter(x, random, 0xFFFF), x)


@triton.jit
def stochastic_float16(x, random):
    """One of the two float16 around x, the nearer the likelier.

    Below the smallest normal number they are as far apart as just above it, so it is added first.
    """
    magnitude = tl.abs(x)
    offset = tl.where(magnitude < 0.00006103515625, 0.00006103515625, 0.0)
    moved = jitter(magnitude + offset, random, 0x1FFF) - offset
    return signed_as(tl.where(magnitude < float("inf"), moved, magnitude), x)


@triton.jit
def joined_int16(upper, remainder):
    """The float32 of a bfloat16, given by its bits, and its remainder."""
    bits = (upper.to(tl.uint32) << 16).to(tl.int32, bitcast=True) + remainder.to(tl.int32)
    return bits.to(tl.float32, bitcast=True)


@triton.jit
def upper_int16(number):
    """The bits of the nearest bfloat16, of two the one further from 0."""
    rounded = (number.to(tl.uint32, bitcast=True) + 0x8000) >> 16
    return tl.where(number != number, 0x7FC0, rounded).to(tl.uint16)


@triton.jit
def remainder_int16(number):
    """The bits of a float32 without those of its nearest bfloat16."""
    rest = number.to(tl.uint32, bitcast=True).to(tl.int16)
    return tl.where(number != number, 0, rest).to(tl.int16)


@triton.jit
def joined_int8(upper, remainder):
    """The number of 24 bits of a bfloat16, given by its bits, and its remainder."""
    bits = (upper.to(tl.uint32) << 8).to(tl.int32, bitcast=True) + remainder.to(tl.int32)
    return (bits << 8).to(tl.float32, bitcast=True)


@triton.jit
def upper_int8(number):
    """The bits of the bfloat16 nearest to a number rounded to 24 bits."""
    rounded = (without_last_byte(number) + 0x80) >> 8
    return tl.where(number != number, 0x7FC0, rounded).to(tl.uint16)


@triton.jit
def remainder_int8(number):
    """The 24 bits of a rounded number without those of its nearest bfloat16."""
    rest = without_last_byte(number).to(tl.int8)
    return tl.where(number != number, 0, rest).to(tl.int8)


@triton.jit
def without_last_byte(number):
    """The upper 24 bits of a float32 that is rounded to them, ties to even."""
    bits = number.to(tl.uint32, bitcast=True)
    return (bits + (((bits >> 8) & 1) + 0x7F)) >> 8


@triton.jit
def jitter(number, random, low: tl.constexpr):
    """A float32 moved at random to a neighbour among those whose bits ``low`` are zero."""
    moved = number.to(tl.uint32, bitcast=True) + (random & low)
    return (moved & (0xFFFFFFFF - low)).to(tl.float32, bitcast=True)


@triton.jit
def noise(seed, index):
    """Thirty-two random bits for each index: the same hash as on the CPU."""
    h = (index.to(tl.uint32) * 0x9E3779B1) ^ seed.to(tl.uint32)
    h = (h ^ (h >> 16)) * 0x21F0AAAD
    return h ^ (h >> 15)


@triton.jit
def largest_of_groups(number, GROUP: tl.constexpr):
    """The largest absolute value of each group of float32; not-a-number, if there is one."""
    bits = number.to(tl.uint32, bitcast=True) & 0x7FFFFFFF
    largest = tl.max(tl.reshape(bits, (bits.shape[0] // GROUP, GROUP)), 1)
    return largest.to(tl.float32, bitcast=True)


@triton.jit
def of_groups(number, GROUP: tl.constexpr):
    """A number of each group, for every element of it."""
    table = tl.broadcast_to(tl.expand_dims(number, 1), (number.shape[0], GROUP))
    return tl.reshape(table, (number.shape[0] * GROUP,))


@triton.jit
def signed_as(size, number):
    """A float32 of the sign of another one."""
    signs = number.to(tl.uint32, bitcast=True) & 0x80000000
    return (size.to(tl.uint32, bitcast=True) | signs).to(tl.float32, bitcast=True)


@triton.jit
def curved(code):
    """The magnitude of a code of either sign, as in `glideslope.engines.packed`."""
    t = tl.div_rn(code, 127.0)
    return tl.div_rn(t, 2.0 - t)


@triton.jit
def raised(code):
    """The magnitude of a code that is never negative."""
    t = tl.div_rn(code, 255.0)
    return (t * t) * (t * t)


@triton.jit
def unpacked_int8(code, unit):
    number = code.to(tl.float32)
    return signed_as(curved(tl.abs(number)), number) * unit


@triton.jit
def unpacked_uint8(code, unit):
    return raised(code.to(tl.float32)) * unit


@triton.jit
def share_of(number, unit):
    """The size of a number in a unit; 0 for what is none."""
    size = tl.div_rn(tl.abs(number), tl.where(unit > 0.0, unit, 1.0))
    return tl.where(size <= 1.0, size, 0.0)


@triton.jit
def fraction(random):
    """A number from 0 to 1, by the low sixteen of random bits."""
    return (random & 0xFFFF).to(tl.float32) * 0.0000152587890625


@triton.jit
def packed_int8(number, unit, random):
    size = share_of(number, unit)
    low = tl.minimum(tl.floor(tl.div_rn(2.0 * size, 1.0 + size) * 127.0), 126.0)
    below = curved(low)
    is_up = fraction(random) * (curved(low + 1.0) - below) < size - below
    return signed_as(tl.where(is_up, low + 1.0, low), number).to(tl.int8)


@triton.jit
def packed_uint8(number, unit, random):
    size = share_of(number, unit)
    low = tl.minimum(tl.floor(tl.sqrt_rn(tl.sqrt_rn(size)) * 255.0), 254.0)
    below = raised(low)
    is_up = fraction(random) * (raised(low + 1.0) - below) < size - below
    code = tl.where(is_up, low + 1.0, low)
    return tl.where((size > 0.0) & (code < 1.0), 1.0, code).to(tl.uint8)


@triton.jit
def add_up(tensors, sums, totals, WIDTH: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr):
    """The totals over each tensor, of those over its chunks, always in the same order."""
    tensor, column, columns = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    row = tensors + tensor.to(tl.int64) * WIDTH
    first, chunks = tl.load(row + 2), tl.cdiv(tl.load(row), CHUNK)
    lanes = tl.zeros((BLOCK,), tl.float64)
    for start in range(0, chunks, BLOCK):
        chunk = start + tl.arange(0, BLOCK)
        place = (first + chunk) * columns + column
        lanes += tl.load(sums + place, chunk < chunks, other=0.0)
    tl.store(totals + column * tl.num_programs(0) + tensor, tl.sum(lanes, 0))


__all__ = [
    "absolute",
    "clip",
    "divide",
    "float32",
    "float64",
    "joined_int16",
    "joined_int8",
    "largest_of_groups",
    "maximum",
    "minimum",
    "multiply_add",
    "narrow_bfloat16",
    "narrow_float16",
    "noise",
    "of_groups",
    "packed_int8",
    "packed_uint8",
    "random_bfloat16",
    "random_float16",
    "remainder_int16",
    "remainder_int8",
    "sign",
    "sqrt",
    "stochastic_bfloat16",
    "stochastic_float16",
    "tl",
    "triton",
    "uint32",
    "unpacked_int8",
    "unpacked_uint8",
    "upper_int16",
    "upper_int8",
    "where",
    "wide",
    "widen_bfloat16",
    "widen_float16",
]
