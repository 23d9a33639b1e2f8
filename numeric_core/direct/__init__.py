"""NumPy rows whose exponentials need no shift: as they are, a block at a time.

    e^s is within half an ulp or so for |s| <= 700 as it stands, in float64: no maximum, no
    subtraction, and no rounding of the argument of exp.

float32 and half precision rows are computed in float64, where the plain formulas lose nothing that
the result would show.  A loss says how (`Way`): values and gradients of a block, nan where it has
no answer: sums out of range, digits that would cancel, labels outside of [0, 1], nan.  Those rows
go the careful way, that of all array libraries, as do rows of other libraries; both keep the same
bounds of error.  The bits of a row do not depend on the other rows of its batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from numeric_core.direct.blocks import GONE, REACH, Block, Floats
from numeric_core.namespace import Array, round_to

__all__ = ["Way", "takes", "value", "value_and_grad"]

BLOCK = 1 << 14
"""Scores at a time: 128 KiB for each array of float64, some six of them in a cache of 1 MiB."""

ONE = {
    np.dtype(np.float16): (np.uint16, 0x3C00),
    np.dtype(np.float32): (np.uint32, 0x3F800000),
    np.dtype(np.float64): (np.uint64, 0x3FF0000000000000),
}
"""The bits of 1.  As unsigned integers the bits of a float are at most those just for [0, 1]."""


class Way(NamedTuple):
    """How a loss computes a block: the values (rows,), and the gradient if the block wants it.

    scale: scores are multiplied by it; in float64 a power of two.  arrays: of scratch.
    hard: labels are 0 and 1.  indexed: labels may be the indices of classes.
    """

    compute: Callable[[Block], Floats]
    arrays: int
    scale: float = 1.0
    hard: bool = False
    indexed: bool = False


def takes(way: Way | None, scores: Array, labels: Array, axis: Any) -> bool:
    """NumPy arrays of native floats, and labels of the same dtype, integers or bool."""
    if way is None or type(scores) is not np.ndarray or type(labels) is not np.ndarray:
        return False
    if scores.dtype not in ONE or scores.size == 0 or type(axis) is not int:
        return False
    if not -scores.ndim <= axis < scores.ndim:
        return False
    if scores.dtype == np.float64 and math.frexp(way.scale)[0] != 0.5:
        return False
    if labels.dtype != scores.dtype and labels.dtype.kind not in "bui":
        return False
    batch = (*scores.shape[: axis % scores.ndim], *scores.shape[axis % scores.ndim + 1 :])
    by_index = way.indexed and labels.dtype.kind in "ui" and labels.shape == batch
    return labels.shape == scores.shape or by_index


def value(way: Way, scores: Array, labels: Array, axis: int, plain: Callable[..., Any]) -> Any:
    """The loss of every row, (*batch,); plain(scores, labels, axis=...) is the careful way."""
    s, t = _rows(scores, labels, axis)
    result = _values(way, s, t, None)
    odd = np.flatnonzero(np.isnan(result))
    result = round_to(np, result, scores.dtype)
    if odd.size:
        try:
            result[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            # an error speaks of the whole batch
            return plain(scores, labels, axis=axis)
    return result.reshape(_batch(scores, axis))[()]


def value_and_grad(
    way: Way, scores: Array, labels: Array, axis: int, plain: Callable[..., Any]
) -> tuple[Any, Any]:
    """The loss of every row, (*batch,), and its gradient, the shape of scores."""
    s, t = _rows(scores, labels, axis)
    gradient = np.empty(s.shape, s.dtype)
    result = _values(way, s, t, gradient)
    odd = np.flatnonzero(np.isnan(result))
    result = round_to(np, result, scores.dtype)
    if odd.size:
        try:
            result[odd], gradient[odd] = plain(s[odd], t[odd], axis=-1)
        except ValueError:
            return plain(scores, labels, axis=axis)
    batch = _batch(scores, axis)
    gradient = gradient.reshape((*batch, scores.shape[axis]))
    return result.reshape(batch)[()], np.moveaxis(gradient, -1, axis)


def _batch(scores: Floats, axis: int) -> tuple[int, ...]:
    """The shape of scores without the label axis."""
    batch = list(scores.shape)
    batch.pop(axis)
    return tuple(batch)


def _rows(scores: Floats, labels: Floats, axis: int) -> tuple[Floats, Floats]:
    """Scores (m, n), labels (m, n) or class indices (m,), in their own dtypes."""
    n = scores.shape[axis]
    s = np.moveaxis(scores, axis, -1).reshape(-1, n)
    if labels.ndim < scores.ndim:
        return s, labels.reshape(-1)
    return s, np.moveaxis(labels, axis, -1).reshape(-1, n)


def _values(way: Way, scores: Floats, labels: Floats, gradient: Floats | None) -> Floats:
    """(m,), nan for the rows that are to go the careful way."""
    m, n = scores.shape
    step = min(max(1, BLOCK // n), m)
    result = np.empty(m)
    scratch = [np.empty((step, n)) for _ in range(way.arrays + 2)]
    with np.errstate(all="ignore"):
        for start in range(0, m, step):
            here = slice(start, start + step)
            g = None if gradient is None else gradient[here]
            block, odd = _block(way, scores[here], labels[here], g, scratch)
            result[here] = way.compute(block)
            if odd is not None:
                result[here][odd] = math.nan
    return result


def _block(
    way: Way, s: Floats, t: Floats, g: Floats | None, scratch: list[Floats]
) -> tuple[Block, Floats | None]:
    """A block, and the rows of it that must not be taken."""
    wide = s.dtype != np.float64
    x, y, *rest = (array[: len(s)] for array in scratch)
    bad = _bad_labels(way, t, s.shape[1])
    t = _labels(t, s, y)
    low = float(s.min()) * way.scale
    scores = _scores(s, way.scale, x)
    gone = None
    # not >=: a nan goes the same way
    if not low >= -REACH:
        gone = scores < -REACH
        lost = gone & (t > 0)
        if not wide:
            lost |= gone & (scores >= -GONE)
        lost = (lost | np.isnan(scores)).any(axis=-1)
        bad = lost if bad is None else bad | lost
        scores = np.maximum(scores, -REACH, out=x)
    tolerance = math.sqrt(float(np.finfo(s.dtype).eps))
    return Block(scores, t, wide, gone, g, tuple(rest), tolerance), bad


def _scores(s: Floats, scale: float, out: Floats) -> Floats:
    """The scores times the scale in contiguous float64."""
    if scale != 1.0:
        return np.multiply(s, scale, out=out, dtype=np.float64)
    if s.dtype == np.float64 and s.flags.c_contiguous:
        return s
    np.copyto(out, s)
    return out


def _labels(t: Floats, s: Floats, out: Floats) -> Floats:
    """The labels as contiguous rows of float64."""
    if t.ndim < s.ndim:
        out[...] = 0.0
        known = (t >= 0) & (t < s.shape[1])
        out[np.arange(len(t))[known], t[known].astype(np.intp)] = 1.0
        return out
    if t.dtype == np.float64 and t.flags.c_contiguous:
        return t
    np.copyto(out, t)
    return out


def _bad_labels(way: Way, t: Floats, n: int) -> Floats | None:
    """The rows with a label that is none, if there are some."""
    if t.dtype.kind == "b":
        return None
    if t.ndim == 1:
        return (t < 0) | (t >= n)
    if t.dtype.kind != "f":
        bad = (t < 0) | (t > 1)
    elif way.hard:
        bad = (t != 0) & (t != 1)
    else:
        kind, one = ONE[t.dtype]
        bits = t.view(kind)
        if bits.max() <= one:
            return None
        bad = bits > one
    return bad.any(axis=-1) if bad.any() else None
