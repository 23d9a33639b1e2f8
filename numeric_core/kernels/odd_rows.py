"""Rows among others that ask for care: neighbours that are done at a time, by another kernel.

Which way a row goes depends on the row alone, so its bits do not depend on the batch.
"""

from __future__ import annotations

from typing import Any

from numeric_core.kernels.compiling import INLINE
from numeric_core.kernels.intrinsics import Scalar

__all__ = ["redo"]


@INLINE
def redo(rows: Any, kind: Scalar, job: Scalar, odd: Scalar, i: Scalar, k: Scalar) -> None:
    """rows(kind, *job) of the rows i + j, j < k, that are odd; job: scores to scratch, of all."""
    scores, labels, value, gradient, scratch = job
    n, width = scores.size // value.size, labels.size // value.size
    j = 0
    while j < k:
        stop = j
        while stop < k and odd[stop]:
            stop += 1
        if stop > j:
            a, b = i + j, i + stop
            g = gradient[a * n : b * n] if gradient.size else gradient
            t = labels[a * width : b * width]
            rows(kind, scores[a * n : b * n], t, value[a:b], g, scratch)
        j = stop + 1
