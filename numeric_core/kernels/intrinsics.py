"""What LLVM has and Python has no name for: fused products, bits of floats, sums in any order.

    fma(a, b, c)            a b + c with one rounding
    add_any_order(a, b)     a + b, which LLVM may reorder within a loop, and so do in vectors
    power_of_two(k)         2^k from k + MAGIC, an integer in float32 or float64, by its bits
    two_powers(k)           2^k and 2^-k
    constant(x, value)      value in the dtype of x
    pattern(x), magnitude(x)    the bits of x as an unsigned integer; those of |x|
    higher(a, b), lower(a, b)   of two of those: nan is above all numbers, so that one comparison
                                after a loop tells whether all it saw was in range
    order(x), ordered(n)        an unsigned integer in the order of x, and back

No other operation of the kernels may be reordered or fused: what is written is what is rounded,
in the body of a vector loop as in its rest, so a row has the same bits on every processor, up to
the order of `add_any_order` (which only sums float64 terms of one sign).

MAGIC is 1.5 2^(digits - 1): added to x, it leaves rint(x) in the last bits of the sum.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

__all__ = [
    "MAGIC",
    "Scalar",
    "add_any_order",
    "bits",
    "constant",
    "float_of",
    "fma",
    "higher",
    "lower",
    "magnitude",
    "one_less",
    "order",
    "ordered",
    "pattern",
    "positive",
    "power_of_two",
    "two_powers",
]

Scalar: TypeAlias = Any
"""A number inside compiled code: float32, float64 or an integer."""

MAGIC = {types.float32: 1.5 * 2.0**23, types.float64: 1.5 * 2.0**52}

_DIGITS = {types.float32: 23, types.float64: 52}


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c with one rounding."""
    return a(a, a, a), lambda context, builder, signature, args: builder.fma(*args)


@intrinsic
def add_any_order(typing: Any, a: Any, b: Any) -> Any:
    """a + b, associative as far as LLVM is concerned."""
    return a(a, a), lambda context, builder, signature, args: builder.fadd(*args, flags=["reassoc"])


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """2^k for shifted = k + MAGIC and a normal result: the last bits of it moved to the exponent.

    The bits of k + MAGIC end in those of k; moved up by the digits, k alone is left.
    """
    digits = _DIGITS[shifted]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = ir.IntType(shifted.bitwidth)
        one = ir.Constant(width, int(np.array(1.0, shifted.name).view(f"i{shifted.bitwidth // 8}")))
        k = builder.shl(builder.bitcast(args[0], width), ir.Constant(width, digits))
        return builder.bitcast(builder.add(k, one), args[0].type)

    return shifted(shifted), code


@intrinsic
def two_powers(typing: Any, shifted: Any) -> Any:
    """(2^k, 2^-k) for shifted = k + MAGIC, both normal: one is added to and taken from the same."""
    digits = _DIGITS[shifted]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width, kind = ir.IntType(shifted.bitwidth), args[0].type
        one = ir.Constant(width, int(np.array(1.0, shifted.name).view(f"i{shifted.bitwidth // 8}")))
        k = builder.shl(builder.bitcast(args[0], width), ir.Constant(width, digits))
        both = builder.add(one, k), builder.sub(one, k)
        pair = [builder.bitcast(power, kind) for power in both]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(shifted, 2)(shifted), code


def _unsigned(x: Any) -> Any:
    return types.uint32 if x == types.float32 else types.uint64


@intrinsic
def pattern(typing: Any, x: Any) -> Any:
    """The bits of a float as an unsigned integer of its width."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(x.bitwidth))

    return _unsigned(x)(x), code


@intrinsic
def magnitude(typing: Any, x: Any) -> Any:
    """The bits of |x|: they are ordered as |x| is, with nan above inf."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = ir.IntType(x.bitwidth)
        all_but_sign = ir.Constant(width, (1 << (x.bitwidth - 1)) - 1)
        return builder.and_(builder.bitcast(args[0], width), all_but_sign)

    return _unsigned(x)(x), code


@intrinsic
def order(typing: Any, x: Any) -> Any:
    """An unsigned integer that is ordered as x is, with nan beyond both ends."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = ir.IntType(x.bitwidth)
        seen, top = builder.bitcast(args[0], width), ir.Constant(width, 1 << (x.bitwidth - 1))
        sign = builder.ashr(seen, ir.Constant(width, x.bitwidth - 1))
        return builder.xor(seen, builder.or_(sign, top))

    return _unsigned(x)(x), code


@intrinsic
def ordered(typing: Any, n: Any) -> Any:
    """The x of order(x)."""
    kind = types.float32 if n == types.uint32 else types.float64

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = ir.IntType(n.bitwidth)
        top = ir.Constant(width, 1 << (n.bitwidth - 1))
        sign = builder.ashr(builder.not_(args[0]), ir.Constant(width, n.bitwidth - 1))
        seen = builder.xor(args[0], builder.or_(sign, top))
        return builder.bitcast(seen, ir.FloatType() if kind == types.float32 else ir.DoubleType())

    return kind(n), code


@intrinsic
def positive(typing: Any, n: Any) -> Any:
    """The x >= 0 of pattern(x)."""
    kind = types.float32 if n == types.uint32 else types.float64

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = ir.FloatType() if kind == types.float32 else ir.DoubleType()
        return builder.bitcast(args[0], width)

    return kind(n), code


@intrinsic
def one_less(typing: Any, n: Any) -> Any:
    """n - 1 of an unsigned integer; 0 becomes the highest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(args[0], ir.Constant(args[0].type, 1))

    return n(n), code


@intrinsic
def higher(typing: Any, a: Any, b: Any) -> Any:
    """The higher of two unsigned integers of a width."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_unsigned(">", *args), *args)

    return a(a, a), code


@intrinsic
def lower(typing: Any, a: Any, b: Any) -> Any:
    """The lower of two unsigned integers of a width."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_unsigned("<", *args), *args)

    return a(a, a), code


@intrinsic
def bits(typing: Any, x: Any) -> Any:
    """The bits of a float64 as an integer."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(x), code


@intrinsic
def float_of(typing: Any, x: Any) -> Any:
    """The float64 of these bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(x), code


def constant(x: Any, value: Any) -> Any:
    """value in the dtype of x; Numba takes it from `_constant`."""
    return type(x)(value)


@overload(constant, jit_options={"forceinline": True})
def _constant(x: Any, value: Any) -> Any:
    kind = np.float32 if x == types.float32 else np.float64

    def code(x: Any, value: Any) -> Any:
        return kind(value)

    return code
