"""Vectors of numbers in compiled code, where a loop must not be left to LLVM.

LLVM gives a loop that adds float32 terms in float64 half the lanes, and ends every sum of a short
row by itself.  Written with vectors a loop has all lanes, and requests for what comes next can be
spread over it.  Each operation is one of LLVM's on its vector type, on any processor: lane by lane
it is that of numbers, and sums have one order everywhere.

    + - * < <= > >= == & |                  lane by lane; a number beside a vector is in all lanes
    choose(mask, a, b)                      a where the mask is true, else b; of numbers too
    larger(a, b), smaller(a, b)             lane by lane
    count(mask)                             how many lanes are true
    widen(v)                                in float64
    uniformly(x), width(x)                  x in all lanes; how many those are

`intrinsics` takes vectors as it takes numbers; `vector_memory` loads and stores them,
`vector_lanes` and `vector_sums` make numbers of them.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

__all__ = [
    "LANES",
    "LINE_BYTES",
    "Vector",
    "called",
    "choose",
    "count",
    "element",
    "larger",
    "like",
    "llvm_type",
    "resized",
    "shuffled",
    "smaller",
    "spread",
    "uniform",
    "uniformly",
    "widen",
    "width",
]

LINE_BYTES = 64
"""A line of the caches, and the widest register there is."""

LANES = {types.float32: 32, types.float64: 16}
"""Two lines at a time: one register waits for its results while the other is busy (1.25 times as
fast as one here; four want more registers than there are)."""

_INT32 = ir.IntType(32)
_SCALARS = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.uint32: _INT32,
    types.uint64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}


class Vector(types.Type):
    """Numbers of a type, LANES unless told else; of booleans, a mask."""

    def __init__(self, element: Any, lanes: int | None = None) -> None:
        self.element, self.lanes = element, lanes or LANES[element]
        super().__init__(name=f"Vector({element}, {self.lanes})")

    def can_convert_from(self, typingctx: Any, other: Any) -> Any:
        """A number of the type stands for LANES of them."""
        return Conversion.safe if other == self.element else None


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, llvm_type(kind))


def element(kind: Any) -> Any:
    """The type of a number, or of those in a vector."""
    return kind.element if isinstance(kind, Vector) else kind


def llvm_type(kind: Any) -> Any:
    """LLVM's type for a number or a vector of this type of numbers."""
    scalar = _SCALARS[element(kind)]
    return ir.VectorType(scalar, kind.lanes) if isinstance(kind, Vector) else scalar


def like(kind: Any, scalar: Any) -> Any:
    """A number of type scalar, or a vector of them where kind is a vector."""
    return Vector(scalar, kind.lanes) if isinstance(kind, Vector) else scalar


def resized(of: Any, scalar: Any) -> Any:
    """LLVM's type for as many numbers of another type."""
    return ir.VectorType(scalar, of.count) if isinstance(of, ir.VectorType) else scalar


def uniform(of: Any, value: Any) -> Any:
    """LLVM's constant of this type, the same value in all lanes."""
    return ir.Constant(of, [value] * of.count if isinstance(of, ir.VectorType) else value)


def shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INT32, len(places)), places)
    return builder.shuffle_vector(a, b, mask)


def spread(builder: Any, x: Any, lanes: int) -> Any:
    nothing = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, x, ir.Constant(_INT32, 0))
    return shuffled(builder, one, nothing, [0] * lanes)


@lower_cast(types.Number, Vector)
def _from_number(context: Any, builder: Any, given: Any, wanted: Any, x: Any) -> Any:
    return spread(builder, x, wanted.lanes)


def _define(symbol: Any, kinds: Any, result: Any, code: Any) -> None:
    """What an operator of Python is for vectors."""

    @infer_global(symbol)
    class Typed(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            found = [x for x in args if isinstance(x, Vector) and x.element in kinds]
            if found and all(x in (found[0], found[0].element) for x in args):
                return signature(result(found[0]), *[found[0]] * len(args))
            return None

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return code(builder, *args)

    for places in (1, 2):
        lower_builtin(symbol, *[Vector] * places)(lowered)


_FLOATS = (types.float32, types.float64)


def _arithmetic() -> None:
    for symbol, name in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul")):
        method = getattr(ir.IRBuilder, name)
        _define(getattr(operator, symbol), _FLOATS, lambda v: v, method)
    _define(operator.neg, _FLOATS, lambda v: v, ir.IRBuilder.fneg)
    for symbol, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "==")):

        def compare(builder: Any, a: Any, b: Any, sign: str = sign) -> Any:
            return builder.fcmp_ordered(sign, a, b)

        _define(getattr(operator, symbol), _FLOATS, lambda v: like(v, types.boolean), compare)
    for symbol, name in (("and_", "and_"), ("or_", "or_")):
        method = getattr(ir.IRBuilder, name)
        _define(getattr(operator, symbol), (types.boolean,), lambda v: v, method)


_arithmetic()


_NAMES = {"float": "f32", "double": "f64", "i32": "i32", "i64": "i64"}


def _name(of: Any) -> str:
    """How the names of LLVM's functions end that are for numbers of this type."""
    if isinstance(of, ir.VectorType):
        return f"v{of.count}{_NAMES[str(of.element)]}"
    return _NAMES[str(of)]


def called(builder: Any, name: str, of: Any, args: list[Any], result: Any = None) -> Any:
    """One of LLVM's functions for a type of numbers; it gives one of these unless told else."""
    kind = ir.FunctionType(of if result is None else result, [x.type for x in args])
    full = f"{name}.{_name(of)}" + (".p0" if "masked" in name else "")
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), args)


@intrinsic
def choose(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """a where the mask is true, else b."""
    kind = a if isinstance(a, Vector) else b

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return kind(mask, kind, kind), code


@intrinsic
def count(typing: Any, mask: Any) -> Any:
    """How many lanes are true."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        seen = builder.ctpop(builder.bitcast(args[0], ir.IntType(mask.lanes)))
        return builder.zext(seen, ir.IntType(64))

    return types.int64(mask), code


@intrinsic
def widen(typing: Any, v: Any) -> Any:
    """v in float64."""
    wide = like(v, types.float64)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(args[0], llvm_type(wide))

    return wide(v), code


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """a if a > b, else b: with nan in a, or in both, b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    kind = a if isinstance(a, Vector) else b
    return kind(kind, kind), code


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """a if a < b, else b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args), *args)

    kind = a if isinstance(a, Vector) else b
    return kind(kind, kind), code


@intrinsic
def uniformly(typing: Any, x: Any) -> Any:
    """x in all lanes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return spread(builder, args[0], LANES[x])

    return Vector(x)(x), code


@intrinsic
def width(typing: Any, x: Any) -> Any:
    """How many of the numbers of x are a vector."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), LANES[x.dtype])

    return types.intp(x), code
