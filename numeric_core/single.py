"""Losses of single labels: value, slope and curvature, with all digits where they underflow.

With p = sigma(s), q = 1 - p, w = p q and e = e^{-|s|}:

    focal       F(s) = q^g log(1 / p) for a label 1, F(-s) for a label 0
                F' = -q^g (q + g p log(1/p))
                F'' = q^g p (g^2 p log(1/p) + (2 g + 1) q - g q log(1/p))
    soft focal  |r|^b B, r = p - t, B = -t log p - (1 - t) log q
                slope  |r|^(b-2) r (b w B + r^2)
                curvature  |r|^(b-2) w (b ((b-1) w + r (q - p)) B + (2 b + 1) r^2)
    shifted     G(d) = d^g log(1 / (1 - d)), d = max(p - m, 0), of a negative: slope w G',
                curvature w (w G'' + (q - p) G')

F is computed as e^{-c} A with all of the exponent in c = (g + 1) max(s, 0) + g log(1 + e), a pair,
and A of moderate size.  A residual p - t or p - m is a difference of nearly equal numbers where
the model is right: where no wider dtype is at hand it is formed in pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from numeric_core.elementary import exp_pair, power_pair
from numeric_core.exact import (
    Pair,
    accurate_sum,
    leading,
    rounded,
    split_constant,
    sum_to_infinity,
    two_product,
    two_sum,
)
from numeric_core.loss import Loss
from numeric_core.namespace import (
    Array,
    Namespace,
    constant,
    exp,
    finfo_max,
    log,
    log1p,
    namespace,
)
from numeric_core.reductions import exponent_limit
from numeric_core.rows import Rows, score_rows
from numeric_core.shards import Additive, Shards

__all__ = [
    "ByLabel",
    "Terms",
    "Underflowing",
    "choose",
    "either",
    "focal_terms",
    "lift",
    "pair_like",
    "shifted_terms",
    "soft_focal_terms",
    "within_reach",
]


Number = Pair | Array


class Underflowing(NamedTuple):
    """A weight in [0, 1] that may underflow, and its root, which does not."""

    whole: Number
    root: Array

    def times(self, xp: Namespace, x: Number) -> Array:
        """The weight times x, with all digits."""
        whole, plain = leading(self.whole), leading(x)
        lowest = constant(xp, 1e-280 if plain.dtype == xp.float64 else 1e-30, plain)
        apart = (self.root * plain) * self.root
        return xp.where(whole < lowest, apart, rounded(_lift_like(xp, self.whole, x) * x))


class Terms(NamedTuple):
    """One label's loss; its slope; its curvature as weight * bend, the latter when asked for."""

    value: Array
    slope: Array
    weight: Underflowing
    bend: Callable[[], Number]


def _lift_like(xp: Namespace, x: Number, like: Number) -> Number:
    """x as a pair, where the other one is."""
    if isinstance(like, Pair):
        return x if isinstance(x, Pair) else Pair.of(xp, x)
    return rounded(x)


def pair_like(xp: Namespace, value: float, like: Array) -> Pair:
    """A Python float everywhere: a float64 constant beside float32 scores."""
    parts = split_constant(xp, value, like)
    return Pair(xp, *(part + xp.zeros_like(like) for part in parts))


def choose(xp: Namespace, condition: Array, a: Number, b: Number) -> Any:
    """a where the condition holds, else b; both are pairs, or both are arrays."""
    if not isinstance(a, Pair) or not isinstance(b, Pair):
        return xp.where(condition, rounded(a), rounded(b))
    return Pair(xp, xp.where(condition, a.high, b.high), xp.where(condition, a.low, b.low))


def within_reach(rows: Rows) -> Array:
    """Scores clipped where sigma is 0 or 1 in the dtype, so that multiples stay finite."""
    bound = 8.0 * exponent_limit(rows.xp, rows.scores.dtype)
    return rows.xp.clip(rows.scores, -bound, bound)


def focal_terms(rows: Rows, gamma: Pair, *, all_positive: bool = False) -> Terms:
    """F and its derivatives for the score x = s of a positive, x = -s of a negative.

    With L = log(1/p) and A = L below 0, L / e above: F = W A, W = e^{-(g + 1) x+} (1 + e)^-g,

        F' = -W (g a + 1) / (1 + e),    F'' = W e^{-x-} (g^2 a - g b + 2 g + 1) / (1 + e)^2

    where (a, b) = (A, e A) above 0 and (e A, A) below.
    """
    xp, s = rows.xp, rows.scores
    upward = s > math.inf if all_positive else ~(rows.labels > 0)
    x = xp.where(upward, -s, s)
    size, above = xp.abs(x), x > 0
    e = exp(xp, -size)
    soft = log1p(xp, e)
    amount = xp.where(above, _ratio(xp, soft, e), size + soft)
    weight, root = _decay(xp, xp.where(above, size, xp.zeros_like(size)), soft, gamma)
    # what stands beside e^{-|x|} = 0 has no part, and must not overflow
    near = xp.clip(size, 0.0, _reach(xp, s))
    a = xp.where(above, amount, e * (near + soft))
    slope = weight * (gamma.high * a + 1.0) / (1.0 + e)
    one = xp.ones_like(e)
    curved = Underflowing(
        weight * xp.where(above, one, e), root * xp.where(above, one, exp(xp, -0.5 * size))
    )
    bend = partial(_focal_bend, rows, gamma, above, (near, e, soft))
    return Terms(weight * amount, xp.where(upward, slope, -slope), curved, bend)


def _focal_bend(rows: Rows, gamma: Pair, above: Array, parts: tuple[Array, Array, Array]) -> Number:
    """(g^2 a - g b + 2 g + 1) / (1 + e)^2."""
    xp = rows.xp
    size, e, soft = (lift(rows, part) for part in parts)
    one = lift(rows, xp.ones_like(parts[1]))
    g = gamma if rows.exact else gamma.high
    positive = parts[1] > 0
    ratio = choose(xp, positive, soft / choose(xp, positive, e, one), one)
    amount = choose(xp, above, ratio, size + soft)
    other = e * amount
    a, b = choose(xp, above, amount, other), choose(xp, above, other, amount)
    norm = one + e
    return (g * g * a - g * b + (g + g + one)) / (norm * norm)


def lift(rows: Rows, x: Array) -> Any:
    """A pair, where results are rounded in the dtype of the rows."""
    return Pair.of(rows.xp, x) if rows.exact else x


def _ratio(xp: Namespace, soft: Array, e: Array) -> Array:
    """log(1 + e) / e, 1 where e is 0."""
    positive = e > 0
    return xp.where(positive, soft / xp.where(positive, e, xp.ones_like(e)), xp.ones_like(e))


def _reach(xp: Namespace, like: Array) -> float:
    """Where e^{-|s| / 2} is 0 in the dtype."""
    return 8.0 * exponent_limit(xp, like.dtype)


def _decay(xp: Namespace, x: Array, soft: Array, gamma: Pair) -> tuple[Array, Array]:
    """e^{-c} and e^{-c / 2} for c = (g + 1) x + g soft as a pair, x >= 0."""
    x = xp.clip(x, 0.0, _reach(xp, x))
    c, low = two_product(xp, gamma.high, x)
    c, error = two_sum(c, x)
    product, rest = two_product(xp, gamma.high, soft)
    c, more = two_sum(c, product)
    low = low + error + rest + more + gamma.low * (x + soft)
    half, whole = exp(xp, -0.5 * c), exp(xp, -c)
    return whole - whole * low, half - half * (0.5 * low)


def either(xp: Namespace, condition: Array, a: Terms, b: Terms) -> Terms:
    """a where the condition holds, else b."""
    value, slope = (xp.where(condition, x, y) for x, y in zip(a[:2], b[:2], strict=True))
    whole = choose(xp, condition, *(_lift_like(xp, x.weight.whole, b.weight.whole) for x in (a, b)))
    weight = Underflowing(whole, xp.where(condition, a.weight.root, b.weight.root))
    return Terms(value, slope, weight, lambda: choose(xp, condition, a.bend(), b.bend()))


class _Sigmoid(NamedTuple):
    """sigma(-|s|); p = sigma(s), q = sigma(-s); w = p q; q - p.  Pairs for exact rows."""

    small: Any
    p: Any
    q: Any
    w: Underflowing
    tilt: Any


EXACT_UP_TO = {True: 700.0, False: 80.0}
"""e^-700 is a normal number of float64, e^-80 of float32: up to there a pair has all its digits."""


def _sigmoid_of(rows: Rows) -> _Sigmoid:
    xp, s = rows.xp, rows.scores
    size = xp.abs(s)
    e, root = exp(xp, -size), exp(xp, -0.5 * size)
    above, one, decay = s > 0, lift(rows, xp.ones_like(e)), e
    if rows.exact:
        within = size <= EXACT_UP_TO[s.dtype == xp.float64]
        decay = exp_pair(xp, Pair.of(xp, -xp.where(within, size, xp.zeros_like(size))))
        decay = choose(xp, within, decay, Pair.of(xp, e))
    large = one / (one + decay)
    small = decay * large
    p, q = choose(xp, above, large, small), choose(xp, above, small, large)
    tilt = q - p if rows.exact else -xp.tanh(0.5 * s)
    return _Sigmoid(small, p, q, Underflowing(small * large, root / (1.0 + e)), tilt)


def soft_focal_terms(rows: Rows, beta: float) -> Terms:
    """Labels inside (0, 1); see the module's text."""
    xp, s, t = rows.xp, rows.scores, rows.labels
    sigma = _sigmoid_of(rows)
    r, size = _residual(rows, sigma)
    w = rounded(sigma.w.whole)
    wrong = xp.where(s > 0, 1.0 - t, t)
    entropy = wrong * xp.abs(s) + log1p(xp, exp(xp, -xp.abs(s)))
    near = _near_entropy(rows)
    power = _power(xp, size, beta - 2.0)
    square = size * size
    slope = power * rounded(r) * (beta * w * rounded(near) + rounded(square))

    def bend() -> Number:
        b, one = (lift(rows, xp.full_like(s, x)) for x in (beta, 1.0))
        turn = (b - one) * sigma.w.whole + r * sigma.tilt
        return lift(rows, power) * (b * turn * near + (b + b + one) * square)

    return Terms(power * rounded(square) * entropy, slope, sigma.w, bend)


def _near_entropy(rows: Rows) -> Any:
    """The cross-entropy, for |s| up to where it stands beside e^{-|s| / 2} = 0."""
    xp, s, t = rows.xp, rows.scores, rows.labels
    size = xp.clip(xp.abs(s), 0.0, _reach(xp, s))
    soft = log1p(xp, exp(xp, -size))
    rest = Pair.difference(xp, xp.ones_like(t), t)
    wrong = choose(xp, s > 0, rest if rows.exact else 1.0 - t, lift(rows, t))
    return wrong * lift(rows, size) + lift(rows, soft)


def _residual(rows: Rows, sigma: _Sigmoid) -> tuple[Any, Any]:
    """r = sigma(s) - t and |r|; above 0 as (1 - t) - sigma(-s), where both may be tiny."""
    xp, s, t = rows.xp, rows.scores, rows.labels
    rest = Pair.difference(xp, xp.ones_like(t), t) if rows.exact else 1.0 - t
    r = choose(xp, s > 0, rest - sigma.small, sigma.small - lift(rows, t))
    return r, choose(xp, leading(r) < 0, -r, r)


def _power(xp: Namespace, x: Pair | Array, exponent: float) -> Array:
    """x^exponent for x >= 0, as an array; 0^0 = 1."""
    if exponent == 0.0:
        return xp.ones_like(x.high if isinstance(x, Pair) else x)
    if not isinstance(x, Pair):
        return x**exponent
    # below the root of the smallest number the power of a pair has no digits, and is nearly 0
    tiny = x.high < (1e-150 if x.high.dtype == xp.float64 else 1e-18)
    one = Pair.of(xp, xp.ones_like(x.high))
    return xp.where(
        tiny, x.high**exponent, power_pair(xp, choose(xp, tiny, one, x), exponent).rounded()
    )


def shifted_terms(rows: Rows, gamma: float, margin: float) -> Terms:
    """G and its derivatives for a negative, d = sigma(s) - m; all 0 where d <= 0."""
    xp, s = rows.xp, rows.scores
    sigma = _sigmoid_of(rows)
    m = pair_like(xp, margin, s) if rows.exact else margin
    one = lift(rows, xp.ones_like(s))
    d, free = sigma.p - m, sigma.q + m
    inside = leading(d) > 0
    d = choose(xp, inside, d, lift(rows, 0.5 * xp.ones_like(s)))
    lead = rounded(d)
    cost = xp.where(lead < 0.5, -log1p(xp, -lead), -log(xp, rounded(free)))
    power = _power(xp, d, gamma - 1.0)
    g, ratio = lift(rows, xp.full_like(s, gamma)), lift(rows, cost) / d
    first = d * (g * ratio + one / free)
    zero = xp.zeros_like(s)
    slope = sigma.w.times(xp, xp.where(inside, power, zero) * rounded(first))

    def bend() -> Number:
        second = (g - one) * g * ratio + (g + g) / free + d / (free * free)
        outer = lift(rows, xp.where(inside, power, zero))
        return outer * (sigma.w.whole * second + sigma.tilt * first)

    return Terms(xp.where(inside, power * lead * cost, zero), slope, sigma.w, bend)


class ByLabel(Loss):
    """A sum of losses of single labels: the Hessian is diagonal."""

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """s > 0: booleans of the shape of scores."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_choice(rows.scores > 0)

    def _shards(self) -> Shards:
        return Additive(self)

    def _terms(self, rows: Rows) -> Terms:
        """(*batch, n) each, on rows in the widest dtype there is."""
        raise NotImplementedError

    def _value(self, rows: Rows) -> Array:
        rows = rows.widened()
        return _sum_of(rows, self._terms(rows).value)

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        rows = rows.widened()
        terms = self._terms(rows)
        return _sum_of(rows, terms.value), terms.slope

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        terms = self._terms(rows.widened())
        bend = terms.bend()
        moved = bend * _lift_like(rows.xp, vector, bend)
        return terms.weight.times(rows.xp, moved)

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        terms = self._terms(rows.widened())
        diagonal = terms.weight.times(rows.xp, terms.bend())
        return diagonal, 0.0 * diagonal[..., None]


def _sum_of(rows: Rows, terms: Array) -> Array:
    """The sum over the labels, inf for a label > 0 at -inf."""
    xp = rows.xp
    small = rows.bound < finfo_max(xp, terms.dtype) / terms.shape[-1]
    value = (accurate_sum(xp, terms) if small else sum_to_infinity(xp, terms))[..., 0]
    if rows.infinite is None:
        return value
    infinite = xp.any(rows.infinite, axis=-1)
    return xp.where(infinite, math.inf * xp.ones_like(value), value)
