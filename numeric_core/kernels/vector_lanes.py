"""From the lanes of a vector to fewer, and to one number.

split(v), halved(v)                     the two halves of the lanes; their sum
lane(v)                                 the first lane
totals(v, w), totals_of_three(...)      sums over the lanes, of float64
largest(v), most(n), least(n)           of numbers; of unsigned integers
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from numeric_core.kernels.vectors import Vector, called, shuffled

__all__ = ["halved", "lane", "largest", "least", "most", "split", "totals", "totals_of_three"]

_INT32 = ir.IntType(32)


def _halved(builder: Any, v: Any) -> Any:
    half = v.type.count // 2
    low = shuffled(builder, v, v, list(range(half)))
    return builder.fadd(low, shuffled(builder, v, v, list(range(half, 2 * half))))


def _paired(builder: Any, a: Any, b: Any, step: int) -> Any:
    """Sums of neighbouring groups of `step` lanes, of a and b in turns."""
    n = a.type.count
    places = [i for i in range(n) if i // step % 2 == 0]
    even = [
        j
        for k in range(0, len(places), step)
        for j in (*places[k : k + step], *(n + i for i in places[k : k + step]))
    ]
    odd = [i + step for i in even]
    return builder.fadd(shuffled(builder, a, b, even), shuffled(builder, a, b, odd))


def _extract(builder: Any, v: Any, n: int) -> list[Any]:
    return [builder.extract_element(v, ir.Constant(_INT32, i)) for i in range(n)]


@intrinsic
def split(typing: Any, v: Any) -> Any:
    """The first half of the lanes, and the second."""
    half = Vector(v.element, v.lanes // 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = list(range(v.lanes))
        pair = [
            shuffled(builder, args[0], args[0], some)
            for some in (places[: half.lanes], places[half.lanes :])
        ]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(half, 2)(v), code


@intrinsic
def lane(typing: Any, v: Any) -> Any:
    """The first lane."""
    return v.element(v), lambda context, builder, signature, args: _extract(builder, args[0], 1)[0]


@intrinsic
def halved(typing: Any, v: Any) -> Any:
    """The sum of the first half of the lanes and the second: half as many."""
    half = Vector(v.element, v.lanes // 2)
    return half(v), lambda context, builder, signature, args: _halved(builder, args[0])


@intrinsic
def totals(typing: Any, a: Any, b: Any) -> Any:
    """The sums over the lanes of two vectors of float64."""
    pair = types.UniTuple(types.float64, 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, second = (_halved(builder, v) for v in args)
        both = _paired(builder, first, second, 1)
        while both.type.count > 2:
            both = _halved(builder, both)
        return context.make_tuple(builder, pair, _extract(builder, both, 2))

    return pair(a, b), code


@intrinsic
def totals_of_three(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """The sums over the lanes of three vectors of float64."""
    three = types.UniTuple(types.float64, 3)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, c = (_halved(builder, v) for v in args)
        four = _paired(builder, _paired(builder, a, b, 1), _paired(builder, c, c, 1), 2)
        while four.type.count > 4:
            four = _halved(builder, four)
        return context.make_tuple(builder, three, _extract(builder, four, 3))

    return three(a, b, c), code


@intrinsic
def largest(typing: Any, v: Any) -> Any:
    """The largest of the lanes, unless one is nan."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = args[0]
        while found.type.count > 1:
            half = found.type.count // 2
            low, high = list(range(half)), list(range(half, 2 * half))
            parts = [shuffled(builder, found, found, places) for places in (low, high)]
            above = builder.fcmp_ordered(">", *parts)
            found = builder.select(above, *parts)
        return builder.extract_element(found, ir.Constant(_INT32, 0))

    return v.element(v), code


@intrinsic
def most(typing: Any, v: Any) -> Any:
    """The highest of the lanes, unsigned integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = args[0].type
        return called(builder, "llvm.vector.reduce.umax", of, [args[0]], of.element)

    return v.element(v), code


@intrinsic
def least(typing: Any, v: Any) -> Any:
    """The lowest of the lanes, unsigned integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = args[0].type
        return called(builder, "llvm.vector.reduce.umin", of, [args[0]], of.element)

    return v.element(v), code
