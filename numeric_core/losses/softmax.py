"""Softmax cross-entropy (documents 003, 004).

    p = softmax(s),   l = -sum_j t_j log p_j,   T = sum_j t_j (1 up to rounding)

With k a class of the largest score and R = sum_{j != k} e^{s_j - s_k}:

    -log p_j = (s_k - s_j) + log1p(R)
    l        = sum_j t_j (s_k - s_j) + T log1p(R)               all parts >= 0
    dl/ds_i  = p_i (T - t_i) - t_i (1 - p_i)
    H        = T (diag(p) - p p^T),   (H v)_i = T p_i (v_i - sum_j p_j v_j)

1 - p_k = R / (1 + R) and T - t_i = sum_{j != i} t_j are never formed by subtracting from 1: the
loss and its gradient keep all digits as p_k -> 1 and as t becomes one-hot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from array_api_compat import device

from numeric_core import checks
from numeric_core.distribution import (
    center,
    probabilities,
    weigh,
)
from numeric_core.exact import accurate_sum, as_pair_of, rounded, two_diff
from numeric_core.kernels import Kernel
from numeric_core.least import label_rows
from numeric_core.loss import Loss
from numeric_core.namespace import (
    Array,
    Namespace,
    exp,
    finfo,
    finfo_max,
    log,
    log1p,
    namespace,
    replaced,
    select,
)
from numeric_core.reductions import (
    RowSum,
    least_counted,
    softmax_sum,
)
from numeric_core.rows import Rows, class_labels, score_rows
from numeric_core.shards import Shards

if TYPE_CHECKING:
    from numeric_core.direct import Way

__all__ = ["SoftmaxCrossEntropy", "softmax_cross_entropy"]


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Loss):
    """l = -sum_j t_j log softmax(s)_j.

    labels: a distribution over the classes, (*batch, n), one-hot or soft, whose rows sum to 1
    within sqrt(eps) of the dtype; or the integer index of the class, (*batch,).

    Limits: s_k -> inf on the class of the label: l -> 0 like R, with all digits until R underflows.
    A masked class (-inf) has probability 0 and gradient 0.  Rows without an unmasked class, and
    n = 0, are errors.

    Source: documents 003 eq. 1 and 004 s3; claims 7359-1, 7359-6, SURVEY-37.
    """

    empty_rows = False

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """softmax(s): the shape of scores, each row sums to 1."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_label(probabilities(rows.xp, softmax_sum(rows.xp, rows.scores)))

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """The index of the largest score, the first one of a tie: integers (*batch,)."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.xp.argmax(rows.scores, axis=-1)

    def minimum(self, labels: Array, *, axis: int = -1) -> Array:
        """-sum_j t_j log t_j, the least loss for these distributions over the classes: (*batch,).

        The entropy of the label, met at t = softmax(s); 0 for a one-hot label.

        Source: claim own-floor-softmax.
        """
        rows = label_rows(labels, axis)
        xp, t = rows.xp, rows.labels
        if t.shape[-1] == 0:
            raise ValueError(f"a distribution needs a class, got shape {tuple(labels.shape)}")
        mass, absent = _label_sums(xp, t)
        checks.distribution(xp, mass, _tolerance(xp, rows.dtype))
        likely, one = t > 0.5 * mass, xp.ones_like(t)
        # log(T / t) = log(1 + (T - t) / t), whose digits stay as t goes to T
        odds = xp.where(likely, absent / xp.where(likely, t, one), 0.0 * t)
        small = xp.where(likely | (t == 0), one, mass / xp.where(t > 0, t, one))
        terms = t * (log1p(xp, odds) + log(xp, small))
        return rows.per_row(accurate_sum(xp, terms)[..., 0])

    def _labels(self, xp: Namespace, scores: Array, labels: Array, check: bool) -> Array:
        by_index = class_labels(xp, scores, labels, check)
        return super()._labels(xp, scores, labels, check) if by_index is None else by_index

    def _check_rows(self, rows: Rows) -> None:
        xp = rows.xp
        if rows.masked is not None:
            checks.no_masked_rows(xp, rows.masked)
        total = xp.sum(rows.labels, axis=-1, keepdims=True)
        checks.distribution(xp, total, _tolerance(xp, rows.dtype))

    def _shards(self) -> Shards:
        return _Classes()

    def kernel(self) -> Kernel:
        """Compiled for NumPy arrays; `numeric_core.kernels.softmax`."""
        return Kernel("softmax")

    def direct(self) -> Way:
        """`numeric_core.direct.softmax`."""
        from numeric_core.direct import softmax

        return softmax.SOFTMAX

    def _value(self, rows: Rows) -> Array:
        rows = rows.widened()
        state = softmax_sum(rows.xp, rows.scores, wide=not rows.exact)
        return _value(rows, state, _mass(rows))

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        rows = rows.widened()
        if not rows.exact:
            return _in_wider_dtype(rows)
        xp, t = rows.xp, rows.labels
        state = softmax_sum(xp, rows.scores)
        p, q = probabilities(xp, state), _complements(rows, state)
        mass, absent = _label_sums(xp, t)
        # where neither share is large the plain difference has fewer roundings
        small = (p < 0.125) & (t < 0.125 * mass)
        gradient = select(xp, small, p * mass - t, p * absent - t * q)
        return _value(rows, state, mass), gradient

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp = rows.xp
        state = softmax_sum(xp, rows.scores, exact=rows.exact)
        product = weigh(xp, state, center(xp, state, vector, null=False))
        return rounded(as_pair_of(xp, _mass(rows), None, product) * product)

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        state, mass = softmax_sum(rows.xp, rows.scores), _mass(rows)
        p, q = probabilities(rows.xp, state), _complements(rows, state)
        off_diagonal = -(p[..., :, None] * p[..., None, :]) * mass[..., None]
        return mass * (p * q), off_diagonal


class _Classes(Shards):
    """A row in parts: the largest score m, R, the largest label, the sum of the others, and
    G = sum_j t_j (m - s_j), all five of which merge."""

    size = 5
    by_part = False

    def state(self, rows: Rows) -> Array:
        xp, t = rows.xp, rows.labels
        part = softmax_sum(xp, rows.scores)
        most = xp.max(t, axis=-1, keepdims=True)
        gap = accurate_sum(xp, t * _gap(rows, part.shift))
        return xp.concat([part.shift, part.total, most, _others(xp, t, most), gap], axis=-1)

    def merged(self, xp: Namespace, states: Array) -> Array:
        top, total, most, others, gap = (states[..., k] for k in range(5))
        m, mass = xp.max(top, axis=-1, keepdims=True), most + others
        # a part without a label has no gap, however low it lies
        gap = gap + xp.where(mass > 0, mass * _distance(xp, m, top), xp.zeros_like(mass))
        leads = _first(xp, top == m)
        d, delta = two_diff(xp.where(top >= least_counted(xp, m), top, least_counted(xp, m)), m)
        e = exp(xp, d)
        rest = xp.where(leads, total, (e + e * delta) * (1.0 + total))
        largest = xp.max(most, axis=-1, keepdims=True)
        less = xp.where(_first(xp, most == largest), xp.zeros_like(most), most)
        sums = (accurate_sum(xp, x) for x in (rest, xp.concat([less, others], axis=-1), gap))
        rest, others, gap = sums
        return xp.concat([m, rest, largest, others, gap], axis=-1)

    def check(self, xp: Namespace, state: Array, dtype: Any) -> None:
        checks.no_masked_rows(xp, state[..., :1] <= checks.mask_bound(xp, dtype))
        checks.distribution(xp, state[..., 2] + state[..., 3], _tolerance(xp, dtype))

    def value(self, xp: Namespace, state: Array) -> Array:
        _, rest, most, others, gap = (state[..., k] for k in range(5))
        return gap + (most + others) * log1p(xp, rest)

    def gradient(self, rows: Rows, state: Array) -> Array:
        xp, t, s = rows.xp, rows.labels, rows.scores
        m, rest, most, others = (state[..., k : k + 1] for k in range(4))
        d, delta = two_diff(xp.where(s >= least_counted(xp, m), s, least_counted(xp, m)), m)
        e, norm, mass = exp(xp, d), 1.0 + rest, most + others
        e = e + e * delta
        p, q = e / norm, xp.where(e == 1, rest, norm - e) / norm
        absent = xp.where(t > 0.5 * mass, others, mass - t)
        small = (p < 0.125) & (t < 0.125 * mass)
        return xp.where(small, p * mass - t, p * absent - t * q)


def _others(xp: Namespace, t: Array, most: Array) -> Array:
    """The sum of all but one of the largest: (*batch, 1)."""
    return accurate_sum(xp, xp.where(_first(xp, t == most), xp.zeros_like(t), t))


def _first(xp: Namespace, where: Array) -> Array:
    """The first True of each row alone."""
    place = xp.argmax(xp.astype(where, xp.int8), axis=-1, keepdims=True)
    return xp.arange(where.shape[-1], device=device(where)) == place


def _distance(xp: Namespace, m: Array, top: Array) -> Array:
    """m - top, at most finfo.max."""
    lowest = xp.where(m > 0, m, xp.zeros_like(m)) - finfo_max(xp, m.dtype)
    return m - xp.where(top > lowest, top, lowest)


def _tolerance(xp: Namespace, dtype: Any) -> float:
    """By how much the labels of a row may miss the sum 1."""
    return math.sqrt(float(finfo(xp, dtype).eps))


def _mass(rows: Rows) -> Array:
    """T = sum_j t_j: (*batch, 1)."""
    return accurate_sum(rows.xp, rows.labels)


def _in_wider_dtype(rows: Rows) -> tuple[Array, Array]:
    """p_i T - t_i, but for the class with the largest share, which alone may be more than 1/2."""
    xp, t = rows.xp, rows.labels
    state = softmax_sum(xp, rows.scores, wide=True)
    leader = xp.argmax(rows.scores, axis=-1, keepdims=True)
    own = xp.take_along_axis(t, leader, axis=-1)
    others = xp.sum(replaced(xp, t, leader, 0.0 * own), axis=-1, keepdims=True)
    mass = others + own
    slope = state.terms * (mass / state.norm) - t
    lead = (others - own * state.total) / state.norm
    return _value(rows, state, mass), replaced(xp, slope, leader, lead)


def _value(rows: Rows, state: RowSum, mass: Array) -> Array:
    """sum_j t_j (s_k - s_j) + T log1p(R)."""
    xp, t = rows.xp, rows.labels
    if rows.exact:
        linear = accurate_sum(xp, t * _gap(rows, state.shift))
    else:
        linear = -xp.sum(t * state.exponents.d, axis=-1, keepdims=True)
    value = (linear + mass * log1p(xp, state.total))[..., 0]
    if rows.infinite is not None:
        value = xp.where(xp.any(rows.infinite, axis=-1), math.inf * xp.ones_like(value), value)
    return value


def _gap(rows: Rows, top: Array) -> Array:
    """s_k - s_j >= 0, 0 where the label is 0: a mask there has no part in the loss.

    A gap beyond finfo.max saturates at finfo.max.
    """
    xp, s = rows.xp, rows.scores
    if rows.bound < 0.25 * finfo_max(xp, s.dtype):
        return top - s  # 0 times a finite gap
    lowest = xp.where(top > 0, top, xp.zeros_like(top)) - float(xp.finfo(s.dtype).max)
    s = select(xp, rows.labels > 0, s, top)
    return top - xp.maximum(s, lowest)


def _complements(rows: Rows, state: RowSum) -> Array:
    """1 - p_i: R / (1 + R) for a class at the maximum; the others have p_i <= 1/2."""
    xp = rows.xp
    leader = xp.argmax(rows.scores, axis=-1, keepdims=True)
    return replaced(xp, state.norm - state.terms, leader, state.total) / state.norm


def _label_sums(xp: Namespace, t: Array) -> tuple[Array, Array]:
    """T, (*batch, 1), and T - t_i, summed afresh for the largest label; (*batch, n)."""
    largest = xp.argmax(t, axis=-1, keepdims=True)
    own = xp.take_along_axis(t, largest, axis=-1)
    others = accurate_sum(xp, replaced(xp, t, largest, 0.0 * own))
    mass = others + own
    return mass, replaced(xp, mass - t, largest, others)


softmax_cross_entropy = SoftmaxCrossEntropy()
