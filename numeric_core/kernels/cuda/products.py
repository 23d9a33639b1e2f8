"""Hessian-vector products of CuPy arrays: threads share a row, the plain version does odd rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numeric_core.kernels.cuda import plan
from numeric_core.kernels.cuda.arrays import (
    aligned,
    batch_of,
    cupy,
    labels_of,
    odd_rows,
    parameters_of,
    rows_of,
)
from numeric_core.kernels.cuda.source import function
from numeric_core.namespace import Array

__all__ = ["hvp"]


def hvp(
    kernel: Any,
    scores: Array,
    labels: Array,
    vector: Array,
    axis: int,
    plain: Callable[..., Any],
) -> Array:
    """The Hessian of every row times its part of vector: the shape of scores.

    plain(scores, labels, vector, axis=...) does the rows for which the kernel has no answer.
    """
    with scores.device:
        (s, t), (_, v) = rows_of(scores, labels, axis), rows_of(scores, vector, axis)
        product, marks, odd = _run(kernel, s, t, v)
        if int(odd[0]):
            left = odd_rows(marks)
            try:
                product[left] = plain(s[left], t[left], v[left], axis=-1)
            except ValueError:
                # an error speaks of the whole batch
                return plain(scores, labels, vector, axis=axis)
        shape = (*batch_of(scores, axis), scores.shape[axis])
        return cupy().moveaxis(product.reshape(shape), -1, axis)


def _run(kernel: Any, scores: Array, labels: Array, vector: Array) -> tuple[Array, Array, Array]:
    """The products (m, n), a number a row, nan for those left to do, and whether there are any."""
    xp, dtype, (m, n) = cupy(), scores.dtype, scores.shape
    s, v = aligned(scores), aligned(vector)
    kind, t = labels_of(labels, s)
    product, marks, odd = xp.empty((m, n), dtype), xp.empty(m, dtype), xp.zeros(1, np.int32)
    launch = plan.product(n, max(4, dtype.itemsize))
    run = function("products", kernel.name, dtype.name, kind, plan.width(n, dtype.itemsize))
    sizes = (np.int64(m), np.int64(n), np.int32(launch.team))
    arguments = (*sizes, *parameters_of(kernel, dtype), s, t, v, product, marks, odd)
    run((launch.blocks(m),), (launch.threads,), arguments, shared_mem=launch.shared)
    return product, marks, odd
