"""Softmax cross-entropy.

With N = sum_j e^{s_j}, T = sum_j t_j, and k a class of the largest score,

    l   = T log N - sum_j t_j s_j                            plainly, p_i = e^{s_i} / N
    g_i = p_i T - t_i
    l   = sum_j t_j (s_k - s_j) + T log1p(R / e^{s_k}),  R = sum_{j != k} e^{s_j}
    g_i = p_i (T - t_i) - t_i (1 - p_i)                      with all digits, 1 - p_k = R / N

    (H v)_i = T p_i (v_i - sum_j p_j v_j)

The plain form is for results of float32 where the loss is not small: then neither difference has
lost more than float64 has to spare.  Elsewhere nothing is taken from 1 or from T that is most of
it: the class k is summed apart from the others, and so is a label above 1/2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import FINE, Block, Floats, Totals, dot, exact_sum
from numeric_core.direct.covariance import centred, leader, mean_beside
from numeric_core.direct.few import SINGLE, Room, least, most
from numeric_core.direct.given import TOLERANCE

__all__ = ["SOFTMAX"]

MANY = 1 << 13
"""Scores from which on both slopes of all labels cost more than a list of the large ones."""

LEAST, MOST = 2.0**-700, 2.0**1000
"""Of the largest term, which is as good as the sum: p_i >= 2^-300 comes of a normal number, and
n e^{s_k} is finite."""

SMALL = 2.0**-12
"""A loss above has lost at most 700 2^-52 / 2^-12 = 2^-30 of itself by the subtraction, and
1 - p_k no more where it is of account."""

HALF, EIGHTH = 0.5, 0.125
"""Up to here p T - t has fewer roundings than the sum of its two sides, and hides no cancelling."""


def _plainly(block: Block) -> tuple[Floats, ...]:
    """N, T, and sum_j t_j s_j."""
    e, s, t = block.exponentials(block.scratch[0]), block.scores, block.labels
    block.clear(e)
    sums = block.known or (block.total(e, e), block.total(t, e), dot(t, s))
    if block.gradient is not None:
        np.multiply(e, (sums[1] / sums[0])[:, None], out=e)
        block.write(np.subtract, e, t)
    return sums


def _plain_value(totals: Totals) -> Floats:
    norm, mass, linear = totals.sums
    value = mass * np.log(norm) - linear
    return np.where((value >= SMALL) & _known(totals, norm, mass), value, math.nan)


def _few(
    x: Floats, t: Floats, room: Room, wide: bool, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """`numeric_core.direct.few`."""
    if not wide:
        return None if x.size > MANY else _few_apart(x, t, room, slopes)
    e, ones = np.exp(x, out=room.first), room.ones
    norm, mass = np.vecdot(e, ones), np.vecdot(t, ones)
    value = mass * np.log(norm) - np.vecdot(t, x)
    if not (least(value) >= SMALL and _near_one(mass, SINGLE)):
        return None
    if not slopes:
        return value, None
    np.multiply(e, (mass / norm)[:, None], out=e)
    return value, np.subtract(e, t, out=e)


def _few_apart(
    x: Floats, t: Floats, room: Room, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """As `_apart`: both sums at once."""
    m, n = x.shape
    spare, both = room.lower, room.upper
    e, flat, t_flat = np.exp(x, out=room.third), both.reshape(-1), t.reshape(-1)
    room.fourth[...] = t
    leader = x.argmax(axis=-1) + np.arange(0, m * n, n)
    largest, flat[leader] = flat[leader], 0.0
    limits = np.full(2 * m, 2.0)
    np.vecdot(e, room.ones, out=limits[:m])
    likely = most(t)
    main = (t_flat > HALF).nonzero()[0] if likely > HALF else None
    if main is not None:
        row = main // n
        if not (row[1:] > row[:-1]).all():
            return None
        flat[main + m * n] = 0.0
        limits[m + row] = np.vecdot(both[m + row], room.ones)
    sums = exact_sum(both, spare, limits[:, None])
    rest, others = sums[:m], sums[m:]
    mass = others.copy()
    if main is not None:
        mass[row] += t_flat[main]
    if not _near_one(mass, x.dtype):
        return None
    gaps = np.subtract(x.reshape(-1)[leader][:, None], x, out=room.fourth)
    value = dot(t, gaps, FINE) + mass * np.log1p(rest / largest)
    if not slopes:
        return value, None
    flat[leader] = largest
    own = None if main is None else (main, others[row])
    return value, _slopes(room, t, likely, (largest, rest, mass), leader, own)


def _slopes(
    room: Room,
    t: Floats,
    likely: float,
    sums: tuple[Floats, Floats, Floats],
    leader: Floats,
    own: tuple[Floats, Floats] | None,
) -> Floats:
    """As `_slope`, by both formulas for all labels, from e^s in the room.

    sums: e^{s_k}, R, T.  own: the places of labels above 1/2, and T without them.
    """
    share, plain, e, absent, *_ = room
    largest, rest, mass = sums
    norm = (largest + rest)[:, None]
    np.multiply(e, mass[:, None] / norm, out=share)
    np.subtract(share, t, out=plain)
    large = (np.maximum(share, t, out=share) if likely > EIGHTH else share) > EIGHTH
    q = np.subtract(norm, e, out=share)
    q.reshape(-1)[leader] = rest
    np.divide(q, norm, out=q)
    np.subtract(mass[:, None], t, out=absent)
    if own is not None:
        absent.reshape(-1)[own[0]] = own[1]
    np.multiply(np.divide(e, norm, out=e), absent, out=e)
    return np.where(large, np.subtract(e, np.multiply(t, q, out=q), out=e), plain)


def _near_one(mass: Floats, dtype: np.dtype[Any]) -> bool:
    """Whether the labels of all rows sum to 1; a sum of squares is above each of them."""
    off = mass - 1.0
    return bool(off.dot(off) <= TOLERANCE[dtype] ** 2)


def _apart(block: Block) -> tuple[Floats, ...]:
    """e^{s_k}, R, T, and sum_j t_j (s_k - s_j)."""
    e, x, spare = block.scratch
    s, t = block.scores, block.labels
    m, n = s.shape
    leader = s.argmax(axis=-1) + n * np.arange(m)
    block.clear(block.exponentials(e))
    largest, rest = _divided(block, e, leader, spare)
    np.subtract(s.reshape(-1)[leader][:, None], s, out=x)
    linear = dot(t, x, FINE)
    likely = t.max()
    mass, others = _masses(block, likely, spare)
    if block.gradient is not None:
        sums = _Sums(largest, rest, mass, others)
        large, slopes = _slope(block, leader, likely, sums)
        block.gradient.reshape(-1)[large] = slopes
    return largest, rest, mass, linear


def _value_apart(totals: Totals) -> Floats:
    largest, rest, mass, linear = totals.sums
    value = linear + mass * np.log1p(rest / largest)
    return np.where(_known(totals, largest, mass), value, math.nan)


def _known(totals: Totals, largest: Floats, mass: Floats) -> Floats:
    """Where the sums are in range and the labels of a row sum to 1."""
    return totals.counts(largest, LEAST, MOST) & (np.abs(mass - 1.0) <= totals.tolerance)


def _product(block: Block, v: Floats) -> Floats:
    """Writes H v; the mean of v, nan where the labels of a row do not sum to 1."""
    e, y = block.scratch
    block.clear(block.exponentials(e))
    mass, norm = block.total(block.labels, y, most=2.0), block.total(e, y)
    _, c = leader(e, v)
    mean = centred(v, c, mean_beside(e, norm), y)
    np.multiply(e, (mass / norm)[:, None], out=e)
    block.write(np.multiply, e, y)
    return np.where(np.abs(mass - 1.0) <= TOLERANCE[block.dtype], mean, math.nan)


class _Sums(NamedTuple):
    """Of each row (rows,): e^{s_k}, R, T, and T without a label above 1/2."""

    largest: Floats
    rest: Floats
    mass: Floats
    others: Floats


def _slope(block: Block, leader: Floats, likely: float, sums: _Sums) -> tuple[Floats, Floats]:
    """Writes p T - t; where p or t is above EIGHTH the place, and p (T - t) - t (1 - p)."""
    e, x, spare = block.scratch
    t, n = block.labels, block.labels.shape[1]
    norm = sums.largest + sums.rest
    np.multiply(e, (sums.mass / norm)[:, None], out=x)
    share = np.maximum(x, t, out=spare) if likely > EIGHTH else x
    (large,) = (share.reshape(-1) > EIGHTH).nonzero()
    block.write(np.subtract, x, t)
    row = large // n
    term, label, whole = e.reshape(-1)[large], t.reshape(-1)[large], norm[row]
    q = np.where(large == leader[row], sums.rest[row], whole - term) / whole
    absent = np.where(label > HALF, sums.others[row], sums.mass[row] - label)
    return large, term / whole * absent - label * q


def _divided(block: Block, x: Floats, place: Floats, spare: Floats) -> tuple[Floats, Floats]:
    """One term of each row, by its place in the block, and the sum of the others."""
    flat = x.reshape(-1)
    own = flat[place]
    flat[place] = 0.0
    rest = block.total(x, spare)
    flat[place] = own
    return own, rest


def _masses(block: Block, likely: float, spare: Floats) -> tuple[Floats, Floats]:
    """T, and T without a label above 1/2 where there is one; nan where there are two."""
    t, n = block.labels, block.labels.shape[1]
    mass = block.total(t, spare, most=2.0)
    others = mass.copy()
    if likely > HALF:
        (main,) = (t.reshape(-1) > HALF).nonzero()
        row = main // n
        first = np.diff(row, prepend=-1) > 0
        mass[row[~first]] = math.nan
        main, row = main[first], row[first]
        place = main % n + n * np.arange(row.size)
        own, others[row] = _divided(block, t[row], place, spare[: row.size])
        mass[row] = np.where(np.isnan(mass[row]), math.nan, others[row] + own)
    return mass, others


APART = Way(_apart, _value_apart, arrays=3, indexed=True, parts=False)
SOFTMAX = Way(_plainly, _plain_value, arrays=1, indexed=True, second=APART, few=_few)
SOFTMAX = SOFTMAX._replace(product=_product, factors=2)
