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

__all__ = ["Fast", "FastProduct", "batch_of", "hvp", "rows_of", "value", "value_and_grad"]

Floats: TypeAlias = np.ndarray[Any, Any]

Fast: TypeAlias = Callable[[Floats, Floats, Floats | None], Floats]
"""(scores, labels, room (m, n) of their dtype for the gradient) -> values."""

FastProduct: TypeAlias = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
"""(scores, labels, vector) -> (Hessian times vector, a number a row, nan: not done)."""


def value(fast: Fast, scores: Floats, labels: Floats, axis: int, plain: Callable[..., Any]) -> Any:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) does the rows left."""
    s, t = rows_of(scores, labels, axis)
    found = fast(s, t, None)
    odd, result = _left(found), _rounded(found, scores.dtype)
    if odd is not None:
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
    odd, result = _left(found), _rounded(found, s.dtype)
    if odd is not None:
        try:
            result[odd], gradient[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            return plain(scores, labels, axis=axis)
    slopes = _along(axis, scores, gradient) if out is None else out
    return result.reshape(batch_of(scores, axis))[()], slopes


def _has_room(out: Floats, rows: Floats, scores: Floats, labels: Floats) -> bool:
    """Whether rows may be written to it, one after the other, while others are still read."""
    along_rows = rows.shape[-1] == out.shape[-1] and out.flags.c_contiguous
    return along_rows and not any(np.may_share_memory(out, x) for x in (scores, labels))


def hvp(
    fast: FastProduct,
    scores: Floats,
    labels: Floats,
    vector: Floats,
    axis: int,
    plain: Callable[..., Any],
) -> Any:
    """The Hessian of every row times its part of vector, the shape of scores."""
    s, t = rows_of(scores, labels, axis)
    _, v = rows_of(scores, vector, axis)
    found, marks = fast(s, t, v)
    odd, result = _left(marks), _rounded(found, scores.dtype)
    if odd is not None:
        try:
            result[odd] = plain(s[odd], t[odd], v[odd], axis=-1)
        except ValueError:
            # an error speaks of the whole batch
            return plain(scores, labels, vector, axis=axis)
    return _along(axis, scores, result)


def _left(found: Floats) -> Floats | None:
    """The rows whose number is nan, if there are some."""
    odd = np.isnan(found)
    return odd.nonzero()[0] if odd.any() else None


def _rounded(found: Floats, dtype: np.dtype[Any]) -> Floats:
    return found if found.dtype == dtype else round_to(np, found, dtype)


def _along(axis: int, scores: Floats, rows: Floats) -> Floats:
    """Rows (m, n) in the shape of scores."""
    if axis in (-1, scores.ndim - 1):
        return rows.reshape(scores.shape)
    moved = rows.reshape((*batch_of(scores, axis), scores.shape[axis]))
    return np.moveaxis(moved, -1, axis)


def batch_of(scores: Floats, axis: int) -> tuple[int, ...]:
    """The shape of scores without the label axis."""
    if axis in (-1, scores.ndim - 1):
        return scores.shape[:-1]
    batch = list(scores.shape)
    batch.pop(axis)
    return tuple(batch)


def rows_of(scores: Floats, labels: Floats, axis: int) -> tuple[Floats, Floats]:
    """Scores (m, n), labels (m, n) or class indices (m,), in their own dtypes."""
    s = _last(scores, axis)
    return s, labels.reshape(-1) if labels.ndim < scores.ndim else _last(labels, axis)


def _last(x: Floats, axis: int) -> Floats:
    """(*batch, n) with n along the axis -> (m, n)."""
    if axis not in (-1, x.ndim - 1):
        x = np.moveaxis(x, axis, -1)
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
