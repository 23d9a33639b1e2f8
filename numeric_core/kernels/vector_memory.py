"""Vectors from memory and to it.

    numbers(x)                              where those of a contiguous array are; at(x, i)
    load(x, i), store(x, i, v)              a vector of numbers from the i-th on
    load_some(x, i, m), store_some(...)     the first m of them; the others are 0
    first(x, m)                             a mask: true in the first m lanes
    ask(x, i, write)                        asks for a vector, which need not be inside

Places instead of arrays: Numba counts references to arrays, slice by slice.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from numeric_core.kernels.vectors import (
    LANES,
    LINE_BYTES,
    Vector,
    called,
    llvm_type,
    spread,
    uniform,
)

__all__ = ["ask", "at", "first", "load", "load_some", "numbers", "store", "store_some"]

_INT32 = ir.IntType(32)


@intrinsic
def numbers(typing: Any, x: Any) -> Any:
    """Where the numbers of a contiguous array are; to arrays, Numba counts references."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return arrayobj.make_array(x)(context, builder, args[0]).data

    return types.CPointer(x.dtype)(x), code


@intrinsic
def at(typing: Any, start: Any, i: Any) -> Any:
    """Where the i-th number from a start is."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]])

    return start(start, types.intp), code


def _address(builder: Any, start: Any, place: Any, target: Any) -> Any:
    """A pointer to `target`, at the place-th number from the start."""
    return builder.bitcast(builder.gep(start, [place]), target.as_pointer())


@intrinsic
def load(typing: Any, x: Any, i: Any) -> Any:
    """LANES numbers from x[i] on."""
    kind = Vector(x.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = llvm_type(kind)
        found = builder.load(_address(builder, args[0], args[1], target))
        found.align = x.dtype.bitwidth // 8
        return found

    return kind(x, types.intp), code


@intrinsic
def store(typing: Any, x: Any, i: Any, v: Any) -> Any:
    """x[i], ... = v."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = llvm_type(v)
        put = builder.store(args[2], _address(builder, args[0], args[1], target))
        put.align = x.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(x, types.intp, v), code


def _first(builder: Any, lanes: int, m: Any) -> Any:
    """A mask that is true in the first m lanes."""
    places = ir.Constant(ir.VectorType(_INT32, lanes), list(range(lanes)))
    return builder.icmp_signed("<", places, spread(builder, builder.trunc(m, _INT32), lanes))


@intrinsic
def first(typing: Any, x: Any, m: Any) -> Any:
    """A mask for vectors of the numbers of x: true in the first m lanes."""
    lanes = LANES[x.dtype]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _first(builder, lanes, args[1])

    return Vector(types.boolean, lanes)(x, types.intp), code


@intrinsic
def load_some(typing: Any, x: Any, i: Any, m: Any) -> Any:
    """m <= LANES numbers from x[i] on, the others are 0; x need not reach further."""
    kind = Vector(x.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = llvm_type(kind)
        place = _address(builder, args[0], args[1], target)
        given = [
            place,
            ir.Constant(_INT32, x.dtype.bitwidth // 8),
            _first(builder, kind.lanes, args[2]),
        ]
        return called(builder, "llvm.masked.load", target, [*given, uniform(target, 0.0)])

    return kind(x, types.intp, types.intp), code


@intrinsic
def store_some(typing: Any, x: Any, i: Any, m: Any, v: Any) -> Any:
    """The first m numbers of v from x[i] on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = llvm_type(v)
        place = _address(builder, args[0], args[1], target)
        align = ir.Constant(_INT32, x.dtype.bitwidth // 8)
        given = [args[3], place, align, _first(builder, v.lanes, args[2])]
        called(builder, "llvm.masked.store", target, given, ir.VoidType())
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, v), code


@intrinsic
def ask(typing: Any, x: Any, i: Any, write: Any) -> Any:
    """Asks memory for the vector from x[i] on, to be written where write is 1; never fails."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        flags = [ir.Constant(_INT32, k) for k in (write.literal_value, 3, 1)]
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), *[_INT32] * 3])
        request = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for k in range(0, LANES[x.dtype], LINE_BYTES * 8 // x.dtype.bitwidth):
            place = builder.add(args[1], ir.Constant(args[1].type, k))
            builder.call(request, [_address(builder, args[0], place, byte), *flags])
        return context.get_dummy_value()

    if not isinstance(write, types.IntegerLiteral):
        return None
    return types.void(x, types.intp, write), code
