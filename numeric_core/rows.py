"""Rows as a loss sees them: label axis last, in the compute dtype, checked; and the way back.

A row of n scores s and n labels t, or a vector v of a Hessian-vector product, comes along any axis
of arrays (*batch, n) of any namespace; what is made of it goes back in the dtype, on the device and
along the axis of the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numeric_core import checks
from numeric_core.namespace import (
    Array,
    Namespace,
    block_length,
    compute_dtype,
    constant,
    extremes,
    finfo,
    finfo_max,
    is_floating,
    move_axis,
    namespace,
    one_hot,
    round_to,
    wider_dtype,
)

__all__ = [
    "Rows",
    "by_blocks",
    "class_labels",
    "numeric",
    "score_rows",
    "tamed",
    "vector_rows",
    "with_labels",
]


@dataclass(frozen=True)
class Rows:
    """Scores and labels as a loss sees them: (*batch, n) in the compute dtype.

    scores are finite: -inf has become -finfo.max.  labels: None where only scores are asked for.
    bound is max |s| over all rows, inf where it could not be read.  masked: where a score is a
    mask; None when there is none for sure.  infinite: where a score was -inf under a label > 0
    (masked_positives="value" only).
    """

    xp: Namespace
    scores: Array
    labels: Array
    axis: int
    dtype: Any
    bound: float
    masked: Array | None = None
    infinite: Array | None = None

    @property
    def exact(self) -> bool:
        """Whether a result is rounded in the compute dtype, so that each rounding of it counts."""
        stored, computed = (finfo(self.xp, x) for x in (self.dtype, self.scores.dtype))
        return bool(stored.bits >= computed.bits)

    def widened(self) -> Rows:
        """The same rows in float64, where the library and the device have it."""
        dtype = wider_dtype(self.xp, self.scores)
        if dtype is None:
            return self
        arrays = {"scores": self.scores, "labels": self.labels}
        wide = {k: self.xp.astype(x, dtype) for k, x in arrays.items() if x is not None}
        return replace(self, **wide)

    def flat(self) -> Rows:
        """The batch as one dimension."""
        if self.scores.ndim == 2:
            return self
        return self._each(lambda x: _flat(self.xp, x))

    def block(self, part: slice | Array) -> Rows:
        """Some rows of a flat batch: a slice, or booleans."""
        return self._each(lambda x: x[part, :])

    def _each(self, function: Callable[[Array], Array]) -> Rows:
        names = ("scores", "labels", "masked", "infinite")
        arrays = {name: getattr(self, name) for name in names}
        return replace(self, **{k: function(x) for k, x in arrays.items() if x is not None})

    def per_row(self, value: Array) -> Array:
        """(*batch,) in the dtype of the scores."""
        return round_to(self.xp, value, self.dtype)

    def per_label(self, x: Array) -> Array:
        """(*batch, n) -> the dtype and the axis order of the scores."""
        return self.per_choice(round_to(self.xp, x, self.dtype))

    def per_choice(self, x: Array) -> Array:
        """(*batch, n) of any dtype -> the axis order of the scores."""
        return move_axis(self.xp, x, x.ndim - 1, self.axis)


def class_labels(xp: Namespace, scores: Array, labels: Array, check: bool) -> Array | None:
    """One-hot rows for the integer index of a class, (*batch,); None for labels that are rows."""
    if labels.ndim != scores.ndim - 1 or not xp.isdtype(labels.dtype, "integral"):
        return None
    if tuple(labels.shape) != tuple(scores.shape[:-1]):
        raise ValueError(
            f"a class index must have the shape of scores without the label axis, "
            f"{tuple(scores.shape[:-1])}, got {tuple(labels.shape)}"
        )
    n = scores.shape[-1]
    if check:
        checks.class_index(xp, labels, n)
    return one_hot(xp, labels, n, scores.dtype)


def numeric(xp: Namespace, labels: Array) -> Array:
    """bool labels as integers: min, max and comparisons are not defined for bool."""
    if is_floating(xp, labels.dtype):
        return labels
    if xp.isdtype(labels.dtype, "bool"):
        return xp.astype(labels, xp.int8)
    if not xp.isdtype(labels.dtype, ("integral", "real floating")):
        raise TypeError(f"labels must be real numbers or bool, got dtype {labels.dtype}")
    return labels


def score_rows(xp: Namespace, scores: Array, axis: int, check: bool) -> Rows:
    """Scores alone, prepared: as much as `probabilities` and `predict` need."""
    checks.floating(xp, "scores", scores)
    position = checks.axis_of(scores, axis)
    s = move_axis(xp, scores, position, scores.ndim - 1)
    dtype = compute_dtype(xp, scores.dtype)
    s = s if s.dtype == dtype else xp.astype(s, dtype)
    low, high = (0.0, 0.0) if 0 in s.shape else extremes(xp, s)
    if check:
        checks.score_values(low, high)
    bound = math.inf if low is None or high is None else max(-low, high)
    if bound == math.inf:
        largest = constant(xp, finfo_max(xp, dtype), s)
        s = xp.where(s > -largest, s, -largest)
    return Rows(xp, s, None, position, scores.dtype, bound)


def with_labels(
    rows: Rows, scores: Array, labels: Array, masked_positives: str, check: bool
) -> Rows:
    """Adds labels; finds masks, and the masked labels with label > 0, where there can be some."""
    xp = rows.xp
    mask = checks.mask_bound(xp, rows.dtype)
    masked = infinite = None
    if rows.bound >= -mask:
        masked = rows.scores <= mask
        if masked_positives == "value":
            # the scores of the rows are finite by now: -inf is seen in the original
            original = move_axis(xp, scores, rows.axis, scores.ndim - 1)
            infinite = (original == -math.inf) & (labels > 0)
        elif check:
            checks.no_masked_positives(xp, masked, labels)
    return Rows(xp, rows.scores, labels, rows.axis, rows.dtype, rows.bound, masked, infinite)


def vector_rows(rows: Rows, vector: Array, scores: Array, check: bool) -> Array:
    """The vector of a Hessian-vector product, axis last and in the compute dtype."""
    namespace(scores=scores, vector=vector)
    checks.floating(rows.xp, "vector", vector)
    checks.same_shape("vector", vector, scores)
    if check:
        checks.finite_vector(rows.xp, vector)
    v = move_axis(rows.xp, vector, rows.axis, vector.ndim - 1)
    return rows.xp.astype(v, rows.scores.dtype)


def by_blocks(
    block: int, rows: Rows, compute: Callable[..., tuple[Array, ...]], *more: Array
) -> tuple[Array, ...]:
    """compute(rows, *more), a few rows at a time where that keeps temporaries in the cache."""
    step = block_length(rows.scores, block)
    if step is None:
        return compute(rows, *more)
    xp, batch = rows.xp, rows.scores.shape[:-1]
    count = math.prod(batch)
    rows, more = rows.flat(), tuple(_flat(xp, x) for x in more)
    parts = [slice(start, start + step) for start in range(0, count, step)]
    results = [compute(rows.block(part), *(x[part, :] for x in more)) for part in parts]
    columns = (xp.concat(column, axis=0) for column in zip(*results, strict=True))
    return tuple(xp.reshape(x, (*batch, *x.shape[1:])) for x in columns)


def _flat(xp: Namespace, x: Array) -> Array:
    """(*batch, n) -> (rows, n)."""
    return xp.reshape(x, (-1, x.shape[-1]))


def tamed(xp: Namespace, v: Array) -> tuple[Array, Array]:
    """v / factor and the factor, a power of two: error-free products must not overflow."""
    large = constant(xp, 2.0**64, v)
    top = xp.max(xp.abs(v), axis=-1, keepdims=True)
    factor = xp.where(top > finfo_max(xp, v.dtype) / 2.0**64, large, xp.ones_like(top))
    return v / factor, factor
