"""A fast way through NumPy rows, and the careful way for those that it has no answer for.

A fast way takes rows (m, n) and labels (m, n), or class indices (m,), and gives their values and,
where there is room for it, writes the gradient, with the value nan where that must not be believed;
these rows are done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from numeric_core.namespace import round_to

__all__ = ["Fast", "batch_of", "rows_of", "value", "value_and_grad"]

Floats: TypeAlias = np.ndarray[Any, Any]

Fast: TypeAlias = Callable[[Floats, Floats, Floats | None], Floats]
"""(scores, labels, room (m, n) of their dtype for the gradient) -> values."""


def value(fast: Fast, scores: Floats, labels: Floats, axis: int, plain: Callable[..., Any]) -> Any:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) does the rows left."""
    s, t = rows_of(scores, labels, axis)
    found = fast(s, t, None)
    odd = np.flatnonzero(np.isnan(found))
    result = round_to(np, found, scores.dtype)
    if odd.size:
        try:
            result[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            # an error speaks of the whole batch
            return plain(scores, labels, axis=axis)
    return result.reshape(batch_of(scores, axis))[()]


def value_and_grad(
    fast: Fast,
    scores: Floats,
    labels: Floats,
    axis: int,
    plain: Callable[..., Any],
    out: Floats | None = None,
) -> Any:
    """The loss of every row, (*batch,), and its gradient, the shape of scores.

    The gradient is written to out where that has room for rows as they are, and is out then.
    """
    s, t = rows_of(scores, labels, axis)
    if out is not None and not _has_room(out, s, scores, labels):
        out = None
    gradient = np.empty(s.shape, s.dtype) if out is None else out.reshape(s.shape)
    found = fast(s, t, gradient)
    odd = np.flatnonzero(np.isnan(found))
    result = round_to(np, found, scores.dtype)
    if odd.size:
        try:
            result[odd], gradient[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            return plain(scores, labels, axis=axis)
    batch = batch_of(scores, axis)
    if out is None:
        out = np.moveaxis(gradient.reshape((*batch, scores.shape[axis])), -1, axis)
    return result.reshape(batch)[()], out


def _has_room(out: Floats, rows: Floats, scores: Floats, labels: Floats) -> bool:
    """Whether rows may be written to it, one after the other, while others are still read."""
    along_rows = rows.shape[-1] == out.shape[-1] and out.flags.c_contiguous
    return along_rows and not any(np.may_share_memory(out, x) for x in (scores, labels))


def batch_of(scores: Floats, axis: int) -> tuple[int, ...]:
    """The shape of scores without the label axis."""
    batch = list(scores.shape)
    batch.pop(axis)
    return tuple(batch)


def rows_of(scores: Floats, labels: Floats, axis: int) -> tuple[Floats, Floats]:
    """Scores (m, n), labels (m, n) or class indices (m,), in their own dtypes."""
    n = scores.shape[axis]
    s = np.moveaxis(scores, axis, -1).reshape(-1, n)
    if labels.ndim < scores.ndim:
        return s, labels.reshape(-1)
    return s, np.moveaxis(labels, axis, -1).reshape(-1, n)
