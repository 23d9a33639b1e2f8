r"""The closed formulas of the losses over Arb balls: what is run on long rows.

With p_i = t_i e^{-s_i} / A, A = 1 + sum_j t_j e^{-s_j}; q_i = (1-t_i) e^{s_i} / B, B likewise:

    soft_zlpr   log A + log B            gradient q_i - p_i          Hessian of both sides, added
    zlpr        the same with hard labels and scores s - threshold
    bce         sum_i |s_i| w_i + log1p(e^{-|s_i|}),  w_i = t_i where s_i < 0, else 1 - t_i
                gradient (1-t_i) sigma(s_i) - t_i sigma(-s_i), hvp sigma(s_i) sigma(-s_i) v_i
    softmax     T log1p(sum_{i != k} e^{s_i - s_k}) + sum_j t_j (s_k - s_j), s_k the largest,
                T = sum t; gradient p_i sum_{j != i} t_j - t_i sum_{j != i} p_j; hvp T p_i (..)
    unified     log(1 + R), R = e^{scale margin} U W, U = sum (1-t_i) e^{scale s_i},
                W = sum t_j e^{-scale s_j}; with P, Q the two sides normalised, r = R / (1 + R):
                gradient  scale r (P_i - Q_i),
                hvp  scale^2 r [ P_i sum_j (r P_j + (1-r) Q_j) (v_i - v_j)
                               + Q_i sum_j (r Q_j + (1-r) P_j) (v_i - v_j) ].

The losses that count subsets are in `verify.oracle.closed_lattice`, those that ZLPR is compared
with in `verify.oracle.closed_related`.
The last line is r H(log R) + r (1-r) grad(log R) grad(log R)^T applied to v, sorted by what it
subtracts; `verify.oracle.differentiation` confirms each line from the definition alone.
Scores here are finite (`verify.oracle.row` has taken -inf out) and at least one is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from flint import arb

from verify.oracle.balls import (
    LARGEST_PLAIN_EXPONENT,
    NOTHING,
    ONE,
    ZERO,
    Numbers,
    Places,
    Side,
    Term,
    log_one_plus_exp,
    logistic,
    mass_by_value,
    side,
    signed,
    spread,
    weighted_side,
)
from verify.oracle.closed_hinge import hinge, lse_hinge, max_hinge
from verify.oracle.closed_lattice import combination_softmax, order_r, padded_combination_softmax
from verify.oracle.closed_related import RELATED
from verify.oracle.row import Row

__all__ = ["CLOSED", "Closed"]

Weights = list[arb | None]


Closed = Callable[..., Numbers]


def soft_zlpr(row: Row, places: Places) -> Numbers:
    """log A + log B."""
    return _two_sides(row, places, *_both_sides(row, ZERO, null=True))


def zlpr(row: Row, places: Places, *, threshold: float) -> Numbers:
    """log A + log B at scores s - threshold, labels 0 and 1."""
    return _two_sides(row, places, *_both_sides(row, arb(threshold), null=True))


def _two_sides(row: Row, places: Places, positive: Side, negative: Side) -> Numbers:
    value = positive.log_partition + negative.log_partition
    p, a = positive.masses, positive.total
    q, b = negative.masses, negative.total
    gradient = [Term(q[i] / b, p[i] / a) for i in places]
    if row.vector is None:
        return Numbers(value, gradient, [])
    of_q = _product(row.vector, negative, places)
    of_p = _product(row.vector, positive, places)
    both = zip(of_q, of_p, strict=True)
    return Numbers(value, gradient, [Term(x.up + y.up, x.down + y.down) for x, y in both])


def _product(vector: Sequence[float], part: Side, places: Places) -> Iterator[Term]:
    """(diag(p) - p p^T) v at the places, p the side's distribution, the null class at v = 0."""
    if part.empty:
        return iter([NOTHING] * len(places))
    values = [vector[i] for i in places]
    below, above = spread(mass_by_value(vector, part.masses, part.null), values)
    square = part.total * part.total
    weights = (part.masses[i] / square for i in places)
    return (Term(w * below[v], w * above[v]) for w, v in zip(weights, values, strict=True))


def binary_cross_entropy(row: Row, places: Places) -> Numbers:
    """sum_i w_i |s_i| + log1p(e^{-|s_i|})."""
    # u = e^{-|s|} <= 1, so sigma(|s|) = 1 / (1+u) and sigma(-|s|) = u / (1+u).
    size = [arb(-abs(s)).exp() for s in row.scores]
    value = sum((u.log1p() for u in size), ZERO)
    for s, t in zip(row.scores, row.labels, strict=True):
        weight = (ONE - arb(t) if t < 1 else None) if s > 0 else (arb(t) if t > 0 else None)
        if weight is not None:
            value += weight * arb(abs(s))
    terms = [_sigmoids(row.scores[i], size[i]) for i in places]
    gradient = [
        Term((ONE - arb(row.labels[i])) * rise, arb(row.labels[i]) * fall)
        for i, (rise, fall) in zip(places, terms, strict=True)
    ]
    if row.vector is None:
        return Numbers(value, gradient, [])
    products = (arb(row.vector[i]) * a * b for i, (a, b) in zip(places, terms, strict=True))
    return Numbers(value, gradient, [signed(x) for x in products])


def _sigmoids(s: float, u: arb) -> tuple[arb, arb]:
    """sigma(s) and sigma(-s) from u = e^{-|s|}."""
    large = ONE / (ONE + u)
    return (large, u * large) if s > 0 else (u * large, large)


def softmax_cross_entropy(row: Row, places: Places) -> Numbers:
    """T log1p(sum_{i != k} e^{s_i - s_k}) + sum_j t_j (s_k - s_j)."""
    top = max(range(len(row.scores)), key=row.scores.__getitem__)
    largest = arb(row.scores[top])
    powers = [(arb(s) - largest).exp() for s in row.scores]
    # The dominant class is what the others leave: their sum is kept, never 1 - p.
    powers[top] = ZERO
    others = sum(powers, ZERO)
    powers[top] = ONE
    total = ONE + others
    weight = sum((arb(t) for t in row.labels if t), ZERO)
    gaps = ((t, s) for s, t in zip(row.scores, row.labels, strict=True) if t)
    value = weight * others.log1p()
    value += sum((arb(t) * (largest - arb(s)) for t, s in gaps), ZERO)
    gradient = [
        Term(
            powers[i] * (weight - arb(row.labels[i])) / total,
            arb(row.labels[i]) * (others if i == top else total - powers[i]) / total,
        )
        for i in places
    ]
    if row.vector is None:
        return Numbers(value, gradient, [])
    products = _product(row.vector, Side(powers, ZERO, total, total, largest), places)
    return Numbers(value, gradient, [Term(weight * x.up, weight * x.down) for x in products])


def unified(row: Row, places: Places, *, scale: float, margin: float) -> Numbers:
    """log(1 + R), R = e^{scale margin} U W."""
    gamma = arb(scale)
    positive, negative = _both_sides(row, ZERO, null=False, factor=scale)
    if positive.empty or negative.empty or gamma.is_zero():
        return _without_slope(row, places, positive, negative)
    log_r = gamma * arb(margin) + positive.log_partition + negative.log_partition
    r, rest = logistic(log_r), logistic(-log_r)
    p, u = negative.masses, negative.total
    q, w = positive.masses, positive.total
    slope = gamma * r
    gradient = [_oriented(slope, p[i] / u, q[i] / w) for i in places]
    value = log_one_plus_exp(log_r)
    if row.vector is None:
        return Numbers(value, gradient, [])
    values = [row.vector[i] for i in places]
    mass_p = mass_by_value(row.vector, (x / u for x in p))
    mass_q = mass_by_value(row.vector, (x / w for x in q))
    seen_by_p = spread({v: r * mass_p[v] + rest * mass_q[v] for v in mass_p}, values)
    seen_by_q = spread({v: r * mass_q[v] + rest * mass_p[v] for v in mass_q}, values)
    curvature = gamma * gamma * r
    hvp = []
    for i, v in zip(places, values, strict=True):
        p_i, q_i = p[i] / u, q[i] / w
        up = p_i * seen_by_p.below[v] + q_i * seen_by_q.below[v]
        down = p_i * seen_by_p.above[v] + q_i * seen_by_q.above[v]
        hvp.append(Term(curvature * up, curvature * down))
    return Numbers(value, gradient, hvp)


def _without_slope(row: Row, places: Places, positive: Side, negative: Side) -> Numbers:
    """No pair at all: value 0.  Or scale 0: R is the number of pairs.  No derivative either way."""
    value = (positive.labels_total * negative.labels_total).log1p()
    nothing = [NOTHING] * len(places)
    return Numbers(value, nothing, [] if row.vector is None else nothing)


def _oriented(slope: arb, up: arb, down: arb) -> Term:
    return Term(slope * up, slope * down) if slope > 0 else Term(-slope * down, -slope * up)


def _both_sides(row: Row, centre: arb, *, null: bool, factor: float = 1.0) -> tuple[Side, Side]:
    """The side of the positives, t_i e^{-x_i}, and of the negatives, (1-t_i) e^{x_i}.

    x = factor (s - centre).  A label on both sides costs one exp: e^{-x} = 1 / e^x.
    """
    exponents: Iterable[arb] = map(arb, row.scores)
    if not centre.is_zero():
        exponents = (x - centre for x in exponents)
    if factor != 1.0:
        exponents = (arb(factor) * x for x in exponents)
    x = list(exponents)
    on_positive: Weights = [None if t == 0 else ONE if t == 1 else arb(t) for t in row.labels]
    on_negative: Weights = [None if t == 1 else ONE if t == 0 else 1 - arb(t) for t in row.labels]
    reach = abs(factor) * max(map(abs, row.scores)) + abs(float(centre))
    if reach < LARGEST_PLAIN_EXPONENT:
        powers = [e.exp() for e in x]
        inverse = [ZERO if w is None else ONE / e for e, w in zip(powers, on_positive, strict=True)]
        one = ONE if null else ZERO
        return (
            weighted_side(inverse, on_positive, null=one),
            weighted_side(powers, on_negative, null=one),
        )
    minus = [-e for e in x]
    return (
        side(minus, on_positive, null=null, largest=_largest(minus, on_positive)),
        side(x, on_negative, null=null, largest=_largest(x, on_negative)),
    )


def _largest(exponents: Sequence[arb], weights: Weights) -> float:
    """The largest exponent that has weight; as a float, since it is only a shift."""
    present = (float(x) for x, w in zip(exponents, weights, strict=True) if w is not None)
    bounded = (max(min(x, FLOAT_MAX), -FLOAT_MAX) for x in present)
    return max(bounded, default=0.0)


FLOAT_MAX = math.ldexp(2.0 - 2.0**-52, 1023)

CLOSED: Mapping[str, Closed] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": hinge,
    "max_hinge": max_hinge,
    "lse_hinge": lse_hinge,
    "binary_cross_entropy": binary_cross_entropy,
    "zlpr": zlpr,
    "soft_zlpr": soft_zlpr,
    "unified": unified,
    "combination_softmax": combination_softmax,
    "padded_combination_softmax": padded_combination_softmax,
    "order_r": order_r,
    **RELATED,
}
