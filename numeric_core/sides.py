"""The two sides of the lattice in a batch of rows: v over the negatives, w over the positives.

    v_i = (1 - t_i) e^{s_i - threshold},   w_i = t_i e^{threshold - s_i}

as exponents and weights, label axis first (`numeric_core.factors`).  With 0/1 labels NumPy gathers
the positives, which are few; elsewhere, and with soft labels, both sides have all labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from array_api_compat import is_numpy_array

from numeric_core.exact import split_constant, two_diff
from numeric_core.factors import Side
from numeric_core.namespace import Array, Namespace
from numeric_core.rows import Rows

__all__ = ["Places", "hard_sides", "label_first", "no_side", "soft_sides"]


class Places(NamedTuple):
    """Which labels a side was gathered from: label and row of each entry, (m, rows) integers.

    present: False for entries that only fill a row up.
    """

    label: Array
    row: Array
    present: Array


def hard_sides(rows: Rows, threshold: float = 0.0) -> tuple[Side, Side, Places | None]:
    """v over the negatives and w over the positives of flat rows with 0/1 labels.

    In NumPy the positives are gathered: they are few, and a side costs as much as it is long.
    """
    xp = rows.xp
    s, low = _above(rows, threshold)
    bound = rows.bound + abs(threshold)
    if not is_numpy_array(rows.scores):
        t = xp.permute_dims(rows.labels, (1, 0))
        v = Side(xp, s, low, _unmasked(rows, 1.0 - t), bound=bound)
        return v, Side(xp, -s, None if low is None else -low, t, bound=bound), None
    places = _places(rows.labels)
    label, row, present = places
    full = bool(present.all())
    gathered, absent = (label, row), (label, row) if full else (label[present], row[present])
    away = None if rows.masked is None else _unmasked(rows, np.ones(s.shape, s.dtype))
    v = Side(xp, s, low, away, absent, bound)
    below = None if low is None else -low[gathered]
    weights = None if full else present.astype(s.dtype)
    return v, Side(xp, -s[gathered], below, weights, None, bound), places


def soft_sides(rows: Rows, threshold: float = 0.0) -> tuple[Side, Side]:
    """v = (1 - t) e^{s - threshold} and w = t e^{threshold - s}, both over all labels."""
    xp = rows.xp
    s, low = _above(rows, threshold)
    t = xp.permute_dims(rows.labels, (1, 0))
    bound = rows.bound + abs(threshold)
    v = Side(xp, s, low, _unmasked(rows, 1.0 - t), bound=bound)
    return v, Side(xp, -s, None if low is None else -low, t, bound=bound)


def no_side(rows: Rows) -> Side:
    """A side without a label: its only coefficient is e_0 = 1."""
    empty = rows.xp.permute_dims(rows.scores[:, :0], (1, 0))
    return Side(rows.xp, empty)


def _above(rows: Rows, threshold: float) -> tuple[Array, Array | None]:
    """s - threshold as a pair, label axis first; 0 where a negative label is masked."""
    xp, s, low = rows.xp, rows.scores, None
    if threshold != 0.0:
        high, rest = split_constant(xp, threshold, s)
        s, error = two_diff(s, high)
        low = error - rest
    if rows.masked is not None:
        away = rows.masked & (rows.labels == 0)
        s = xp.where(away, xp.zeros_like(s), s)
        low = None if low is None else xp.where(away, xp.zeros_like(s), low)
    turned = (None if x is None else xp.permute_dims(x, (1, 0)) for x in (s, low))
    return next(turned), next(turned)


def label_first(xp: Namespace, x: Array) -> Array:
    """(rows, n) -> (n, rows); in NumPy laid out so, which makes each node of a tree contiguous."""
    turned = xp.permute_dims(x, (1, 0))
    return np.ascontiguousarray(turned) if is_numpy_array(x) else turned


def _unmasked(rows: Rows, weights: Array) -> Array:
    """Weights (n, rows) of the v; 0 where a negative label is masked."""
    if rows.masked is None:
        return weights
    away = rows.xp.permute_dims(rows.masked & (rows.labels == 0), (1, 0))
    return rows.xp.where(away, rows.xp.zeros_like(weights), weights)


def _places(labels: Array) -> Places:
    """NumPy: the positives of each row, (most of them in a row, rows)."""
    rows, n = labels.shape
    row, label = np.divmod(np.flatnonzero(labels != 0), n)
    count = np.bincount(row, minlength=rows)
    most = int(count.max(initial=0))
    if len(row) == most * rows:
        shape = (rows, most)
        return Places(label.reshape(shape).T, row.reshape(shape).T, np.ones((most, rows), np.bool_))
    present = np.arange(most)[:, None] < count[None, :]
    at = np.zeros((most, rows), dtype=np.int64)
    at[np.arange(len(row)) - (np.cumsum(count) - count)[row], row] = label
    return Places(at, np.broadcast_to(np.arange(rows), at.shape), present)
