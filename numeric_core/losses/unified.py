"""The unified pairwise loss with scale gamma and margin m (document 002).

    l = log(1 + R),   R = sum_{i,j} (1 - t_i) t_j e^{gamma (s_i - s_j + m)} = e^{gamma m} V W,
    V = sum_i (1 - t_i) e^{gamma s_i},   W = sum_j t_j e^{-gamma s_j}

    P_i = (1 - t_i) e^{gamma s_i} / V,   Q_i = t_i e^{-gamma s_i} / W,   r = R / (1 + R)
    dl/ds_i = gamma r (P_i - Q_i)

With a_i = v_i - sum_k P_k v_k, b_i = v_i - sum_k Q_k v_k and r' = 1 - r = 1 / (1 + R):

    (H v)_i = gamma^2 r [P_i (r a_i + r' b_i) + Q_i (r' a_i + r b_i)]

Each side is shifted by its own maximum; R is then a single exponential with weight V' W' beside
a null class, and goes through the same row state as the sums do.  A row without a positive or
without a negative has no pair: loss, gradient and Hessian are 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from numeric_core import checks
from numeric_core.distribution import (
    center,
    complements,
    enlarged_terms,
    exact_probabilities,
    norm_pair,
    null_probability,
    probabilities,
    weigh,
    weigh_null,
)
from numeric_core.exact import Pair, rounded, split_constant, two_product, two_sum
from numeric_core.kernels import Kernel
from numeric_core.least import label_rows, pairs
from numeric_core.loss import Loss
from numeric_core.losses.zlpr import sigmoid
from numeric_core.namespace import Array, Namespace, constant, finfo_max, known, namespace
from numeric_core.reductions import (
    RowSum,
    exponential_sum,
    free_exponential_sum,
    log_partition,
)
from numeric_core.rows import Rows, score_rows
from numeric_core.shards import Shards, merged_sums, part_of, sum_state, whole_of

if TYPE_CHECKING:
    from numeric_core.direct import Way

__all__ = ["Unified", "pair_sum", "unified"]


_Exponents: TypeAlias = tuple[Array, Array | None, Array]
"""x, its low part, the weights."""


class _Pairs(NamedTuple):
    """V, W and 1 + R as row states."""

    negative: RowSum
    positive: RowSum
    pair: RowSum


@dataclass(frozen=True)
class Unified(Loss):
    """l = log(1 + sum_{i,j} (1 - t_i) t_j e^{gamma (s_i - s_j + m)}), labels in [0, 1].

    scale: gamma > 0.  margin: m, in units of the scores.  Both are taken as the float64 they are,
    also with float32 scores.  With labels in {0, 1} the sum runs over (negative, positive) pairs.

    Limits: gamma -> inf: gamma max(0, max_neg s - min_pos s + m).  A negative at -inf has no part
    in the loss.  No positives or no negatives, and n = 0: 0.  Scores beyond
    finfo.max / (2^14 gamma) saturate there when gamma is not 1.

    Source: 7359, the unified loss and its scale and margin.
    """

    scale: float = 1.0
    margin: float = 0.0

    def __post_init__(self) -> None:
        checks.finite_number("scale", self.scale, positive=True, largest=1e6)
        checks.finite_number("margin", self.margin, largest=1e20)

    def probabilities(
        self, scores: Array, *, threshold: float | None = None, axis: int = -1
    ) -> Array:
        """sigma(2 gamma (s - c)) for a threshold c, which must be given: the shape of scores.

        The loss is the same for s + c: it sees differences of scores only, and so knows no c.
        """
        if threshold is None:
            raise ValueError(
                "unified needs threshold=c for probabilities sigma(2 scale (s - c)): the loss "
                "depends on score differences only and fixes no threshold, got None"
            )
        checks.finite_number("threshold", threshold)
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        high, low = split_constant(rows.xp, threshold, rows.scores)
        d, error = two_sum(_saturated(rows, 2.0 * self.scale), -high)
        x, rest = _times(rows.xp, d, 2.0 * self.scale)
        error = 2.0 * self.scale * (error - low)
        return rows.per_label(sigmoid(rows.xp, x, error if rest is None else rest + error))

    def predict(
        self,
        scores: Array,
        *,
        k: int | None = None,
        threshold: float | None = None,
        axis: int = -1,
    ) -> Array:
        """The k largest scores of a row, or s > threshold: booleans of the shape of scores.

        Exactly one of k and threshold must be given.  Of equal scores the first come first.
        """
        if (k is None) == (threshold is None):
            raise ValueError(
                f"unified predicts with either k= or threshold=, got k={k!r}, "
                f"threshold={threshold!r}"
            )
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        if threshold is not None:
            checks.finite_number("threshold", threshold)
            chosen = rows.scores > threshold
        else:
            chosen = _largest(rows, k)
        return rows.per_choice(chosen)

    def minimum(self, labels: Array, *, axis: int = -1) -> Array:
        """log(1 + e^{gamma m} (sum_i sqrt(t_i (1 - t_i)))^2), the least loss for these labels.

        (*batch,), met at t = sigma(2 gamma (s - c)) for any c.  Where gamma m < -40 the loss is
        near 0, and the error |gamma m| ulp.

        Source: claim own-floor-unified.
        """
        rows = label_rows(labels, axis)
        return rows.per_row(pairs(rows, self.scale * self.margin))

    def _shards(self) -> Shards:
        return _TwoSides(self)

    def kernel(self) -> Kernel:
        """Compiled for NumPy arrays; `numeric_core.kernels.unified`."""
        return Kernel("unified", scale=self.scale, margin=self.margin)

    def direct(self) -> Way | None:
        """`numeric_core.direct.pairs`."""
        from numeric_core.direct import pairs

        return pairs.way(self.scale, self.margin)

    def _value(self, rows: Rows) -> Array:
        return _value(rows, self._pairs(rows))

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        pairs = self._pairs(rows)
        return _value(rows, pairs), self._slope(rows, pairs)

    def _slope(self, rows: Rows, pairs: _Pairs) -> Array:
        """gamma r (P_i - Q_i)."""
        xp = rows.xp
        scale = Pair(xp, *split_constant(xp, self.scale, rows.scores))
        weight = weigh(xp, pairs.pair, scale)
        # a row's factors are divided as pairs, so that a component has few roundings
        up, down = (
            enlarged_terms(xp, side, weight / norm_pair(xp, side))
            for side in (pairs.negative, pairs.positive)
        )
        return rounded(up - down)

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp = rows.xp
        pairs = self._pairs(rows, exact=rows.exact)
        vector, scale = self._enlarged(xp, vector)
        a = center(xp, pairs.negative, vector, null=False)
        b = center(xp, pairs.positive, vector, null=False)
        near, far = self._mixed(xp, pairs, a, b), self._mixed(xp, pairs, b, a)
        if not rows.exact:
            p, q = probabilities(xp, pairs.negative), probabilities(xp, pairs.positive)
            r = probabilities(xp, pairs.pair)
            return scale * (scale * r) * (p * near + q * far)
        # the scale goes to the amounts, and not to products that may be subnormal
        factor = Pair(xp, *split_constant(xp, scale, vector))
        near, far = factor * (factor * near), factor * (factor * far)
        product = weigh(xp, pairs.negative, near) + weigh(xp, pairs.positive, far)
        return rounded(weigh(xp, pairs.pair, product))

    def _enlarged(self, xp: Namespace, vector: Array) -> tuple[Array, float]:
        """4^e v and gamma / 2^e <= 1: digits below the smallest normal number would be missed
        once gamma^2 lifts them above it."""
        exponent = max(math.frexp(self.scale)[1], 0)
        factor = 4.0**exponent
        too_large = xp.abs(vector) > constant(xp, finfo_max(xp, vector.dtype) / factor, vector)
        if known(xp.any(too_large)) is not False:
            return vector, self.scale
        return vector * factor, self.scale / 2.0**exponent

    def _mixed(self, xp: Namespace, pairs: _Pairs, near: Array | Pair, far: Array | Pair) -> Any:
        """r near + (1 - r) far, in pairs or, for a row computed in a wider dtype, plainly."""
        if isinstance(near, Pair):
            return weigh(xp, pairs.pair, near) + weigh_null(xp, pairs.pair, far)
        r, rest = (rounded(share) for share in exact_probabilities(xp, pairs.pair))
        return r * near + rest * far

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        xp = rows.xp
        pairs = self._pairs(rows)
        p, q, r, rest = _distributions(xp, pairs)
        no_p, no_q = complements(xp, pairs.negative), complements(xp, pairs.positive)
        weight = self.scale * (self.scale * r)
        diagonal = p * (r * no_p + rest * no_q) + q * (rest * no_p + r * no_q)
        same = p[..., :, None] * p[..., None, :] + q[..., :, None] * q[..., None, :]
        cross = p[..., :, None] * q[..., None, :] + q[..., :, None] * p[..., None, :]
        off_diagonal = r[..., None] * same + rest[..., None] * cross
        return weight * diagonal, -weight[..., None] * off_diagonal

    def _pairs(self, rows: Rows, exact: bool = False) -> _Pairs:
        sides = self._exponents(rows)
        negative, positive = (free_exponential_sum(rows.xp, *x, exact=exact) for x in sides)
        return self._paired(rows.xp, negative, positive)

    def _exponents(self, rows: Rows) -> tuple[_Exponents, _Exponents]:
        """Of V and of W."""
        xp, t = rows.xp, rows.labels
        x, low = _times(xp, _saturated(rows, self.scale), self.scale)
        w = 1.0 - t
        if rows.masked is not None:
            w = xp.where(rows.masked & (t == 0), xp.zeros_like(w), w)
        return (x, low, w), (-x, None if low is None else -low, t)

    def _paired(self, xp: Namespace, negative: RowSum, positive: RowSum) -> _Pairs:
        """Both sides, and 1 + R."""
        offset = None
        if self.margin != 0.0:
            offset = _exact_product(xp, self.scale, self.margin, negative.shift)
        return _Pairs(negative, positive, pair_sum(xp, negative, positive, offset))


@dataclass(frozen=True)
class _TwoSides(Shards):
    """A row in parts: V, then W."""

    loss: Unified
    size = 6

    def state(self, rows: Rows) -> Array:
        xp = rows.xp
        sides = (free_exponential_sum(xp, *x) for x in self.loss._exponents(rows))
        return xp.concat([sum_state(xp, side) for side in sides], axis=-1)

    def merged(self, xp: Namespace, states: Array) -> Array:
        return xp.concat([merged_sums(xp, states[..., k : k + 3]) for k in (0, 3)], axis=-1)

    def value(self, xp: Namespace, state: Array) -> Array:
        sides = (whole_of(xp, state[..., k : k + 3], null=False) for k in (0, 3))
        return log_partition(xp, self.loss._paired(xp, *sides).pair)

    def gradient(self, rows: Rows, state: Array) -> Array:
        xp, sides = rows.xp, zip(self.loss._exponents(rows), (0, 3), strict=True)
        parts = (part_of(xp, *x, state[..., k : k + 3], null=False) for x, k in sides)
        return self.loss._slope(rows, self.loss._paired(xp, *parts))

    def counts(self, xp: Namespace, state: Array) -> Array:
        return state[..., 2] > 0


def pair_sum(
    xp: Namespace,
    negative: RowSum,
    positive: RowSum,
    offset: tuple[Array, Array] | None = None,
) -> RowSum:
    """1 + R, R = e^offset V W = e^c V' W', c = the offset (a pair; None: 0) + both shifts."""
    weight = Pair(xp, negative.norm, negative.norm_low) * Pair(xp, positive.norm, positive.norm_low)
    c, low = two_sum(negative.shift, positive.shift)
    for side in (negative, positive):
        if side.shift_low is not None:
            c, error = two_sum(c, side.shift_low)
            low = low + error
    if offset is not None:
        high, rest = offset
        c, error = two_sum(c, high)
        low = low + error + rest
    # e^c (high + low) = e^{c + low / high} high, up to (low / high)^2
    low = low + weight.low / xp.where(weight.high > 0, weight.high, xp.ones_like(c))
    return exponential_sum(xp, c, low, weight.high, moderate=False, hard=False, exact=True)


def _saturated(rows: Rows, scale: float) -> Array:
    """Scores that can be multiplied by the scale, and split, without overflow."""
    if scale == 1.0:
        return rows.scores
    # 2^14: Veltkamp's factor for float32 is 2^12 + 1; for float64 (2^27 + 1) see the exponent.
    guard = 2.0**30 if rows.scores.dtype == rows.xp.float64 else 2.0**14
    bound = finfo_max(rows.xp, rows.scores.dtype) / (guard * max(scale, 1.0))
    if rows.bound <= bound:
        return rows.scores
    return rows.xp.clip(rows.scores, -bound, bound)


def _times(xp: Namespace, s: Array, scale: float) -> tuple[Array, Array | None]:
    """scale * s as a pair; exact when the scale is a power of two."""
    if scale == 1.0:
        return s, None
    if math.frexp(scale)[0] == 0.5:
        return s * scale, None
    high, low = split_constant(xp, scale, s)
    x, error = two_product(xp, s, high)
    return two_sum(x, error + s * low)


def _exact_product(xp: Namespace, scale: float, margin: float, like: Array) -> tuple[Array, Array]:
    """gamma m, rounded once, and what the rounding left over."""
    exact = Fraction(scale) * Fraction(margin)
    high = float(exact) if like.dtype == xp.float64 else float(np.float32(float(exact)))
    return constant(xp, high, like), constant(xp, float(exact - Fraction(high)), like)


def _value(rows: Rows, pairs: _Pairs) -> Array:
    xp = rows.xp
    value = log_partition(xp, pairs.pair)
    if rows.infinite is None:
        return value
    infinite = xp.any(rows.infinite, axis=-1) & (pairs.negative.total[..., 0] > 0)
    return xp.where(infinite, math.inf * xp.ones_like(value), value)


def _distributions(xp: Namespace, pairs: _Pairs) -> tuple[Array, Array, Array, Array]:
    """P, Q, r and 1 - r."""
    p, q = probabilities(xp, pairs.negative), probabilities(xp, pairs.positive)
    return p, q, probabilities(xp, pairs.pair), null_probability(xp, pairs.pair)


def _largest(rows: Rows, k: object) -> Array:
    """Where a score is among the k largest of its row."""
    xp, n = rows.xp, rows.scores.shape[-1]
    if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k <= n:
        raise ValueError(f"k must be an integer in 0..{n} for {n} labels, got {k!r}")
    order = xp.argsort(rows.scores, axis=-1, descending=True, stable=True)
    return xp.argsort(order, axis=-1) < k


unified = Unified()
