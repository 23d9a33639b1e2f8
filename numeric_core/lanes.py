"""Sums of float64 grids in NumPy: over classes in lanes, over samples without loss.

    row_sums     sum_j x_j by BLAS in lanes, or by halves: an error that hardly grows with m
    class_sums   sum_i v_i x_ij by BLAS
    others       sum_{k != j} x_k, the total less the own x_j, the largest x in no total
    Total        sum_i x_ij of blocks of samples

Numbers of the last two are >= 0.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GROUP",
    "Floats",
    "PlainTotal",
    "Total",
    "class_sums",
    "logs",
    "others",
    "row_sums",
    "subtract",
]

Floats: TypeAlias = NDArray[np.float64]

GROUP = 8
"""Terms of a sum over the samples that are added up plainly, one after the other."""

LANES = 128
"""Classes up to which a row is summed by BLAS, in lanes; beyond, by NumPy's sum by halves."""

PIECE = 9000
"""Entries of a product with a vector, for BLAS to start no threads."""

MANY = 1 << 9
"""Numbers from which on NumPy takes less time to an exact sum than Python: of 1000, 6 us for 29."""

SEEN = 2.0**-20
"""A difference of this share of its total has 33 of 53 digits left: enough for float32."""


def row_sums(x: Any, weights: Any = None) -> Any:
    """Sums over the classes, weighted or plain, in the dtype of x: (rows, m) -> (rows,)."""
    rows, m = x.shape
    if weights is None:
        if m > LANES:
            return np.add.reduce(x, axis=1)
        weights = _ones(m, x.dtype)
    step = _piece(rows, m)
    if rows == step:
        return x @ weights
    whole = rows // step * step
    sums = (x[:whole].reshape(-1, step, m) @ weights).reshape(-1)
    return sums if whole == rows else np.concatenate([sums, x[whole:] @ weights])


def class_sums(x: Any, weights: Any = None) -> Any:
    """Sums over the samples, weighted or plain: (rows, m) -> (m,)."""
    rows, m = x.shape
    if weights is None:
        weights = _ones(rows, x.dtype)
    step = _piece(rows, m)
    if rows == step:
        return weights @ x
    whole = rows // step * step
    pieces = weights[:whole].reshape(-1, 1, step) @ x[:whole].reshape(-1, step, m)
    out = np.add.reduce(pieces, axis=(0, 1))
    return out if whole == rows else out + weights[whole:] @ x[whole:]


@lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> Any:
    """So many ones, made once: they cost what the sum of a few samples does."""
    ones = np.ones(count, dtype)
    ones.flags.writeable = False
    return ones


def _piece(rows: int, m: int) -> int:
    """How many rows to take at a time, all pieces alike if that can be."""
    if rows * m <= PIECE:
        return rows
    least = -(-rows * m // PIECE)
    for count in range(least, 2 * least):
        if rows % count == 0:
            return rows // count
    return max(1, min(rows, PIECE // m))


def others(x: Floats, out: Floats, *, exact: bool) -> Floats:
    """sum_{k != j} x_k for x >= 0, into out: the total less the own x_j.

    exact: where the difference may not lose a digit, or if too many are lost, the largest x of a
    row is in no total.  The total of the others is its sum, and no other x is more than half.
    """
    total = row_sums(x)
    if not exact:
        np.subtract(total[:, None], x, out=out)
        if np.min(out) > SEEN * np.max(total):
            return out
    flat, at = x.reshape(-1), np.argmax(x, axis=1)
    at += np.arange(0, x.size, x.shape[1])
    most = flat[at]
    flat[at] = 0.0
    rest = row_sums(x)
    flat[at] = most
    most += rest
    np.subtract(most[:, None], x, out=out)
    out.reshape(-1)[at] = rest
    return out


class Total:
    """The sum over all samples, which loses nothing but in groups of GROUP samples.

        S = fl(sum x),  h = fl(fl(x + S) - S),   sum x = sum h + sum (x - h)

    for x >= 0: the first sum is exact, each h being a multiple of the last place of S, and x - h
    is exact.
    """

    def __init__(self) -> None:
        self._high: list[Floats] = []
        self._low: list[Floats] = []

    def add(self, x: Floats) -> None:
        """A block (samples, m)."""
        rows, m = x.shape
        whole = rows // GROUP * GROUP
        parts = [np.add.reduce(x[:whole].reshape(-1, GROUP, m), axis=1)]
        if whole < rows:
            parts.append(np.add.reduce(x[whole:], axis=0)[None])
        self._keep(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def _keep(self, x: Floats) -> None:
        total = np.add.reduce(x, axis=0)
        high = x + total
        high -= total
        x -= high
        self._high.append(np.add.reduce(high, axis=0))
        self._low.append(np.add.reduce(x, axis=0))

    def rounded(self) -> Floats:
        """(m,)"""
        if len(self._high) > 1:
            blocks, self._high = np.stack(self._high), []
            self._keep(blocks)
        total: Floats = self._high[0] + np.add.reduce(np.stack(self._low), axis=0)
        return total


class PlainTotal:
    """The same, plainly: for a result in a narrower dtype."""

    def __init__(self) -> None:
        self._total: Any = 0.0

    def add(self, x: Floats) -> None:
        """A block (samples, m)."""
        self._total = self._total + class_sums(x)

    def rounded(self) -> Floats:
        """(m,)"""
        total: Floats = self._total
        return total


def logs(excess: Floats) -> float:
    """sum_j log(1 + excess_j), excess >= 0, all but rounded once."""
    terms = np.log1p(excess)
    if terms.size < MANY:
        return math.fsum(terms.tolist())
    # as in `Total`: the first sum is exact
    total = np.add.reduce(terms)
    high = terms + total
    high -= total
    terms -= high
    return float(np.add.reduce(high) + np.add.reduce(terms))


def subtract(a: Any, b: Any, out: Any) -> None:
    """a - b, rounded to what the dtype can hold."""
    if out.dtype == a.dtype:
        np.subtract(a, b, out=out)
        return
    with np.errstate(under="ignore"):
        np.subtract(a, b, out=out, casting="same_kind")
