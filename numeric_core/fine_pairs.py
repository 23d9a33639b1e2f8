"""One log an ordered pair of classes, float64 grids in NumPy: products of matrices in short runs.

    P_jk = 1 + sum_i w_ij e_ik,   Q = 1 / P off the diagonal,   dl/ds = e (w Q) - w (e Q^T)

with e = e^s and w = t e^{-s}, two exponentials with an error of their own.  BLAS adds up RUN
products at a time, with a rounding each; the runs are added without loss, cut at the last place of
their sum as in `numeric_core.lanes.Total`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric_core.exact import two_sum
from numeric_core.fine import ABOVE, ClassSum, factors, reciprocal
from numeric_core.grid_blocks import Grid, Room, Sweeps
from numeric_core.halves import Halves, Number, halves, product
from numeric_core.lanes import Floats, logs
from numeric_core.sweeps import PAIR_REACH

__all__ = ["pairwise"]

RUN = 8
"""Terms that a matrix product adds up by itself: `numeric_core.pairwise.SHORT_RUN`."""

PAIRS = 1 << 17
"""Pairs of classes, of all runs that are summed at a time: 1 MiB."""

FEW = 1 << 14
"""Up to so many terms (i, j, k) each of them is computed, in halves, and has hardly an error but of
its exponentials: 64 x 10 take 0.2 ms; products of matrices take 0.1 ms and lose up to 5 ulp."""

LEAST = 1e-60
"""The least label > 0: the smallest factor is w Q >= 1e-60 e^{-150} / (n e^{300}), 1e-255 / n."""


_room = Room()


def pairwise(grid: Grid, gradient: Any) -> float | None:
    """sum_{j != k} log P_jk; the gradient (n, m) is written.  None: out of range."""
    n, m = grid.scores.shape
    smallest = np.min(grid.labels, where=grid.labels > 0, initial=1.0)
    if grid.bound > PAIR_REACH or smallest < LEAST:
        return None
    if n * m * m <= FEW:
        return _few(grid, gradient)
    sweeps = Sweeps(grid, _factors, kept=2, spare=6)
    room = _room.of(2, max(1, PAIRS // m**2) * m, m).reshape(2, -1, m, m)
    excess = np.zeros((2, m, m))
    for (e, w), _ in sweeps.first():
        _add_products(w, e, room, excess)
    high, low = two_sum(*excess)
    for x in (high, low):
        np.fill_diagonal(x, 0.0)
    if gradient is not None:
        norm, error = two_sum(np.ones_like(high), high)
        q = 1.0 / norm
        q -= q * q * (error + low)
        np.fill_diagonal(q, 0.0)
        for (e, w), spare, out in sweeps.second(gradient):
            up = _product(w, q, spare[:5])
            up *= e
            down = _product(e, q.T, spare[1:])
            down *= w
            np.subtract(up, down, out=out)
    return logs(high.reshape(-1))


def _few(grid: Grid, gradient: Any) -> float:
    """The same, term by term: p_ijk = w_ij e_ik / P_jk, dl/ds_ib = sum_j p_ijb - sum_k p_ibk."""
    n, m = grid.scores.shape
    kept = np.empty((5, n, m))
    factors(grid, slice(None), kept[:4], kept[4:])
    e, w = (
        Halves(high + low, high, low)
        for high, low in (
            (kept[0][:, None, :], kept[1][:, None, :]),
            (kept[2][:, :, None], kept[3][:, :, None]),
        )
    )
    terms = Number(*(x.reshape(n, m * m) for x in product(w, e)))
    for x in terms:
        x[:, :: m + 1] = 0.0
    total = ClassSum()
    total.add(terms.upper, np.empty((n, m * m)), np.empty((n, m * m)), terms.lower)
    excess = total.pair()
    if gradient is not None:
        shares = product(halves(terms), reciprocal(excess))
        up, up_low = _sum(shares, (n, m, m), 1)
        down, down_low = _sum(shares, (n, m, m), 2)
        np.add(up - down, up_low - down_low, out=gradient)
    return logs(excess[0])


def _sum(x: Number, shape: Any, axis: int) -> tuple[Any, Any]:
    """The sum over an axis and what it lacks."""
    upper, lower = (part.reshape(shape) for part in x)
    place = np.add.reduce(upper, axis=axis, keepdims=True) * ABOVE
    high = (upper + place) - place
    low = np.add.reduce(upper - high, axis=axis) + np.add.reduce(lower, axis=axis)
    return two_sum(np.add.reduce(high, axis=axis), low)


def _factors(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """e, w."""
    e, w = kept
    np.exp(grid.scores[part], out=e)
    np.exp(np.negative(grid.scores[part], out=w), out=w)
    w *= grid.labels[part]


def _add_products(w: Floats, e: Floats, room: Floats, excess: Floats) -> None:
    """sum_i w_ij e_ik and what it lacks are added to the two parts of excess."""
    rows, m = e.shape
    step = RUN * room.shape[1]
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        whole = start + (stop - start) // RUN * RUN
        runs = room[0, : -(-(stop - start) // RUN)]
        left, right = (x[start:whole].reshape(-1, RUN, m) for x in (w, e))
        np.matmul(left.transpose(0, 2, 1), right, out=runs[: len(left)])
        if whole < stop:
            np.matmul(w[whole:stop].T, e[whole:stop], out=runs[-1])
        place = np.add.reduce(runs, axis=0) * ABOVE
        upper = np.add(runs, place, out=room[1, : len(runs)])
        upper -= place
        runs -= upper
        excess[0], error = two_sum(excess[0], np.add.reduce(upper, axis=0))
        excess[1] += error + np.add.reduce(runs, axis=0)


def _product(a: Floats, b: Floats, spare: Any) -> Floats:
    """a b, in the first of five arrays."""
    high, low, run, cut, place = spare
    np.matmul(a, b, out=place)
    place *= ABOVE
    high[:] = 0.0
    low[:] = 0.0
    for start in range(0, a.shape[1], RUN):
        np.matmul(a[:, start : start + RUN], b[start : start + RUN], out=run)
        np.add(run, place, out=cut)
        cut -= place
        run -= cut
        high += cut
        low += run
    high += low
    return high
