"""Binary cross-entropy, label by label.

    l   = sum_i log(1 + e^{s_i}) - sum_i t_i s_i                              plainly
    l   = sum_i max((1 - t_i) s_i, -t_i s_i) + log1p(min(e^{s_i}, 1 / e^{s_i}))
    g_i = ((1 - t_i) e^{s_i} - t_i) / (1 + e^{s_i})

    (H v)_i = e^{s_i} / (1 + e^{s_i})^2 v_i

The plain form is for results of float32 where little is taken away.  All terms of the other are
>= 0.  The numerator of g is a difference of its two sides, and no more.
"""

from __future__ import annotations

import math

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import REACH, Block, Floats, Totals, dot, exact_sum
from numeric_core.direct.few import REACH as FARTHEST
from numeric_core.direct.few import Room, least

__all__ = ["BINARY"]


LEAST = 2.0**-20
"""Of the first sum, and of a label: a loss above has lost 20 bits of float64 by the subtraction,
and no more of 1 + e^s as it is rounded."""


def _plainly(block: Block) -> tuple[Floats, ...]:
    """sum_i log(1 + e^{s_i}), sum_i t_i s_i."""
    e, a, x = block.scratch
    block.clear(block.exponentials(e))
    norm, s = np.add(e, 1.0, out=a), block.scores
    sums = block.known
    if not sums:
        rising = block.total(np.log(norm, out=x), x)
        sums = (rising, dot(block.labels, s), np.full(len(s), float(s.shape[1])))
    if block.gradient is not None:
        _slope(block, e, norm, x)
    return sums


def _plain_value(totals: Totals) -> Floats:
    rising, linear, n = totals.sums
    value = rising - linear
    # not >= of inf - linear: e^s has overflowed
    known = (value >= LEAST * np.maximum(rising, n)) & (rising < math.inf)
    return np.where(known, value, math.nan)


def _slope(block: Block, e: Floats, norm: Floats, a: Floats) -> None:
    """Writes the gradient, from e^s and 1 + e^s; a is written to."""
    t = block.labels
    np.multiply(np.subtract(1.0, t, out=a), e, out=a)
    block.write(np.divide, np.subtract(a, t, out=a), norm)


def _sums(block: Block) -> tuple[Floats, ...]:
    e, a, *_ = block.scratch
    block.exponentials(e)
    np.subtract(1.0, block.labels, out=a)
    sums = block.known or (_losses(block),)
    block.clear(e)
    if block.gradient is not None:
        _slope(block, e, np.add(e, 1.0, out=block.scratch[2]), a)
    return sums


def _losses(block: Block) -> Floats:
    """l, from e^s and 1 - t; nan where e^s may overflow."""
    e, a, x, y, z = block.scratch
    s, t = block.scores, block.labels
    np.negative(np.multiply(t, s, out=x), out=x)
    np.maximum(x, np.multiply(a, s, out=y), out=x)
    np.log1p(np.minimum(e, np.divide(1.0, e, out=y), out=y), out=y)
    block.clear(y)
    value = block.total(np.add(x, y, out=x), z)
    if not s.max() <= REACH:
        value[~(s.max(axis=-1) <= REACH)] = math.nan
    return value


def _few(
    x: Floats, t: Floats, room: Room, wide: bool, slopes: bool
) -> tuple[Floats, Floats | None] | None:
    """`numeric_core.direct.few`."""
    spare, e, a, norm, *_ = room
    np.exp(x, out=e)
    np.subtract(1.0, t, out=a)
    if wide:
        np.log(np.add(e, 1.0, out=norm), out=spare)
        value = np.vecdot(spare, room.ones) - np.vecdot(t, x)
        # log(1 + e^s) < |s| + 1
        if not least(value) >= LEAST * (FARTHEST + 1.0) * x.shape[1]:
            return None
    else:
        value = _losses_of(x, t, room)
    if not slopes:
        return value, None
    if not wide:
        np.add(e, 1.0, out=norm)
    np.subtract(np.multiply(a, e, out=a), t, out=a)
    return value, np.divide(a, norm, out=a if wide else None)


def _losses_of(x: Floats, t: Floats, room: Room) -> Floats:
    """As `_losses`: l, from e^s and 1 - t in the room."""
    spare, e, a, linear, *_ = room
    np.negative(np.multiply(t, x, out=linear), out=linear)
    np.maximum(linear, np.multiply(a, x, out=spare), out=linear)
    np.log1p(np.minimum(e, np.divide(1.0, e, out=spare), out=spare), out=spare)
    return exact_sum(np.add(linear, spare, out=linear), spare)


def _product(block: Block, v: Floats) -> Floats:
    """Writes H v; a number a row that is nan or inf where v is."""
    e, x = block.scratch
    block.exponentials(e)
    block.clear(e)
    np.square(np.add(e, 1.0, out=x), out=x)
    np.divide(e, x, out=e)
    block.write(np.multiply, e, v)
    return dot(e, v)


def _value(totals: Totals) -> Floats:
    (value,) = totals.sums
    return value


APART = Way(_sums, _value, arrays=5)
BINARY = Way(_plainly, _plain_value, arrays=3, second=APART, few=_few, product=_product, factors=2)
