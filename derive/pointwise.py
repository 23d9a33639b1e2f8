"""Balls of an indexed expression at a point, worked out as it stands: nothing is written out.

A sum is a loop over its index, and a derivative is carried along as a slope: with ``e^2 = 0``

    f(x + e) = f(x) + f'(x) e,    (a + b e) (c + d e) = a c + (a d + b c) e

so that no sum becomes a SymPy expression for its length, which takes longer than all the balls.
What has no value here, or none that is certain, such as ``0 log 0`` or the slope of a ramp at its
kink, is left to :mod:`derive.balls`, where SymPy sees the terms that cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any, TypeAlias

from flint import arb, ctx
from sympy import (
    Abs,
    Add,
    Expr,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    Pow,
    Product,
    Rational,
    S,
    Sum,
    Symbol,
    exp,
    log,
)

from derive.axis import Index
from derive.balls import OutsideDomain, Point, ball_at, entry_symbol, rational, whole_power
from derive.branches import name_of
from derive.calculus import Partial, free_indices, opened
from derive.coefficients import Coefficient, OrderSum
from derive.ramps import Largest, leads, ramp, step

__all__ = ["Unclear", "enclose_pointwise"]

#: A ball, or a number with a slope.
Number: TypeAlias = Any


class Unclear(ArithmeticError):
    """There is no value, or none that is certain without a look at what cancels."""


@dataclass(slots=True)
class Dual:
    """``value + slope e``; the level tells its ``e`` from those of its parts, which are lower."""

    value: Number
    slope: Number
    level: int

    def __add__(self, other: Number) -> Dual:
        if not isinstance(other, Dual) or other.level < self.level:
            return Dual(self.value + other, self.slope, self.level)
        if other.level > self.level:
            return Dual(other.value + self, other.slope, other.level)
        return Dual(self.value + other.value, self.slope + other.slope, self.level)

    def __mul__(self, other: Number) -> Dual:
        if not isinstance(other, Dual) or other.level < self.level:
            return Dual(self.value * other, self.slope * other, self.level)
        if other.level > self.level:
            return Dual(other.value * self, other.slope * self, other.level)
        slope = self.value * other.slope + self.slope * other.value
        return Dual(self.value * other.value, slope, self.level)

    __radd__, __rmul__ = __add__, __mul__

    # What a series asks of its coefficients.

    def __pow__(self, exponent: int) -> Dual:
        inner = self.value ** (exponent - 1)
        return Dual(inner * self.value, inner * self.slope * arb(exponent), self.level)

    def __rtruediv__(self, other: Number) -> Dual:
        return self**-1 * other

    def __le__(self, other: Number) -> bool:
        return bool(self.value <= other)

    def exp(self) -> Dual:
        value = self.value.exp()
        return Dual(value, value * self.slope, self.level)

    def log(self) -> Dual:
        return Dual(self.value.log(), self.slope * (1 / self.value), self.level)

    def contains(self, number: int) -> bool:
        """Whether powers are to be products: a ball takes a log, and its slope another power."""
        return bool(self.value.contains(number))

    def unique_fmpz(self) -> None:
        """No integer: an order has no slope."""
        return None


def enclose_pointwise(expression: Expr, point: Point, precision: int) -> arb:
    """A ball that holds the value of the expression at the point; raises :class:`Unclear`."""
    before = ctx.prec
    ctx.prec = precision
    try:
        found = _Walk(point).number(expression)
    except (OutsideDomain, ZeroDivisionError) as error:
        raise Unclear(str(error)) from error
    finally:
        ctx.prec = before
    if not (isinstance(found, arb) and found.is_finite()):
        raise Unclear(str(expression))
    return found


class _Walk:
    """One walk over an expression: where its indices are, and which entries have slopes."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.where = dict(point.indices)
        self.level = 0
        self.numbers: dict[Any, Number] = {
            **{axis.size: arb(size) for axis, size in point.sizes.items()},
            **{place: rational(value) for place, value in point.entries.items()},
            **{symbol: rational(value) for symbol, value in point.scalars.items()},
        }
        self.known: dict[Any, Number] = {}

    def number(self, expression: Expr) -> Number:
        """The value where the walk is."""
        handler, is_leaf = _handler(expression.func)
        if is_leaf:
            return handler(self, expression)
        key = (expression, *map(self.where.get, free_indices(expression)))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = handler(self, expression)
        return found

    def index(self, index: Index) -> arb:
        return arb(self.where[index])

    def entry(self, entry: Indexed) -> Number:
        return self.numbers[self.place(entry)]

    def place(self, variable: Indexed | Symbol) -> Any:
        """What an entry or a parameter is called."""
        if isinstance(variable, Symbol):
            return variable
        return name_of(variable.base), tuple(self.where[index] for index in variable.indices)

    def symbol(self, symbol: Symbol) -> Number:
        return self.numbers[symbol]

    def delta(self, delta: KroneckerDelta) -> arb:
        left, right = (self.number(argument) for argument in delta.args)
        return arb(int(left == right))

    def sum(self, terms: Add) -> Number:
        first, *others = terms.args
        result = self.number(first)
        for term in others:
            result = result + self.number(term)
        return result

    def product(self, factors: Mul) -> Number:
        """What a delta takes away need have no value."""
        last = []
        result: Number = arb(1)
        for factor in factors.args:
            if not isinstance(factor, KroneckerDelta):
                last.append(factor)
            elif self.delta(factor) == 0:
                return arb(0)
        for factor in last:
            result = result * self.number(factor)
        return result

    def along(self, aggregate: Sum | Product | Largest) -> list[Number]:
        """What stands under a sum, at each value of its index."""
        index, body = opened(aggregate)
        before = self.where.get(index)
        found = []
        for value in range(self.point.sizes[index.axis]):
            self.where[index] = value
            found.append(self.number(body))
        if before is None:
            del self.where[index]
        else:
            self.where[index] = before
        return found

    def partial(self, node: Partial) -> Number:
        """The slope along an entry or a parameter."""
        place = self.place(node.variable)
        before, known = self.numbers[place], self.known
        self.level += 1
        level = self.level
        self.numbers[place], self.known = Dual(before, arb(1), level), {}
        try:
            found = self.number(node.expression)
        finally:
            self.numbers[place], self.known = before, known
            self.level -= 1
        return found.slope if isinstance(found, Dual) and found.level == level else arb(0)

    def power(self, power: Pow) -> Number:
        base = self.number(power.base)
        if isinstance(power.exp, Integer):
            return _whole_power(base, int(power.exp))
        exponent = self.number(power.exp)
        if isinstance(base, Dual) or isinstance(exponent, Dual):
            return _exp(exponent * _log(base))
        if base < 0 and not exponent.is_integer():
            raise Unclear("a root of a negative number")
        return base**exponent

    def leading(self, node: leads) -> arb:
        """1 at the largest entry, 0 below it."""
        largest, place = node.args
        own, *others = [_real(number) for number in self.along(largest)]
        at = int(self.where[place])
        if at:
            own, others[at - 1] = others[at - 1], own
        if any(own < other for other in others):
            return arb(0)
        if all(own > other for other in others):
            return arb(1)
        raise Unclear(type(node).__name__)

    def series(self, node: Coefficient | OrderSum) -> Number:
        """Those of the written-out series."""
        here = {index: self.where[index] for index in free_indices(node)}
        values = {
            place if isinstance(place, Symbol) else entry_symbol(*place): number
            for place, number in self.numbers.items()
        }
        return ball_at(node, replace(self.point, indices=here), values)


def _real(number: Number) -> arb:
    """The value without slopes."""
    while isinstance(number, Dual):
        number = number.value
    return number


def _sign(number: Number) -> int:
    """1 or -1, where it is certain."""
    value = _real(number)
    if value > 0:
        return 1
    if value < 0:
        return -1
    raise Unclear(f"the sign of {value}")


def _whole_power(base: Number, exponent: int) -> Number:
    if not isinstance(base, Dual):
        if base == 0 and exponent < 0:
            raise Unclear("a power of 0")
        return whole_power(base, exponent)
    inner = _whole_power(base.value, exponent - 1)
    return Dual(inner * base.value, inner * base.slope * arb(exponent), base.level)


def _exp(number: Number) -> Number:
    if not isinstance(number, Dual):
        return number.exp()
    value = _exp(number.value)
    return Dual(value, value * number.slope, number.level)


def _log(number: Number) -> Number:
    if not isinstance(number, Dual):
        if not number > 0:
            raise Unclear(f"log {number}")
        return number.log()
    slope = _whole_power(number.value, -1) * number.slope
    return Dual(_log(number.value), slope, number.level)


def _largest(numbers: list[Number]) -> Number:
    """The one that is certainly the largest, if any has a slope; else the ball of the largest."""
    if not any(isinstance(number, Dual) for number in numbers):
        result = numbers[0]
        for number in numbers[1:]:
            result = result.max(number)
        return result
    for number in numbers:
        others = [other for other in numbers if other is not number]
        if all(_real(number) > _real(other) for other in others):
            return number
    raise Unclear("the largest of numbers that may be equal")


def _size(number: Number) -> Number:
    return abs(number) if isinstance(number, arb) else number * arb(_sign(number))


def _ramp(number: Number) -> Number:
    if isinstance(number, arb):
        return number.max(arb(0))
    return number if _sign(number) > 0 else arb(0)


def _step(number: Number) -> arb:
    """1 above 0, 0 below, all from 0 to 1 where the ball holds 0."""
    if isinstance(number, arb) and number.contains(0):
        return arb(0.5, 0.5)
    return arb(int(_sign(number) > 0))


def _of_argument(function: Callable[[Number], Number]) -> Callable[[_Walk, Expr], Number]:
    return lambda walk, node: function(walk.number(node.args[0]))


def _unknown(walk: _Walk, node: Expr) -> Number:
    raise Unclear(f"no value for {type(node).__name__}")


_Handler: TypeAlias = Callable[[_Walk, Any], Number]

_LEAVES: dict[type, _Handler] = {
    Indexed: _Walk.entry,
    Index: _Walk.index,
    Symbol: _Walk.symbol,
    Rational: lambda _, number: rational(number),
    KroneckerDelta: _Walk.delta,
    type(S.Pi): lambda *_: arb.pi(),
    type(S.Exp1): lambda *_: arb(1).exp(),
}

_HANDLERS: dict[type, _Handler] = {
    Add: _Walk.sum,
    Mul: _Walk.product,
    Pow: _Walk.power,
    exp: _of_argument(_exp),
    log: _of_argument(_log),
    Sum: lambda walk, node: sum(walk.along(node), arb(0)),
    Product: lambda walk, node: prod(walk.along(node), start=arb(1)),
    Largest: lambda walk, node: _largest(walk.along(node)),
    Partial: _Walk.partial,
    leads: _Walk.leading,
    ramp: _of_argument(_ramp),
    step: _of_argument(_step),
    Abs: _of_argument(_size),
    Coefficient: _Walk.series,
    OrderSum: _Walk.series,
}


@lru_cache(maxsize=256)
def _handler(kind: Any) -> tuple[_Handler, bool]:
    """What works out a node of this kind, and whether it is a leaf, which is not kept."""
    for base in kind.__mro__:
        if base in _LEAVES:
            return _LEAVES[base], True
        if base in _HANDLERS:
            return _HANDLERS[base], False
    return _unknown, False
