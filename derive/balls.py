"""Rigorous evaluation of an indexed expression at one rational point, with Arb balls.

The expression is written out for explicit lengths (every sum becomes its terms) and evaluated in
ball arithmetic, so that two results whose balls do not meet are certainly different. This route
shares nothing with the normal form: derivatives are taken by SymPy on the written-out scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from math import inf, prod

from flint import arb, ctx, fmpq
from sympy import (
    Abs,
    Add,
    DiracDelta,
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
    sign,
)

from derive.axis import Axis, Index
from derive.branches import name_of
from derive.calculus import Partial, free_indices, opened
from derive.coefficients import Coefficient, OrderSum
from derive.laurent import (
    Laurent,
    Scalar,
    TooShort,
    exponential,
    level,
    logarithm,
    plus,
    times,
)
from derive.laurent import power as series_power
from derive.ramps import Largest, leads, maximum, ramp, step

Entry = tuple[str, tuple[int, ...]]

# Written-out sums that are kept: a sum inside a sum is met once for every value of the outer index,
# and a whole side at every precision and point, so that most are asked for many times. The largest
# derivations have some 500 of them.
KEPT = 4096

# Terms that series are carried to, one length after the other. Orders are at most 4 at the points
# of the refuter and axes have at most 3 entries, so that a dozen terms are enough but for products
# of many series that start far below order 0.
LENGTHS_OF_SERIES = (6, 12, 24, 48)

_Values = Mapping[Symbol, "Rational | Scalar"]


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
    if isinstance(expression, Sum | Product | Largest):
        index, body = opened(expression)
        values = range(dict(sizes)[index.axis])
        parts = (_write_out(body, sizes, {**where, index: value}) for value in values)
        kinds = {Sum: Add, Product: Mul, Largest: maximum}
        together = next(kinds[kind] for kind in kinds if isinstance(expression, kind))
        return together(*parts)
    if isinstance(expression, Partial):
        inner = _write_out(expression.expression, sizes, where)
        return diff(inner, _write_out(expression.variable, sizes, where))
    return _write_out(expression, sizes, where)


def _write_out(expression: Expr, sizes: _Sizes, where: Mapping[Index, int]) -> Expr:
    if isinstance(expression, Index):
        return Integer(where[expression])
    if isinstance(expression, Indexed):
        positions = tuple(where[index] for index in expression.indices)
        return entry_symbol(name_of(expression.base), positions)
    if isinstance(expression, Sum | Product | Largest | Partial):
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
    before = ctx.prec
    ctx.prec = precision
    try:
        values = {entry_symbol(*place): value for place, value in point.entries.items()}
        return ball_at(expression, point, values | dict(point.scalars))
    finally:
        ctx.prec = before


def ball_at(expression: Expr, point: Point, values: _Values) -> Scalar:
    """The same in the precision that is set, of any numbers that have a ball's operations."""
    return _ball(write_out(expression, point), values, {})


def _ball(expression: Expr, values: _Values, seen: dict[Expr, Scalar]) -> Scalar:
    """The value of a written-out expression: a ball, or a series where a variable is in reach."""
    if expression not in seen:
        seen[expression] = _ball_of(expression, values, seen)
    return seen[expression]


def _ball_of(expression: Expr, values: _Values, seen: dict[Expr, Scalar]) -> Scalar:
    if isinstance(expression, Symbol):
        value = values[expression]
        return rational(value) if isinstance(value, Rational) else value
    if isinstance(expression, Rational):
        return rational(expression)
    if expression is S.Pi:
        return arb.pi()
    if expression is S.Exp1:
        return arb(1).exp()
    if isinstance(expression, Pow):
        return _power(expression, values, seen)
    if isinstance(expression, Coefficient):
        return _coefficient(expression, values, seen)
    if isinstance(expression, OrderSum):
        return _order_sum(expression, values, seen)
    if isinstance(expression, leads):
        return _leading(expression, values, seen)
    operation = _OPERATIONS.get(expression.func)
    if expression in _NOT_REAL:
        raise OutsideDomain(str(expression))
    if operation is None:
        raise TypeError(f"no ball arithmetic for {expression.func.__name__}: {expression}")
    return operation([_ball(argument, values, seen) for argument in expression.args])


def rational(value: Rational) -> arb:
    """The ball of a rational number."""
    return arb(fmpq(int(value.p), int(value.q)))


def _power(power: Pow, values: _Values, seen: dict[Expr, Scalar]) -> Scalar:
    base = _ball(power.base, values, seen)
    if isinstance(base, Laurent):
        return _power_of_series(base, _ball(power.exp, values, seen))
    if base == 0 and power.exp.is_negative:
        raise OutsideDomain(str(power))
    if isinstance(power.exp, Integer):
        return whole_power(base, int(power.exp))
    exponent = _ball(power.exp, values, seen)
    if base < 0 and not exponent.is_integer():
        raise OutsideDomain(str(power))
    return base**exponent


def whole_power(base: arb, exponent: int) -> arb:
    """``base^exponent``, also where the ball holds 0: ``arb.__pow__`` takes a log, which is nan."""
    if not base.contains(0):
        return base**exponent
    positive = prod(repeat(base, abs(exponent)), start=arb(1))
    return positive if exponent >= 0 else 1 / positive


def _power_of_series(base: Laurent, exponent: Scalar) -> Scalar:
    whole = exponent.unique_fmpz() if isinstance(exponent, arb) else None
    if whole is not None and exponent.is_integer():
        return _defined(series_power, base, int(whole))
    return _defined(exponential, times(exponent, _defined(logarithm, base)))


def _defined(operation: Callable[..., Scalar], *arguments: Scalar) -> Scalar:
    """The result, where a series has one."""
    try:
        return operation(*arguments)
    except TooShort:
        raise
    except ArithmeticError as error:
        raise OutsideDomain(str(error)) from error


def _coefficient(node: Coefficient, values: _Values, seen: dict[Expr, Scalar]) -> Scalar:
    """The series multiplied out, longer if its lowest powers are far below the order asked for."""
    order = _integer(node.order, values, seen)
    level_here = 1 + max(map(level, values.values()), default=0)
    for length in LENGTHS_OF_SERIES:
        variable = Laurent.variable(length, level_here)
        try:
            series = _ball(node.series, {**values, node.bound: variable}, {})
            if level(series) < level_here:
                return series if order == 0 else arb(0)
            return series[order]
        except TooShort:
            continue
    raise OutsideDomain(f"order {order} of {node.series}")


def _order_sum(node: OrderSum, values: _Values, seen: dict[Expr, Scalar]) -> Scalar:
    first = _integer(node.first, values, seen)
    last = _last(node) if node.last is S.Infinity else _integer(node.last, values, seen)
    terms = (node.summand.xreplace({node.bound: Integer(m)}) for m in range(first, last + 1))
    return _sum([_ball(term, values, seen) for term in terms])


def _last(node: OrderSum) -> int:
    """The order beyond which a coefficient in the summand is one beyond the degree."""
    bounds = [
        degree - int(factor.order - node.bound)
        for factor in Mul.make_args(node.summand)
        if isinstance(factor, Coefficient) and (factor.order - node.bound).is_Integer
        if (degree := _degree(factor.series, factor.bound)) is not None
    ]
    if not bounds:
        raise TypeError(f"no bound is known on the orders of {node}: its terms may never end")
    return min(bounds)


def _degree(series: Expr, z: Symbol) -> int | None:
    """A bound on the degree in z of a written-out polynomial; None for other series."""
    if z not in series.free_symbols:
        return 0
    if isinstance(series, Add | Mul):
        degrees = [_degree(argument, z) for argument in series.args]
        known = [degree for degree in degrees if degree is not None]
        if len(known) < len(degrees):
            return None
        return max(known) if isinstance(series, Add) else sum(known)
    if isinstance(series, Pow) and isinstance(series.exp, Integer) and series.exp > 0:
        degree = _degree(series.base, z)
        return None if degree is None else degree * int(series.exp)
    return 1 if series == z else None


def _integer(expression: Expr, values: _Values, seen: dict[Expr, Scalar]) -> int:
    value = _ball(expression, values, seen)
    found = value.unique_fmpz()
    if found is None or not value.is_integer():
        raise OutsideDomain(f"the order {expression} is {value}")
    return int(found)


def _exponential(parts: list[Scalar]) -> Scalar:
    return _defined(exponential, parts[0])


def _logarithm(parts: list[Scalar]) -> Scalar:
    if isinstance(parts[0], arb) and parts[0] <= 0:
        raise OutsideDomain(f"log {parts[0]}")
    return _defined(logarithm, parts[0])


def _sum(parts: list[Scalar]) -> Scalar:
    result: Scalar = arb(0)
    for part in parts:
        result = plus(result, part)
    return result


def _product(parts: list[Scalar]) -> Scalar:
    result: Scalar = arb(1)
    for part in parts:
        result = times(result, part)
    return result


def _maximum(parts: list[arb]) -> arb:
    result = parts[0]
    for part in parts[1:]:
        result = result.max(part)
    return result


def _step(parts: list[arb]) -> arb:
    """1 above 0, 0 below; where the ball holds 0 all from 0 to 1, the limits of both sides."""
    (x,) = parts
    return arb(1) if x > 0 else arb(0) if x < 0 else _either()


def _sign(parts: list[arb]) -> arb:
    """1 above 0, -1 below; where the ball holds 0 it decides nothing."""
    (x,) = parts
    return arb(1) if x > 0 else arb(-1) if x < 0 else _anything()


def _off_the_kink(parts: list[arb]) -> arb:
    """What SymPy has for the derivative of a sign: 0 but where it has none."""
    return _anything() if parts[0].contains(0) else arb(0)


def _leading(node: leads, values: _Values, seen: dict[Expr, Scalar]) -> arb:
    """1 where the argument at the place is above all others, 0 where it is below one."""
    largest, place = node.args
    own, *others = (
        _ball(argument, values, seen)
        for argument in sorted(largest.args, key=lambda a: a != largest.args[int(place)])
    )
    if any(own < other for other in others):
        return arb(0)
    return arb(1) if all(own > other for other in others) else _either()


def _either() -> arb:
    """From 0 to 1."""
    return arb(0.5, 0.5)


def _anything() -> arb:
    """The whole line: it meets every other ball."""
    return arb(0, inf)


def _delta(parts: list[arb]) -> arb:
    return arb(1 if parts[0] == parts[1] else 0)


# What SymPy leaves where a written-out expression has no real value.
_NOT_REAL = (S.ImaginaryUnit, S.ComplexInfinity, S.NaN, S.Infinity, S.NegativeInfinity)

_OPERATIONS: dict[type, Callable[[list[Scalar]], Scalar]] = {
    Add: _sum,
    Mul: _product,
    Max: _maximum,
    maximum: _maximum,
    ramp: lambda parts: parts[0].max(arb(0)),
    step: _step,
    sign: _sign,
    DiracDelta: _off_the_kink,
    Abs: lambda parts: abs(parts[0]),
    exp: _exponential,
    log: _logarithm,
    KroneckerDelta: _delta,
}
