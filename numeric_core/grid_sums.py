"""What grids sum under their logs, as row states over the samples, for `losses.grid`.

    D_j, E_k   `numeric_core.classwise`, by the label's class and by the other one
    C_j        1 + sum_i t_ij e^{sbar_i - s_ij}, sbar_i the mean of a sample's unmasked scores

Many moderate samples are taken in blocks, whose temporaries stay in the cache.
"""

from __future__ import annotations

import math

from numeric_core.classwise import ClassSums, SampleBlocks, class_sums, sample_blocks
from numeric_core.exact import Pair, accurate_sum, sum_to_infinity
from numeric_core.namespace import Array, Namespace, block_length, finfo_max
from numeric_core.reductions import RowSum, exponent_limit, exponential_sum
from numeric_core.rows import Rows

__all__ = [
    "centered",
    "mean",
    "mean_less_own",
    "other_class",
    "own_class",
    "sample_slices",
    "takes_part",
    "total",
]

BLOCK = 1 << 15
"""Scores at a time, where a float64 grid is taken in blocks of samples: 256 KiB an array.

Value and gradient of 10^6 x 10 were measured at 3.1 s of one core with blocks, 9.0 s without."""

EXACT_MEAN = 2.0**50
"""A pair has 106 bits: up to these scores a mean of scores is known to some 2^-56."""


def own_class(rows: Rows) -> ClassSums | SampleBlocks:
    """D_j."""
    return _class_sums(rows, rows.scores, rows.labels, takes_part(rows), hard=True)


def other_class(rows: Rows) -> ClassSums | SampleBlocks:
    """E_k."""
    return _class_sums(rows, -rows.scores, takes_part(rows), rows.labels, hard=False)


def _class_sums(
    rows: Rows, x: Array, outer: Array, inner: Array, *, hard: bool
) -> ClassSums | SampleBlocks:
    """The sums of all samples, in blocks where moderate scores allow it."""
    moderate = rows.bound <= 0.5 * exponent_limit(rows.xp, x.dtype)

    def make(block: slice) -> ClassSums:
        parts = (y[..., block, :] for y in (x, outer, inner))
        return class_sums(rows.xp, *parts, moderate=moderate, hard=hard, exact=rows.exact)

    blocks = sample_slices(x) if moderate else []
    sums = sample_blocks(rows.xp, make, blocks) if len(blocks) > 1 else None
    return make(slice(None)) if sums is None else sums


def sample_slices(x: Array) -> list[slice]:
    """Blocks of samples of about BLOCK scores; all at once in libraries that fuse or trace."""
    n = x.shape[-2]
    step = n if block_length(x, BLOCK) is None else max(1, BLOCK * n // math.prod(x.shape))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def takes_part(rows: Rows) -> Array:
    """1 for an unmasked class of a sample, 0 for a masked one."""
    one = rows.xp.ones_like(rows.scores)
    return one if rows.masked is None else rows.xp.where(rows.masked, 0.0 * one, one)


def total(xp: Namespace, *logs: Array) -> Array:
    """The sum of all logs of a grid: (*batch,)."""
    return sum_to_infinity(xp, logs[0] if len(logs) == 1 else xp.concat(logs, axis=-1))[..., 0]


def centered(rows: Rows, exact: bool = False) -> RowSum:
    """C_j as row states over the samples."""
    xp, s = rows.xp, rows.scores
    # the products of pairs must not overflow, nor the sum over the classes
    bound = finfo_max(xp, s.dtype) * 2.0**-30 / s.shape[-1]
    if rows.bound > bound:
        s = xp.clip(s, -bound, bound)
    x = _below_mean(rows, s)
    high, low, t = (xp.matrix_transpose(y) for y in (x.high, x.low, rows.labels))
    moderate = 2.0 * rows.bound <= exponent_limit(xp, s.dtype)
    return exponential_sum(xp, high, low, t, moderate=moderate, hard=False, exact=exact)


def _below_mean(rows: Rows, s: Array) -> Pair:
    """sbar_i - s_ij; of huge scores as the mean of s_ik - s_ij, class by class, since sbar is not
    known to 1 where they cancel."""
    xp = rows.xp
    if not EXACT_MEAN < rows.bound < math.inf:
        return mean(rows, s) - Pair.of(xp, s)
    part, sums = takes_part(rows), []
    for j in range(s.shape[-1]):
        gap = Pair.difference(xp, s, s[..., j : j + 1])
        sums.append(Pair(xp, part * gap.high, part * gap.low).sum())
    high, low = (xp.concat(parts, axis=-1) for parts in _parts(sums))
    return Pair(xp, high, low) / Pair.of(xp, _count(rows))


def _parts(pairs: list[Pair]) -> tuple[list[Array], list[Array]]:
    """The high parts and the low ones."""
    return [x.high for x in pairs], [x.low for x in pairs]


def mean(rows: Rows, x: Array) -> Pair:
    """The mean over the unmasked classes of a sample: (*batch, n, 1)."""
    xp, part = rows.xp, takes_part(rows)
    return Pair.of(xp, part * x).sum() / Pair.of(xp, _count(rows))


def _count(rows: Rows) -> Array:
    """The number of unmasked classes of a sample, 1 where there is none: (*batch, n, 1)."""
    count = rows.xp.sum(takes_part(rows), axis=-1, keepdims=True)
    return rows.xp.where(count > 0, count, rows.xp.ones_like(count))


def mean_less_own(rows: Rows, x: Array) -> Array:
    """(1 / m_i) sum_j x_ij - x_ib, which is 0 for a masked class."""
    part = takes_part(rows)
    return part * (accurate_sum(rows.xp, x) / _count(rows) - x)
