"""Vectors of LANES numbers in compiled code, where a loop must not be left to LLVM.

LLVM gives a loop that adds float32 terms in float64 half the lanes, and ends every sum of a short
row by itself.  Written with vectors a loop has all lanes, and requests for what comes next can be
spread over it.  Each operation is one of LLVM's on its vector type, on any processor: lane by lane
it is that of scalars, and sums have one order everywhere.

    load(x, i), store(x, i, v)              LANES numbers of an array from i on
    load_some(x, i, m), store_some(...)     the first m of them; the others are 0
    first(x, m)                             a mask: true in the first m lanes
    choose(mask, a, b)                      a where the mask is true, else b; of scalars too
    count(mask)                             how many are true
    widen(v), totals(v, w)                  in float64; the sums over the lanes of two
    most(n)                                 the highest of unsigned lanes
    ask(x, i, write)                        asks for LANES numbers, which need not be inside
    width(x)                                LANES

Numbers that stand beside a vector are in all its lanes.
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
from numba.np import arrayobj

__all__ = [
    "LANES",
    "Vector",
    "ask",
    "at",
    "called",
    "choose",
    "count",
    "element",
    "first",
    "halved",
    "lane",
    "larger",
    "largest",
    "least",
    "like",
    "llvm_type",
    "load",
    "load_some",
    "most",
    "numbers",
    "resized",
    "smaller",
    "split",
    "store",
    "store_some",
    "totals",
    "totals_of_three",
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


def _shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INT32, len(places)), places)
    return builder.shuffle_vector(a, b, mask)


def _spread(builder: Any, x: Any, lanes: int) -> Any:
    nothing = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, x, ir.Constant(_INT32, 0))
    return _shuffled(builder, one, nothing, [0] * lanes)


@lower_cast(types.Number, Vector)
def _from_number(context: Any, builder: Any, given: Any, wanted: Any, x: Any) -> Any:
    return _spread(builder, x, wanted.lanes)


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
    return builder.icmp_signed("<", places, _spread(builder, builder.trunc(m, _INT32), lanes))


@intrinsic
def first(typing: Any, x: Any, m: Any) -> Any:
    """A mask for vectors of the numbers of x: true in the first m lanes."""
    lanes = LANES[x.dtype]

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _first(builder, lanes, args[1])

    return Vector(types.boolean, lanes)(x, types.intp), code


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


def _halved(builder: Any, v: Any) -> Any:
    half = v.type.count // 2
    low = _shuffled(builder, v, v, list(range(half)))
    return builder.fadd(low, _shuffled(builder, v, v, list(range(half, 2 * half))))


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
    return builder.fadd(_shuffled(builder, a, b, even), _shuffled(builder, a, b, odd))


def _extract(builder: Any, v: Any, n: int) -> list[Any]:
    return [builder.extract_element(v, ir.Constant(_INT32, i)) for i in range(n)]


@intrinsic
def split(typing: Any, v: Any) -> Any:
    """The first half of the lanes, and the second."""
    half = Vector(v.element, v.lanes // 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        places = list(range(v.lanes))
        pair = [
            _shuffled(builder, args[0], args[0], some)
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
def larger(typing: Any, a: Any, b: Any) -> Any:
    """a if a > b, else b: with nan in a, or in both, b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _larger(builder, *args)

    kind = a if isinstance(a, Vector) else b
    return kind(kind, kind), code


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """a if a < b, else b."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args), *args)

    kind = a if isinstance(a, Vector) else b
    return kind(kind, kind), code


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def largest(typing: Any, v: Any) -> Any:
    """The largest of the lanes, unless one is nan."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = args[0]
        while found.type.count > 1:
            half = found.type.count // 2
            low, high = list(range(half)), list(range(half, 2 * half))
            parts = [_shuffled(builder, found, found, places) for places in (low, high)]
            found = _larger(builder, *parts)
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


@intrinsic
def uniformly(typing: Any, x: Any) -> Any:
    """x in all lanes."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, args[0], LANES[x])

    return Vector(x)(x), code


@intrinsic
def width(typing: Any, x: Any) -> Any:
    """How many of the numbers of x are a vector."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), LANES[x.dtype])

    return types.intp(x), code


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
