"""Rational functions of symbols over the rational numbers, worked out by FLINT.

An expression made of sums, products and whole powers of symbols is ``P / Q``. SymPy multiplies out
and cancels on trees of objects, which takes a hundred times as long for the thousands of terms of a
second derivative; here the tree is walked once, the arithmetic is that of ``fmpq_mpoly``, and what
comes back has SymPy's form: whole coefficients without a common factor, Q led by a positive term.
Whatever is no rational function is left to SymPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, cmp_to_key, lru_cache
from math import gcd, lcm
from operator import le, sub
from typing import Any

import sympy
from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx
from sympy import Add, Basic, Expr, Integer, Mul, Poly, Pow, Rational, Symbol

__all__ = [
    "by_power",
    "cancelled",
    "divided",
    "expanded",
    "factored",
    "multiplied_out",
    "numerator_of",
]

# A polynomial and its generators; a quotient of two.
_Quotient = tuple[fmpq_mpoly, fmpq_mpoly]


class _NotRational(TypeError):
    """A node that is no sum, product or whole power of symbols."""


def expanded(value: Expr) -> Expr:
    """The value multiplied out, as ``sympy.expand`` has it."""
    if not isinstance(value, Add | Mul | Pow):
        return value
    ring = _Ring(value.free_symbols)
    try:
        top, below = ring.quotient(value)
    except _NotRational:
        return sympy.expand(value)
    return ring.over(top, below) if len(below) == 1 else sympy.expand(value)


def multiplied_out(value: Expr) -> Expr:
    """The value multiplied out; whatever is no sum, product or power is left as it is."""
    ring = _Ring(dict.fromkeys(_nodes(value)))
    top, below = ring.quotient(value)
    return ring.expression(top) if below.is_one() else sympy.expand(value, deep=False)


def by_power(value: Expr, variable: Symbol) -> list[tuple[int, Expr]]:
    """The coefficients of a polynomial in the variable by its power, the highest first."""
    others = dict.fromkeys(node for node in _nodes(value) if node != variable)
    ring = _Ring([variable, *others])
    top, below = ring.quotient(value)
    if not below.is_one():
        return [(power, part) for (power,), part in Poly(value, variable).terms()]
    found: dict[int, dict[tuple[int, ...], fmpq]] = {}
    for (power, *rest), number in top.terms():
        found.setdefault(int(power), {})[(0, *rest)] = number
    parts = ((power, ring.context.from_dict(terms)) for power, terms in found.items())
    return [(power, ring.expression(part)) for power, part in parts]


def _nodes(value: Expr) -> Iterator[Expr]:
    """What sums, products and whole powers are made of."""
    if isinstance(value, Add | Mul):
        for part in value.args:
            yield from _nodes(part)
    elif isinstance(value, Pow) and isinstance(value.exp, Integer):
        yield from _nodes(value.base)
    elif not isinstance(value, Rational):
        yield value


def numerator_of(value: Expr) -> Expr:
    """A numerator of the value as one fraction: it is 0 where the value is."""
    ring = _Ring(value.free_symbols)
    try:
        return ring.expression(ring.quotient(value)[0])
    except _NotRational:
        return sympy.fraction(sympy.together(value))[0]


def cancelled(value: Expr, symbols: Sequence[Symbol]) -> Expr:
    """The value as one cancelled fraction; the order of the symbols says what leads."""
    ring = _Ring(symbols)
    try:
        top, below = ring.quotient(value)
    except _NotRational:
        return sympy.cancel(sympy.together(value), *symbols)
    common = top.gcd(below)
    (number, top), (divisor, below) = (_primitive(part / common) for part in (top, below))
    number /= divisor
    return ring.expression(top * number.p) / ring.expression(below * number.q)


def divided(value: Expr, factor: Expr, leading: Sequence[Symbol]) -> tuple[Expr, Expr]:
    """``q`` and ``r`` with ``value = q factor + r``, multiplied out, as ``sympy.reduced`` has them.

    Divided in the symbols that lead, the first most. The factor is a polynomial; what stands before
    its leading power is a number or a monomial in the other symbols, which q and r have powers of
    below. No term of r is divisible by that leading power.
    """
    others = (value.free_symbols | factor.free_symbols).difference(leading)
    ring = _Ring([*leading, *others])
    try:
        top, below = ring.quotient(value)
        divisor, one = ring.quotient(factor)
    except _NotRational:
        return _divided(value, factor, leading)
    if not (one.is_one() and below.degrees()[: len(leading)] == (0,) * len(leading)):
        return _divided(value, factor, leading)
    (powers, number), *_ = divisor.terms()
    unit = ring.context.from_dict({(*(0 for _ in leading), *powers[len(leading) :]): number})
    quotient, rest = divmod(top, divisor)
    while any(all(map(le, powers[: len(leading)], term)) for term in rest.monoms()):
        top, below = top * unit, below * unit
        quotient, rest = divmod(top, divisor)
    return ring.over(quotient, below), ring.over(rest, below)


def _divided(value: Expr, factor: Expr, leading: Sequence[Symbol]) -> tuple[Expr, Expr]:
    top, below = sympy.fraction(sympy.together(value))
    (quotient,), rest = sympy.reduced(top, [factor], *leading, order="lex")
    return sympy.expand(quotient / below), sympy.expand(rest / below)


def factored(value: Expr, symbols: Sequence[Symbol]) -> tuple[Expr, list[tuple[Expr, int]]]:
    """A number and the irreducible factors of a polynomial, in the order that SymPy has them in."""
    ring = _Ring(symbols)
    try:
        top, below = ring.quotient(value)
    except _NotRational:
        below = None
    if below is None or not below.is_one():
        number, factors = sympy.factor_list(value, *symbols)
        return number, [(factor, int(power)) for factor, power in factors]
    content, parts = top.factor()
    found = []
    for part, power in parts:
        number, whole = _primitive(part)
        content *= number ** int(power)
        found.append((whole, int(power)))
    ordered = sorted(found, key=_place) if len(found) > 1 else found
    return _rational(content), [(ring.expression(whole), power) for whole, power in ordered]


def _place(factor: tuple[fmpq_mpoly, int]) -> tuple[int, int, Any]:
    """What SymPy sorts factors by: degree in the first symbol, power, then coefficients."""
    polynomial, power = factor
    dense = _dense([(tuple(powers), number) for powers, number in polynomial.terms()])
    return len(dense), power, dense


def _dense(terms: list[tuple[tuple[int, ...], fmpq]]) -> list[Any]:
    """Coefficients from the highest power of the first symbol down, each a list in the others."""
    by_power: dict[int, list[tuple[tuple[int, ...], fmpq]]] = {}
    for (power, *rest), number in terms:
        by_power.setdefault(int(power), []).append((tuple(rest), number))
    powers, depth = range(max(by_power), -1, -1), len(terms[0][0]) - 1
    if not depth:
        return [int(by_power[p][0][1].p) if p in by_power else 0 for p in powers]
    nothing: list[Any] = []
    for _ in range(depth - 1):
        nothing = [nothing]
    return [_dense(by_power[p]) if p in by_power else nothing for p in powers]


def _primitive(polynomial: fmpq_mpoly) -> tuple[fmpq, fmpq_mpoly]:
    """``c`` and ``p`` with ``c p`` the polynomial, p whole, primitive, led by a positive term."""
    if polynomial.is_zero():
        return fmpq(1), polynomial
    numbers = polynomial.coeffs()
    whole = gcd(*(int(number.p) for number in numbers))
    content = fmpq(whole, lcm(*(int(number.q) for number in numbers)))
    content = content if polynomial.leading_coefficient() > 0 else -content
    return content, polynomial / content


def _rational(number: fmpq) -> Rational:
    return Rational(int(number.p), int(number.q))


@lru_cache(maxsize=256)
def _context(count: int) -> fmpq_mpoly_ctx:
    return fmpq_mpoly_ctx.get([f"x{place}" for place in range(count)], Ordering.lex)


# Most rings are of the same generators as one before.
@lru_cache(maxsize=4096)
def _places(symbols: tuple[Symbol, ...]) -> list[int]:
    key = cmp_to_key(Basic.compare)
    return sorted(range(len(symbols)), key=lambda place: key(symbols[place]))


class _Ring:
    """Polynomials in symbols, and the ways in and out."""

    def __init__(self, symbols: Iterable[Expr]) -> None:
        self.symbols = list(symbols)
        self.context = _context(len(self.symbols))
        self.one = self.context.constant(1)
        generators = zip(self.symbols, self.context.gens(), strict=True)
        self.found: dict[Expr, _Quotient] = {s: (x, self.one) for s, x in generators}

    def quotient(self, value: Expr) -> _Quotient:
        """The value as one polynomial over another."""
        found = self.found.get(value)
        if found is None:
            found = self.found[value] = self._quotient(value)
        return found

    def _quotient(self, value: Expr) -> _Quotient:
        if isinstance(value, Rational):
            return self.context.constant(fmpq(int(value.p), int(value.q))), self.one
        if isinstance(value, Add):
            return self._sum(self.quotient(term) for term in value.args)
        if isinstance(value, Mul):
            return self._product(self.quotient(factor) for factor in value.args)
        if isinstance(value, Pow) and isinstance(value.exp, Integer):
            top, below = self.quotient(value.base)
            power = abs(int(value.exp))
            over = (top**power, below**power)
            return over if value.exp > 0 else over[::-1]
        raise _NotRational(value)

    def _product(self, factors: Iterable[_Quotient]) -> _Quotient:
        top, below = self.one, self.one
        for over, under in factors:
            top *= over
            below *= under
        return top, below

    def _sum(self, terms: Iterable[_Quotient]) -> _Quotient:
        """Over the least common denominator; what has the same one is added first."""
        parts: list[_Quotient] = []
        for top, below in terms:
            same = next((k for k, (_, under) in enumerate(parts) if under == below), None)
            if same is None:
                parts.append((top, below))
            else:
                parts[same] = parts[same][0] + top, below
        (top, below), *others = parts
        for over, under in others:
            common = below.gcd(under)
            top = top * (under / common) + over * (below / common)
            below *= under / common
        return top, below

    def expression(self, polynomial: fmpq_mpoly) -> Expr:
        """The polynomial as SymPy writes it, multiplied out."""
        terms = polynomial.to_dict().items()
        return Add(*(self._term(powers, number) for powers, number in terms))

    def _term(self, powers: tuple[int, ...], number: fmpq) -> Expr:
        if self.places is None:
            factors = zip(self.symbols, powers, strict=True)
            return Mul(_rational(number), *(symbol**power for symbol, power in factors if power))
        occurring = [place for place in self.places if powers[place]]
        parts = [self.symbols[place] for place in occurring if powers[place] == 1]
        parts += [self.symbols[place] ** powers[place] for place in occurring if powers[place] != 1]
        if number != 1:
            parts.insert(0, _rational(number))
        return Mul._from_args(parts, is_commutative=True)

    @cached_property
    def places(self) -> list[int] | None:
        """Where the symbols stand in a product of SymPy's, which has powers after them.

        None where they are no symbols: exponentials, of which SymPy has one in a product.
        """
        if not all(isinstance(symbol, Symbol) for symbol in self.symbols):
            return None
        return _places(tuple(self.symbols))

    def over(self, polynomial: fmpq_mpoly, below: fmpq_mpoly) -> Expr:
        """The quotient, multiplied out over a monomial."""
        if below.is_one():
            return self.expression(polynomial)
        if len(below) > 1:
            return sympy.expand(self.expression(polynomial) / self.expression(below))
        ((down, divisor),) = below.terms()
        terms = polynomial.terms()
        return Add(*(self._term(tuple(map(sub, up, down)), n / divisor) for up, n in terms))
