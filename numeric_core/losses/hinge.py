"""The hinge family: the score of one class against those of all others (document 004, s3).

With c the class of the label, x_i = s_i - s_c + m the lead of another class, step(x) = [x > 0]:

    hinge      sum_{i != c} max(x_i, 0)            dl/ds_i = step(x_i)     dl/ds_c = -sum of them
    max_hinge  max(max_{i != c} x_i, 0)            dl/ds_k = step(x_k)     for the largest x_k
    lse_hinge  max(X, 0)                           dl/ds_i = step(X) p_i   dl/ds_c = -step(X)
               X = log sum_{i != c} e^{s_i} - s_c + m,   p = softmax over the others

A step is all or nothing, so its argument must have the right sign: s_i - s_c is taken with its
rounding error, the margin is added to both, and where the log nearly cancels the rest X is
computed in pairs.  On a kink, where x = 0, the derivative is 0; of equal largest scores the first
one counts.  Both are subgradients.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from numeric_core import checks
from numeric_core.distribution import center, complements, is_top, probabilities, weigh
from numeric_core.elementary import exp_pair, log_pair
from numeric_core.exact import (
    Pair,
    accurate_sum,
    rounded,
    split_constant,
    sum_of_few,
    sum_to_infinity,
    two_diff,
)
from numeric_core.loss import Loss
from numeric_core.namespace import Array, Namespace, constant, finfo_max, known, log1p, namespace
from numeric_core.reductions import RowSum, free_exponential_sum, softmax_sum
from numeric_core.rows import Rows, class_labels, numeric, score_rows

__all__ = ["Hinge", "LSEHinge", "MaxHinge", "hinge", "lse_hinge", "max_hinge"]

DEEPEST = -80.0
"""e^-80 = 2e-35 is no part of a sum above 1, kept in pairs of float64; and normal in float32."""

NEAR = 2.0**-20
"""In float64 for a float32 result: above this share of the log its rounding is not seen."""


@dataclass(frozen=True)
class Comparison(Loss):
    """What the three losses have in common: a margin, one class a row, a class that is predicted.

    labels: one-hot, (*batch, n), or the integer index of the class, (*batch,).
    margin: m, in units of the scores, taken as the float64 it is, also with float32 scores.

    Limits: a masked class (-inf) has no lead.  n = 1: 0.  A lead beyond finfo.max saturates there.
    Rows without an unmasked class, and n = 0, are errors; so are labels between 0 and 1.

    Source: document 004, s3; SURVEY-20 to SURVEY-29.
    """

    margin: float = 0.0

    empty_rows = False
    name: ClassVar[str]

    def __post_init__(self) -> None:
        checks.finite_number("margin", self.margin, largest=1e20)

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """The index of the largest score, the first one of a tie: integers (*batch,)."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.xp.argmax(rows.scores, axis=-1)

    def _labels(self, xp: Namespace, scores: Array, labels: Array, check: bool) -> Array:
        by_index = class_labels(xp, scores, labels, check)
        if by_index is not None:
            return by_index
        given = super()._labels(xp, scores, labels, check)
        if check:
            checks.hard_labels(xp, numeric(xp, given), self.name, "softmax_cross_entropy")
        return given

    def _check_rows(self, rows: Rows) -> None:
        if rows.masked is not None:
            checks.no_masked_rows(rows.xp, rows.masked, self.name)
        checks.one_class(rows.xp, accurate_sum(rows.xp, rows.labels), self.name)

    def _value(self, rows: Rows) -> Array:
        xp = rows.xp
        value = self._finite_value(rows.widened())
        if rows.infinite is None:
            return value
        infinity = constant(xp, float("inf"), value)
        return xp.where(xp.any(rows.infinite, axis=-1), infinity, value)

    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        return self._value(rows), self._slope(rows.widened())

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        """0: linear piece by piece."""
        return rows.xp.zeros_like(vector)

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        zero = rows.xp.zeros_like(rows.scores)
        return zero, zero[..., :, None] * zero[..., None, :]

    @abstractmethod
    def _finite_value(self, rows: Rows) -> Array:
        """(*batch,) for a class that is not masked."""

    @abstractmethod
    def _slope(self, rows: Rows) -> Array:
        """(*batch, n)"""


@dataclass(frozen=True)
class Hinge(Comparison):
    """l = sum_{i != c} max(s_i - s_c + m, 0): every class that is not behind by m counts.

    The gradient is 1 at each such class and minus their number at c, up to n - 1 (SURVEY-23).
    """

    name = "hinge"

    def _finite_value(self, rows: Rows) -> Array:
        xp = rows.xp
        lead, lost = self._leads(rows)
        return sum_to_infinity(xp, xp.where(lost, lead, xp.zeros_like(lead)))[..., 0]

    def _slope(self, rows: Rows) -> Array:
        _, lost = self._leads(rows)
        up = rows.xp.astype(lost, rows.scores.dtype)
        return up - rows.labels * accurate_sum(rows.xp, up)

    def _leads(self, rows: Rows) -> tuple[Array, Array]:
        """x_i, and where another class has x_i > 0."""
        lead = sum_of_few(_lead_parts(rows, rows.scores, self.margin))
        return lead, _others(rows) & (lead > 0)


@dataclass(frozen=True)
class MaxHinge(Comparison):
    """l = max(max_{i != c} s_i - s_c + m, 0): the largest other score counts.

    The gradient is 1 at that class and -1 at c, or 0 everywhere (SURVEY-25).
    """

    name = "max_hinge"

    def _finite_value(self, rows: Rows) -> Array:
        lead, active, _ = self._largest(rows)
        return rows.xp.where(active, lead, rows.xp.zeros_like(lead))[..., 0]

    def _slope(self, rows: Rows) -> Array:
        xp = rows.xp
        _, active, top = self._largest(rows)
        slope = xp.astype(top, rows.scores.dtype) - rows.labels
        return xp.where(active, slope, xp.zeros_like(slope))

    def _largest(self, rows: Rows) -> tuple[Array, Array, Array]:
        """The largest x_i, whether it is above 0, (*batch, 1), and where it is, (*batch, n)."""
        xp = rows.xp
        others = _others(rows)
        top = is_top(xp, _kept(rows, others)) & others
        score = _picked(xp, rows.scores, top)
        lead = sum_of_few(_lead_parts(rows, score, self.margin))
        return lead, xp.any(others, axis=-1, keepdims=True) & (lead > 0), top


@dataclass(frozen=True)
class LSEHinge(Comparison):
    """l = max(log sum_{i != c} e^{s_i} - s_c + m, 0): log-sum-exp in place of the largest.

    The gradient is the softmax of the other classes, and -1 at c; or 0 everywhere (SURVEY-31).
    The value is accurate to 4 ulp, or to 2^-80 of log n where it is smaller than that; under
    jax.jit to 4 ulp of log n.
    """

    name = "lse_hinge"

    def _finite_value(self, rows: Rows) -> Array:
        lead, active, _ = self._lead(rows)
        return rows.xp.where(active, lead, rows.xp.zeros_like(lead))[..., 0]

    def _slope(self, rows: Rows) -> Array:
        xp = rows.xp
        _, active, state = self._lead(rows)
        slope = probabilities(xp, state) - rows.labels
        return xp.where(active, slope, xp.zeros_like(slope))

    def _hvp(self, rows: Rows, vector: Array) -> Array:
        xp = rows.xp
        _, active, state = self._lead(rows, exact=rows.exact)
        product = rounded(weigh(xp, state, center(xp, state, vector, null=False)))
        return xp.where(active, product, xp.zeros_like(product))

    def _hessian(self, rows: Rows) -> tuple[Array, Array]:
        xp = rows.xp
        _, active, _ = self._lead(rows)
        others = xp.astype(_others(rows) & active, rows.scores.dtype)
        state = free_exponential_sum(xp, rows.scores, None, others)
        p = probabilities(xp, state)
        return p * complements(xp, state), -(p[..., :, None] * p[..., None, :])

    def _lead(self, rows: Rows, exact: bool = False) -> tuple[Array, Array, RowSum]:
        """X, whether it is above 0, (*batch, 1), and the sum over the other classes.

        At a tie of the largest with c any further class makes X positive, far below the format.
        """
        xp = rows.xp
        others = _others(rows)
        state = softmax_sum(xp, _kept(rows, others), exact=exact)
        parts = _lead_parts(rows, state.shift, self.margin)
        logarithm = log1p(xp, state.total)
        lead = sum_of_few([*parts, logarithm])
        near = xp.abs(lead) < (1.0 if rows.exact else NEAR) * logarithm
        # Where nothing can be read, while JAX traces, it is left: XLA compiles pairs for minutes.
        if known(xp.any(near)) is True:
            lead = xp.where(near, _in_pairs(xp, parts, state), lead)
        none = ~xp.any(others, axis=-1, keepdims=True)
        lead = xp.where(none, -xp.ones_like(lead), lead)
        return lead, (lead > 0) | ((lead == 0) & _has_two(xp, others)), state


def _others(rows: Rows) -> Array:
    """The classes that are compared with that of the label: not masked by -inf."""
    lowest = constant(rows.xp, -finfo_max(rows.xp, rows.dtype), rows.scores)
    return (rows.labels == 0) & (rows.scores > lowest)


def _has_two(xp: Namespace, where: Array) -> Array:
    """Whether at least two classes are there: (*batch, 1)."""
    return xp.sum(xp.astype(where, xp.int32), axis=-1, keepdims=True) >= 2


def _kept(rows: Rows, where: Array) -> Array:
    """The scores there, the lowest number elsewhere."""
    lowest = constant(rows.xp, -finfo_max(rows.xp, rows.scores.dtype), rows.scores)
    return rows.xp.where(where, rows.scores, lowest)


def _picked(xp: Namespace, scores: Array, where: Array) -> Array:
    """The score at the one place of each row, 0 where there is none: (*batch, 1)."""
    return xp.sum(xp.where(where, scores, xp.zeros_like(scores)), axis=-1, keepdims=True)


def _lead_parts(rows: Rows, scores: Array, margin: float) -> list[Array]:
    """s - s_c + m as a few floats whose sum is exact."""
    xp = rows.xp
    target = _picked(xp, rows.scores, rows.labels > 0)
    zero, reach = xp.zeros_like(target), finfo_max(xp, target.dtype)
    lowest = xp.where(target > 0, target, zero) - reach
    highest = xp.where(target < 0, target, zero) + reach
    scores = xp.where(scores > lowest, scores, lowest)
    difference, error = two_diff(xp.where(scores < highest, scores, highest), target)
    if margin == 0.0:
        return [difference, error]
    return [difference, error, *split_constant(xp, margin, target)]


def _in_pairs(xp: Namespace, parts: list[Array], state: RowSum) -> Array:
    """X with log sum e^d in pairs: what is left where the log cancels the lead of the largest."""
    d, delta, _ = state.exponents
    deep = d < DEEPEST
    zero = xp.zeros_like(d)
    lack = zero if delta is None else xp.where(deep, zero, delta)
    e = exp_pair(xp, Pair(xp, xp.where(deep, zero, d), lack))
    terms = Pair(xp, xp.where(deep, zero, e.high), xp.where(deep, zero, e.low))
    logarithm = log_pair(xp, terms.sum())
    return sum_of_few([*parts, logarithm.high, logarithm.low])


hinge = Hinge()
max_hinge = MaxHinge()
lse_hinge = LSEHinge()
