"""Class sums of moderate scores in plain float64, for results of float32 and half precision.

With e = e^s, w = t e^{-s}, and o(x)_ij = sum_{k != j} x_ik for the sum of a sample without its own,

    D_j = 1 + sum_i w_ij o(e)_ij     (by the label's class)
    E_j = 1 + sum_i e_ij o(w)_ij     (by the other class: e and w have changed places)
    C_j = 1 + sum_i c_ij,   c_ij = t_ij e^{mean_k s_ik - s_ij}

    dlog D / ds = e o(w / D) - w o(e) / D,    dlog E / ds = e o(w) / E - w o(e / E),
    dlog C / ds = mean_j p_ij - p_ij,         p = c / C.

All terms have one sign but for the one difference in each gradient, whose sides are the positive
and the negative part: the error is at most some n 2^-53 of the larger one, and nothing of it is
left in a result of 24 bits.  What would be lost is kept out: o(x) is the total less the own, except
where the own is more than half of it, there the others are summed anew; and for |s| <= RANGE no
exponential needs a shift.

The samples are taken a block at a time, so that temporaries stay in the cache: once for the sums,
once for the gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from numeric_core.namespace import Array, Namespace, block_length, log1p
from numeric_core.rows import Rows

__all__ = ["centered", "fits", "mirrored", "others", "truncated"]

RANGE = 150.0
"""The largest |s|.  A label of float32 is 0 or at least 2^-149 = 1e-45, so the smallest factor is
w / D >= 1e-45 e^{-150} / (n m e^{300}) = 1e-241 / n m, and D <= n m e^{300} = 1e130 n m: normal
numbers of float64."""

BLOCK = 1 << 16
"""Scores at a time: 512 KiB of float64.  `truncated` with its gradient, 10^4 x 100, was measured at
28 ms without blocks, and at 15.1, 12.7, 11.8, 11.3, 11.3 ms with blocks of 2^13 to 2^17."""

Result = tuple[Array, Callable[[], Array]]
"""The value, (*batch,), and a call that makes the gradient, (*batch, n, m)."""


class _Block(NamedTuple):
    """Some samples: (*batch, samples, m)."""

    scores: Array
    labels: Array
    masked: Array | None


def fits(rows: Rows) -> bool:
    """Whether rows are in float64, their result is not, and |s| <= RANGE as far as can be seen."""
    wide = rows.scores.dtype == rows.xp.float64
    return bool(wide and not rows.exact and rows.bound <= RANGE)


def truncated(rows: Rows) -> Result:
    """sum_j log D_j."""
    xp = rows.xp
    (excess,) = _summed(xp, ((w * others(xp, e),) for e, w in _factors(rows)))

    def gradient() -> Array:
        return _joined(xp, (_slope(xp, e, w, excess) for e, w in _factors(rows)))

    return _value(xp, excess), gradient


def mirrored(rows: Rows) -> Result:
    """(sum_j log D_j + sum_j log E_j) / 2."""
    xp = rows.xp
    parts = ((w * others(xp, e), e * others(xp, w)) for e, w in _factors(rows))
    own, other = _summed(xp, parts)

    def gradient() -> Array:
        pairs = ((_slope(xp, e, w, own), _slope(xp, w, e, other)) for e, w in _factors(rows))
        return _joined(xp, (0.5 * up - 0.5 * down for up, down in pairs))

    return 0.5 * (_value(xp, own) + _value(xp, other)), gradient


def centered(rows: Rows) -> Result:
    """sum_j log C_j."""
    xp = rows.xp
    (excess,) = _summed(xp, ((t * xp.exp(d),) for d, t, _ in _deviations(rows)))

    def gradient() -> Array:
        shares = ((t * xp.exp(d) / (1.0 + excess), masked) for d, t, masked in _deviations(rows))
        return _joined(xp, (_mean(xp, p, masked) - p for p, masked in shares))

    return _value(xp, excess), gradient


def others(xp: Namespace, x: Array) -> Array:
    """sum_{k != j} x_k along the last axis for x >= 0: at most one x is more than half of all."""
    total = _last(xp, x)
    most = x > 0.5 * total
    rest = _last(xp, xp.where(most, xp.zeros_like(x), x))
    return xp.where(most, rest, total - x)


def _last(xp: Namespace, x: Array) -> Array:
    """Sum over the last axis, kept."""
    return xp.sum(x, axis=-1, keepdims=True)


def _slope(xp: Namespace, e: Array, w: Array, excess: Array) -> Array:
    """e o(w / D) - w o(e) / D for D = 1 + excess."""
    norm = 1.0 + excess
    return e * others(xp, w / norm) - w * others(xp, e) / norm


def _value(xp: Namespace, excess: Array) -> Array:
    """sum_j log(1 + excess_j): (*batch,)."""
    return xp.sum(log1p(xp, excess), axis=(-2, -1))


def _summed(xp: Namespace, blocks: Iterator[tuple[Array, ...]]) -> list[Array]:
    """Sums over the samples of all blocks, each (*batch, 1, m)."""
    totals = [xp.sum(x, axis=-2, keepdims=True) for x in next(blocks)]
    for block in blocks:
        parts = (xp.sum(x, axis=-2, keepdims=True) for x in block)
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
    return totals


def _joined(xp: Namespace, parts: Iterator[Array]) -> Array:
    """Blocks of samples, one after the other."""
    return xp.concat(list(parts), axis=-2)


def _blocks(rows: Rows) -> Iterator[_Block]:
    """Some samples at a time; all where a library fuses by itself."""
    *batch, n, m = rows.scores.shape
    step = n
    if block_length(rows.scores, BLOCK) is not None:
        step = max(1, BLOCK // (math.prod(batch) * m))
    for start in range(0, n, step):
        part = (..., slice(start, start + step), slice(None))
        masked = None if rows.masked is None else rows.masked[part]
        yield _Block(rows.scores[part], rows.labels[part], masked)


def _factors(rows: Rows) -> Iterator[tuple[Array, Array]]:
    """e^s and t e^{-s}, both 0 where a class is masked, a block at a time."""
    xp = rows.xp
    for s, t, masked in _blocks(rows):
        e = xp.exp(s)
        w = t / e
        yield (e if masked is None else xp.where(masked, xp.zeros_like(e), e)), w


def _deviations(rows: Rows) -> Iterator[_Block]:
    """mean - s in the place of s, a block at a time; the score of a masked class is 0."""
    for s, t, masked in _blocks(rows):
        yield _Block(_mean(rows.xp, s, masked) - s, t, masked)


def _mean(xp: Namespace, x: Array, masked: Array | None) -> Array:
    """The mean over the unmasked classes, where they are; x is 0 at the others."""
    if masked is None:
        return xp.mean(x, axis=-1, keepdims=True)
    counted = xp.astype(~masked, x.dtype)
    count = _last(xp, counted)
    return counted * (_last(xp, x) / xp.where(count > 0, count, xp.ones_like(count)))
