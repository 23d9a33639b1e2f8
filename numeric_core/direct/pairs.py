"""The unified loss: with the scale in s already, and c = e^{gamma m},

u_i = (1 - t_i) e^{s_i},   d_i = t_i / e^{s_i},   V = sum u_i,   W = sum d_i,   R = c V W
l   = log1p(R)
g_i = u_i gamma c W / (1 + R) - d_i gamma c V / (1 + R)

(H v)_i = gamma^2 R / (1 + R) (u_i / V (v_i - a) + d_i / W (v_i - b)), with the means of v

a = (R x + y) / (1 + R),   b = (x + R y) / (1 + R),   x = sum u_j v_j / V,   y = sum d_j v_j / W
"""

from __future__ import annotations

import math
from functools import cache, partial
from typing import TypeAlias

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import Block, Floats, Totals
from numeric_core.direct.covariance import centred, leader, mean_beside
from numeric_core.direct.few import Room, least
from numeric_core.direct.two_sided import both_sides, terms

__all__ = ["way"]

LEAST, MOST = 2.0**-400, 2.0**400
"""Products of two such sums and of c, and their inverses, are in range; no term of the negatives
that is lifted by c W <= 2^500 was subnormal, as t e^{-s} <= MOST there."""

TINY = 2.0**-500
"""t / e^s is a normal number for a label from here on, e^s <= MOST."""

_SMALL_BITS = int(np.float64(2.0**-200).view(np.uint64)) - 1
"""With such labels W >= 2^-200 e^-128 for scores up to 128, and V >= 2^-53 e^-128: in range."""

FARTHEST = 64.0
"""|gamma m| up to which c is within 2^93; and gamma within 1 / 64 and 64, so that the scores
between a mask (-65504 in float16) and REACH are few."""


@cache
def way(scale: float, margin: float) -> Way | None:
    """How `numeric_core.direct` computes the unified loss."""
    if not 1.0 / FARTHEST <= scale <= FARTHEST or abs(scale * margin) > FARTHEST:
        return None
    c = math.exp(scale * margin)
    sums, product = partial(_sums, scale, c), partial(_product, scale, c)
    few = _few if scale == c == 1.0 else None
    way = Way(sums, partial(_value, c), arrays=3, scale=scale, few=few)
    return way._replace(product=product, factors=4)


def _few(
    x: Floats, t: Floats, room: Room, wide: bool, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """`numeric_core.direct.few`, gamma = 1, m = 0."""
    # float64 has labels that are too small; 0 - 1 is the largest integer
    if not wide and least(t.view(np.uint64) - 1) < _SMALL_BITS:
        return None
    m = len(x)
    both, sums = both_sides(x, t, room, wide)
    v, w = sums[:m], sums[m:]
    ratio = v * w
    gradient = None
    if slopes:
        share = 1.0 / (1.0 + ratio)
        factors = np.concatenate((share * w, share * v))
        np.multiply(both, factors[:, None], out=both)
        gradient = np.subtract(both[:m], both[m:], out=room.first if wide else None)
    return np.log1p(ratio), gradient


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
    # R u / (1 + R) / V and its like, which are 0 where a side has no label
    of_u, of_d = (x + 1.0 / (c * y) for x, y in ((up, down), (down, up)))
    only_u, only_d = (np.where(x > 0.0, x, 1.0) / rest for x in (up, down))
    y = block.scratch[3]
    likely = ratio >= 1.0
    a = _seen(v, y, (u, of_u), (d, only_d), likely)
    np.divide(y, (of_u / scale**2)[:, None], out=spare)
    b = _seen(v, y, (d, of_d), (u, only_u), likely)
    np.divide(y, (of_d / scale**2)[:, None], out=y)
    np.multiply(u, spare, out=u)
    block.write(np.add, np.multiply(d, y, out=d), u)
    return np.where(ratio <= MOST, a + b, math.nan)


Side: TypeAlias = tuple[Floats, Floats]
"""Terms, and what they are divided by in the mixture with the other side."""


def _seen(v: Floats, out: Floats, own: Side, other: Side, likely: Floats) -> Floats:
    """v from its mean by a mixture of two sides, own the larger where likely; the mean."""
    first, second = (mean_beside(*side) for side in (own, other))

    def mean(seen: Floats, c: Floats) -> Floats:
        return first(seen, c) + second(seen, c)

    near, far = (leader(terms, v)[1] for terms, _ in (own, other))
    return centred(v, np.where(likely, near, far), mean, out)


def _value(c: float, totals: Totals) -> Floats:
    v, w = totals.sums
    none = v == 0.0 if totals.partly is None else (v == 0.0) & ~totals.partly
    known = totals.counts(v, LEAST, MOST) | none
    known &= (w == 0.0) | ((w >= LEAST) & (w <= MOST))
    return np.where(known, np.log1p(c * v * w), math.nan)
