"""ZLPR, hard and soft: the two sums of a row.

    u_i = (1 - t_i) e^{s_i},   d_i = t_i / e^{s_i},   U = sum u_i,   D = sum d_i
    l   = log1p(e^{s0} D) + log1p(e^{-s0} U)
    g_i = u_i / (e^{s0} + U) - d_i / (e^{-s0} + D)

    H v = the sum over both sides of p_i (v_i - sum_j p_j v_j),   p = u / (e^{s0} + U), ...

One exponential a label.  No threshold is subtracted: it is a factor of the sums.
"""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import Block, Floats, Totals, exact_sum
from numeric_core.direct.covariance import centred, leader, mean_beside
from numeric_core.direct.few import Room, least

__all__ = ["both_sides", "terms", "way"]

LEAST, MOST = 2.0**-700, 2.0**700
"""A sum below may lack terms that underflowed, one above is near to overflow; e^700 = 2^1010 is
above, so that a score that is clipped there cannot pass under a label > 0 of float32."""

FARTHEST = 32.0
"""e^{2 s0} times a sum within MOST stays in range."""


@cache
def way(threshold: float, hard: bool) -> Way | None:
    """How `numeric_core.direct` computes ZLPR."""
    if abs(threshold) > FARTHEST:
        return None
    base = math.exp(threshold)
    product = partial(_product, base)
    sums, value = partial(_sums, base), partial(_value, base)
    few = _few if threshold == 0.0 else None
    return Way(sums, value, arrays=3, hard=hard, few=few, product=product, factors=4)


def _few(
    x: Floats, t: Floats, room: Room, wide: bool, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """`numeric_core.direct.few`, s0 = 0."""
    m = len(x)
    both, sums = both_sides(x, t, room, wide)
    # float64 has labels small enough for any sum
    if not wide and least(sums) < LEAST and not _known(sums).all():
        return None
    gradient = None
    if slopes:
        norm = (1.0 + sums)[:, None]
        np.multiply(both, 1.0 / norm, out=both) if wide else np.divide(both, norm, out=both)
        gradient = np.subtract(both[:m], both[m:], out=room.first if wide else None)
    logs = np.log1p(sums)
    return logs[m:] + logs[:m], gradient


def both_sides(x: Floats, t: Floats, room: Room, wide: bool) -> tuple[Floats, Floats]:
    """u, and below it d, (2 m, n), in the last arrays, and their sums."""
    both, e, u = room.upper, np.exp(x, out=room.first), room.third
    np.subtract(1.0, t, out=u)
    np.multiply(u, e, out=u)
    np.divide(t, e, out=room.fourth)
    if wide:
        return both, np.vecdot(both, room.ones)
    return both, exact_sum(both, room.lower)


def _sums(base: float, block: Block) -> tuple[Floats, Floats]:
    u, d, spare = terms(block)
    up, down = block.known or (block.total(u, spare), block.total(d, spare))
    if block.gradient is not None:
        for x, norm in ((u, base + up), (d, 1.0 / base + down)):
            # one more rounding, which only a result of float64 would show
            if block.wide:
                np.multiply(x, (1.0 / norm)[:, None], out=x)
            else:
                np.divide(x, norm[:, None], out=x)
        block.write(np.subtract, u, d)
    return up, down


def _value(base: float, totals: Totals) -> Floats:
    up, down = totals.sums
    value: Floats = np.log1p(base * down) + np.log1p(up / base)
    return np.where(_known(up) & _known(down), value, math.nan)


def _product(base: float, block: Block, v: Floats) -> Floats:
    """Writes H v; the sum of the two means of v."""
    u, d, spare = terms(block)
    up = _covariance(block, u, base, v, spare)
    down = _covariance(block, d, 1.0 / base, v, spare)
    block.write(np.add, u, d)
    return up + down


def _covariance(block: Block, terms: Floats, null: float, v: Floats, spare: Floats) -> Floats:
    """p_i (v_i - sum_j p_j v_j) in place of the terms of one side; the mean of v."""
    y = block.scratch[3]
    norm = null + block.total(terms, spare)
    largest, own = leader(terms, v)
    start = np.where(largest > null, own, 0.0)
    mean = centred(v, start, mean_beside(terms, norm, null), y)
    np.divide(terms, norm[:, None], out=terms)
    np.multiply(terms, y, out=terms)
    return mean


def terms(block: Block) -> tuple[Floats, Floats, Floats]:
    """u, d, and an array to write to."""
    e, u, d, *_ = block.scratch
    block.exponentials(e)
    np.divide(block.labels, e, out=d)
    np.subtract(1.0, block.labels, out=u)
    np.multiply(u, e, out=u)
    block.clear(u)
    return u, d, e


def _known(total: Floats) -> Floats:
    """Sums without a term, or of which no digit is lost."""
    return (total == 0.0) | ((total >= LEAST) & (total <= MOST))
