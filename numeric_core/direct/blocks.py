"""Rows a block at a time: float64 arrays that stay in the cache, and their sums.

A float32 row is widened, a float64 row is used as it is.  Every temporary of a batch costs fresh
pages from the system, which is most of the time of plain NumPy code; those of a block are written
again for the next one.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = [
    "FINE",
    "GONE",
    "LONG",
    "ONES",
    "PIECE",
    "REACH",
    "Block",
    "Floats",
    "Totals",
    "dot",
    "exact_sum",
]

Floats: TypeAlias = np.ndarray[Any, Any]

REACH = 700.0
"""log(finfo.smallest_normal) = -708.4: down to here e^s has all its digits, and e^-s is finite."""

GONE = 767.0
"""e^-767 2^32 is below half of the smallest subnormal: log(2) (1075 + 32) = 767.3.  For a result
of float32 already e^-700 is nothing."""

PIECE = 1 << 10
"""Terms of a dot product at a time, for BLAS to start no threads."""

LONG = 1 << 12
"""Terms of a row from which on an exact sum takes less time after additions of eights."""

FINE = 1 << 7
"""The same where roundings are seen: BLAS adds each lane of 1024 terms in turn, and of 128 equal
terms it had lost 2 ulp in place of 16."""


class Block(NamedTuple):
    """Some rows (rows, n) of float64, and what is asked of them.

    wide: the result is rounded to a narrower dtype, so that single roundings are not seen.
    gone: where a term counts as 0, whatever the score, if anywhere.  gradient: where to write it.
    scratch: arrays (rows, n) of float64 to write to.  known: the sums of the rows that these are
    parts of; () where they are still to be computed.
    """

    scores: Floats
    labels: Floats
    wide: bool
    gone: Floats | None
    gradient: Floats | None
    scratch: tuple[Floats, ...]
    known: tuple[Floats, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is written."""
        assert self.gradient is not None
        return self.gradient.dtype

    def exponentials(self, out: Floats) -> Floats:
        """e^s > 0; what is gone is still to be put to 0."""
        return np.exp(self.scores, out=out)

    def clear(self, terms: Floats) -> None:
        """Terms of what is gone become 0."""
        if self.gone is not None:
            terms[self.gone] = 0.0

    def write(self, operation: np.ufunc, a: Floats, b: Floats) -> None:
        """operation(a, b) as the gradient, where it is asked for; a may be written to."""
        if self.gradient is None:
            return
        if self.wide:
            np.copyto(self.gradient, operation(a, b, out=a), casting="same_kind")
        else:
            operation(a, b, out=self.gradient)

    def total(self, terms: Floats, spare: Floats, most: float | None = None) -> Floats:
        """The sum of each row of terms >= 0, (rows,), at most that; spare is written to."""
        if self.wide:
            return dot(terms, ONES[: terms.shape[-1]])
        return exact_sum(terms, spare, most)


class Totals(NamedTuple):
    """The sums of all rows, each (m,).  partly: rows of which a part is gone, if there are some.

    tolerance: sqrt(eps) of the dtype.
    """

    sums: tuple[Floats, ...]
    partly: Floats | None
    tolerance: float

    def counts(self, sums: Floats, least: float, most: float) -> Floats:
        """Where a sum is in range, and so large that what is gone is nothing beside it."""
        fits: Floats = (sums >= least) & (sums <= most)
        return fits if self.partly is None else fits & ((sums >= VISIBLE) | ~self.partly)


VISIBLE = 2.0**-30
"""Of e^-767, divided by this, nothing is left in float64."""

ONES = np.ones(PIECE)


def dot(a: Floats, b: Floats, piece: int = PIECE) -> Floats:
    """sum_i a_i b_i of each row, (rows, n) -> (rows,), in pieces; b may be one row of a piece."""
    rows, n = a.shape
    if n <= piece:
        return np.vecdot(a, b)
    whole = n // piece * piece
    pieces = [x if x.ndim == 1 else x[:, :whole].reshape(rows, -1, piece) for x in (a, b)]
    result: Floats = np.add.reduce(np.vecdot(*pieces), axis=1)
    if whole < n:
        result += np.vecdot(a[:, whole:], b[: n - whole] if b.ndim == 1 else b[:, whole:])
    return result


def exact_sum(x: Floats, spare: Floats, most: float | Floats | None = None) -> Floats:
    """The sum of each row of terms >= 0, rounded once: (rows, n) -> (rows,); spare (rows, n).

    From LONG terms on they are added in eights before, whose roundings do not add up: equal terms
    have none, those of others have any sign.

    Terms are cut at the last bit of M = 2 S, S an estimate of the sum, or what it is at most:
    fl(x + M) - M is a multiple of ulp(M), and these add up exactly in any order.  What is left of x
    is below ulp(M).

    Source: Rump, Ogita, Oishi, Accurate floating-point summation I, SIAM J. Sci. Comput. 31 (2008).
    """
    high, low = _exact_parts(x, spare, most)
    return high + low


def _exact_parts(x: Floats, spare: Floats, most: float | Floats | None) -> tuple[Floats, Floats]:
    """The sum of what is cut off, without an error, and of what is left."""
    if x.shape[-1] >= LONG:
        x, spare = _folded(x, spare)
    ones = ONES[: x.shape[-1]]
    large = 2.0 * (dot(x, ones)[:, None] if most is None else most)
    np.add(x, large, out=spare)
    np.subtract(spare, large, out=spare)
    high = dot(spare, ones)
    np.subtract(x, spare, out=spare)
    return high, dot(spare, ones)


def _folded(x: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """Sums of eight terms each, or fewer, in one part of spare, and another part to write to."""
    n = x.shape[-1]
    for _ in range(3):
        half = (n + 1) // 2
        np.add(x[:, : n - half], x[:, half:n], out=spare[:, : n - half])
        if n % 2 and x is not spare:
            spare[:, half - 1] = x[:, half - 1]
        x, n = spare, half
    return spare[:, :n], spare[:, n : 2 * n]
