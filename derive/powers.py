"""Powers in the normal form.

A power of a product is a product only where no factor is negative: ``sqrt(x^2)`` is not ``x``. What
has no such factors is a generator ``g`` with ``g^q = radicand``, a radical, and what depends on a
label is written by its two cases first. ``(-1)^m`` is a sign, any other ``b^x`` is ``e^{x log b}``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from sympy import Expr, Indexed, Integer, Mul, Pow, Rational, Symbol, exp, fraction, log, together

from derive import relations
from derive.facts import Facts
from derive.relations import cases
from derive.sign import is_nonnegative

SignedFactors: TypeAlias = tuple[Rational, list[tuple[Expr, int]], Expr]
"""``number * prod factor^power * rest``."""


class Ring(relations.Ring, Protocol):
    """What powers need of the ring of generators."""

    def cancel(self, value: Expr) -> Expr:
        """One cancelled fraction."""

    def parity(self, exponent: Expr) -> Expr:
        """``(-1)^m`` for an integer m."""

    def factors(self, value: Expr, has_sign: Callable[[Expr, Facts], bool]) -> SignedFactors:
        """Factors of known sign, and the rest of unknown."""


def enter_power(ring: Ring, power: Pow) -> Expr:
    """A power of what is in generators."""
    base, exponent = power.args
    if not isinstance(exponent, Rational) and base == -1:
        return ring.parity(exponent)
    if not isinstance(exponent, Rational):
        return ring.enter(exp(exponent * log(base)))
    return _power_of(ring, ring.enter(base), exponent)


def _power_of(ring: Ring, value: Expr, exponent: Rational) -> Expr:
    if exponent.is_negative or not isinstance(exponent, Integer):
        branches = cases(ring, value, positive=True)
        if branches:
            weight, at_0, at_1 = branches
            below, above = (_power_of(ring, part, exponent) for part in (at_0, at_1))
            return (1 - weight) * below + weight * above
    if isinstance(exponent, Integer):
        return value**exponent
    return _root_of(ring, value, exponent)


def _root_of(ring: Ring, value: Expr, exponent: Rational) -> Expr:
    """``value^exponent``, its factors apart if none is negative."""
    number, factors, rest = ring.factors(ring.cancel(value), is_nonnegative)
    if rest != 1 or not number.is_positive:
        return _radical(ring, value, exponent)
    powers = (_power_of_factor(ring, f, multiplicity * exponent) for f, multiplicity in factors)
    return Mul(Pow(number, exponent), *powers)


def _power_of_factor(ring: Ring, factor: Expr, exponent: Rational) -> Expr:
    rooted = isinstance(ring.leave(factor).as_base_exp()[0], Indexed | Symbol)
    exact = rooted or isinstance(exponent, Integer)
    return factor**exponent if exact else _radical(ring, factor, exponent)


def _radical(ring: Ring, value: Expr, exponent: Rational) -> Expr:
    radical = ring.generator(Pow(ring.leave(value), Rational(1, exponent.q)))
    numerator, denominator = fraction(together(value))
    if denominator == 1:
        ring.radicals[radical] = (exponent.q, numerator)
    return radical**exponent.p
