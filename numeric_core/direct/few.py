"""Batches of some thousand scores, where a call of NumPy costs more than its arithmetic.

The steps of a loss's `Way`, to the same bits, in as few calls as they allow: one array, no marks of
rows, and one look at the scores for all that could go out of range.  A batch with anything
uncommon in it has no answer here and goes the usual way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from numeric_core.direct.blocks import PIECE, Floats
from numeric_core.direct.given import ONE

__all__ = ["MOST", "REACH", "Few", "answer", "least", "most"]

MOST = 1 << 13
"""Scores of a batch.  Of soft_zlpr.value_and_grad in float32 all else takes 25 us beside the
arithmetic, 10 of them here, and the arithmetic of 2^13 scores 40 us."""

REACH = 128.0
"""Of |s|.  In float32 all terms and their sums are 0 or between 2^-149 e^-128 = 2^-334 and
2^10 e^128 = 2^195: products of two and their inverses are in range."""

Few: TypeAlias = Callable[[Floats, Floats, Floats, bool, bool], tuple[Floats, Floats | None] | None]
"""(scores, labels, an array to write to, all (m, n) of float64; whether the result is rounded to
float32; whether a gradient is asked for) -> values (m,), gradient (m, n); None: no answer."""

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def answer(few: Few, hard: bool, scores: Any, labels: Any, slopes: bool) -> Any:
    """The values (*batch,) and the gradient of NumPy arrays, the label axis last; None: no answer.

    hard: labels are 0 and 1.
    """
    dtype, shape = scores.dtype, scores.shape
    if dtype is not SINGLE and dtype is not DOUBLE:
        return None
    if labels.shape != shape or not 0 < scores.size <= MOST or not shape or shape[-1] > PIECE:
        return None
    if labels.dtype is not dtype:
        if labels.dtype != np.bool_:
            return None
    elif not _labels(labels, hard):
        return None
    wide, n = dtype is SINGLE, shape[-1]
    # contiguous copies, and the arrays themselves where nothing is to be done
    x, t = np.ascontiguousarray(scores, DOUBLE), np.ascontiguousarray(labels, DOUBLE)
    if len(shape) != 2:
        x, t = x.reshape(-1, n), t.reshape(-1, n)
    spare = np.abs(x)
    # not >: a nan goes the same way
    if not most(spare) <= REACH:
        return None
    try:
        found = few(x, t, spare, wide, slopes)
        return None if found is None else _as_given(found, dtype, shape)
    except (FloatingPointError, RuntimeWarning):
        # the caller wants underflow to be told: the usual way ignores it, for a share of the time
        return None


def _as_given(found: tuple[Floats, Floats | None], dtype: Any, shape: tuple[int, ...]) -> Any:
    """Values and gradient in the dtype and the shape of the scores."""
    value, gradient = found
    if dtype is SINGLE:
        value = value.astype(SINGLE)
        gradient = None if gradient is None else gradient.astype(SINGLE)
    if len(shape) != 2:
        value = value.reshape(shape[:-1])[()]
        gradient = None if gradient is None else gradient.reshape(shape)
    return value, gradient


def _labels(t: Floats, hard: bool) -> bool:
    """Whether all labels lie in [0, 1], or are 0 or 1."""
    if hard:
        return bool(np.count_nonzero(t) == np.count_nonzero(t == 1.0))
    kind, one = ONE[t.dtype]
    return most(t.view(kind)) <= one


def most(x: Floats) -> float:
    """The largest entry, or nan if there is one: half the time of x.max()."""
    return x.item(x.argmax())


def least(x: Floats) -> float:
    """The smallest entry, or nan if there is one."""
    return x.item(x.argmin())
