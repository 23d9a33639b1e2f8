r"""The closed formulas of the hinge family over Arb balls.

With c the class of the label and x_i = s_i - s_c + margin, the lead of another class:

    hinge       sum_{i != c} max(x_i, 0), gradient [x_i > 0] and minus their number at c
    max_hinge   max(x_k, 0) for the first largest s_k, k != c, gradient [x_k > 0] (e_k - e_c)
    lse_hinge   max(X, 0), X = x_k + log1p(sum_{i != c, k} e^{s_i - s_k}),
                gradient [X > 0] (p - e_c), hvp [X > 0] p_i sum_j p_j (v_i - v_j),
                p the softmax over i != c.

On a kink the derivative is 0.  Scores and margin are floats, so the sign of x_i is that of an exact
rational number wherever a ball leaves it open; X is no such number, and is enclosed more tightly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from verify.oracle.balls import (
    NOTHING,
    ONE,
    ZERO,
    Numbers,
    Places,
    Term,
    mass_by_value,
    spread,
)
from verify.oracle.row import Row

__all__ = ["hinge", "lse_hinge", "max_hinge"]


def hinge(row: Row, places: Places, *, margin: float) -> Numbers:
    """sum_{i != c} max(x_i, 0)."""
    target, others = _classes(row)
    lost = {i for i in others if _leads(row.scores[i], row.scores[target], margin)}
    value = sum((_lead(row.scores[i], row.scores[target], margin) for i in lost), ZERO)
    gradient = {i: Term(ONE, ZERO) for i in lost} | {target: Term(ZERO, arb(len(lost)))}
    return _numbers(row, places, value, gradient)


def max_hinge(row: Row, places: Places, *, margin: float) -> Numbers:
    """max(x_k, 0) for the first largest s_k."""
    target, others = _classes(row)
    top = max(others, key=row.scores.__getitem__, default=target)
    if top == target or not _leads(row.scores[top], row.scores[target], margin):
        return _numbers(row, places, ZERO, {})
    gradient = {top: Term(ONE, ZERO), target: Term(ZERO, ONE)}
    value = _lead(row.scores[top], row.scores[target], margin)
    return _numbers(row, places, value, gradient)


def lse_hinge(row: Row, places: Places, *, margin: float) -> Numbers:
    """max(x_k + log1p(sum_{i != c, k} e^{s_i - s_k}), 0)."""
    target, others = _classes(row)
    if not others:
        return _numbers(row, places, ZERO, {})
    top = max(others, key=row.scores.__getitem__)
    largest = arb(row.scores[top])
    powers = {i: (arb(row.scores[i]) - largest).exp() for i in others if i != top}
    rest = sum(powers.values(), ZERO)
    value = _lead(row.scores[top], row.scores[target], margin) + rest.log1p()
    alone = len(others) == 1
    active = _leads(row.scores[top], row.scores[target], margin) if alone else value > 0
    if not active:
        # A ball around the kink is no answer: wide as it is, it asks for more digits.
        known = alone or value < 0
        return _numbers(row, places, ZERO if known else arb(0, 1), {})
    powers[top] = ONE
    total = ONE + rest
    gradient = {i: Term(power / total, ZERO) for i, power in powers.items()}
    gradient[target] = Term(ZERO, ONE)
    hvp = {} if row.vector is None else _product(row.vector, powers, total)
    return _numbers(row, places, value, gradient, hvp)


def _product(vector: Sequence[float], powers: dict[int, arb], total: arb) -> dict[int, Term]:
    """p_i sum_j p_j (v_i - v_j) for p = powers / total."""
    values = [vector[i] for i in powers]
    below, above = spread(mass_by_value(values, powers.values()), values)
    weights = {i: power / (total * total) for i, power in powers.items()}
    return {i: Term(w * below[vector[i]], w * above[vector[i]]) for i, w in weights.items()}


def _classes(row: Row) -> tuple[int, list[int]]:
    """The class of the label, and the others."""
    target = next(i for i, t in enumerate(row.labels) if t == 1)
    return target, [i for i, t in enumerate(row.labels) if t == 0]


def _lead(score: float, target: float, margin: float) -> arb:
    return arb(score) - arb(target) + arb(margin)


def _leads(score: float, target: float, margin: float) -> bool:
    """Whether s - s_c + m > 0: by a ball, or exactly."""
    lead = _lead(score, target, margin)
    if lead > 0 or lead <= 0:
        return bool(lead > 0)
    return Fraction(score) - Fraction(target) + Fraction(margin) > 0


def _numbers(
    row: Row,
    places: Places,
    value: arb,
    gradient: dict[int, Term],
    hvp: dict[int, Term] | None = None,
) -> Numbers:
    """The terms at the places, nothing where none is named."""
    products = [] if row.vector is None else [(hvp or {}).get(i, NOTHING) for i in places]
    return Numbers(value, [gradient.get(i, NOTHING) for i in places], products)
