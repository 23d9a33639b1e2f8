"""Hessian-vector products from arrays to kernels and back: rows to threads, odd rows to the plain
version.

Each row is done by one thread, whatever its length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from numeric_core import leftovers
from numeric_core.kernels import Kernel, by_label, covariance, softmax, two_sided
from numeric_core.kernels.threads import thread_count, work

__all__ = ["hvp"]

Floats: TypeAlias = np.ndarray[Any, Any]
Task: TypeAlias = Callable[..., None]

LEAST = 1 << 15
"""Scores that a thread takes at a time, at least: some 50 microseconds."""

TURNS = 4
"""Times that a thread fetches work if all are as fast."""


def hvp(
    kernel: Kernel, scores: Any, labels: Any, vector: Any, axis: int, plain: Callable[..., Any]
) -> Any:
    """The Hessian of every row times its part of vector: the shape of scores.

    plain(scores, labels, vector, axis=...) does the rows for which the kernel has no answer.
    """
    return leftovers.hvp(partial(_run, kernel), scores, labels, vector, axis, plain)


def _run(kernel: Kernel, scores: Floats, labels: Floats, vector: Floats) -> tuple[Floats, Floats]:
    """The products of all rows, and a number a row, nan for those left to do."""
    dtype = np.float64 if scores.dtype == np.float64 else np.float32
    s, v = (np.ascontiguousarray(x, dtype=dtype) for x in (scores, vector))
    (m, n), product, odd = s.shape, np.empty_like(s), np.empty(len(s))
    # a class that does not exist leaves a row without a label, which is odd
    labels = labels[:, None] == np.arange(n) if labels.ndim == 1 else labels
    t = np.ascontiguousarray(labels, dtype=dtype)
    task = _task(kernel, math.sqrt(float(np.finfo(scores.dtype).eps)))
    step = max(1, min(LEAST // n, -(-m // (TURNS * thread_count()))))

    def some(start: int) -> None:
        part = slice(start, start + step)
        task(*(x[part].reshape(-1) for x in (s, t, v, product)), odd[part])

    work(some, range(0, m, step))
    return product, odd


def _task(kernel: Kernel, tolerance: float) -> Task:
    """What does some rows (m n,), given odd (m,)."""
    if kernel.name == "binary_cross_entropy":
        return by_label.products
    if kernel.name == "softmax":
        kind: Any = softmax.Distribution(tolerance)
        function = covariance.of_classes
    else:
        make = two_sided.Hard if kernel.name == "zlpr" else two_sided.Soft
        kind = make(math.exp(-kernel.threshold), math.exp(kernel.threshold))
        function = covariance.of_two_sides

    def task(s: Floats, t: Floats, v: Floats, product: Floats, odd: Floats) -> None:
        function(kind, s, t, v, product, odd, np.empty((2, s.size // odd.size), s.dtype))

    return task
