"""The grid losses written down plainly in NumPy: what optimisers that know no results are given.

A loss is a sum of c_g log(1 + sum of the terms e of the group g), the terms being exponentials of
linear functions d_e of the scores.  So with the weights w_e = c_g e / (1 + sum of its group)

    gradient . v = sum_e w_e d_e(v),   v^T H v = sum_e w_e d_e(v) (d_e(v) - mean of its group).

Terms are kept in arrays (n, m, m), e_ijk = t_ij e^{s_ik - s_ij} with d = v_ik - v_ij, and for the
centred loss (n, m), e_ij = t_ij e^{mean_k s_ik - s_ij}.  Nothing is done for stability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PLACES = {"truncated": ((0, 2),), "mirrored": ((0, 2), (0, 1)), "pairwise": ((0,),)}
"""Over which of i, j, k a log sums; the mirrored loss is the mean of two such sums."""


@dataclass
class PlainGrid:
    """One loss of given labels as a function of the scores, both (n, m)."""

    loss: str
    labels: Any

    def value(self, scores: Any) -> float:
        return float(sum(share * np.log1p(total).sum() for share, total, _ in self._sums(scores)))

    def gradient(self, scores: Any) -> Any:
        return sum(self._spread(share * e / (1 + total)) for share, total, e in self._sums(scores))

    def product(self, scores: Any, v: Any) -> Any:
        d, product = self._gathered(v), 0.0
        for share, total, e in self._sums(scores):
            axes = tuple(np.flatnonzero(np.array(total.shape) != np.array(e.shape)))
            mean = (e * d).sum(axes, keepdims=True) / (1 + total)
            product = product + self._spread(share * e / (1 + total) * (d - mean))
        return product

    def _gathered(self, v: Any) -> Any:
        """d_e(v)."""
        if self.loss == "centered":
            return v.mean(axis=1, keepdims=True) - v
        return v[:, None, :] - v[:, :, None]

    def _spread(self, w: Any) -> Any:
        """sum_e w_e d_e as a vector: the transpose of `_gathered`."""
        if self.loss == "centered":
            return w.mean(axis=1, keepdims=True) - w
        return w.sum(axis=1) - w.sum(axis=2)

    def _sums(self, scores: Any) -> list[tuple[float, Any, Any]]:
        """(c, the sums inside the logs, the terms)."""
        if self.loss == "centered":
            e = self.labels * np.exp(self._gathered(scores))
            return [(1.0, e.sum(axis=0, keepdims=True), e)]
        e = self.labels[:, :, None] * np.exp(self._gathered(scores))
        e = e * (1 - np.eye(e.shape[-1]))
        places = PLACES[self.loss]
        return [(1.0 / len(places), e.sum(axes, keepdims=True), e) for axes in places]
