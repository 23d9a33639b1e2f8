"""A fast way through NumPy rows, and the careful way for those that it has no answer for.

A fast way takes rows (m, n) and labels (m, n), or class indices (m,), and gives their values and,
if asked, gradients, with the value nan where it must not be believed; these rows are done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from numeric_core.namespace import round_to

__all__ = ["Fast", "FastProduct", "batch_of", "hvp", "rows_of", "value", "value_and_grad"]

Floats: TypeAlias = np.ndarray[Any, Any]

Fast: TypeAlias = Callable[[Floats, Floats, bool], tuple[Floats, Floats | None]]
"""(scores, labels, with gradient) -> (values, gradient)."""

FastProduct: TypeAlias = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
"""(scores, labels, vector) -> (Hessian times vector, a number a row, nan or inf: not done)."""


def value(fast: Fast, scores: Floats, labels: Floats, axis: int, plain: Callable[..., Any]) -> Any:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) does the rows left."""
    s, t = rows_of(scores, labels, axis)
    found, _ = fast(s, t, False)
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
    fast: Fast, scores: Floats, labels: Floats, axis: int, plain: Callable[..., Any]
) -> Any:
    """The loss of every row, (*batch,), and its gradient, the shape of scores."""
    s, t = rows_of(scores, labels, axis)
    found, slopes = fast(s, t, True)
    odd = np.flatnonzero(np.isnan(found))
    result, gradient = (round_to(np, x, scores.dtype) for x in (found, slopes))
    if odd.size:
        try:
            result[odd], gradient[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            return plain(scores, labels, axis=axis)
    batch = batch_of(scores, axis)
    gradient = gradient.reshape((*batch, scores.shape[axis]))
    return result.reshape(batch)[()], np.moveaxis(gradient, -1, axis)


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
    odd = np.flatnonzero(~np.isfinite(marks))
    result = round_to(np, found, scores.dtype)
    if odd.size:
        try:
            result[odd] = plain(s[odd], t[odd], v[odd], axis=-1)
        except ValueError:
            # an error speaks of the whole batch
            return plain(scores, labels, vector, axis=axis)
    result = result.reshape((*batch_of(scores, axis), scores.shape[axis]))
    return np.moveaxis(result, -1, axis)


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
