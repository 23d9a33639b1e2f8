"""Binary cross-entropy, label by label.

    l   = sum_i max((1 - t_i) s_i, -t_i s_i) + log1p(min(e^{s_i}, 1 / e^{s_i}))
    g_i = ((1 - t_i) e^{s_i} - t_i) / (1 + e^{s_i})

    (H v)_i = e^{s_i} / (1 + e^{s_i})^2 v_i

All terms of l are >= 0.  The numerator of g is a difference of its two sides, and no more.
"""

from __future__ import annotations

import math

import numpy as np

from numeric_core.direct import Way
from numeric_core.direct.blocks import REACH, Block, Floats, Totals, dot

__all__ = ["BINARY"]


def _sums(block: Block) -> tuple[Floats, ...]:
    e, a, *_ = block.scratch
    block.exponentials(e)
    np.subtract(1.0, block.labels, out=a)
    sums = block.known or (_losses(block),)
    if block.gradient is not None:
        block.clear(e)
        np.subtract(np.multiply(a, e, out=a), block.labels, out=a)
        block.write(np.divide, a, np.add(e, 1.0, out=e))
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


BINARY = Way(_sums, _value, arrays=5, product=_product, factors=2)
