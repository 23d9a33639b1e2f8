"""Coefficients of generating functions in the normal form: a linear map with a basis.

``[z^k]`` is linear over everything that is free of ``z``. A series is one fraction in generators;
what is free of ``z`` is taken out, every power of ``z`` becomes a shift of the order, and what is
left, ``[z^{k-c}] T / D``, is a generator: ``T`` a product of transcendental series and ``D`` a
product of polynomials in ``z``, such as ``1 + x_i z``.

Series with the same ``T`` but other poles ``D`` obey linear relations: with
``E = (1 + x_i z) E_{-i}`` it is ``[z^k] E = [z^k] E_{-i} + x_i [z^{k-1}] E_{-i}`` (recursion by
elements). So a numerator that is to be compared is written over one denominator for each ``T``, the
least common multiple of those that occur in it, and the relations become equalities of generators.
Nothing is divided by a difference ``x_i - x_j``, which vanishes where a delta ties i and j.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from typing import Protocol

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    S,
    Symbol,
    default_sort_key,
    exp,
    expand,
    log,
)

from derive.axis import KEPT, Index
from derive.calculus import Partial, resolve
from derive.coefficients import Coefficient, height, is_power_series
from derive.polynomials import by_power, expanded, factored

# Coefficients of a number as order are written out up to this order, by as many derivatives.
LARGEST_TAYLOR_ORDER = 4


@dataclass(frozen=True)
class Series:
    """What a generator is a coefficient of: ``transcendental / prod factor^power`` in ``z``."""

    transcendental: Expr
    poles: tuple[tuple[Expr, int], ...]
    z: Symbol

    def over(self, poles: dict[Expr, int]) -> tuple[Expr, Expr]:
        """The same over the given poles: what is missing there, and the series over all of them."""
        own = dict(self.poles)
        missing = Mul(*(f ** (power - own.get(f, 0)) for f, power in poles.items()))
        return missing, self.transcendental / Mul(*(f**power for f, power in poles.items()))


class Ring(Protocol):
    """What is needed here of the ring of generators."""

    root: int
    series_of: dict[Symbol, Series]
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

    def parity(self, exponent: Expr) -> Expr:
        """``(-1)^m`` for an integer m."""

    def inside(self, symbol: Symbol) -> AbstractContextManager[Symbol]:
        """Where an index or a variable is bound: under a name that nothing else in reach has."""

    def fraction(self, expression: Expr) -> tuple[Expr, Expr]:
        """Numerator, reduced by the relations, and denominator of the expression in generators."""


def enter_coefficient(ring: Ring, node: Coefficient) -> Expr:
    """The coefficient as a combination of generators ``[z^{k-c}] T / D``."""
    if isinstance(node.order, Integer) and is_power_series(node.series, node.bound):
        if node.order.is_negative:
            return S.Zero
        if node.order <= LARGEST_TAYLOR_ORDER:
            return ring.enter(_taylor(node))
    base, _ = ring.fraction(node.order)
    with ring.inside(node.bound) as z:
        extraction = _Extraction(ring, z, expand(ring.leave(base)))
        return extraction.of(*ring.fraction(node.series.xreplace({node.bound: z})))


def _taylor(node: Coefficient) -> Expr:
    """``F^{(k)}(0) / k!``."""
    series = node.series
    for _ in range(int(node.order)):
        series = resolve(Partial(series, node.bound))
    return series.xreplace({node.bound: S.Zero}) / factorial(int(node.order))


def absorb(ring: Ring, numerator: Expr) -> Expr:
    """Take the order as a factor, and a power of that order, inside a coefficient.

    ``k [z^{k-c}] F = [z^{k-c}] (z F' + c F)`` and ``a^k [z^{k-c}] F = a^c [z^{k-c}] F(a z)``.
    """
    coefficients = {
        symbol: atom
        for symbol in ring.ordered(numerator)
        if isinstance(atom := ring.atom_of.get(symbol), Coefficient)
    }
    if not coefficients:
        return numerator
    terms = (_absorbed(ring, term, coefficients) for term in Add.make_args(numerator))
    return expanded(Add(*terms))


def _absorbed(ring: Ring, term: Expr, coefficients: dict[Symbol, Coefficient]) -> Expr:
    powers = term.as_powers_dict()
    for symbol, node in coefficients.items():
        shift, base = node.order.as_coeff_Add()
        if base == 0 or not powers[symbol] > 0:
            continue
        order, unit = ring.enter(base).as_base_exp()
        if order.is_Symbol and powers[order] >= unit:
            slope = node.bound * resolve(Partial(node.series, node.bound)) - shift * node.series
            entered = ring.enter(Coefficient(slope, node.bound, node.order))
            return absorb(ring, expanded(term / order**unit / symbol * entered))
        scales = {g: rate for g in powers if (rate := _rate(ring, g, base)) is not None}
        if scales:
            rate = Add(*(powers[generator] * rate for generator, rate in scales.items()))
            series = node.series.xreplace({node.bound: exp(rate) * node.bound})
            entered = ring.enter(exp(-shift * rate) * Coefficient(series, *node.args[1:]))
            rest = term / symbol / Mul(*(g ** powers[g] for g in scales))
            return absorb(ring, expanded(rest * entered))
    return term


def _rate(ring: Ring, generator: Expr, base: Expr) -> Expr | None:
    """``c`` where the generator is ``e^{c base}``."""
    atom = ring.atom_of.get(generator)
    if not isinstance(atom, exp) or not isinstance(generator, Symbol):
        return None
    rate = expand(atom.args[0] / base)
    return None if rate.free_symbols & base.free_symbols or rate.has(base) else rate


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
        for term in Add.make_args(expanded(numerator)):
            outside, power, shift, series = self._split(term, hidden)
            terms = groups.setdefault((series, shift), {})
            terms[power] = terms.get(power, S.Zero) + outside
        return Add(*(self._group(*key, terms, dense) for key, terms in groups.items())) / outer

    def _denominator(self, denominator: Expr) -> tuple[Expr, Expr, dict[Expr, int]]:
        """What is free of z, what stays with the series, and the polynomials in z."""
        constant, factors = factored(denominator, self.ring.ordered(denominator))
        outer, hidden, dense = constant, S.One, {}
        for factor, power in factors:
            if not self.ring.depends(factor, self.z):
                outer *= factor**power
            elif factor.is_Symbol or not self._is_polynomial(factor):
                hidden *= factor**power
            else:
                turned = self._is_negative_at_zero(factor)
                dense[expanded(-factor) if turned else factor] = power
                outer *= (-1) ** power if turned else 1
        return outer, hidden, dense

    def _is_negative_at_zero(self, factor: Expr) -> bool:
        """``z - 1`` is written ``1 - z``: the sign rules know series that start above 0."""
        start = factor.xreplace(dict.fromkeys(self.ring.enter(self.z).free_symbols, S.Zero))
        return bool(start.could_extract_minus_sign() and start.is_number)

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
        """All terms with one transcendental series, power of z by power of z."""
        parts = (
            weight * self._generator(series, dense, self.base - shift - power)
            for power, weight in terms.items()
        )
        return Add(*parts)

    def _generator(self, series: Expr, dense: dict[Expr, int], order: Expr) -> Expr:
        """``[z^order] series / dense``, its variable named by its height in the nest."""
        if not dense and series == 1 and isinstance(order, Integer):
            return S.One if order == 0 else S.Zero
        left = self.ring.leave(series)
        whole = left / self.ring.leave(Mul(*(f**power for f, power in dense.items())))
        if whole == 1 / (1 - self.z) and order.is_nonnegative:
            return S.One
        small = isinstance(order, Integer) and order <= LARGEST_TAYLOR_ORDER
        if small and is_power_series(whole, self.z):
            return enter_coefficient(self.ring, Coefficient(whole, self.z, order))
        z = Symbol(f"_z_{height(left)}", positive=True)
        image, sign = self._orientation(left, z)
        poles = {self.ring.leave(f).xreplace({self.z: image}): p for f, p in dense.items()}
        ordered = tuple(sorted(poles.items(), key=lambda pole: default_sort_key(pole[0])))
        found = Series(left.xreplace({self.z: image}), ordered, z)
        parity = S.One if sign == 1 else self.ring.parity(order)
        return parity * generator_of(self.ring, found, order)

    def _orientation(self, series: Expr, z: Symbol) -> tuple[Expr, Expr]:
        """``[z^k] F(-z) = (-1)^k [z^k] F``: of the two the one that takes less away."""
        turned, straight = series.xreplace({self.z: -z}), series.xreplace({self.z: z})
        if _minus_signs(turned) < _minus_signs(straight):
            return -z, S.NegativeOne
        return z, S.One


@lru_cache(maxsize=KEPT)
def _minus_signs(series: Expr) -> int:
    """How many terms are taken away."""
    terms = series.args if isinstance(series, Add) else ()
    own = sum(term.could_extract_minus_sign() for term in terms)
    return own + sum(map(_minus_signs, series.args))


def generator_of(ring: Ring, series: Series, order: Expr) -> Symbol:
    """The generator that stands for one coefficient of the series."""
    _, whole = series.over(dict(series.poles))
    symbol = ring.generator(Coefficient(whole, series.z, order))
    ring.series_of[symbol] = series
    return symbol


def over_common_poles(ring: Ring, numerator: Expr) -> Expr:
    """The numerator with one denominator for all coefficients of one transcendental series."""
    common: dict[Expr, dict[Expr, int]] = {}
    found = [symbol for symbol in ring.ordered(numerator) if symbol in ring.series_of]
    for symbol in found:
        series = ring.series_of[symbol]
        poles = common.setdefault(series.transcendental, {})
        for factor, power in series.poles:
            poles[factor] = max(power, poles.get(factor, 0))
    images = {
        symbol: _raised(ring, symbol, common[ring.series_of[symbol].transcendental])
        for symbol in found
    }
    return expanded(numerator.xreplace(images))


def _raised(ring: Ring, symbol: Symbol, poles: dict[Expr, int]) -> Expr:
    """``[z^k] T / D = sum_c f_c [z^{k-c}] T / (D f)`` for missing poles ``f = sum_c f_c z^c``."""
    series, order = ring.series_of[symbol], ring.atom_of[symbol].order
    if dict(series.poles) == poles:
        return symbol
    missing, _ = series.over(poles)
    ordered = tuple(sorted(poles.items(), key=lambda pole: default_sort_key(pole[0])))
    raised = Series(series.transcendental, ordered, series.z)
    return Add(
        *(
            ring.enter(factor) * generator_of(ring, raised, order - power)
            for power, factor in by_power(missing, series.z)
        )
    )
