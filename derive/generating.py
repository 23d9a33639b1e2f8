"""Sums over orders as coefficients of closed generating functions.

* ``sum_{m=0}^{k} [z^m] F [z^{k-m}] G = [z^k] F G`` (Cauchy), with ``a^m = [z^m] 1 / (1 - a z)``,
* ``sum_{m=0}^{k} [z^m] F = [z^k] F / (1 - z)``,
* ``sum_{m>=0} [z^{m+d}] F [z^m] G = [z^d] F(z) G(1/z)`` for a polynomial G (the diagonal), and
  ``sum_{m>=0} [z^m] G = G(1)``.

``F`` and ``G`` are power series. Orders that a sum leaves out, at its first or at its last terms,
are taken from ``F`` or from ``G`` before they are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sympy import Add, Expr, Integer, Mul, Pow, S, Symbol, exp, expand, expand_mul

from derive.axis import Sum
from derive.calculus import Partial, resolve
from derive.coefficients import Coefficient, OrderSum, Z, is_polynomial, is_power_series


def closed(total: OrderSum) -> Expr | None:
    """The sum as coefficients of closed generating functions; None where no rule applies."""
    if not isinstance(total.first, Integer) and total.first.is_nonnegative:
        return _without_the_first(total)
    inner = {node: closed(node) for node in total.summand.atoms(OrderSum)}
    if None in inner.values():
        return None
    terms = Add.make_args(expand_mul(total.summand.xreplace(inner), deep=False))
    found = [_closed_term(term, total) for term in terms]
    return None if None in found else Add(*found)


def _without_the_first(total: OrderSum) -> Expr | None:
    """``sum_{m >= N} = sum_{m >= 0} - sum_{m < N}``."""
    if total.last is not S.Infinity:
        return None
    below = OrderSum(total.summand, total.bound, S.Zero, total.first - 1)
    whole = closed(OrderSum(total.summand, total.bound, S.Zero, S.Infinity))
    return None if whole is None else whole - below


def _closed_term(term: Expr, total: OrderSum) -> Expr | None:
    constant, dependent = term.as_independent(total.bound, as_Add=False)
    if not isinstance(total.first, Integer) or total.first < 0:
        return None
    parts = _parts(Mul.make_args(dependent), total)
    inner = _diagonal(parts, total) if total.last is S.Infinity else None
    if inner is None:
        inner = _convolution(parts, total)
    return None if inner is None else constant * inner


@dataclass(frozen=True)
class _Parts:
    """The factors of a summand that grow with m, and the one that falls: ``[z^top] falling``."""

    rising: tuple[Expr, ...]
    falling: Expr | None
    top: Expr


def _parts(factors: tuple[Expr, ...], total: OrderSum) -> _Parts:
    """The factor that depends on ``top - m``, if there is just one, apart from the others."""
    read = [(factor, _falling(factor, total)) for factor in factors if factor != 1]
    by_coefficient = [f for f, found in read if found and isinstance(f, Coefficient)]
    by_power = [f for f, found in read if found and not isinstance(f, Coefficient)]
    chosen = (by_coefficient or by_power)[:1]
    rising = tuple(f for f, _ in read if f not in chosen)
    falling = next((found for f, found in read if f in chosen), None)
    return _Parts(rising, *(falling or (None, total.last)))


_Falling: TypeAlias = tuple[Expr, Expr]


def _falling(factor: Expr, total: OrderSum) -> _Falling | None:
    """``[z^{N-m}] G`` as ``(G, N)``; ``a^{last - m} c`` as ``(c / (1 - a z), last)``."""
    m = total.bound
    if isinstance(factor, Coefficient):
        top = expand(factor.order + m)
        fixed = m not in top.free_symbols and m not in factor.series.free_symbols
        return (factor.series.xreplace({factor.bound: Z}), top) if fixed else None
    if total.last is S.Infinity or not isinstance(factor, Pow | exp):
        return None
    base, power = _base_and_power(factor)
    rate, rest = _linear(power, m)
    rest = expand(rest + rate * total.last) if rate is not None else S.NaN
    if rate is None or rest.free_symbols & total.last.free_symbols:
        return None
    return _power(base, rest) / (1 - _power(base, -rate) * Z), total.last


def _convolution(parts: _Parts, total: OrderSum) -> Expr | None:
    """``sum_m a_m [z^{N-m}] G = [z^N] A G``, each of the two without the orders left out."""
    m, falling = total.bound, parts.falling if parts.falling is not None else 1 / (1 - Z)
    summand = Mul(*parts.rising)
    rising = generating(summand, m)
    missing = S.Zero if total.last is S.Infinity else expand(parts.top - total.last)
    known = isinstance(missing, Integer) and parts.top is not S.Infinity
    if rising is None or not known or not is_power_series(falling, Z):
        return None
    below = Add(*(summand.xreplace({m: Integer(p)}) * Z**p for p in range(int(total.first))))
    above = Add(*(Coefficient(falling, Z, Integer(p)) * Z**p for p in range(int(missing))))
    return Coefficient((rising - below) * (falling - above), Z, parts.top)


def generating(summand: Expr, m: Symbol) -> Expr | None:
    """``A(z)`` with ``[z^m] A = summand`` for every ``m >= 0``; None where no rule applies.

    A geometric factor ``c^m`` scales the variable, a factor ``m`` is ``z d/dz``; at most one other
    factor may depend on m.
    """
    if m not in summand.free_symbols:
        return summand / (1 - Z)
    if isinstance(summand, Add):
        parts = [generating(term, m) for term in summand.args]
        return None if None in parts else Add(*parts)
    if isinstance(summand, Sum):
        inner = generating(summand.function, m)
        return None if inner is None else Sum(inner, *summand.limits)
    if isinstance(summand, Coefficient):
        return _rising_coefficient(summand, m)
    return _generating_product(summand, m)


def _rising_coefficient(factor: Coefficient, m: Symbol) -> Expr | None:
    """``[z^{m+c}] F`` is ``[z^m] F / z^c``."""
    ahead = expand(factor.order - m)
    series = factor.series.xreplace({factor.bound: Z})
    fixed = isinstance(ahead, Integer) and m not in series.free_symbols
    if not (fixed and is_power_series(series, Z)):
        return None
    lower = (Coefficient(series, Z, Integer(p)) * Z**p for p in range(int(ahead)))
    return (series - Add(*lower)) / Z**ahead


def _generating_product(summand: Expr, m: Symbol) -> Expr | None:
    constant, dependent = summand.as_independent(m, as_Add=False)
    ratio, degree, others = S.One, 0, []
    for factor in Mul.make_args(dependent):
        base, power = _base_and_power(factor)
        rate, rest = _linear(power, m)
        if factor == m or (base == m and isinstance(power, Integer) and power > 0):
            degree += int(power) if base == m else 1
        elif rate is not None and rate != 0 and m not in base.free_symbols:
            ratio, constant = ratio * _power(base, rate), constant * _power(base, rest)
        else:
            others.append(factor)
    if len(others) > 1 or summand in others or any(isinstance(f, Mul | Pow | exp) for f in others):
        return None
    series = generating(others[0], m) if others else 1 / (1 - Z)
    if series is None:
        return None
    series = series.xreplace({Z: ratio * Z})
    for _ in range(degree):
        series = Z * resolve(Partial(series, Z))
    return constant * series


def _base_and_power(factor: Expr) -> tuple[Expr, Expr]:
    return (S.Exp1, factor.args[0]) if isinstance(factor, exp) else factor.as_base_exp()


def _power(base: Expr, power: Expr) -> Expr:
    return exp(power) if base is S.Exp1 else Pow(base, power)


def _linear(power: Expr, m: Symbol) -> tuple[Expr | None, Expr]:
    """``power = rate m + rest``; no rate where it is not linear."""
    rate, rest = (part for part in expand(power).as_independent(m, as_Add=True)[::-1])
    rate = expand(rate / m)
    return (None, power) if m in rate.free_symbols else (rate, rest)


def _diagonal(parts: _Parts, total: OrderSum) -> Expr | None:
    """``sum_m [z^{m+c}] F [z^{m+d}] G = [z^{c-d}] F(z) G(1/z)``; one factor alone: ``F(1)``."""
    m, summand = total.bound, Mul(*parts.rising)
    found = _offsets(parts.rising, m)
    if found is None or parts.falling is not None or not 1 <= len(found) <= 2:
        return None
    whole = [(n, pair) for n, pair in enumerate(found) if _is_anchor(*pair)]
    if not whole:
        return None
    # Coefficients of a polynomial vanish at negative orders: these are the terms not summed.
    place, (second, beside) = min(reversed(whole), key=lambda entry: int(entry[1][1]))
    left_out = (summand.xreplace({m: Integer(p)}) for p in range(-int(beside), int(total.first)))
    if len(found) == 1:
        return second.xreplace({Z: S.One}) - Add(*left_out)
    first, ahead = found[1 - place]
    return Coefficient(first * second.xreplace({Z: 1 / Z}), Z, ahead - beside) - Add(*left_out)


def _offsets(factors: tuple[Expr, ...], m: Symbol) -> list[tuple[Expr, Expr]] | None:
    """``(F, c)`` for each factor ``[z^{m+c}] F`` of a power series; None if a factor is no such."""
    found = []
    for factor in factors:
        if not isinstance(factor, Coefficient):
            return None
        series, ahead = factor.series.xreplace({factor.bound: Z}), expand(factor.order - m)
        if m in series.free_symbols | ahead.free_symbols or not is_power_series(series, Z):
            return None
        found.append((series, ahead))
    return found


def _is_anchor(series: Expr, ahead: Expr) -> bool:
    """A polynomial at orders that are known: it ends the sum."""
    return isinstance(ahead, Integer) and is_polynomial(series, Z)
