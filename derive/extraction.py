"""Coefficients of generating functions in the normal form: a linear map with a basis.

``[z^k]`` is linear over everything that is free of ``z``. A series is one fraction in generators;
what is free of ``z`` is taken out, every power of ``z`` becomes a shift of the order, and what is
left, ``[z^{k-c}] T / D``, is a generator: ``T`` a product of transcendental series and ``D`` a
product of polynomials in ``z``, such as ``1 + x_i z``.

Series with the same ``T`` but other poles ``D`` obey linear relations: with
``E = (1 + x_i z) E_{-i}`` it is ``[z^k] E = [z^k] E_{-i} + x_i [z^{k-1}] E_{-i}`` (recursion by
elements). Each ``T`` is therefore given one denominator in the whole statement, the least common
multiple of those that occur (:class:`Poles`), and the relations become equalities of generators.
Nothing is divided by a difference ``x_i - x_j``, which vanishes where a delta ties i and j.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import factorial
from typing import Protocol

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Poly,
    Rational,
    S,
    Symbol,
    exp,
    expand,
    factor_list,
    log,
)

from derive.axis import Index
from derive.calculus import Partial, free_indices, resolve
from derive.coefficients import Coefficient, height, is_power_series

# Coefficients of a number as order are written out up to this order, by as many derivatives.
LARGEST_TAYLOR_ORDER = 4

#: The variable in which denominators are kept from one series to the next.
_COMMON = Symbol("_z", positive=True)


@dataclass
class Poles:
    """For each transcendental series the denominators met: factors and their powers."""

    of: dict[Expr, dict[Expr, int]] = field(default_factory=dict)
    grown: bool = False
    open: bool = True

    @contextmanager
    def settled(self) -> Iterator[None]:
        """While a delta ties indices: two factors that become one are no pole to take note of."""
        before, self.open = self.open, False
        yield
        self.open = before

    def meet(self, series: Expr, factor: Expr, power: int) -> None:
        """Take note of ``series / factor^power``; what a sum binds is its own affair."""
        private = any(index.name.startswith("_") for index in free_indices(factor))
        known = self.of.setdefault(series, {})
        if self.open and not private and power > known.get(factor, 0):
            known[factor] = power
            self.grown = True


class Ring(Protocol):
    """What is needed here of the ring of generators."""

    poles: Poles
    root: int
    atom_of: dict[Symbol, Expr]

    def enter(self, expression: Expr) -> Expr:
        """The expression in generators."""

    def leave(self, value: Expr) -> Expr:
        """What the value in generators stands for."""

    def ordered(self, value: Expr) -> list[Symbol]:
        """The generators of the value in an order that does not depend on when they were met."""

    def depends(self, value: Expr, symbol: Symbol) -> bool:
        """True when a generator of the value depends on the symbol."""

    def generator(self, atom: Expr) -> Symbol:
        """The generator that stands for the atom."""

    def private(self, symbol: Symbol) -> Symbol:
        """A symbol for a bound variable that nothing else is named by."""

    def fraction(self, expression: Expr) -> tuple[Expr, Expr]:
        """Numerator, reduced by the relations, and denominator of the expression in generators."""


def enter_coefficient(ring: Ring, node: Coefficient) -> Expr:
    """The coefficient as a combination of generators ``[z^{k-c}] T / D``."""
    if isinstance(node.order, Integer) and is_power_series(node.series, node.bound):
        if node.order.is_negative:
            return S.Zero
        if node.order <= LARGEST_TAYLOR_ORDER:
            return ring.enter(_taylor(node))
    z = ring.private(node.bound)
    base, _ = ring.fraction(node.order)
    extraction = _Extraction(ring, z, expand(ring.leave(base)))
    return extraction.of(*ring.fraction(node.series.xreplace({node.bound: z})))


def _taylor(node: Coefficient) -> Expr:
    """``F^{(k)}(0) / k!``."""
    series = node.series
    for _ in range(int(node.order)):
        series = resolve(Partial(series, node.bound))
    return series.xreplace({node.bound: S.Zero}) / factorial(int(node.order))


def absorb(ring: Ring, numerator: Expr) -> Expr:
    """``k [z^{k-c}] F = [z^{k-c}] (z F' + c F)`` in every term that has the order as a factor."""
    coefficients = {
        symbol: atom
        for symbol in ring.ordered(numerator)
        if isinstance(atom := ring.atom_of.get(symbol), Coefficient)
    }
    if not coefficients:
        return numerator
    terms = (_absorbed(ring, term, coefficients) for term in Add.make_args(numerator))
    return expand(Add(*terms))


def _absorbed(ring: Ring, term: Expr, coefficients: dict[Symbol, Coefficient]) -> Expr:
    powers = term.as_powers_dict()
    for symbol, node in coefficients.items():
        shift, base = node.order.as_coeff_Add()
        order, unit = ring.enter(base).as_base_exp()
        if powers[symbol] > 0 and order.is_Symbol and powers[order] >= unit:
            slope = node.bound * resolve(Partial(node.series, node.bound)) - shift * node.series
            entered = ring.enter(Coefficient(slope, node.bound, node.order))
            return absorb(ring, expand(term / order**unit / symbol * entered))
    return term


def gathered(ring: Ring, monomial: Expr, index: Index) -> Expr | None:
    """``sum_j a_j [z^k] F_j = [z^k] sum_j a_j F_j``: the coefficient that takes a sum inside.

    None unless the monomial has one coefficient, to the first power, that depends on the index.
    """
    powers = {
        symbol: power
        for symbol, power in monomial.as_powers_dict().items()
        if isinstance(atom := ring.atom_of.get(symbol), Coefficient) and index in atom.free_symbols
    }
    if list(powers.values()) != [1]:
        return None
    (symbol,) = powers
    node = ring.atom_of[symbol]
    if index in node.order.free_symbols:
        return None
    rest = ring.leave(monomial / symbol)
    return Coefficient(index.axis.sum(rest * node.series, index), node.bound, node.order)


@dataclass(frozen=True)
class _Extraction:
    """``[z^base]`` of fractions in the generators of a ring."""

    ring: Ring
    z: Symbol
    base: Expr

    def of(self, numerator: Expr, denominator: Expr) -> Expr:
        """The coefficient of ``numerator / denominator``."""
        outer, hidden, dense = self._denominator(denominator)
        groups: dict[tuple[Expr, Expr], dict[int, Expr]] = {}
        for term in Add.make_args(expand(numerator)):
            outside, power, shift, series = self._split(term, hidden)
            terms = groups.setdefault((series, shift), {})
            terms[power] = terms.get(power, S.Zero) + outside
        return Add(*(self._group(*key, terms, dense) for key, terms in groups.items())) / outer

    def _denominator(self, denominator: Expr) -> tuple[Expr, Expr, dict[Expr, int]]:
        """What is free of z, what stays with the series, and the polynomials in z."""
        constant, factors = factor_list(denominator, *self.ring.ordered(denominator))
        outer, hidden, dense = constant, S.One, {}
        for factor, power in factors:
            if not self.ring.depends(factor, self.z):
                outer *= factor**power
            elif factor.is_Symbol or not self._is_polynomial(factor):
                hidden *= factor**power
            else:
                dense[factor] = int(power)
        return outer, hidden, dense

    def _is_polynomial(self, value: Expr) -> bool:
        """A polynomial in z over what is free of z."""
        z = self.ring.enter(self.z).as_base_exp()[0]
        return not any(self.ring.depends(g, self.z) for g in value.free_symbols - {z})

    def _split(self, term: Expr, hidden: Expr) -> tuple[Expr, int, Expr, Expr]:
        """``outside * z^power * z^shift * series`` with a number and a symbolic power of z."""
        outside, power, shift, series = S.One, S.Zero, S.Zero, S.One
        for factor in Mul.make_args(term / hidden):
            symbol, multiplicity = factor.as_base_exp()
            atom = self.ring.atom_of.get(symbol, symbol)
            if not self.ring.depends(factor, self.z):
                outside *= factor
            elif atom.as_base_exp()[0] == self.z:
                power += multiplicity / self.ring.root
            elif (exponent := self._exponent(atom)) is not None:
                shift += exponent * multiplicity
            else:
                series *= factor
        whole, rest = divmod(power, 1)
        return outside, int(whole), shift + rest, series

    def _exponent(self, atom: Expr) -> Expr | None:
        """``m`` where the atom is ``z^m``, written ``exp(m log z)``."""
        if not isinstance(atom, exp):
            return None
        exponent = atom.args[0] / log(self.z)
        return None if self.z in exponent.free_symbols else exponent

    def _group(
        self, series: Expr, shift: Expr, terms: dict[int, Expr], dense: dict[Expr, int]
    ) -> Expr:
        """All terms with one transcendental series, over the common denominator of that series."""
        common = self._common(series, dense)
        below = Mul(*(factor**power for factor, power in common.items()))
        missing = Mul(
            *(factor ** (power - dense.get(factor, 0)) for factor, power in common.items())
        )
        z, unit = self.ring.enter(self.z).as_base_exp()
        parts = []
        for power, weight in terms.items():
            cofactor = Poly(missing, z).terms() if missing != 1 else [((0,), S.One)]
            for (extra,), constant in cofactor:
                shifted = self.base - shift - power - Rational(extra, unit)
                parts.append(weight * constant * self._coefficient(series / below, shifted))
        return Add(*parts)

    def _common(self, series: Expr, dense: dict[Expr, int]) -> dict[Expr, int]:
        """The common denominator: the factors of this fraction and those met before."""
        ring, key = self.ring, ring_key(self.ring, series, self.z)
        for factor, power in dense.items():
            ring.poles.meet(key, ring_key(ring, factor, self.z), power)
        common = dict(dense)
        for factor, power in ring.poles.of.get(key, {}).items():
            entered, _ = ring.fraction(factor.xreplace({_COMMON: self.z}))
            common[entered] = max(power, common.get(entered, 0))
        return common

    def _coefficient(self, series: Expr, order: Expr) -> Expr:
        """The generator ``[z^order] series``, its variable named by its height in the nest."""
        left = self.ring.leave(series)
        if self.z not in left.free_symbols and isinstance(order, Integer):
            return series if order == 0 else S.Zero
        z = Symbol(f"_z_{height(left)}", positive=True)
        return self.ring.generator(Coefficient(left.xreplace({self.z: z}), z, order))


def ring_key(ring: Ring, value: Expr, z: Symbol) -> Expr:
    """What the value means, in the variable in which denominators are kept."""
    return ring.leave(value).xreplace({z: _COMMON})
