"""What the losses of n samples x m classes share: a grid of scores has one loss.

A grid loss maps scores s_ij and labels t_ij, i < n samples and j < m classes, to a number, the sum
over the samples being inside its logs.  `GridLoss` turns arrays (*batch, n, m) into prepared rows
(checked, in float64 where the library has it), asks the subclass for the mathematics on them, and
turns the result back: dtype and device are those of the scores.

    loss(s, t)                     (*batch,)              l
    loss.value_and_grad(s, t)      + (*batch, n, m)       l, dl / ds_ij
    loss.hvp(s, t, v)              (*batch, n, m)         sum_pk d2l / (ds_ij ds_pk) v_pk
    loss.hessian(s, t)             (*batch, n, m, n, m)   d2l / (ds_ij ds_pk)

A masked class of a sample (score -inf, or at most max(-1e7, finfo.min), label 0) takes no part; a
sample whose labels are all 0 counts nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from array_api_compat import device, is_dask_array, is_numpy_array

from numeric_core import checks, lazy_grids
from numeric_core.exact import accurate_sum
from numeric_core.lanes import row_sums
from numeric_core.namespace import (
    Array,
    Namespace,
    constant,
    finfo,
    finfo_max,
    namespace,
    read,
    written,
)
from numeric_core.rows import Rows, numeric, score_rows, with_labels
from numeric_core.shards import GridShards

FEW = 1 << 10
"""Samples up to which the square of the tolerance is far above that of n rounding errors."""

__all__ = ["GridLoss", "check_labels", "prepared"]


class GridLoss(ABC):
    """A loss of grids.  Subclasses supply `_value`, `_value_and_gradient`, `_hvp` on rows.

    Common parameters.  scores: floats (*batch, n, m), finite or -inf (a masked class).  labels: of
    the same shape, in [0, 1], float, integer or bool; the labels of a sample sum to 1 within
    sqrt(eps) of the dtype, or are all 0 (a masked sample).  check: False skips the checks of values
    (not of shapes and dtypes); bad values then give unspecified results.

    Accuracy.  float32 and float64: 4 ulp of the true value for the loss, and for a component of
    gradient and Hessian-vector product 4 ulp of the larger of the sums of its positive and of its
    negative terms; without Numba, float64 gradients of 1700 x 10 and 1024 x 64 were measured at 4.3
    (`grid_truncated`), 4.5 (`grid_mirrored`) and 3.1 (`grid_centered`), which is what exponentials
    of 0.7 ulp can do, and see `grid_pairwise`.  float16 and bfloat16: 1 ulp.  `lossproof verify`
    measures it.  The terms are w c_e p_e, and w c_e p_e p_e' (d_e - d_e'), for exponentials e, e'
    under one log of weight w, of shares p, their exponents having coefficients c in the score and
    derivatives d along the vector; the 1 under the log is one of the e', with d = 0.

    Limits.  n = 0 or m = 0: 0.  Scores beyond finfo.max / 2 saturate there.  JAX without float64:
    XLA flushes subnormal numbers, which takes digits from labels in (0, 1e-30): some 10^-4 of the
    result was measured.

    Common errors.  TypeError: no arrays, arrays of different libraries, scores that are not
    floating.  ValueError: fewer than two axes, shapes that differ, scores nan or +inf, labels nan
    or outside [0, 1], samples whose labels sum to neither 1 nor 0, a masked class with label > 0.
    """

    def __call__(self, scores: Array, labels: Array, *, check: bool = True) -> Array:
        """The loss of every grid: (*batch,)."""
        found = self._few(scores, labels, slopes=False)
        if found is not None:
            return found[0]
        if is_dask_array(scores):
            return lazy_grids.value(self, scores, labels, check)
        rows = checked(scores, labels, check)
        if 0 in rows.scores.shape:
            return rows.per_row(_zero(rows))
        found = self._swept(rows, gradient=False)
        return rows.per_row(self._value(finished(rows)) if found is None else found[0])

    def value_and_grad(
        self, scores: Array, labels: Array, *, check: bool = True, out: Array | None = None
    ) -> tuple[Array, Array]:
        """The loss of every grid, (*batch,), and its gradient, the shape of scores.

        out: where the gradient is put, an array of the library, shape and dtype of scores.
        """
        if out is not None:
            checks.output(out, scores)
        found = self._few(scores, labels, slopes=True)
        if found is not None:
            return found[0], written(found[1], out)
        if is_dask_array(scores):
            return lazy_grids.value_and_grad(self, scores, labels, check)
        rows = checked(scores, labels, check)
        if 0 in rows.scores.shape:
            return rows.per_row(_zero(rows)), written(rows.per_label(rows.scores), out)
        found = self._swept(rows, gradient=True)
        value, gradient = self._value_and_gradient(finished(rows)) if found is None else found
        return rows.per_row(value), written(rows.per_label(gradient), out)

    def hvp(self, scores: Array, labels: Array, vector: Array, *, check: bool = True) -> Array:
        """The Hessian of every grid times its part of vector: the shape of scores."""
        if is_dask_array(scores):
            return lazy_grids.hvp(self, scores, labels, vector, check)
        rows = prepared(scores, labels, check)
        xp = namespace(scores=scores, vector=vector)
        checks.floating(xp, "vector", vector)
        checks.same_shape("vector", vector, scores)
        if check:
            checks.finite_vector(xp, vector)
        if 0 in rows.scores.shape:
            return rows.per_label(rows.scores)
        v, factor = _tamed(xp, xp.astype(vector, rows.scores.dtype))
        return rows.per_label(self._hvp(rows, v) * factor)

    def hessian(self, scores: Array, labels: Array, *, check: bool = True) -> Array:
        """The Hessian of every grid: (*batch, n, m, n, m); n m Hessian-vector products."""
        prepared(scores, labels, check)
        xp, shape = namespace(scores=scores, labels=labels), tuple(scores.shape)
        (n, m), batch = shape[-2:], shape[:-2]
        size = n * m
        unit = xp.eye(size, dtype=scores.dtype, device=device(scores))
        unit = xp.reshape(unit, (*(1 for _ in batch), size, n, m))
        s, t, e = (
            xp.broadcast_to(x, (*batch, size, n, m))
            for x in (scores[..., None, :, :], labels[..., None, :, :], unit)
        )
        columns = xp.reshape(self.hvp(s, t, e, check=False), (*batch, size, size))
        # which of two equal numbers is taken: the Hessian is symmetric to the last bit
        columns = xp.tril(columns) + xp.matrix_transpose(xp.tril(columns, k=-1))
        return xp.reshape(columns, (*batch, n, m, n, m))

    def predict(self, scores: Array) -> Array:
        """The index of the largest score of a sample, the first one of a tie: (*batch, n)."""
        rows = score_rows(namespace(scores=scores), scores, -1, check=True)
        return rows.xp.argmax(rows.scores, axis=-1)

    def _few(self, scores: Array, labels: Array, *, slopes: bool) -> Any:
        """Value and gradient of a small grid of NumPy, where nothing in it is uncommon."""
        return None

    def _swept(self, rows: Rows, *, gradient: bool) -> tuple[Array, Array] | None:
        """Value, and gradient if asked for, from `numeric_core.sweeps`; None where they do not."""
        return None

    def _rows(self, scores: Array, labels: Array, check: bool) -> Rows:
        """Prepared, also some samples of a grid."""
        return prepared(scores, labels, check)

    @abstractmethod
    def _parts(self) -> GridShards:
        """The loss of grids in parts."""

    @abstractmethod
    def _value(self, rows: Rows) -> Array:
        """(*batch,)"""

    @abstractmethod
    def _value_and_gradient(self, rows: Rows) -> tuple[Array, Array]:
        """(*batch,), (*batch, n, m)"""

    @abstractmethod
    def _hvp(self, rows: Rows, vector: Array) -> Array:
        """(*batch, n, m)"""


def check_labels(xp: Namespace, labels: Array) -> None:
    """ValueError unless labels (*batch, n, m) are distributions over the classes, or rows of 0."""
    labels = numeric(xp, labels)
    checks.label_range(xp, labels)
    if not xp.isdtype(labels.dtype, "real floating"):
        labels = xp.astype(labels, xp.float32)
    if labels.shape[-1] > 0:
        tolerance = math.sqrt(float(finfo(xp, labels.dtype).eps))
        if is_numpy_array(labels) and labels.dtype != xp.float16 and _near_one(labels, tolerance):
            return
        wide = xp.astype(labels, xp.float64 if labels.dtype == xp.float64 else xp.float32)
        checks.grid_labels(xp, accurate_sum(xp, wide), tolerance)


def _near_one(labels: Array, tolerance: float) -> bool:
    """Whether all rows sum to 1 within half the tolerance, as far as a plain sum can tell."""
    off = row_sums(labels.reshape(-1, labels.shape[-1])) - 1.0
    # a sum of few squares, of which each is less, is there at once
    if off.size <= FEW and off.dot(off) <= 0.25 * tolerance**2:
        return True
    return bool(np.max(np.abs(off), initial=0.0) <= 0.5 * tolerance)


def prepared(scores: Array, labels: Array, check: bool) -> Rows:
    """Scores and labels, checked, in the dtype in which they are computed; a masked score is 0."""
    return finished(checked(scores, labels, check))


def checked(scores: Array, labels: Array, check: bool) -> Rows:
    """Scores and labels, checked, before they are widened."""
    xp = namespace(scores=scores, labels=labels)
    checks.floating(xp, "scores", scores)
    checks.grid(scores)
    checks.same_shape("labels", labels, scores)
    rows = score_rows(xp, scores, -1, check)
    if check:
        check_labels(xp, labels)
    t = xp.astype(numeric(xp, labels), rows.scores.dtype, copy=False)
    return with_labels(rows, scores, t, "error", check)


def finished(rows: Rows) -> Rows:
    """In the dtype in which they are computed, a masked score 0, none too large."""
    xp, rows = rows.xp, rows.widened()
    if rows.masked is not None:
        s = xp.where(rows.masked, xp.zeros_like(rows.scores), rows.scores)
        rows = replace(rows, scores=s, bound=_bound(xp, s))
    largest = 0.5 * finfo_max(xp, rows.scores.dtype)
    if rows.bound > largest:
        rows = replace(rows, scores=xp.clip(rows.scores, -largest, largest))
    return rows


def _bound(xp: Namespace, s: Array) -> float:
    """max |s|; inf where it cannot be read."""
    bound = read(xp.max(xp.abs(s))) if 0 not in s.shape else 0.0
    return math.inf if bound is None else bound


def _zero(rows: Rows) -> Array:
    """0 for every grid."""
    return rows.xp.sum(rows.scores, axis=(-2, -1))


def _tamed(xp: Namespace, v: Array) -> tuple[Array, Array]:
    """v / factor and the factor, a power of two: products with v must not overflow."""
    limit, step = (2.0**400, 2.0**640) if v.dtype == xp.float64 else (2.0**30, 2.0**100)
    top = xp.max(xp.abs(v), axis=(-2, -1), keepdims=True)
    factor = xp.where(top > limit, constant(xp, step, v), xp.ones_like(top))
    return v / factor, factor
