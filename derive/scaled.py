"""Sums of exponentials as ``mantissa * e^shift``, and fractions of them.

A :class:`Part` is one term of such a sum, :func:`join` puts the parts under one shift, and a
:class:`Fraction` writes what stands above a sum in terms of that sum's own shift, so that
``t_i e^{-s_i} / (1 + sum_j t_j e^{-s_j})`` becomes a quotient of two numbers in [0, n + 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

from sympy import Add, Expr, Mul, S
from sympy import exp as exponential
from sympy import log as logarithm

from derive.axis import Index, total
from derive.branches import name_of, nodes_of
from derive.calculus import free_indices, replace_index
from derive.collect import without
from derive.nodes import (
    Largest,
    Shift,
    difference,
    expm1,
    finite,
    gated,
    larger,
    log1p,
    quotient,
    settled,
    weighted_exp,
)
from derive.polynomials import multiplied_out


@dataclass(frozen=True)
class Family:
    """Terms ``weight_j e^{exponent_j + offset}`` of a shifted sum; an index of None: one term."""

    index: Index | None
    weight: Expr
    exponent: Expr
    offset: Expr

    def at(self, index: Index | None) -> Family:
        """The member at another index."""
        if self.index is None or index is None or index == self.index:
            return self
        weight = replace_index(self.weight, self.index, index)
        exponent = replace_index(self.exponent, self.index, index)
        return Family(index, weight, exponent, self.offset)

    @property
    def term(self) -> Expr:
        """The member as a node."""
        return weighted_exp(self.weight, self.exponent + self.offset)


@dataclass(frozen=True)
class Scaled:
    """``mantissa * e^exponent``, and the families of its terms and of sums inside its terms."""

    mantissa: Expr
    exponent: Expr
    own: tuple[Family, ...] = ()
    nested: tuple[Family, ...] = ()


@dataclass(frozen=True)
class Part:
    """One term of a sum: ``mantissa e^exponent``, times ``sum_index weight e^own`` if indexed."""

    mantissa: Expr
    exponent: Expr
    index: Index | None = None
    weight: Expr = S.One
    own: Expr = S.Zero
    families: tuple[Family, ...] = ()

    @property
    def largest(self) -> Expr:
        """The exponent that decides the scale of this term."""
        if self.index is None:
            return _gate(self.exponent, self.mantissa)
        return Largest(
            _gate(self.own + self.exponent, self.weight), self.index.axis.limits(self.index)
        )

    def shifted(self, shift: Expr) -> tuple[Expr, Family | None]:
        """The term with ``e^shift`` taken out, and the family that it belongs to."""
        if self.index is not None:
            family = Family(self.index, self.weight, self.own, self.exponent - shift)
            return self.mantissa * total(family.term, self.index), family
        if self.exponent == 0 or not free_indices(self.mantissa):
            return self.mantissa * exponential(self.exponent - shift), None
        family = Family(None, self.mantissa, self.exponent, -shift)
        return family.term, family


def _gate(exponent: Expr, weight: Expr) -> Expr:
    """The exponent as the maximum may see it; a weight that depends on no index needs no gate."""
    return gated(exponent, weight) if free_indices(weight) else exponent


def join(parts: list[Part], room: int = 0) -> Scaled:
    """The sum of the parts as ``mantissa * e^shift``, the shift keeping the mantissa in range."""
    shift = _shift([part.largest for part in parts], room)
    terms = [part.shifted(shift) for part in parts]
    own = tuple(family for _, family in terms if family is not None)
    nested = tuple(family for part in parts for family in part.families)
    return Scaled(Add(*(term for term, _ in terms)), shift, own, nested)


def _shift(exponents: list[Expr], room: int) -> Shift:
    """0 is among the exponents when a constant is among the terms; the shift is then not below 0.

    ``finite`` marks a maximum that may run over no entry at all.
    """
    distinct = list(dict.fromkeys(exponents))
    if len(distinct) == 1:
        only = distinct[0]
        return Shift(finite(only) if only.has(gated) else only)
    others = [exponent for exponent in distinct if exponent != 0]
    largest = reduce(larger, others)
    return Shift(larger(largest - room, S.Zero) if S.Zero in distinct else largest)


# --- logarithms ---


def log_with_one(scaled: Scaled) -> Expr:
    """The logarithm of a scaled sum that holds a 1: ``m + log1p((e^-m - 1) + rest)``.

    A largest exponent sees no weight but 0, so that tiny weights leave ``m`` too large and nothing
    of ``rest`` beside -1. Then ``m`` is lowered by ``d``, up to ``-log(e^-m + rest)``, and not
    below 0. ``m - d`` is rounded relative to the result, ``d`` is not.
    """
    shift = scaled.exponent
    rest = scaled.mantissa - exponential(-shift)
    if not shift.has(gated):
        return shift + log1p(expm1(-shift) + rest)
    excess = Shift(larger(-larger(logarithm(scaled.mantissa), -shift), S.Zero))
    lowered = difference(shift, excess)
    return lowered + log1p(expm1(-lowered) + exponential(excess) * rest)


# --- quotients ---


@dataclass
class Fraction:
    """A product being put together: ``e^exponent prod others prod (above / below)``.

    ``families`` holds what numerators may be members of, with the place of the denominator.
    """

    exponent: Expr
    others: list[Expr]
    above: list[Expr | None] = field(default_factory=list)
    below: list[Expr] = field(default_factory=list)
    families: list[tuple[Family, int | None]] = field(default_factory=list)

    def divide(self, scaled: Scaled, power: int) -> None:
        """Divide by the power of a sum of exponentials."""
        self.exponent -= power * scaled.exponent
        for _ in range(power):
            slot = len(self.above)
            self.above.append(None)
            self.below.append(scaled.mantissa)
            self.families += [(family, slot) for family in scaled.own]
            self.families += [(family, None) for family in scaled.nested]

    def take_sum(self, index: Index, exponent: Expr, weights: list[Expr]) -> bool:
        """Multiply by ``sum_index prod weights e^exponent`` if a family has that exponent.

        The sum then comes under the shift of the denominator, which it is measured by.
        """
        for family, slot in self.families:
            member = family.at(index)
            weight = shared_weight(member.weight, weights)
            if member.exponent == exponent and weight is not None:
                rest = without(weights, *weight_factors(weight))
                term = weighted_exp(weight, member.exponent + member.offset)
                self._place(total(Mul(term, *rest), index), family, slot)
                self.exponent -= family.offset
                return True
        return False

    def take_members(self) -> None:
        """Write exponentials in the numerator as members of the families of denominators."""
        self.exponent = multiplied_out(self.exponent)
        for family, slot in tuple(self.families):
            for index in sorted(free_indices(self.exponent), key=name_of):
                if (family, slot) in self.families and same_axis(family.index, index):
                    self._take_member(family, slot, index)
        for shift in sorted(nodes_of(self.exponent, Shift), key=name_of):
            self._take_scaled(shift)

    def _take_member(self, family: Family, slot: int | None, index: Index) -> None:
        member = family.at(index)
        left = multiplied_out(self.exponent - member.exponent)
        if entry_count(left) >= entry_count(self.exponent):
            return
        weight = shared_weight(member.weight, self.others) or S.One
        self.others = without(self.others, *weight_factors(weight))
        self._place(weighted_exp(weight, member.exponent + member.offset), family, slot)
        self.exponent = multiplied_out(left - member.offset)

    def _take_scaled(self, shift: Shift) -> None:
        """``w_i e^{x_i - shift}`` for the largest ``x_j`` with a weight: none where it is 0."""
        largest = shift.definition.args[0] if shift.definition.has(finite) else None
        if not isinstance(largest, Largest) or not isinstance(largest.function, gated):
            return
        own = largest.limits[0][0]
        for index in sorted(free_indices(self.exponent), key=name_of):
            exponent, weight = (replace_index(a, own, index) for a in largest.function.args)
            left = multiplied_out(self.exponent - exponent + shift)
            fits = same_axis(own, index) and not left.has(shift) and divides(weight, self.others)
            if fits and entry_count(left) < entry_count(self.exponent):
                self.others = without(self.others, *weight_factors(weight))
                self.others.append(weighted_exp(weight, exponent - shift))
                self.exponent = left
                return

    def _place(self, numerator: Expr, family: Family, slot: int | None) -> None:
        """Use a family up; its numerator stands above its own denominator."""
        self.families.remove((family, slot))
        if slot is None or self.above[slot] is not None:
            self.others.append(numerator)
        else:
            self.above[slot] = numerator

    def value(self) -> Expr:
        """The product: each denominator divides what belongs to it, so that quotients are small."""
        scale = exponential(multiplied_out(self.exponent))
        above = list(self.above)
        if scale != 1 and None in above:
            above[above.index(None)] = scale
            scale = S.One
        quotients = [
            1 / b if a is None else quotient(a, b) for a, b in zip(above, self.below, strict=True)
        ]
        return Mul(*self.others, *quotients, scale)


def same_axis(own: Index | None, index: Index) -> bool:
    """Whether a family may be read at the index."""
    return own is None or own.axis == index.axis


def weight_factors(weight: Expr) -> list[Expr]:
    """The factors of a weight; none of the weight 1."""
    return [] if weight == 1 else list(Mul.make_args(weight))


def divides(weight: Expr, factors: list[Expr]) -> bool:
    """Whether every factor of the weight is among the factors."""
    return all(part in factors for part in weight_factors(weight))


def shared_weight(weight: Expr, factors: list[Expr]) -> Expr | None:
    """What of a weight is among the factors; None unless that is all but sums inside it.

    Such a sum is positive but where it runs over nothing, and its term is then in range without it.
    """
    own = weight_factors(weight)
    if any(factor not in factors and not isinstance(factor, settled) for factor in own):
        return None
    return Mul(*(factor for factor in own if factor in factors))


def entry_count(expression: Expr) -> int:
    """The number of terms when multiplied out that are no shift."""
    terms = Add.make_args(multiplied_out(expression))
    return sum(term != 0 and not term.has(Shift) for term in terms)


def term_count(expression: Expr) -> int:
    """The number of terms when multiplied out; 0 has none."""
    value = multiplied_out(expression)
    return 0 if value == 0 else len(Add.make_args(value))
