"""The least value of a loss over all scores, for given labels: the floor of a training curve.

    overlap     F = sum_i sqrt(t_i (1 - t_i))
    entropy     H = sum_i -t_i log t_i - (1 - t_i) log(1 - t_i)
    pairs       log(1 + e^c F^2), c = gamma m
    classes     G_jk = sum_i sqrt(t_ij t_ik), j != k, of a grid of samples and classes

All terms are >= 0, and 1 - t is exact for t >= 1/2: nothing is lost by subtracting.  A loss has its
floor as `minimum(labels)`; what a model can still gain is the loss less that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from numeric_core import checks
from numeric_core.exact import accurate_sum
from numeric_core.namespace import (
    Array,
    Namespace,
    compute_dtype,
    exp,
    is_floating,
    log,
    log1p,
    move_axis,
    namespace,
    round_to,
    wider_dtype,
)
from numeric_core.rows import numeric

__all__ = [
    "LabelRows",
    "class_overlaps",
    "entropy",
    "label_rows",
    "overlap",
    "pairs",
    "roots",
    "row_sum",
]

# e^40 F^2 is within float32 for a million labels.
MODERATE = 40.0


@dataclass(frozen=True)
class LabelRows:
    """Labels (*batch, n) in the compute dtype, label axis last; dtype is that of the result."""

    xp: Namespace
    labels: Array
    dtype: Any

    def per_row(self, value: Array) -> Array:
        """(*batch,) in the dtype of the labels."""
        return round_to(self.xp, value, self.dtype)


def label_rows(labels: Array, axis: int) -> LabelRows:
    """Labels in [0, 1], checked; integers and bool get the default dtype of their library.

    Errors: TypeError for what is no array of real numbers; ValueError for an axis out of range,
    labels nan or outside [0, 1].
    """
    xp = namespace(labels=labels)
    numbers = numeric(xp, labels)
    last = numbers.ndim - 1
    t = move_axis(xp, numbers, checks.axis_of(numbers, axis, "labels"), last)
    checks.label_range(xp, t)
    dtype = t.dtype if is_floating(xp, t.dtype) else xp.asarray(0.0).dtype
    return LabelRows(xp, xp.astype(t, compute_dtype(xp, dtype)), dtype)


def row_sum(xp: Namespace, terms: Array) -> Array:
    """(*batch, n) -> (*batch,), 0 for n = 0."""
    return xp.sum(terms, axis=-1) if terms.shape[-1] == 0 else accurate_sum(xp, terms)[..., 0]


def roots(rows: LabelRows) -> Array:
    """sqrt(t (1 - t)) of every label."""
    return rows.xp.sqrt(rows.labels * (1.0 - rows.labels))


def overlap(rows: LabelRows) -> Array:
    """F = sum_i sqrt(t_i (1 - t_i)): (*batch,)."""
    return row_sum(rows.xp, roots(rows))


def entropy(rows: LabelRows) -> Array:
    """H = sum_i -t_i log t_i - (1 - t_i) log(1 - t_i): (*batch,)."""
    xp, t = rows.xp, rows.labels
    one = xp.ones_like(t)
    # from 1/2 on t - 1 is exact, below the log itself is; 0 log 0 = 0
    low = log(xp, xp.where(t > 0, xp.where(t < 0.5, t, one), one))
    high = log1p(xp, xp.where(t < 0.5, 0.0 * t, t - 1.0))
    rest = log1p(xp, xp.where(t < 1, -t, 0.0 * t))
    return row_sum(xp, -t * (low + high) - (1.0 - t) * rest)


def pairs(rows: LabelRows, offset: float) -> Array:
    """log(1 + e^c F^2): (*batch,); for |c| beyond `MODERATE` by the log of e^c F^2."""
    xp, f = rows.xp, overlap(rows)
    if abs(offset) <= MODERATE:
        return log1p(xp, f * f * math.exp(offset))
    some, one = f > 0, xp.ones_like(f)
    z = offset + 2.0 * log(xp, xp.where(some, f, one))
    value = xp.where(z > 0, z, 0.0 * z) + log1p(xp, exp(xp, -xp.abs(z)))
    return xp.where(some, value, 0.0 * z)


def class_overlaps(rows: LabelRows) -> Array:
    """G_jk = sum_i sqrt(t_ij t_ik), 0 for j = k: (*batch, n, m) -> (*batch, m, m)."""
    xp, dtype = rows.xp, wider_dtype(rows.xp, rows.labels)
    root = xp.sqrt(rows.labels if dtype is None else xp.astype(rows.labels, dtype))
    classes = xp.arange(root.shape[-1], device=device(root))
    products = xp.matmul(xp.matrix_transpose(root), root)
    return xp.where(classes[:, None] == classes[None, :], 0.0 * products, products)
