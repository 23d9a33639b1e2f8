"""Batches of some thousand scores, where a call of NumPy costs more than its arithmetic.

The steps of a loss's `Way`, to the same bits, in as few calls as they allow: one array, no marks of
rows, and one look at the scores for all that could go out of range.  A batch with anything
uncommon in it has no answer here and goes the usual way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numeric_core.direct.blocks import ONES, PIECE, Floats
from numeric_core.direct.given import ONE, scratch_of

__all__ = ["MOST", "REACH", "Few", "Room", "answer", "least", "most"]

MOST = 1 << 15
"""Scores of a batch: six arrays of 256 KiB.  soft_zlpr.value_and_grad in float32 takes 25 us beside
the arithmetic otherwise, and 8 here; the arithmetic of 2^15 scores takes 100."""

REACH = 128.0
"""Of |s|.  In float32 all terms and their sums are 0 or between 2^-149 e^-128 = 2^-334 and
2^10 e^128 = 2^195: products of two and their inverses are in range."""


class Room(NamedTuple):
    """Arrays (m, n) of float64 to write to, one after the other in memory that a thread keeps.

    scores, labels: for copies.  lower, upper: the first two and the last two of the others,
    (2 m, n).  ones: (n,).
    """

    first: Floats
    second: Floats
    third: Floats
    fourth: Floats
    scores: Floats
    labels: Floats
    lower: Floats
    upper: Floats
    ones: Floats


Few: TypeAlias = Callable[[Floats, Floats, Room, bool, bool], tuple[Floats, Floats | None] | None]
"""(scores, labels, both (m, n) of float64; room, whose first array is |s|; whether the result is
rounded to float32; whether a gradient is asked for) -> values (m,), gradient (m, n), which may be
in the room if it is still to be rounded; None: no answer."""

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def answer(
    few: Few, hard: bool, scores: Any, labels: Any, slopes: bool, indexed: bool = False
) -> Any:
    """The values (*batch,) and the gradient of NumPy arrays, the label axis last; None: no answer.

    hard: labels are 0 and 1.  indexed: labels may be the indices of classes.
    """
    dtype, shape = scores.dtype, scores.shape
    if (dtype is not SINGLE and dtype is not DOUBLE) or not 0 < scores.size <= MOST:
        return None
    if not shape or shape[-1] > PIECE:
        return None
    by_index = indexed and labels.dtype.kind in "iu" and labels.shape == shape[:-1]
    if not by_index and labels.shape != shape:
        return None
    if not _known(labels, dtype, hard, shape[-1] - 1 if by_index else 1):
        return None
    if len(shape) != 2:
        scores = scores.reshape(-1, shape[-1])
    room = _room(scores.shape)
    x = _wide(scores, room.scores)
    t = _one_hot(labels, room.labels) if by_index else _wide(labels, room.labels)
    # not >: a nan goes the same way
    if not most(np.abs(x, out=room.first)) <= REACH:
        return None
    wide = dtype is SINGLE
    try:
        found = few(x, t, room, wide, slopes)
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


class _Kept(threading.local):
    """The room of the last batch, mostly that of the next: to cut it out takes a microsecond."""

    shape: tuple[int, ...] = ()
    room: Room


_kept = _Kept()


def _room(shape: tuple[int, ...]) -> Room:
    """Of a batch (m, n)."""
    if _kept.shape != shape:
        m, n = shape
        arrays = scratch_of(6, m, n)
        a, b, c, d, scores, labels = arrays
        lower, upper = arrays[:4].reshape(2, 2 * m, n)
        _kept.shape = shape
        _kept.room = Room(a, b, c, d, scores, labels, lower, upper, ONES[:n])
    return _kept.room


def _wide(x: Floats, out: Floats) -> Floats:
    """x as contiguous float64 (m, n), in out unless it is that."""
    if x.ndim != 2:
        x = x.reshape(out.shape)
    if x.dtype is DOUBLE and x.flags.c_contiguous:
        return x
    np.copyto(out, x)
    return out


def _one_hot(index: Floats, out: Floats) -> Floats:
    """Rows with a single 1, (m, n)."""
    out.fill(0.0)
    out[np.arange(len(out)), index.reshape(-1)] = 1.0
    return out


def _known(t: Floats, dtype: Any, hard: bool, largest: int) -> bool:
    """Whether labels of this dtype or bool lie in [0, 1] or are 0 or 1, integers in 0..largest."""
    if t.dtype is not dtype:
        kind = t.dtype.kind
        return kind == "b" or (kind in "iu" and least(t) >= 0 and most(t) <= largest)
    if hard:
        return bool(np.count_nonzero(t) == np.count_nonzero(t == 1.0))
    bits, one = ONE[dtype]
    return most(t.view(bits)) <= one


def most(x: Floats) -> float:
    """The largest entry, or nan if there is one: half the time of x.max()."""
    return x.item(x.argmax())


def least(x: Floats) -> float:
    """The smallest entry, or nan if there is one."""
    return x.item(x.argmin())
