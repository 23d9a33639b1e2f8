"""From arrays of CuPy to what a kernel takes: rows, aligned and of known dtypes, and parameters."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np

from numeric_core.kernels import exponential_pair
from numeric_core.kernels.cuda import plan
from numeric_core.namespace import Array, Namespace

__all__ = ["aligned", "batch_of", "cupy", "labels_of", "odd_rows", "parameters_of", "rows_of"]

EPSILON = {"bfloat16": 2.0**-7}
"""Of dtypes that NumPy's finfo does not know."""


def cupy() -> Namespace:
    return import_module("cupy")


def odd_rows(marks: Array) -> Array:
    """The places of the rows without an answer; nan alone differs from itself, in any dtype."""
    return cupy().flatnonzero(marks != marks)


def batch_of(scores: Array, axis: int) -> tuple[int, ...]:
    batch = list(scores.shape)
    batch.pop(axis)
    return tuple(batch)


def rows_of(scores: Array, labels: Array, axis: int) -> tuple[Array, Array]:
    """Scores (m, n), labels (m, n) or class indices (m,), in their own dtypes."""
    n, xp = scores.shape[axis], cupy()
    s = xp.moveaxis(scores, axis, -1).reshape(-1, n)
    if labels.ndim < scores.ndim:
        return s, labels.reshape(-1)
    return s, xp.moveaxis(labels, axis, -1).reshape(-1, n)


def aligned(x: Array) -> Array:
    """Contiguous, from an address on that is a multiple of what a thread reads."""
    x = cupy().ascontiguousarray(x)
    return x if x.data.ptr % plan.LOAD == 0 else x.copy()


def labels_of(labels: Array, scores: Array) -> tuple[str, Array]:
    """The kind of labels, and the labels as kernels take them."""
    if labels.ndim == 1:
        return "index", aligned(labels.astype(np.int64, copy=False))
    if labels.dtype == scores.dtype:
        return "same", aligned(labels)
    if labels.dtype.itemsize == 1:  # a negative one becomes one above 1
        return "bytes", aligned(cupy().ascontiguousarray(labels).view(np.uint8))
    return "same", aligned(labels.astype(scores.dtype))


def parameters_of(kernel: Any, dtype: Any) -> tuple[Any, ...]:
    """The four numbers that a loss is told."""
    told = _told(kernel, dtype)
    return tuple(np.float64(each) for each in (*told, 0.0, 0.0, 0.0, 0.0)[:4])


def _told(kernel: Any, dtype: Any) -> tuple[float, ...]:
    """e^{-s0} and e^{s0} of ZLPR; for softmax, by how much the sums of labels may miss 1."""
    if kernel.name == "softmax":
        epsilon = EPSILON.get(dtype.name) or float(np.finfo(dtype).eps)
        return (math.sqrt(epsilon),)
    if kernel.name == "unified":
        return (kernel.scale, *exponential_pair(kernel.scale, kernel.margin))
    if kernel.name == "focal":
        return (*kernel.exponents, *kernel.weights)
    if kernel.name == "asymmetric":
        return (*kernel.exponents, kernel.margin)
    return math.exp(-kernel.threshold), math.exp(kernel.threshold)
