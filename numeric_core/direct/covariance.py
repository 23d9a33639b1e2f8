"""A vector seen from its mean, for products with a covariance.

    ((diag(p) - p p^T) v)_i = p_i y_i,   y_i = v_i - sum_j p_j v_j = v_i - c - sum_j p_j (v_j - c)

for every c.  With c = v_k of the largest p_k nothing is lost as p_k -> 1, nor where all v_i are
equal; what is lost elsewhere is at most 1 / p_k roundings of float64, which a float32 result does
not show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from numeric_core.direct.blocks import Floats, dot

__all__ = ["FARTHEST", "Mean", "centred", "leader", "mean_beside"]

FARTHEST = 138.0
"""e^138 < 2^200: no product of such terms and numbers of float32 leaves the range of float64."""

Mean: TypeAlias = Callable[[Floats, Floats], Floats]
"""(v - c, c) -> the mean of v - c in each row, with a null class at -c if there is one."""


def centred(v: Floats, c: Floats, mean_of: Mean, out: Floats) -> Floats:
    """y into out, seen from c (rows,); the mean, nan or inf where v is not finite."""
    np.subtract(v, c[:, None], out=out)
    mean = mean_of(out, c)
    np.subtract(out, mean[:, None], out=out)
    return mean


def leader(terms: Floats, *others: Floats) -> tuple[Floats, ...]:
    """The largest term of each row, and the entries of others at its class: (rows,) each."""
    row, k = np.arange(len(terms)), terms.argmax(axis=-1)
    return tuple(x[row, k] for x in (terms, *others))


def mean_beside(terms: Floats, norm: Floats, null: float = 0.0) -> Mean:
    """By unnormalised p, terms / norm, beside a null class of weight null and v = 0."""
    return lambda seen, c: (dot(terms, seen) - null * c) / norm
