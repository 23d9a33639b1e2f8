r"""The parts of which the closed formulas are made, as Arb balls.

A side is an unnormalised distribution over labels, e_i = w_i e^{x_i - shift}, beside a null class
of energy 0 where the loss has one.  Its log partition is shift + log(null + sum_i e_i).

Every derivative here is up - down, two sums of terms of one sign each.  The truth is their
difference; the scale that its error is measured by is |truth| where one of them is absent, and
the larger of the two otherwise.

The Hessian-vector product of a log partition is, with p = e / partition and v_0 = 0 for the null,

    p_i sum_j p_j (v_i - v_j) = p_i [ sum_{v_j < v_i} p_j (v_i - v_j)
                                    - sum_{v_j > v_i} p_j (v_j - v_i) ].

Both sums are read off prefix sums over the sorted distinct values of v, so that a row costs
O(n log n) and no term is ever subtracted from one of its own size: v_i and v_j are distinct
floats, so v_i - v_j keeps all but 53 bits of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from flint import arb

__all__ = ["NOTHING", "ONE", "ZERO", "Numbers", "Places", "Side", "Signed", "Spread", "Term"]
__all__ += ["log_one_plus_exp", "logistic", "mass_by_value", "scale_of", "side", "signed", "split"]
__all__ += ["spread"]

ZERO, ONE = arb(0), arb(1)
# Arb encloses e^x tightly up to exponents far beyond this; above it a shift is factored out first.
LARGEST_PLAIN_EXPONENT = 1e18


class Term(NamedTuple):
    """A number up - down with up, down >= 0; a part that is absent is exactly 0."""

    up: arb
    down: arb

    @property
    def value(self) -> arb:
        """The number itself."""
        return self.up - self.down


NOTHING = Term(ZERO, ZERO)
Places = Sequence[int]


class Numbers(NamedTuple):
    """The value, and the terms of each component asked for (hvp empty without a vector)."""

    value: arb
    gradient: list[Term]
    hvp: list[Term]


class Signed(NamedTuple):
    """What was counted of a vector: its positive entries, and its negative ones as positive."""

    plus: arb
    minus: arb


def signed(x: arb) -> Term:
    """A number that is a single term."""
    return Term(x, ZERO) if not x < 0 else Term(ZERO, -x)


def split(vector: Sequence[float]) -> tuple[list[arb], list[arb]]:
    """max(v, 0) and max(-v, 0), entry by entry."""
    plus = [arb(v) if v > 0 else ZERO for v in vector]
    return plus, [arb(-v) if v < 0 else ZERO for v in vector]


def scale_of(term: Term, value: arb) -> arb:
    """|value| for a term of one sign, else the larger of its two parts."""
    if term.up.is_zero() or term.down.is_zero():
        return abs(value)
    return term.up.max(term.down)


@dataclass(frozen=True)
class Side:
    """e_i for each label, the null class (exactly 0 where there is none), their sum, the shift."""

    masses: Sequence[arb]
    null: arb
    total: arb
    labels_total: arb
    shift: arb

    @property
    def log_partition(self) -> arb:
        """shift + log(null + sum_i e_i), by log1p where the null class is 1."""
        if self.null == ONE:
            return self.labels_total.log1p()
        return self.shift + self.total.log()

    @property
    def empty(self) -> bool:
        """Whether no label has weight on this side."""
        return self.labels_total.is_zero()


def side(
    exponents: Sequence[arb], weights: Sequence[arb | None], *, null: bool, largest: float
) -> Side:
    """The side with e_i = w_i e^{x_i}; a weight None means weight 0.

    `largest` is the largest exponent of a label with weight, as a float.
    """
    shift = ZERO
    if abs(largest) > LARGEST_PLAIN_EXPONENT and (largest > 0 or not null):
        shift = arb(largest)
    if shift.is_zero():
        powers = [ZERO if w is None else x.exp() for x, w in zip(exponents, weights, strict=True)]
    else:
        powers = [
            ZERO if w is None else (x - shift).exp()
            for x, w in zip(exponents, weights, strict=True)
        ]
    return weighted_side(powers, weights, null=(-shift).exp() if null else ZERO, shift=shift)


def weighted_side(
    powers: Sequence[arb], weights: Sequence[arb | None], *, null: arb, shift: arb = ZERO
) -> Side:
    """The side with e_i = w_i y_i for the powers y_i given; weight 1 costs no product."""
    masses = [
        ZERO if w is None else y if w is ONE else w * y
        for y, w in zip(powers, weights, strict=True)
    ]
    labels_total = sum(masses, ZERO)
    return Side(masses, null, null + labels_total, labels_total, shift)


def log_one_plus_exp(x: arb) -> arb:
    """log(1 + e^x), from the side on which e^. does not overflow."""
    return x.exp().log1p() if x < 0 else x + (-x).exp().log1p()


def logistic(x: arb) -> arb:
    """sigma(x), without a quotient of two large numbers."""
    return x.exp() / (ONE + x.exp()) if x < 0 else ONE / (ONE + (-x).exp())


# A value is a float, or a rational number where it is a product of floats.
Mass = dict[Any, arb]


def mass_by_value(vector: Sequence[Any], masses: Iterable[arb], null: arb = ZERO) -> Mass:
    """How much mass stands on each distinct value of the vector; the null class stands on 0."""
    mass: Mass = {} if null.is_zero() else {0.0: null}
    for v, e in zip(vector, masses, strict=True):
        if v in mass:
            mass[v] += e
        else:
            mass[v] = e
    return mass


class Spread(NamedTuple):
    """For each value v: sum of m_u (v - u) over u < v, and sum of m_u (u - v) over u > v."""

    below: Mass
    above: Mass


def spread(mass: Mass, wanted: Iterable[Any]) -> Spread:
    """Both one-sided sums at the values wanted, by two passes over the sorted values."""
    ordered = sorted(mass)
    asked = set(wanted)
    masses = [mass[v] for v in ordered]
    moments = [arb(v) * m for v, m in zip(ordered, masses, strict=True)]
    below = {
        v: arb(v) * count - moment
        for v, count, moment in _sums_before(ordered, masses, moments)
        if v in asked
    }
    above = {
        v: moment - arb(v) * count
        for v, count, moment in _sums_before(ordered[::-1], masses[::-1], moments[::-1])
        if v in asked
    }
    return Spread(below, above)


def _sums_before(
    values: Sequence[Any], masses: Sequence[arb], moments: Sequence[arb]
) -> Iterator[tuple[Any, arb, arb]]:
    """Each value with the mass and the moment of those before it."""
    counts = accumulate(masses, initial=ZERO)
    return zip(values, counts, accumulate(moments, initial=ZERO), strict=False)
