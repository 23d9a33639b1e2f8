"""Rigorous evaluation of an indexed expression at one rational point, with Arb balls.

The expression is written out for explicit lengths (every sum becomes its terms) and evaluated in
ball arithmetic, so that two results whose balls do not meet are certainly different. This route
shares nothing with the normal form: derivatives are taken by SymPy on the written-out scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from flint import arb, ctx, fmpq
from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    Integer,
    KroneckerDelta,
    Max,
    Mul,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    diff,
    exp,
    log,
)

from derive.axis import Axis, Index
from derive.calculus import Partial, free_indices, opened

Entry = tuple[str, tuple[int, ...]]

# Written-out sums that are kept: a sum inside a sum is met once for every value of the outer index,
# and a whole side at every precision and point, so that most are asked for many times. The largest
# derivations have some 500 of them.
KEPT = 4096


@dataclass(frozen=True)
class Point:
    """Lengths, index values and rational entries at which an expression is evaluated."""

    sizes: Mapping[Axis, int]
    indices: Mapping[Index, int]
    entries: Mapping[Entry, Rational]
    scalars: Mapping[Symbol, Rational] = field(default_factory=dict)

    def describe(self) -> dict[str, str]:
        """The point in words: lengths, free indices, entries, parameters."""
        lines = {str(axis.size): str(size) for axis, size in self.sizes.items()}
        lines |= {index.name: str(value) for index, value in self.indices.items()}
        lines |= {
            f"{name}[{', '.join(map(str, where))}]": str(value)
            for (name, where), value in self.entries.items()
        }
        return lines | {symbol.name: str(value) for symbol, value in self.scalars.items()}


def write_out(expression: Expr, point: Point) -> Expr:
    """The expression for explicit lengths: a scalar expression in one symbol for each entry."""
    return _written(expression, tuple(point.sizes.items()), tuple(point.indices.items()))


_Sizes = tuple[tuple[Axis, int], ...]


@lru_cache(maxsize=KEPT)
def _written(expression: Expr, sizes: _Sizes, indices: tuple[tuple[Index, int], ...]) -> Expr:
    where = dict(indices)
    if isinstance(expression, Sum | Product):
        index, body = opened(expression)
        values = range(dict(sizes)[index.axis])
        parts = (_write_out(body, sizes, {**where, index: value}) for value in values)
        return Add(*parts) if isinstance(expression, Sum) else Mul(*parts)
    if isinstance(expression, Partial):
        inner = _write_out(expression.expression, sizes, where)
        return diff(inner, _write_out(expression.variable, sizes, where))
    return _write_out(expression, sizes, where)


def _write_out(expression: Expr, sizes: _Sizes, where: Mapping[Index, int]) -> Expr:
    if isinstance(expression, Index):
        return Integer(where[expression])
    if isinstance(expression, Indexed):
        positions = tuple(where[index] for index in expression.indices)
        return entry_symbol(str(expression.base), positions)
    if isinstance(expression, Sum | Product | Partial):
        free = free_indices(expression)
        here = tuple((index, value) for index, value in where.items() if index in free)
        return _written(expression, sizes, here)
    if isinstance(expression, Symbol):
        return next((Integer(size) for axis, size in sizes if axis.size == expression), expression)
    if not expression.args:
        return expression
    return expression.func(*(_write_out(argument, sizes, where) for argument in expression.args))


def entry_symbol(name: str, positions: tuple[int, ...]) -> Symbol:
    """The scalar that stands for one entry of an array."""
    return Symbol(f"{name}[{','.join(map(str, positions))}]", real=True)


class OutsideDomain(ArithmeticError):
    """The expression certainly has no real value at the point: a log of -1, a division by 0."""


def enclose(expression: Expr, point: Point, precision: int) -> arb:
    """A ball that holds the value of the expression at the point, worked in ``precision`` bits."""
    values = {
        entry_symbol(name, where): value for (name, where), value in point.entries.items()
    } | dict(point.scalars)
    before = ctx.prec
    ctx.prec = precision
    try:
        return _ball(write_out(expression, point), values, {})
    finally:
        ctx.prec = before


def _ball(expression: Expr, values: Mapping[Symbol, Rational], seen: dict[Expr, arb]) -> arb:
    if expression not in seen:
        seen[expression] = _ball_of(expression, values, seen)
    return seen[expression]


def _ball_of(expression: Expr, values: Mapping[Symbol, Rational], seen: dict[Expr, arb]) -> arb:
    if isinstance(expression, Symbol):
        return _rational(values[expression])
    if isinstance(expression, Rational):
        return _rational(expression)
    if expression is S.Pi:
        return arb.pi()
    if expression is S.Exp1:
        return arb(1).exp()
    if isinstance(expression, Pow):
        return _power(expression, values, seen)
    operation = _OPERATIONS.get(expression.func)
    if expression in _NOT_REAL:
        raise OutsideDomain(str(expression))
    if operation is None:
        raise TypeError(f"no ball arithmetic for {expression.func.__name__}: {expression}")
    return operation([_ball(argument, values, seen) for argument in expression.args])


def _rational(value: Rational) -> arb:
    return arb(fmpq(int(value.p), int(value.q)))


def _power(power: Pow, values: Mapping[Symbol, Rational], seen: dict[Expr, arb]) -> arb:
    base = _ball(power.base, values, seen)
    if base == 0 and power.exp.is_negative:
        raise OutsideDomain(str(power))
    if isinstance(power.exp, Integer):
        return base ** int(power.exp)
    if base < 0:
        raise OutsideDomain(str(power))
    return base ** _ball(power.exp, values, seen)


def _logarithm(parts: list[arb]) -> arb:
    if parts[0] <= 0:
        raise OutsideDomain(f"log {parts[0]}")
    return parts[0].log()


def _sum(parts: list[arb]) -> arb:
    return sum(parts, arb(0))


def _product(parts: list[arb]) -> arb:
    result = arb(1)
    for part in parts:
        result *= part
    return result


def _maximum(parts: list[arb]) -> arb:
    result = parts[0]
    for part in parts[1:]:
        result = result.max(part)
    return result


def _delta(parts: list[arb]) -> arb:
    return arb(1 if parts[0] == parts[1] else 0)


# What SymPy leaves where a written-out expression has no real value.
_NOT_REAL = (S.ImaginaryUnit, S.ComplexInfinity, S.NaN, S.Infinity, S.NegativeInfinity)

_OPERATIONS: dict[type, Callable[[list[arb]], arb]] = {
    Add: _sum,
    Mul: _product,
    Max: _maximum,
    Abs: lambda parts: abs(parts[0]),
    exp: lambda parts: parts[0].exp(),
    log: _logarithm,
    KroneckerDelta: _delta,
}
