"""Hessian-vector products of NumPy rows, a block at a time, as `numeric_core.direct` does values.

A loss says how (`Way.product`): it writes the products of a block and returns a number a row, nan
or inf where they must not be believed.  Those rows go the careful way, and so do rows with a score
beyond FARTHEST that is no mask, and all float64 rows: of plain sums and quotients, 4.1 ulp (binary
cross-entropy) to 8.2 (softmax) were seen in their results.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from numeric_core import checks, leftovers
from numeric_core.direct import Way, given, takes
from numeric_core.direct.blocks import Block, Floats
from numeric_core.direct.covariance import FARTHEST
from numeric_core.namespace import Array

__all__ = ["hvp", "takes_product"]

LONGEST = 1 << 20
"""Labels of a row, whose arrays are not taken in parts here."""

OWN = 3
"""Arrays of a block beside those of the loss: scores, labels and vector in float64."""


def takes_product(way: Way, scores: Array, labels: Array, vector: Array, axis: Any) -> bool:
    """What `takes` takes in float16 and float32, and a vector of the scores' shape and dtype."""
    if way.product is None or not takes(way, scores, labels, axis):
        return False
    if scores.dtype == np.float64 or type(vector) is not np.ndarray or vector.dtype != scores.dtype:
        return False
    return vector.shape == scores.shape and scores.shape[axis] <= LONGEST


def hvp(
    way: Way, scores: Array, labels: Array, vector: Array, axis: int, plain: Callable[..., Any]
) -> Any:
    """The Hessian of every row times its part of vector: the shape of scores."""
    return leftovers.hvp(partial(_run, way), scores, labels, vector, axis, plain)


def _run(way: Way, s: Floats, t: Floats, v: Floats) -> tuple[Floats, Floats]:
    """The products (m, n), and a number (m,) that is nan for the rows left to do."""
    m, n = s.shape
    product, marks = np.empty(s.shape, s.dtype), np.zeros(m)
    step = min(max(1, given.BLOCK // ((way.factors + OWN) * n)), m)
    scratch = given.scratch_of(way.factors + OWN, step, n)
    with np.errstate(all="ignore"), given.buffer_for(n):
        for start in range(0, m, step):
            here = slice(start, start + step)
            room = tuple(scratch[:, : m - start])
            marks[here] = 0.0 * _block(way, s[here], t[here], v[here], product[here], room)
    return product, marks


def _block(
    way: Way, s: Floats, t: Floats, v: Floats, product: Floats, scratch: tuple[Floats, ...]
) -> Floats:
    """Writes the products of some rows; the number of each."""
    assert way.product is not None
    x, y, z, *rest = scratch
    bad, t = given.bad_labels(t, s.shape[1], way.hard), given.float_labels(t, s, y)
    scores, gone, lost = _scores(s, t, way.scale, x)
    vector = given.float_scores(v, 1.0, z)
    marks = way.product(Block(scores, t, True, gone, product, tuple(rest)), vector)
    for rows in (bad, lost):
        if rows is not None:
            marks[rows] = math.nan
    return marks


def _scores(
    s: Floats, t: Floats, scale: float, out: Floats
) -> tuple[Floats, Floats | None, Floats | None]:
    """The scores to compute with; where one is a mask; and the rows left to do."""
    x = given.float_scores(s, scale, out)
    if s.min() * scale >= -FARTHEST and s.max() * scale <= FARTHEST:
        return x, None, None
    gone = s <= checks.mask_bound(np, s.dtype)
    far = ~(np.abs(x) <= FARTHEST)
    lost = np.any(np.where(gone, t > 0, far), axis=-1)
    return np.where(far, 0.0, x), gone, lost
