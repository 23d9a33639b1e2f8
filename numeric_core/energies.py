"""The exponents of Circle loss: x(u) = c max(u + m, 0) (u - m), as pairs, for scores of any size.

u is s for a negative and 1 - s for a positive, so that above -m

    x = c (u^2 - m^2),   dx/du = 2 c u,   d2x/du2 = 2 c,

and 0 below.  The squares of scores overflow long before the scores do: beyond a bound on |s| the
largest u of a side outweighs all others, and only it is kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numeric_core.exact import Pair
from numeric_core.namespace import Array, Namespace, finfo_max
from numeric_core.rows import Rows
from numeric_core.single import choose, pair_like

__all__ = ["ABSENT", "Energies", "energies", "enlarged", "largest_energies", "score_bound"]

ABSENT = -3e38
"""A negative at or below this has no part in Circle loss: the lowest numbers of float32, bfloat16
and float64, and -inf, which rows hold as the lowest number of theirs."""


STANDS_FOR_HUGE = 1e8
"""c u^2 of it outweighs what other labels have by more than the digits of any dtype, for margins
far below it, and is far from overflow in float32."""


def _doubled(x: Pair) -> Pair:
    return Pair(x.xp, 2.0 * x.high, 2.0 * x.low)


class Energies(NamedTuple):
    """x = c max(u + m, 0) (u - m) as a pair, its slope 2 c u above -m, and c max(u + m, 0).

    u is s for a negative and 1 - s for a positive; where u + m > 0 the label is active.  ratio is
    what the slope has to be multiplied by, for scores beyond the bound; None for 1.
    """

    x: Pair
    slope: Pair
    weight: Pair
    active: Array
    ratio: Array | None


def energies(rows: Rows, scale: float, margin: float) -> Energies:
    """(*batch, n), of the labels' own kind."""
    xp = rows.xp
    u, ratio = _distances(rows)
    m, c = pair_like(xp, margin, u.high), pair_like(xp, scale, u.high)
    nothing = Pair.of(xp, xp.zeros_like(u.high))
    weight = u + m
    active = weight.high > 0
    weight = c * choose(xp, active, weight, nothing)
    slope = choose(xp, active, _doubled(c * u), nothing)
    return Energies(weight * (u - m), slope, weight, active, ratio)


def _distances(rows: Rows) -> tuple[Pair, Array | None]:
    """u, and what it was divided by.

    On a side with a u beyond the bound only the largest counts, all others are 0 in the dtype:
    u is then STANDS_FOR_HUGE at the largest and 0 at the others.
    """
    xp, s, positive = rows.xp, rows.scores, rows.labels > 0
    bound = score_bound(rows)
    if rows.bound <= 0.5 * bound:
        one_less = Pair.difference(xp, xp.ones_like(s), s)
        return choose(xp, positive, one_less, Pair.of(xp, s)), None
    near = Pair.difference(xp, xp.ones_like(s), xp.clip(s, -2.0 * bound, 2.0 * bound))
    u = choose(xp, positive, near, Pair.of(xp, s))
    size = xp.where(positive, -s, s)
    lowest = xp.full_like(s, -finfo_max(xp, s.dtype))
    top = xp.where(
        positive,
        xp.max(xp.where(positive, size, lowest), axis=-1, keepdims=True),
        xp.max(xp.where(positive, lowest, size), axis=-1, keepdims=True),
    )
    huge, largest = top > bound, size == top
    zero, one = xp.zeros_like(s), xp.ones_like(s)
    stand_in = Pair.of(xp, xp.where(largest, STANDS_FOR_HUGE * one, zero))
    # below -m a label is 1 e^0 whatever its score: it must not overflow either
    u = choose(xp, u.high < -bound, Pair.of(xp, -bound * one), u)
    ratio = xp.where(huge & largest, size / STANDS_FOR_HUGE, one)
    return choose(xp, huge, stand_in, u), ratio


def enlarged(xp: Namespace, gradient: Pair, ratio: Array | None, scale: float) -> Array:
    """The gradient times the ratio; inf, without a warning, where it is above finfo.max."""
    result = gradient.rounded()
    if ratio is None:
        return result
    most = finfo_max(xp, result.dtype) / (4.0 * max(scale, 1.0) * STANDS_FOR_HUGE)
    infinite = xp.where(result > 0, math.inf * xp.ones_like(result), result * 0.0)
    infinite = xp.where(result < 0, -math.inf * xp.ones_like(result), infinite)
    return xp.where(ratio > most, infinite, result * xp.clip(ratio, 0.0, most))


def score_bound(rows: Rows) -> float:
    """|s| up to which c s^2, and (c s)^2 v, are far from overflow."""
    return 1e70 if rows.scores.dtype == rows.xp.float64 else 1e9


def largest_energies(rows: Rows, value: Array, scale: float) -> Array:
    """The largest c s^2 of the negatives and of the positives, for rows beyond the bound.

    Beside it all else is below an ulp.  Scores are counted in `unit`, their squares in its.
    """
    xp, t, s = rows.xp, rows.labels, rows.scores
    unit = 2.0**512 if s.dtype == xp.float64 else 2.0**64
    u = xp.clip(xp.where(t > 0, -s, s) / unit, -1.0, unit * 2.0**-12)
    x = xp.where(u > 0, scale * (u * u), xp.zeros_like(u))
    zero = xp.zeros_like(x)
    top = xp.max(xp.where(t > 0, x, zero), axis=-1) + xp.max(xp.where(t > 0, zero, x), axis=-1)
    pairs = xp.any(t > 0, axis=-1) & xp.any((t == 0) & (s > ABSENT), axis=-1)
    limit = finfo_max(xp, s.dtype) / unit / unit
    inside = xp.where(top < limit, top, xp.zeros_like(top)) * unit * unit
    exact = xp.where(top < limit, inside, math.inf * xp.ones_like(top))
    bound = score_bound(rows)
    beyond = (xp.max(xp.where(u > bound / unit, u, zero), axis=-1) > 0) & pairs
    return xp.where(beyond, exact, value)
