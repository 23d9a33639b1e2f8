r"""Closed formulas over Arb balls of the losses that ZLPR is compared with.

Of one label, with p = sigma(s), q = 1 - p, w = p q:

    focal       F(x) = q^g L, L = log(1/p), at x = s or -s;  F' = -q^g (q + g p L)
                F'' = q^g p [g^2 p L + (2g+1) q  -  g q L]
    soft_focal  |r|^b B, r = (1-t) p - t q, B = t log(1/p) + (1-t) log(1/q)
                slope |r|^(b-2) (b w B + r^2) [(1-t) p  -  t q]
                curvature |r|^(b-2) w [b(b-1) w B + (2b+1) r^2 + b r (q-p) B]
    asymmetric  F for a positive; G(d) = d^g log(1/(1-d)), d = max(p - m, 0), for a negative,
                G' = g d^(g-1) log(1/(1-d)) + d^g / (1-d),
                slope w G', curvature w (w G'' + (q-p) G')
    circle      log(1 + e^X), X = log sum_neg e^{x(s)} + log sum_pos e^{x(1-s)},
                x(u) = c max(u+m, 0) (u-m).  With the shares P and Q of the two sums, r = sigma(X)
                and z_i = 2 c u_i (0 where u_i + m <= 0): the gradient is r z_i (P_i - Q_i); its
                product with v is that of `verify.oracle.closed.unified` with z v, times z_i, and
                2 c r (P_i + Q_i) v_i.

z v is a rational number, exact, since the one-sided sums are sorted by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from flint import arb, fmpq

from verify.oracle.balls import (
    NOTHING,
    ONE,
    ZERO,
    Numbers,
    Places,
    Term,
    log_one_plus_exp,
    logistic,
    mass_by_value,
    signed,
    spread,
)
from verify.oracle.row import Row

__all__ = ["ABSENT", "RELATED"]

ABSENT = -3e38
"""A negative at or below this counts as absent from Circle loss; see `numeric_core.Circle`."""


class _Label(NamedTuple):
    """The loss of one label, its slope, and its curvature."""

    value: arb
    slope: Term
    curvature: Term


ByLabel = Callable[[float, float], _Label]


def focal(row: Row, places: Places, *, gamma: float, alpha: float | None) -> Numbers:
    """The sum of a F(s) over the positives and (1 - a) F(-s) over the negatives."""
    exponent = arb(gamma)
    weights = (ONE, ONE) if alpha is None else (ONE - arb(alpha), arb(alpha))

    def label(s: float, t: float) -> _Label:
        return _scaled(weights[int(t)], _focal(s, t, exponent))

    return _sum(row, places, label)


def soft_focal(row: Row, places: Places, *, beta: float) -> Numbers:
    """The sum of |sigma(s) - t|^b times the binary cross-entropy."""
    return _sum(row, places, lambda s, t: _soft_focal(s, t, arb(beta)))


def asymmetric(
    row: Row, places: Places, *, gamma_positive: float, gamma_negative: float, margin: float
) -> Numbers:
    """The sum of F over the positives and of G over the negatives."""
    positive, negative, m = arb(gamma_positive), arb(gamma_negative), arb(margin)

    def label(s: float, t: float) -> _Label:
        return _focal(s, t, positive) if t == 1 else _shifted(s, negative, m)

    return _sum(row, places, label)


def _sum(row: Row, places: Places, label: ByLabel) -> Numbers:
    terms = [label(s, t) for s, t in zip(row.scores, row.labels, strict=True)]
    value = sum((term.value for term in terms), ZERO)
    gradient = [terms[i].slope for i in places]
    if row.vector is None:
        return Numbers(value, gradient, [])
    products = (_times(arb(row.vector[i]), terms[i].curvature) for i in places)
    return Numbers(value, gradient, list(products))


def _times(factor: arb, term: Term) -> Term:
    """The term times a number of any sign."""
    if factor < 0:
        return Term(-factor * term.down, -factor * term.up)
    return Term(factor * term.up, factor * term.down)


def _scaled(weight: arb, label: _Label) -> _Label:
    return _Label(
        weight * label.value, _times(weight, label.slope), _times(weight, label.curvature)
    )


def _focal(s: float, t: float, g: arb) -> _Label:
    x = arb(s) if t == 1 else -arb(s)
    p, q, cost = logistic(x), logistic(-x), log_one_plus_exp(-x)
    power = q**g
    fall = power * (q + g * p * cost)
    up = power * p * (g * g * p * cost + (2 * g + 1) * q)
    slope = Term(ZERO, fall) if t == 1 else Term(fall, ZERO)
    return _Label(power * cost, slope, Term(up, power * p * g * q * cost))


def _soft_focal(s: float, t: float, b: arb) -> _Label:
    x, label = arb(s), arb(t)
    p, q = logistic(x), logistic(-x)
    w, rise, fall = p * q, (ONE - label) * p, label * q
    r = rise - fall
    cost = ZERO
    if t > 0:
        cost += label * log_one_plus_exp(-x)
    if t < 1:
        cost += (ONE - label) * log_one_plus_exp(x)
    power = ONE if b == 2 else abs(r) ** (b - 2)
    lead = power * (b * w * cost + r * r)
    bend = signed(power * w * b * r * (q - p) * cost)
    up = power * w * (b * (b - 1) * w * cost + (2 * b + 1) * r * r)
    return _Label(
        power * r * r * cost, Term(lead * rise, lead * fall), Term(up + bend.up, bend.down)
    )


def _shifted(s: float, g: arb, m: arb) -> _Label:
    x = arb(s)
    p, q = logistic(x), logistic(-x)
    d = p - m
    if d <= 0:
        return _Label(ZERO, NOTHING, NOTHING)
    d = d.max(ZERO)  # a ball that holds 0 is settled with more bits
    free, w = q + m, p * q
    cost = -free.log()
    below = d ** (g - 1)
    first = g * below * cost + below * d / free
    second = 2 * g * below / free + below * d / (free * free)
    if g != 1:
        second += g * (g - 1) * d ** (g - 2) * cost
    return _Label(
        below * d * cost,
        Term(w * first, ZERO),
        Term(w * (w * second + q * first), w * p * first),
    )


def circle(row: Row, places: Places, *, scale: float, margin: float) -> Numbers:
    """log(1 + N P)."""
    c, m = _exact(scale), _exact(margin)
    u = [
        _exact(s) if t == 0 else 1 - _exact(s) for s, t in zip(row.scores, row.labels, strict=True)
    ]
    x = [arb(c * (a + m) * (a - m)) if a + m > 0 else ZERO for a in u]
    labels = zip(row.scores, row.labels, strict=True)
    sides = [t == 1 if s > ABSENT or t == 1 else None for s, t in labels]
    negative, positive = (_shares(x, [side is kind for side in sides]) for kind in (False, True))
    if negative is None or positive is None:
        nothing = [NOTHING] * len(places)
        return Numbers(ZERO, nothing, [] if row.vector is None else nothing)
    bend = [2 * c if a + m > 0 else fmpq(0) for a in u]
    z = [b * a for a, b in zip(u, bend, strict=True)]
    log_r = negative.log_sum + positive.log_sum
    r = logistic(log_r)
    value = log_one_plus_exp(log_r)
    lead = [(negative.shares[i] - positive.shares[i]) * r for i in places]
    gradient = [signed(arb(z[i]) * a) for i, a in zip(places, lead, strict=True)]
    if row.vector is None:
        return Numbers(value, gradient, [])
    moved = [a * _exact(b) for a, b in zip(z, row.vector, strict=True)]
    bends = [a * _exact(b) for a, b in zip(bend, row.vector, strict=True)]
    products = _products(negative, positive, moved, places, (r, logistic(-log_r)))
    hvp = []
    for i, product in zip(places, products, strict=True):
        steep = _times(arb(z[i]), product)
        own = _times(arb(bends[i]), Term(r * (negative.shares[i] + positive.shares[i]), ZERO))
        hvp.append(Term(steep.up + own.up, steep.down + own.down))
    return Numbers(value, gradient, hvp)


class _Shares(NamedTuple):
    """log sum e^x over one side, and the share of each label in it."""

    log_sum: arb
    shares: list[arb]


def _exact(x: float) -> fmpq:
    return fmpq(*x.as_integer_ratio())


def _shares(x: Sequence[arb], belongs: Sequence[bool]) -> _Shares | None:
    """None for a side without a label."""
    own = [a for a, inside in zip(x, belongs, strict=True) if inside]
    if not own:
        return None
    shift = max(own, key=_middle).mid()
    masses = [(a - shift).exp() if inside else ZERO for a, inside in zip(x, belongs, strict=True)]
    total = sum(masses, ZERO)
    return _Shares(shift + total.log(), [mass / total for mass in masses])


def _middle(x: arb) -> fmpq:
    mantissa, exponent = x.mid().man_exp()
    return fmpq(int(mantissa)) * fmpq(2) ** int(exponent)


def _products(
    negative: _Shares,
    positive: _Shares,
    moved: Sequence[fmpq],
    places: Places,
    weights: tuple[arb, arb],
) -> list[Term]:
    """r P_i sum_j (r P_j + (1-r) Q_j)(v_i - v_j) and likewise for Q, at the places."""
    r, rest = weights
    values = [moved[i] for i in places]
    mass_p = mass_by_value(moved, negative.shares)
    mass_q = mass_by_value(moved, positive.shares)
    seen_by_p = spread({v: r * mass_p[v] + rest * mass_q[v] for v in mass_p}, values)
    seen_by_q = spread({v: r * mass_q[v] + rest * mass_p[v] for v in mass_p}, values)
    terms = []
    for i, v in zip(places, values, strict=True):
        p, q = r * negative.shares[i], r * positive.shares[i]
        up = p * seen_by_p.below[v] + q * seen_by_q.below[v]
        down = p * seen_by_p.above[v] + q * seen_by_q.above[v]
        terms.append(Term(up, down))
    return terms


RELATED: Mapping[str, Callable[..., Numbers]] = {
    "focal": focal,
    "soft_focal": soft_focal,
    "asymmetric": asymmetric,
    "circle": circle,
}
