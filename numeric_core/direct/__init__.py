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
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from numeric_core import leftovers
from numeric_core.direct import given
from numeric_core.direct.blocks import GONE, REACH, Block, Floats, Totals
from numeric_core.direct.few import Few, answer
from numeric_core.namespace import Array

__all__ = ["Way", "takes", "value", "value_and_grad"]

LONGEST = 1 << 16
"""Labels of a row that are summed at a time; the same for all, as the bits depend on it."""


class Way(NamedTuple):
    """How a loss is computed: the sums of the rows of a block, and the gradient if that wants it;
    in the end the values of all rows, nan where there is no answer.

    arrays: of scratch.  scale: scores are multiplied by it; in float64 a power of two.  hard:
    labels are 0 and 1.  indexed: labels may be the indices of classes.  parts: whether sums over
    parts of a row add up.  second: for the rows left, and for float64, where this way is for wide
    results only.  product: the Hessian of each row times a vector, with factors arrays of scratch;
    see `numeric_core.direct.products`.
    """

    sums: Callable[[Block], tuple[Floats, ...]]
    value: Callable[[Totals], Floats]
    arrays: int
    scale: float = 1.0
    hard: bool = False
    indexed: bool = False
    parts: bool = True
    second: Way | None = None
    few: Few | None = None
    product: Callable[[Block, Floats], Floats] | None = None
    factors: int = 0

    def at_once(self, scores: Array, labels: Array, axis: Any, slopes: bool) -> Any:
        """Values (*batch,) and gradient of a small batch; None: by the ways of all batches."""
        if self.few is None or type(axis) is not int or axis != -1:
            return None
        if type(scores) is not np.ndarray or type(labels) is not np.ndarray:
            return None
        return answer(self.few, self.hard, scores, labels, slopes, self.indexed)


def takes(way: Way | None, scores: Array, labels: Array, axis: Any) -> bool:
    """NumPy arrays of native floats, and labels of the same dtype, integers or bool."""
    # the index of a class, for one row, may be a NumPy scalar
    known = type(labels) is np.ndarray or isinstance(labels, np.generic)
    if way is None or type(scores) is not np.ndarray or not known:
        return False
    if scores.dtype not in given.ONE or scores.size == 0 or type(axis) is not int:
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
    return leftovers.value(partial(_values, way), scores, labels, axis, plain)


def value_and_grad(
    way: Way,
    scores: Array,
    labels: Array,
    axis: int,
    plain: Callable[..., Any],
    out: Array | None = None,
) -> Any:
    """The loss of every row, (*batch,), and its gradient, in out if that fits."""
    return leftovers.value_and_grad(partial(_values, way), scores, labels, axis, plain, out)


def _values(way: Way, scores: Floats, labels: Floats, gradient: Floats | None) -> Floats:
    """(m,), nan for the rows that are to go the careful way."""
    second = way.second
    if second is None:
        return _in_blocks(way, scores, labels, gradient)
    if scores.dtype == np.float64:
        return _in_blocks(second, scores, labels, gradient)
    result = _in_blocks(way, scores, labels, gradient)
    left = np.flatnonzero(np.isnan(result))
    if left.size:
        part = None if gradient is None else np.empty((left.size, scores.shape[1]), scores.dtype)
        result[left] = _in_blocks(second, scores[left], labels[left], part)
        if gradient is not None:
            gradient[left] = part
    return result


def _in_blocks(way: Way, scores: Floats, labels: Floats, gradient: Floats | None) -> Floats:
    """`_values` by one way."""
    m, n = scores.shape
    odd, partly = np.zeros(m, bool), np.zeros(m, bool)
    sums_of = _long_rows if way.parts and n > LONGEST else _short_rows
    with np.errstate(all="ignore"), given.buffer_for(n):
        sums = sums_of(way, scores, labels, gradient, odd, partly)
        totals = Totals(sums, partly if partly.any() else None, given.TOLERANCE[scores.dtype])
        result = way.value(totals)
    result[odd] = math.nan
    return result


def _short_rows(
    way: Way, scores: Floats, labels: Floats, gradient: Floats | None, odd: Floats, partly: Floats
) -> tuple[Floats, ...]:
    """The sums of all rows, (m,) each, some rows at a time; odd and partly are set."""
    m, n = scores.shape
    step = min(max(1, given.BLOCK // ((way.arrays + 2) * n)), m)
    scratch = given.scratch_of(way.arrays + 2, step, n)
    sums = []
    for start in range(0, m, step):
        here = slice(start, start + step)
        g = None if gradient is None else gradient[here]
        arrays = tuple(scratch[:, : m - start])
        block = _block(way, scores[here], labels[here], g, arrays, odd[here])
        if block.gone is not None:
            partly[here] = block.gone.any(axis=-1)
        sums.append(way.sums(block))
    return sums[0] if len(sums) == 1 else tuple(np.concatenate(sums, axis=1))


def _long_rows(
    way: Way, scores: Floats, labels: Floats, gradient: Floats | None, odd: Floats, partly: Floats
) -> tuple[Floats, ...]:
    """As `_short_rows`, one row at a time and that in parts: its sums, then its gradient."""
    m, n = scores.shape
    scratch = given.scratch_of(way.arrays + 2, 1, LONGEST)
    parts = [slice(start, min(start + LONGEST, n)) for start in range(0, n, LONGEST)]
    columns = []
    for i in range(m):
        row = slice(i, i + 1)
        t = labels[row]
        if t.ndim == 1:
            odd[row] |= (t < 0) | (t >= n)
            t = np.arange(n) == t[:, None]

        def sums(
            part: slice, known: tuple[Floats, ...], row: slice = row, t: Floats = t
        ) -> tuple[Floats, ...]:
            g = None if gradient is None or not known else gradient[row, part]
            arrays = tuple(scratch[..., : part.stop - part.start])
            block = _block(way, scores[row, part], t[:, part], g, arrays, odd[row])
            if block.gone is not None:
                partly[row] |= block.gone.any()
            return way.sums(block._replace(known=known))

        whole = tuple(_merged(x) for x in zip(*(sums(part, ()) for part in parts), strict=True))
        if gradient is not None:
            for part in parts:
                sums(part, whole)
        columns.append(whole)
    return tuple(np.concatenate(columns, axis=1))


def _merged(sums: tuple[Floats, ...]) -> Floats:
    """The sums (1,) of the parts of a row as one, rounded once."""
    total = np.add.reduce(sums)
    return np.asarray([math.fsum(x[0] for x in sums)]) if np.isfinite(total[0]) else total


def _block(
    way: Way, s: Floats, t: Floats, g: Floats | None, scratch: tuple[Floats, ...], odd: Floats
) -> Block:
    """A block; odd is set for the rows of it that must not be taken."""
    wide = s.dtype != np.float64
    x, y, *rest = scratch
    bad = given.bad_labels(t, s.shape[1], way.hard)
    if bad is not None:
        odd |= bad
    t = given.float_labels(t, s, y)
    low = float(s.min()) * way.scale
    scores = given.float_scores(s, way.scale, x)
    gone = None
    # not >=: a nan goes the same way
    if not low >= -REACH:
        gone = scores < -REACH
        lost = gone & (t > 0)
        if not wide:
            lost |= gone & (scores >= -GONE)
        odd |= np.any(lost | np.isnan(scores), axis=-1)
        scores = np.maximum(scores, -REACH, out=x)
    return Block(scores, t, wide, gone, g, tuple(rest))
