"""Operations of kernels on memory and bits, as LLVM instructions.

Numba would widen integers to 64 bits, which halves the lanes of a vector, and it knows neither
addresses nor bfloat16. A function here is written with LLVM's builder and used like any other.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .._eight_bits import GROUP

I8, I16, I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
HALF, FLOAT = ir.HalfType(), ir.FloatType()
NAN = 0x7FC00000


def instructions(result: Any, *operands: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of kernels from one that writes its instructions."""

    def make(build: Callable[..., Any]) -> Any:
        @wraps(build)  # Numba reads the number of operands from the signature
        def typed(_typing: Any, *_: Any) -> Any:
            def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                return build(builder, *values)

            return result(*operands), generate

        return intrinsic(typed)

    return make


def _u32(value: int) -> Any:
    return ir.Constant(I32, value)


def _address_of(element: Any, stored: Any) -> Any:
    def as_pointer(builder, address):
        return builder.inttoptr(address, ir.PointerType(stored))

    return instructions(types.CPointer(element), types.int64)(as_pointer)


int32_at = _address_of(types.int32, I32)
int64_at = _address_of(types.int64, ir.IntType(64))
int8_at = _address_of(types.int8, I8)
uint8_at = _address_of(types.uint8, I8)
int16_at = _address_of(types.int16, I16)
uint16_at = _address_of(types.uint16, I16)
float32_at = _address_of(types.float32, FLOAT)
float64_at = _address_of(types.float64, ir.DoubleType())


@instructions(types.int64, types.CPointer(types.int64), types.int64)
def take(builder, counter, amount):
    """Add to a counter that threads share; gives what it was before."""
    return builder.atomic_rmw("add", counter, amount, "monotonic")


@instructions(types.void)
def use_short_loops(builder):
    """Have the loops written so far in this function take a line of each array at a time: 64 bytes.

    That is two vectors of 256 bits. On AMD's Zen 4, whose 512-bit operations are pairs, a kernel
    that only adds and multiplies, on two or three arrays, is up to a tenth faster so than with
    LLVM's own choice, four of 512 bits; one that divides, takes roots or touches more arrays is as
    fast or a tenth slower.
    """
    function = builder.function
    set.add(function.attributes, '"prefer-vector-width"="256"')  # not among the names `add` knows
    seen = set()
    for block in function.blocks:
        seen.add(block)
        if not seen.isdisjoint(getattr(block.terminator, "operands", ())):
            block.terminator.set_metadata("llvm.loop", _interleaved(builder.module, 2))
    return ir.Constant(ir.IntType(8).as_pointer(), None)


def _interleaved(module, count):
    """Metadata that limits how many vectors of each array LLVM interleaves in a loop."""
    wish = module.add_metadata(
        [ir.MetaDataString(module, "llvm.loop.interleave.count"), _u32(count)]
    )
    loop = module.add_metadata([wish])
    loop.operands = (loop, wish)  # it names itself, so that no two loops share one
    return loop


@intrinsic
def multiply_add(_typing, x, y, z):
    """``x * y + z``, rounded once where the processor can."""
    real = types.float64 if types.float64 in (x, y, z) else types.float32

    def generate(context, builder, signature, values):
        given = zip(values, signature.args, strict=True)
        same = [context.cast(builder, value, own, real) for value, own in given]
        kind = same[0].type
        shape = ir.FunctionType(kind, [kind] * 3)
        function = builder.module.declare_intrinsic("llvm.fmuladd", [kind], shape)
        return builder.call(function, same)

    return real(x, y, z), generate


@instructions(types.float32, types.uint16)
def widen_bfloat16(builder, number):
    """The float32 that equals a bfloat16 given by its bits."""
    return builder.bitcast(builder.shl(builder.zext(number, I32), _u32(16)), FLOAT)


@instructions(types.uint16, types.float32)
def narrow_bfloat16(builder, number):
    """The bits of the bfloat16 nearest to a float32, ties to even."""
    bits = builder.bitcast(number, I32)
    last = builder.and_(builder.lshr(bits, _u32(16)), _u32(1))
    rounded = builder.add(bits, builder.add(last, _u32(0x7FFF)))
    not_a_number = builder.fcmp_unordered("uno", number, number)
    chosen = builder.select(not_a_number, _u32(NAN), rounded)
    return builder.trunc(builder.lshr(chosen, _u32(16)), I16)


@instructions(types.uint16, types.float32, types.uint32)
def random_bfloat16(builder, number, random):
    """The bits of one of the two bfloat16 around a float32, by the low sixteen of random bits."""
    bits = builder.bitcast(number, I32)
    magnitude = builder.and_(bits, _u32(0x7FFFFFFF))
    moved = builder.add(bits, builder.and_(random, _u32(0xFFFF)))
    is_finite = builder.icmp_unsigned("<", magnitude, _u32(0x7F800000))
    is_number = builder.icmp_unsigned("<=", magnitude, _u32(0x7F800000))
    kept = builder.select(is_number, bits, _u32(NAN))
    return builder.trunc(builder.lshr(builder.select(is_finite, moved, kept), _u32(16)), I16)


@instructions(types.float32, types.uint16)
def widen_float16(builder, number):
    """The float32 that equals a float16 given by its bits."""
    return builder.fpext(builder.bitcast(number, HALF), FLOAT)


@instructions(types.uint16, types.float32)
def narrow_float16(builder, number):
    """The bits of the float16 nearest to a float32, ties to even."""
    return builder.bitcast(builder.fptrunc(number, HALF), I16)


@instructions(types.uint32, types.int64, types.int64)
def noise(builder, seed, index):
    """Thirty-two random bits for each index: a hash, so the same for any number of threads."""
    mixed = builder.mul(builder.trunc(index, I32), _u32(0x9E3779B1))
    h = builder.xor(mixed, builder.trunc(seed, I32))
    h = builder.mul(builder.xor(h, builder.lshr(h, _u32(16))), _u32(0x21F0AAAD))
    return builder.xor(h, builder.lshr(h, _u32(15)))


@instructions(types.float32, types.float32, types.uint32, types.int64)
def jitter(builder, number, random, low):
    """A float32 moved at random to a neighbour among those whose bits ``low`` are zero."""
    mask = builder.trunc(low, I32)
    moved = builder.add(builder.bitcast(number, I32), builder.and_(random, mask))
    return builder.bitcast(builder.and_(moved, builder.not_(mask)), FLOAT)


@instructions(types.float32, types.uint16, types.int16)
def joined_int16(builder, upper, remainder):
    """The float32 of a bfloat16, given by its bits, and its remainder."""
    bits = builder.shl(builder.zext(upper, I32), _u32(16))
    return builder.bitcast(builder.add(bits, builder.sext(remainder, I32)), FLOAT)


@instructions(types.uint16, types.float32)
def upper_int16(builder, number):
    """The bits of the nearest bfloat16, of two the one further from 0."""
    rounded = builder.add(builder.bitcast(number, I32), _u32(0x8000))
    return builder.trunc(builder.lshr(_unless_nan(builder, number, rounded, NAN), _u32(16)), I16)


@instructions(types.int16, types.float32)
def remainder_int16(builder, number):
    """The bits of a float32 without those of its nearest bfloat16."""
    return builder.trunc(_unless_nan(builder, number, builder.bitcast(number, I32), 0), I16)


@instructions(types.float32, types.uint16, types.int8)
def joined_int8(builder, upper, remainder):
    """The number of 24 bits of a bfloat16, given by its bits, and its remainder."""
    bits = builder.shl(builder.zext(upper, I32), _u32(8))
    bits = builder.add(bits, builder.sext(remainder, I32))
    return builder.bitcast(builder.shl(bits, _u32(8)), FLOAT)


@instructions(types.uint16, types.float32)
def upper_int8(builder, number):
    """The bits of the bfloat16 nearest to a number rounded to 24 bits."""
    rounded = builder.add(_without_last_byte(builder, number), _u32(0x80))
    chosen = _unless_nan(builder, number, rounded, NAN >> 8)
    return builder.trunc(builder.lshr(chosen, _u32(8)), I16)


@instructions(types.int8, types.float32)
def remainder_int8(builder, number):
    """The 24 bits of a rounded number without those of its nearest bfloat16."""
    rest = _without_last_byte(builder, number)
    return builder.trunc(_unless_nan(builder, number, rest, 0), I8)


def _without_last_byte(builder, number):
    """The upper 24 bits of a float32 that is rounded to them, ties to even."""
    bits = builder.bitcast(number, I32)
    last = builder.and_(builder.lshr(bits, _u32(8)), _u32(1))
    return builder.lshr(builder.add(bits, builder.add(last, _u32(0x7F))), _u32(8))


def _unless_nan(builder, number, bits, instead):
    not_a_number = builder.fcmp_unordered("uno", number, number)
    return builder.select(not_a_number, _u32(instead), bits)


@instructions(types.CPointer(types.float32))
def tile(builder):
    """Room for the numbers of a group."""
    with builder.goto_entry_block():
        return builder.alloca(FLOAT, size=GROUP)


@instructions(types.uint32, types.float32)
def size_bits(builder, number):
    """The bits of an absolute value: in the order of the values, not-a-numbers last."""
    return builder.and_(builder.bitcast(number, I32), _u32(0x7FFFFFFF))


@instructions(types.uint32, types.uint32, types.uint32)
def larger(builder, one, other):
    """The larger of two."""
    return builder.select(builder.icmp_unsigned(">", one, other), one, other)


@instructions(types.float32, types.uint32)
def number_of(builder, bits):
    """The float32 of its bits."""
    return builder.bitcast(bits, FLOAT)


@instructions(types.float32, types.uint32)
def fraction(builder, random):
    """A number from 0 to 1, by the low sixteen of random bits."""
    low = builder.uitofp(builder.and_(random, _u32(0xFFFF)), FLOAT)
    return builder.fmul(low, ir.Constant(FLOAT, 2.0**-16))
