"""ZLPR, hard and soft, and the binary cross-entropy that it is truncated from (001, 002).

With a threshold s0, weights t_i on the positive side and 1 - t_i on the negative side:

    l = log A + log B,   A = 1 + sum_i t_i e^{s0 - s_i},   B = 1 + sum_i (1 - t_i) e^{s_i - s0}

    p_i = t_i e^{s0 - s_i} / A,   q_i = (1 - t_i) e^{s_i - s0} / B
    dl/ds_i  = q_i - p_i
    H        = diag(p) - p p^T + diag(q) - q q^T,
    (H v)_i  = p_i (v_i - sum_j p_j v_j) + q_i (v_i - sum_j q_j v_j)

`zlpr` has t in {0, 1} and any s0, `soft_zlpr` t in [0, 1] and s0 = 0; it is one code, so that they
are equal to the last bit where both are defined.  The two sides have two row states with their own
shifts: one shared maximum loses a side altogether.

Binary cross-entropy keeps all products of the two sums:

    l = sum_i t_i log(1 + e^{-s_i}) + (1 - t_i) log(1 + e^{s_i})
    dl/ds_i = (1 - t_i) sigma(s_i) - t_i sigma(-s_i),   H = diag(sigma(s) sigma(-s))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from numeric_core import checks
from numeric_core.distribution import (
    center,
    complements,
    probabilities,
    weigh,
)
from numeric_core.exact import (
    Pair,
    accurate_sum,
    rounded,
    split_constant,
    sum_to_infinity,
    two_diff,
)
from numeric_core.kernels import Kernel
from numeric_core.least import entropy, label_rows, overlap
from numeric_core.loss import Loss
from numeric_core.namespace import (
    Array,
    Namespace,
    exp,
    finfo_max,
    log1p,
    namespace,
    select,
)
from numeric_core.reductions import (
    RowSum,
    exponent_limit,
    exponential_sum,
    log_partition,
)
from numeric_core.rows import Rows, score_rows
from numeric_core.shards import Additive, Shards, merged_sums, part_of, sum_state, whole_of

if TYPE_CHECKING:
    from numeric_core.direct import Way

__all__ = [
    "ZLPR",
    "BinaryCrossEntropy",
    "SoftZLPR",
    "binary_cross_entropy",
    "sigmoid",
    "soft_zlpr",
    "zlpr",
]


class _ThresholdLoss(Loss):
    """The common code of ZLPR and SoftZLPR."""

    threshold: float
    _hard: bool

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """sigma(2 (s - s0)): the soft labels whose loss is least at s; the shape of scores.

        It is the probability for a model trained on soft labels.  After training on labels drawn
        as 0 or 1 a score alone tells none (n = 1: sigma(s - s0)): calibrate it on held-out data.

        Source: 9064 eq. 23; claims 9064-n, 9064-23, own-prob-hard.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        x, low = _above_threshold(rows, self.threshold)
        # Beyond 8 L sigma is 0 or 1 in the dtype; 2 x must not overflow.
        bound = 8.0 * exponent_limit(rows.xp, x.dtype)
        x = rows.xp.clip(x, -bound, bound)
        return rows.per_label(sigmoid(rows.xp, 2.0 * x, None if low is None else 2.0 * low))

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """s > s0: booleans of the shape of scores.

        Where the soft labels that a model learnt exceed 1/2.  After training on hard labels it may
        be far from the probability 1/2, as in hierarchies: set the threshold on held-out data.

        Source: claims own-threshold-soft, own-threshold-hard, own-threshold-parent.
        """
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_choice(rows.scores > self.threshold)

    def minimum(self, labels: Array, *, axis: int = -1) -> Array:
        """2 log(1 + sum_i sqrt(t_i (1 - t_i))), the least loss for these labels: (*batch,).

        Met at t = sigma(2 (s - s0)) only; 0 for labels 0 and 1, where no score meets it.  A loss
        that stalls has still to gain what it has above this.

        Source: claim own-floor-soft-zlpr.
        """
        rows = label_rows(labels, axis)
        if self._hard:
            checks.hard_labels(rows.xp, rows.labels, "zlpr", "soft_zlpr")
        return rows.per_row(2.0 * log1p(rows.xp, overlap(rows)))

    def _shards(self) -> Shards:
        return _TwoSums(self)

    def kernel(self) -> Kernel:
        """Compiled for NumPy arrays; `numeric_core.kernels.two_sided`."""
        return Kernel("zlpr" if self._hard else "soft_zlpr", self.threshold)

    def direct(self) -> Way | None:
        """`numeric_core.direct.two_sided`."""
        from numeric_core.direct import two_sided

        return two_sided.way(self.threshold, self._hard)

    def _value(self, rows: Rows) -> Array:
        return _value(rows, *self._sides(rows))

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        positive, negative = self._sides(rows)
        gradient = probabilities(rows.xp, negative) - probabilities(rows.xp, positive)
        return _value(rows, positive, negative), gradient

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        positive, negative = self._sides(rows, exact=rows.exact)
        product = _covariance(rows.xp, positive, vector) + _covariance(rows.xp, negative, vector)
        return rounded(product)

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        xp = rows.xp
        (p, p_rest), (q, q_rest) = (
            (probabilities(xp, side), complements(xp, side)) for side in self._sides(rows)
        )
        off_diagonal = -(p[..., :, None] * p[..., None, :] + q[..., :, None] * q[..., None, :])
        return p * p_rest + q * q_rest, off_diagonal

    def _sides(self, rows: Rows, exact: bool = False) -> tuple[RowSum, RowSum]:
        """The states of A and B."""
        xp, t = rows.xp, rows.labels
        x, low = _above_threshold(rows, self.threshold)
        limit = exponent_limit(xp, x.dtype)
        moderate = rows.bound + abs(self.threshold) <= limit
        below = None if low is None else -low
        side = partial(exponential_sum, xp, moderate=moderate, hard=self._hard, exact=exact)
        return side(-x, below, t), side(x, low, 1.0 - t)


@dataclass(frozen=True)
class _TwoSums(Shards):
    """ZLPR of a row in parts: A, then B."""

    loss: _ThresholdLoss
    size = 6

    def state(self, rows: Rows) -> Array:
        return rows.xp.concat([sum_state(rows.xp, x) for x in self.loss._sides(rows)], axis=-1)

    def merged(self, xp: Namespace, states: Array) -> Array:
        return xp.concat([merged_sums(xp, states[..., k : k + 3]) for k in (0, 3)], axis=-1)

    def value(self, xp: Namespace, state: Array) -> Array:
        a, b = (whole_of(xp, state[..., k : k + 3], null=True) for k in (0, 3))
        return log_partition(xp, a) + log_partition(xp, b)

    def gradient(self, rows: Rows, state: Array) -> Array:
        xp, t = rows.xp, rows.labels
        x, low = _above_threshold(rows, self.loss.threshold)
        below = None if low is None else -low
        positive = part_of(xp, -x, below, t, state[..., :3], null=True)
        negative = part_of(xp, x, low, 1.0 - t, state[..., 3:], null=True)
        return probabilities(xp, negative) - probabilities(xp, positive)


@dataclass(frozen=True)
class ZLPR(_ThresholdLoss):
    """l = log(1 + sum_{neg} e^{s_i - s0}) + log(1 + sum_{pos} e^{s0 - s_j}), labels in {0, 1}.

    threshold: the score s0 of the threshold class, 0 by default.

    Limits: l -> 0 as every positive goes to inf and every negative to -inf, with all digits; a
    negative at -inf has no part in the loss; one positive at -inf makes it inf.  n = 0: 0.

    Source: 7359 eqs. 9 to 11; claims 7359-11, 9064-8.
    """

    threshold: float = 0.0
    _hard = True

    def __post_init__(self) -> None:
        checks.finite_number("threshold", self.threshold)

    def _check_rows(self, rows: Rows) -> None:
        checks.hard_labels(rows.xp, rows.labels, "zlpr", "soft_zlpr")


@dataclass(frozen=True)
class SoftZLPR(_ThresholdLoss):
    """l = log(1 + sum_i t_i e^{-s_i}) + log(1 + sum_i (1 - t_i) e^{s_i}), labels in [0, 1].

    No label is clipped: t = 0 and t = 1 are exact, and there the loss is `zlpr`, bit by bit.

    Limits: as of `zlpr`.  Its minimum over s is at t = sigma(2 s).

    Source: 9064 s3, boxed loss; claims 9064-16, 9064-44.
    """

    threshold = 0.0
    _hard = False


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """l = sum_i t_i log(1 + e^{-s_i}) + (1 - t_i) log(1 + e^{s_i}), labels in [0, 1].

    Summed over the labels of a row, not averaged.

    Limits: s_i -> +-inf: t_i max(-s_i, 0) + (1 - t_i) max(s_i, 0), plus e^{-|s_i|} with all digits.

    Source: 9064 s3; claims 9064-h, 9064-9, 9064-10.
    """

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """sigma(s): the shape of scores."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_label(sigmoid(rows.xp, rows.scores))

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """s > 0: booleans of the shape of scores."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_choice(rows.scores > 0)

    def minimum(self, labels: Array, *, axis: int = -1) -> Array:
        """sum_i -t_i log t_i - (1 - t_i) log(1 - t_i), the least loss for these labels: (*batch,).

        The entropies of the labels, met at t = sigma(s).

        Source: claim own-floor-bce.
        """
        rows = label_rows(labels, axis)
        return rows.per_row(entropy(rows))

    def _shards(self) -> Shards:
        return Additive(self)

    def direct(self) -> Way:
        """`numeric_core.direct.single`."""
        from numeric_core.direct import single

        return single.BINARY

    def kernel(self) -> Kernel:
        """Compiled for NumPy arrays; `numeric_core.kernels.by_label`."""
        return Kernel("binary_cross_entropy")

    def _value(self, rows: Rows) -> Array:
        return self._from_tail(rows, _tail(rows))

    def _from_tail(self, rows: Rows, e: Array) -> Array:
        """sum_i w_i |s_i| + log1p(e^{-|s_i|}), w_i the weight of the side on which s_i is wrong."""
        xp, s, t = rows.xp, rows.scores, rows.labels
        wrong = select(xp, s > 0, 1.0 - t, t)
        terms = wrong * xp.abs(s) + log1p(xp, e)
        if rows.bound < finfo_max(xp, s.dtype) / s.shape[-1]:
            return _mark_infinite(rows, accurate_sum(xp, terms)[..., 0])
        return _mark_infinite(rows, sum_to_infinity(xp, terms)[..., 0])

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        xp, s, t = rows.xp, rows.scores, rows.labels
        e = _tail(rows)
        near, far = 1.0 / (1.0 + e), e / (1.0 + e)
        up, down = select(xp, s > 0, near, far), select(xp, s > 0, far, near)
        return self._from_tail(rows, e), (1.0 - t) * up - t * down

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp, size = rows.xp, rows.xp.abs(rows.scores)
        product = _slope_times(rows, vector)
        limit = exponent_limit(xp, size.dtype)
        if rows.bound <= limit:
            return product
        # beyond the limit 1 + e^{-|s|} is 1; a square of e^{-|s| / 2} keeps subnormal digits
        half = exp(xp, -0.5 * size)
        return xp.where(size > limit, (half * vector) * half, product)

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        slope = _sigmoid_slope(rows)
        return slope, 0.0 * slope[..., None]


def _above_threshold(rows: Rows, threshold: float) -> tuple[Array, Array | None]:
    """s - s0 as a pair."""
    if threshold == 0.0:
        return rows.scores, None
    high, low = split_constant(rows.xp, threshold, rows.scores)
    x, error = two_diff(rows.scores, high)
    return x, error - low


def _value(rows: Rows, positive: RowSum, negative: RowSum) -> Array:
    """log A + log B."""
    value = log_partition(rows.xp, positive) + log_partition(rows.xp, negative)
    return _mark_infinite(rows, value)


def _mark_infinite(rows: Rows, value: Array) -> Array:
    """inf for a row with a label > 0 at -inf; its score was taken as -finfo.max so far."""
    if rows.infinite is None:
        return value
    infinite = rows.xp.any(rows.infinite, axis=-1)
    return rows.xp.where(infinite, math.inf * rows.xp.ones_like(value), value)


def _covariance(xp: Namespace, side: RowSum, vector: Array) -> Array | Pair:
    """p_i (v_i - sum_j p_j v_j), the null class with v = 0 among the j."""
    return weigh(xp, side, center(xp, side, vector, null=True))


def _tail(rows: Rows) -> Array:
    """e^{-|s|}: the smaller of e^s and e^{-s}, so nothing overflows."""
    return exp(rows.xp, -rows.xp.abs(rows.scores))


def _slope_times(rows: Rows, vector: Array) -> Array:
    """sigma(s) sigma(-s) v, in the dtype of the result with one rounding beside that of exp."""
    if not rows.exact:
        return _sigmoid_slope(rows) * vector
    e = _tail(rows)
    norm = Pair.difference(rows.xp, rows.xp.ones_like(e), -e)
    return rounded(Pair.of(rows.xp, e) * Pair.of(rows.xp, vector) / (norm * norm))


def _sigmoid_slope(rows: Rows) -> Array:
    """sigma(s) sigma(-s) = e^{-|s|} / (1 + e^{-|s|})^2."""
    e = _tail(rows)
    norm = 1.0 + e
    return (e / norm) / norm


def sigmoid(xp: Namespace, x: Array, low: Array | None = None) -> Array:
    """sigma(x + low) with relative accuracy in both tails; |low| <= u |x| (None: 0)."""
    e = exp(xp, -xp.abs(x))
    if low is not None:
        e = e - e * select(xp, x > 0, low, -low)
    return select(xp, x > 0, xp.ones_like(e), e) / (1.0 + e)


binary_cross_entropy = BinaryCrossEntropy()
zlpr = ZLPR()
soft_zlpr = SoftZLPR()
