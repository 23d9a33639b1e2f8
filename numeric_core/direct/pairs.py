"""The unified loss: with the scale in s already, and c = e^{gamma m},

u_i = (1 - t_i) e^{s_i},   d_i = t_i / e^{s_i},   V = sum u_i,   W = sum d_i,   R = c V W
l   = log1p(R)
g_i = u_i gamma c W / (1 + R) - d_i gamma c V / (1 + R)

(H v)_i = gamma^2 R / (1 + R) (u_i / V (v_i - a) + d_i / W (v_i - b)), with the means of v

a = (R x + y) / (1 + R),   b = (x + R y) / (1 + R),   x = sum u_j v_j / V,   y = sum d_j v_j / W
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import Block, Floats, Totals
from numeric_core.direct.covariance import Mean, centred, leader, mean_beside
from numeric_core.direct.two_sided import terms

__all__ = ["way"]

LEAST, MOST = 2.0**-400, 2.0**400
"""Products of two such sums and of c, and their inverses, are in range; no term of the negatives
that is lifted by c W <= 2^500 was subnormal, as t e^{-s} <= MOST there."""

TINY = 2.0**-500
"""t / e^s is a normal number for a label from here on, e^s <= MOST."""

FARTHEST = 64.0
"""|gamma m| up to which c is within 2^93; and gamma within 1 / 64 and 64, so that the scores
between a mask (-65504 in float16) and REACH are few."""


def way(scale: float, margin: float) -> Way | None:
    """How `numeric_core.direct` computes the unified loss."""
    if not 1.0 / FARTHEST <= scale <= FARTHEST or abs(scale * margin) > FARTHEST:
        return None
    c = math.exp(scale * margin)
    sums, product = partial(_sums, scale, c), partial(_product, scale, c)
    return Way(sums, partial(_value, c), arrays=3, scale=scale, product=product, factors=4)


def _sums(scale: float, c: float, block: Block) -> tuple[Floats, Floats]:
    u, d, spare = terms(block)
    v, w = block.known or (block.total(u, spare), block.total(d, spare))
    if block.gradient is not None:
        share = scale * c / (1.0 + c * v * w)
        np.multiply(u, (share * w)[:, None], out=u)
        np.multiply(d, (share * v)[:, None], out=d)
        block.write(np.subtract, u, d)
    if not (block.wide or block.known):
        t = block.labels
        w[((t > 0) & (t < TINY)).any(axis=-1)] = math.nan
    return v, w


def _product(scale: float, c: float, block: Block, v: Floats) -> Floats:
    """Writes H v; the sum of the two means of v, nan where R is out of range."""
    u, d, spare = terms(block)
    up, down = block.total(u, spare), block.total(d, spare)
    ratio = c * up * down
    rest = 1.0 / (1.0 + ratio)
    of_u, of_d = (
        mean_beside(block, x, np.where(total > 0.0, total, 1.0))
        for x, total in ((u, up), (d, down))
    )
    first, second = leader(u, v)[1], leader(d, v)[1]
    likely = ratio >= 1.0
    near, far = np.where(likely, first, second), np.where(likely, second, first)
    share, y = scale * scale * c * rest, block.scratch[3]
    _, a = centred(block, v, near, _mixed(ratio * rest, of_u, rest, of_d), y)
    spare = np.multiply(y, (share * down)[:, None], out=spare)
    _, b = centred(block, v, far, _mixed(rest, of_u, ratio * rest, of_d), y)
    np.multiply(u, spare, out=u)
    np.multiply(y, (share * up)[:, None], out=y)
    block.write(np.add, np.multiply(d, y, out=d), u)
    return np.where(ratio <= MOST, a + b, math.nan)


def _mixed(p: Floats, first: Mean, q: Floats, second: Mean) -> Mean:
    """The mean by a mixture of two distributions."""
    return lambda seen, c: (p * first(seen, c)[0] + q * second(seen, c)[0], 0.0)


def _value(c: float, totals: Totals) -> Floats:
    v, w = totals.sums
    none = v == 0.0 if totals.partly is None else (v == 0.0) & ~totals.partly
    known = totals.counts(v, LEAST, MOST) | none
    known &= (w == 0.0) | ((w >= LEAST) & (w <= MOST))
    return np.where(known, np.log1p(c * v * w), math.nan)
