"""A vector seen from its mean, for products with a covariance.

    ((diag(p) - p p^T) v)_i = p_i y_i,   y_i = v_i - sum_j p_j v_j = v_i - c - sum_j p_j (v_j - c)

for every c.  With c = v_k of the largest p_k nothing is lost as p_k -> 1, nor where all v_i are
equal; what is lost elsewhere is at most 1 / p_k roundings, which a float32 result does not show.
In float64 c is then moved to the mean itself: sum_j p_j |v_j - mean| <= 2 sum_j p_j |v_j - v_i| for
every i, so that the sum makes no more roundings than the terms of y_i have.  It stays at v_k
where p_k > 1/2, and where the labels are alike and only a null class, of v = 0, is not: there the
sum of p_j |v_j - c| is as small, without cancelling.

Range: with e^s within 2^+-200, labels and entries of v that are 0 or have a size of LEAST..MOST,
no product here underflows, or overflows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from numeric_core.direct.blocks import FINE, PIECE, Block, Floats, dot

__all__ = ["FARTHEST", "HALF", "LEAST", "MOST", "Mean", "centred", "leader", "mean_beside"]

FARTHEST = 138.0
"""e^138 < 2^200."""

LEAST, MOST = 2.0**-200, 2.0**200

HALF = 0.5
"""Of a distribution: with more, c stays at v_k."""

ALIKE = 2.0**-10
"""Of the null class's part of the mean: with less from the labels, their v are as good as c."""

Mean: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats | float]]
"""(v - c, c) -> the mean of v - c in each row: of the labels, and of a null class at -c."""


def centred(block: Block, v: Floats, c: Floats, near: Floats, mean_of: Mean, out: Floats) -> Floats:
    """y into out, seen first from c (rows,); the last mean, nan or inf where v is not finite.

    near: where c is to stay, as most of the distribution is there.
    """
    np.subtract(v, c[:, None], out=out)
    own, null = mean_of(out, c)
    if not block.wide:
        c = np.where(near | (np.abs(own) <= ALIKE * np.abs(null)), c, c + (own + null))
        np.subtract(v, c[:, None], out=out)
        own, null = mean_of(out, c)
    mean: Floats = own + null
    np.subtract(out, mean[:, None], out=out)
    return mean


def leader(terms: Floats, *others: Floats) -> tuple[Floats, ...]:
    """The largest term of each row, and the entries of others at its class: (rows,) each."""
    row, k = np.arange(len(terms)), terms.argmax(axis=-1)
    return tuple(x[row, k] for x in (terms, *others))


def mean_beside(block: Block, terms: Floats, norm: Floats, null: float = 0.0) -> Mean:
    """By unnormalised p, terms / norm, beside a null class of weight null and v = 0."""
    piece = PIECE if block.wide else FINE
    return lambda seen, c: (dot(terms, seen, piece) / norm, -null * c / norm)
