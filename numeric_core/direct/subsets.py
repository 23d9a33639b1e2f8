"""The combination softmax of small NumPy batches: running sums from both ends of a row.

With v_i = e^{s_i} of the negatives, w_j = e^{-s_j} of the k positives and e_a of either,

    l = log1p(R),   R = sum_{a=1..k} e_a(v) e_a(w)
    dl/ds_i = v_i sum_{b<k} e_b(v without i) e_{b+1}(w) / (1 + R),   and with the other sign for w

e_a of the labels before i, P_a, is a running sum of x_i P_{a-1}, so is S_a of those after i, and

    sum_b e_b(x without i) y_{b+1} = sum_a P_a(i) sum_c y_{a+c+1} S_c(i)

Nothing is subtracted.  That is some 4 k operations a label and few calls: for small batches, whose
rows have all the same number of positives.  Others go the way of `numeric_core.light`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from numeric_core.direct.blocks import Floats
from numeric_core.direct.few import Room, most

__all__ = ["few"]

MOST = 8
"""Positives of a row: k^2 numbers a row, and 2 k running sums."""

WORK = 1 << 14
"""Labels times orders up to which it is faster than `numeric_core.light`, which takes 0.2 ms more
beside the arithmetic, and a third of its time."""

FINE = 1 << 7
"""Labels of a row times orders whose roundings, one each, are not seen in the 1e-14 of float64."""

REACH = 256.0
"""k |s|: products of k numbers up to e^|s| on both sides stay below e^512 = 2^739."""


def few(
    x: Floats, t: Floats, room: Room, wide: bool, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """`numeric_core.direct.few`."""
    m, n = x.shape
    (places,) = t.reshape(-1).nonzero()
    k = places.size // m
    if not 1 <= k <= min(MOST, n - 1) or k * x.size > WORK or most(room.first) * k > REACH:
        return None
    if not (wide or k * n <= FINE) or not (np.vecdot(t, room.ones) == k).all():
        return None
    v = np.exp(x, out=room.second)
    w = np.exp(-x.reshape(-1)[places]).reshape(m, k)
    v.reshape(-1)[places] = 0.0
    ahead, behind = _running(v, k), _running(w, k)
    e, f = ahead[0, :, :, -1], behind[0, :, :, -1]
    rest = np.vecdot(e[:, 1:], f[:, 1:])
    if not slopes:
        return np.log1p(rest), None
    norm = (1.0 + rest)[:, None]
    gradient = _shares(v, ahead, f, norm)
    gradient.reshape(-1)[places] = -_shares(w, behind, e, norm).reshape(-1)
    return np.log1p(rest), gradient


def _running(x: Floats, k: int) -> Floats:
    """P_a of x (m, n) before each place and at the end, and of x reversed: (2, m, k + 1, n + 1)."""
    m, n = x.shape
    sums = np.empty((2, m, k + 1, n + 1))
    sums[:, :, 0] = 1.0
    sums[:, :, 1:, 0] = 0.0
    lines = np.stack((x, x[:, ::-1]))
    for a in range(1, k + 1):
        terms = lines * sums[:, :, a - 1, :-1]
        np.add.accumulate(terms, axis=-1, out=sums[:, :, a, 1:])
    return sums


def _shares(x: Floats, running: Floats, others: Floats, norm: Floats) -> Floats:
    """x_i sum_b e_b(x without i) y_{b+1} / norm, y = others (m, k + 1); (m, n)."""
    m, n = x.shape
    k = others.shape[1] - 1
    y = np.zeros((m, 2 * k - 1))
    y[:, :k] = others[:, 1:]
    before, after = running[:, :, :k, :n]
    terms = y[:, _antidiagonals(k)] @ after
    np.multiply(terms[..., ::-1], before, out=before)
    found: Floats = np.add.reduce(before, axis=1)
    found *= x
    found /= norm
    return found


@lru_cache
def _antidiagonals(k: int) -> Floats:
    """a + c, (k, k)."""
    return np.add.outer(np.arange(k), np.arange(k))
