"""Truncation at order r: from ZLPR to the binary cross-entropy.

    l = log sum_{a=0..r} e_a(w) + log sum_{b=0..r} e_b(v)
    w_i = t_i e^{-s_i},   v_i = (1 - t_i) e^{s_i}

e_a is the elementary symmetric polynomial: the sum over all sets of a labels.  r = 1 is soft ZLPR;
r >= n has all sets, l = sum_i log(1 + w_i) + log(1 + v_i), which for 0/1 labels is the binary
cross-entropy.  In between at most r mistakes of each kind are counted: the index set
{a <= r} x {b <= r} of the lattice (`numeric_core.lattice`).

    dl/ds_i = q_i - p_i,   p_i = w_i d/dw_i log sum_a e_a(w),   q_i = v_i d/dv_i log sum_b e_b(v)

With soft labels the minimum is at t = sigma(2 s) for r < n as for r = 1, as V and W are then equal.
(The binomial series of the soft binary cross-entropy, cut off at order 2, is no loss: it has a
negative term under the log.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numeric_core import checks
from numeric_core.index_sets import All, Band, IndexSet
from numeric_core.lattice import LatticeLoss
from numeric_core.least import label_rows, roots
from numeric_core.losses.zlpr import soft_zlpr
from numeric_core.namespace import Array, log, namespace
from numeric_core.parts import Part
from numeric_core.rows import Rows, score_rows
from numeric_core.sides import no_side, soft_sides

__all__ = ["OrderR", "order_r"]


@dataclass(frozen=True)
class OrderR(LatticeLoss):
    """l = log sum_{a<=r} e_a(t e^{-s}) + log sum_{b<=r} e_b((1 - t) e^{s}), labels in [0, 1].

    order: r >= 1; from n on it has no effect.

    Limits: l -> 0 as every t = 1 goes to inf and every t = 0 to -inf, with all digits; as `order`
    grows l grows, from soft_zlpr to sum_i log(1 + t_i e^{-s_i}) + log(1 + (1 - t_i) e^{s_i}).
    n = 0: 0.

    Accuracy: 1e-14 of the true value in float64, 1e-6 in float32, for the loss and for each of the
    two terms of a gradient component.

    Source: 9064 s3, the expansion in orders; `lossproof derive order_r`.
    """

    order: int = 2

    def __post_init__(self) -> None:
        checks.count("order", self.order, least=1)

    def probabilities(self, scores: Array, *, axis: int = -1) -> Array:
        """sigma(2 s): the soft labels whose loss is least at s; the shape of scores."""
        return soft_zlpr.probabilities(scores, axis=axis)

    def predict(self, scores: Array, *, axis: int = -1) -> Array:
        """s > 0: booleans of the shape of scores."""
        rows = score_rows(namespace(scores=scores), scores, axis, check=True)
        return rows.per_choice(rows.scores > 0)

    def minimum(self, labels: Array, *, axis: int = -1) -> Array:
        """2 log sum_{a<=r} e_a(h), h_i = sqrt(t_i (1 - t_i)), the least loss for these labels.

        (*batch,), met at t = sigma(2 s); accurate as the loss is.

        Source: claim own-floor-order-r.
        """
        rows = label_rows(labels, axis)
        xp, h = rows.xp, roots(rows)
        # with all labels 0 the loss is log sum_b e_b(e^s): its scores are log h, -inf for h = 0
        some, one = h > 0, xp.ones_like(h)
        scores = xp.where(some, log(xp, xp.where(some, h, one)), -math.inf * one)
        return rows.per_row(2.0 * self(scores, xp.zeros_like(h)))

    def _parts(self, rows: Rows) -> list[Part]:
        v, w = soft_sides(rows)
        terms, none = self._terms(rows), no_side(rows)
        return [Part(v, none, terms), Part(w, none, terms, sign=-1.0)]

    def _terms(self, rows: Rows) -> IndexSet:
        xp, n = rows.xp, rows.scores.shape[-1]
        if self.order >= n:
            return All()
        width = xp.full_like(rows.scores[:, 0], float(self.order))
        return Band(self.order, 0, width)


order_r = OrderR()
