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
from numeric_core.direct.blocks import Block, Floats, Totals
from numeric_core.direct.covariance import HALF, centred, leader, mean_beside

__all__ = ["terms", "way"]

LEAST, MOST = 2.0**-700, 2.0**700
"""A sum below may lack terms that underflowed, one above is near to overflow; e^700 = 2^1010 is
above, so that a score that is clipped there cannot pass under a label > 0 of float32."""

FARTHEST = 32.0
"""e^{2 s0} times a sum within MOST stays in range."""


ALONE = 0.95
"""A class with more of its side, under a soft label in float64, makes y_i a single term, with eight
roundings on its way to h_i: 4.8 ulp were seen.  Such a row goes the careful way."""


@cache
def way(threshold: float, hard: bool) -> Way | None:
    """How `numeric_core.direct` computes ZLPR."""
    if abs(threshold) > FARTHEST:
        return None
    base = math.exp(threshold)
    product = partial(_product, base, hard)
    sums, value = partial(_sums, base), partial(_value, base)
    return Way(sums, value, arrays=3, hard=hard, product=product, factors=4)


def _sums(base: float, block: Block) -> tuple[Floats, Floats]:
    u, d, spare = terms(block)
    up, down = block.known or (block.total(u, spare), block.total(d, spare))
    if block.gradient is not None:
        np.divide(u, (base + up)[:, None], out=u)
        np.divide(d, (1.0 / base + down)[:, None], out=d)
        block.write(np.subtract, u, d)
    return up, down


def _value(base: float, totals: Totals) -> Floats:
    up, down = totals.sums
    value: Floats = np.log1p(base * down) + np.log1p(up / base)
    return np.where(_known(up) & _known(down), value, math.nan)


def _product(base: float, hard: bool, block: Block, v: Floats) -> Floats:
    """Writes H v; the sum of the two means of v."""
    choose = terms if block.wide else _hard_terms if hard else _soft_terms
    u, d, spare = choose(block)
    up = _covariance(block, u, base, v, spare)
    down = _covariance(block, d, 1.0 / base, v, spare)
    block.write(np.add, u, d)
    return up + down


def _covariance(block: Block, terms: Floats, null: float, v: Floats, spare: Floats) -> Floats:
    """p_i (v_i - sum_j p_j v_j) in place of the terms of one side; the mean of v."""
    y = block.scratch[3]
    norm = block.total_beside(null, terms, spare)
    largest, own, label = leader(terms, v, block.labels)
    start = np.where(largest > null, own, 0.0)
    near = np.maximum(largest, null) > HALF * norm
    mean = centred(block, v, start, near, mean_beside(block, terms, norm, null), y)
    np.divide(terms, norm[:, None], out=terms)
    np.multiply(terms, y, out=terms)
    if not block.wide:
        mean[(largest > ALONE * norm) & (label > 0.0) & (label < 1.0)] = math.nan
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


def _soft_terms(block: Block) -> tuple[Floats, Floats, Floats]:
    """As `terms`, with e^{-s_i} of its own: 1 / e^{s_i} has a rounding more."""
    e, u, d, *_ = block.scratch
    t = block.labels
    np.exp(np.negative(block.scores, out=e), out=e)
    np.multiply(e, t, out=d)
    np.subtract(1.0, t, out=u)
    np.multiply(block.exponentials(e), u, out=u)
    block.clear(u)
    return u, d, e


def _hard_terms(block: Block) -> tuple[Floats, Floats, Floats]:
    """As `_soft_terms`, to the last bit, for labels 0 and 1: one exponential a label."""
    e, u, d, *_ = block.scratch
    t = block.labels
    np.multiply(t, -2.0, out=d)
    np.add(d, 1.0, out=d)
    np.exp(np.multiply(d, block.scores, out=d), out=e)
    block.clear(e)
    np.multiply(e, t, out=d)
    np.subtract(e, d, out=u)
    return u, d, e


def _known(total: Floats) -> Floats:
    """Sums without a term, or of which no digit is lost."""
    return (total == 0.0) | ((total >= LEAST) & (total <= MOST))
