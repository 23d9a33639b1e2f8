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

from numeric_core.kernels.vectors import Vector, called, element, like, llvm_type, resized, uniform

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
    kind = next((x for x in (a, b, c) if isinstance(x, Vector)), a)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return called(builder, "llvm.fma", args[0].type, list(args))

    return kind(kind, kind, kind), code


@intrinsic
def add_any_order(typing: Any, a: Any, b: Any) -> Any:
    """a + b, associative as far as LLVM is concerned."""
    return a(a, a), lambda context, builder, signature, args: builder.fadd(*args, flags=["reassoc"])


def _integers(x: Any) -> Any:
    """LLVM's integers of the width of x, a number or a vector of them."""
    return resized(llvm_type(x), ir.IntType(element(x).bitwidth))


def _exponent(builder: Any, x: Any, shifted: Any) -> tuple[Any, Any]:
    """The bits of 1, and k moved up to where the exponent is: k + MAGIC ends in the bits of k."""
    width, kind = _integers(x), np.dtype(element(x).name)
    one = uniform(width, int(np.array(1.0, kind).view(f"i{kind.itemsize}")))
    places = uniform(width, _DIGITS[element(x)])
    return one, builder.shl(builder.bitcast(shifted, width), places)


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """2^k for shifted = k + MAGIC and a normal result."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one, k = _exponent(builder, shifted, args[0])
        return builder.bitcast(builder.add(k, one), args[0].type)

    return shifted(shifted), code


@intrinsic
def two_powers(typing: Any, shifted: Any) -> Any:
    """(2^k, 2^-k) for shifted = k + MAGIC, both normal: one is added to and taken from the same."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one, k = _exponent(builder, shifted, args[0])
        pair = [
            builder.bitcast(x, args[0].type) for x in (builder.add(one, k), builder.sub(one, k))
        ]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(shifted, 2)(shifted), code


def _unsigned(x: Any) -> Any:
    return like(x, types.uint32 if element(x) == types.float32 else types.uint64)


def _float(n: Any) -> Any:
    return like(n, types.float32 if element(n) == types.uint32 else types.float64)


@intrinsic
def pattern(typing: Any, x: Any) -> Any:
    """The bits of a float as an unsigned integer of its width."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _integers(x))

    return _unsigned(x)(x), code


@intrinsic
def magnitude(typing: Any, x: Any) -> Any:
    """The bits of |x|: they are ordered as |x| is, with nan above inf."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = _integers(x)
        all_but_sign = uniform(width, (1 << (element(x).bitwidth - 1)) - 1)
        return builder.and_(builder.bitcast(args[0], width), all_but_sign)

    return _unsigned(x)(x), code


@intrinsic
def order(typing: Any, x: Any) -> Any:
    """An unsigned integer that is ordered as x is, with nan beyond both ends."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width, last = _integers(x), element(x).bitwidth - 1
        seen = builder.bitcast(args[0], width)
        sign = builder.ashr(seen, uniform(width, last))
        return builder.xor(seen, builder.or_(sign, uniform(width, 1 << last)))

    return _unsigned(x)(x), code


@intrinsic
def ordered(typing: Any, n: Any) -> Any:
    """The x of order(x)."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width, last = _integers(n), element(n).bitwidth - 1
        sign = builder.ashr(builder.not_(args[0]), uniform(width, last))
        seen = builder.xor(args[0], builder.or_(sign, uniform(width, 1 << last)))
        return builder.bitcast(seen, llvm_type(_float(n)))

    return _float(n)(n), code


@intrinsic
def positive(typing: Any, n: Any) -> Any:
    """The x >= 0 of pattern(x)."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], llvm_type(_float(n)))

    return _float(n)(n), code


@intrinsic
def one_less(typing: Any, n: Any) -> Any:
    """n - 1 of an unsigned integer; 0 becomes the highest."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(args[0], uniform(args[0].type, 1))

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
    kind = np.float32 if element(x) == types.float32 else np.float64

    def code(x: Any, value: Any) -> Any:
        return kind(value)

    return code
