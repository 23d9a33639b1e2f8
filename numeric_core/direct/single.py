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
from numeric_core.direct.blocks import REACH, Block, Floats, Totals, dot

__all__ = ["BINARY"]


LEAST = 2.0**-20
"""Of the first sum.  A loss above has lost 20 bits of float64 by the subtraction, and the few
roundings of a sum."""


def _plainly(block: Block) -> tuple[Floats, ...]:
    """sum_i log(1 + e^{s_i}), sum_i t_i s_i."""
    e, a = block.scratch
    block.clear(block.exponentials(e))
    sums = block.known
    if not sums:
        sums = (block.total(np.log1p(e, out=a), a), dot(block.labels, block.scores))
    _slope(block, e, a)
    return sums


def _plain_value(totals: Totals) -> Floats:
    rising, linear = totals.sums
    value = rising - linear
    # not >= of inf - linear: e^s has overflowed
    return np.where((value >= LEAST * rising) & (rising < math.inf), value, math.nan)


def _slope(block: Block, e: Floats, a: Floats) -> None:
    """Writes the gradient, from e^s; both are written to."""
    if block.gradient is None:
        return
    t = block.labels
    np.multiply(np.subtract(1.0, t, out=a), e, out=a)
    block.write(np.divide, np.subtract(a, t, out=a), np.add(e, 1.0, out=e))


def _sums(block: Block) -> tuple[Floats, ...]:
    e, a, *_ = block.scratch
    block.exponentials(e)
    np.subtract(1.0, block.labels, out=a)
    sums = block.known or (_losses(block),)
    block.clear(e)
    _slope(block, e, a)
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
BINARY = Way(_plainly, _plain_value, arrays=2, second=APART, product=_product, factors=2)
