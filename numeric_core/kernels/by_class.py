"""Softmax cross-entropy, value and gradient, with the labels as the index y of a class.

    l = m - s_y + log1p(R / e_k),   g_y = -(1 - p_y),   g_i = p_i

in the notation of `softmax`, whose case of one label 1 this is, to the same bits: the labels are
not read, nor multiplied with.  Rows without an answer get the value nan: those of `exponentials`,
an index that is not one of 0, ..., n - 1, and a class y that is masked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import two_sum
from numeric_core.kernels.exponentials import (
    LARGEST,
    LINEAR,
    MAIN,
    REACH,
    REST,
    STATE,
    TIES,
    TOP,
    add,
    fill_rows,
)
from numeric_core.kernels.intrinsics import Scalar, add_any_order, constant, fma
from numeric_core.kernels.softmax import ARRAYS, cut_sums, factors, part_of, values
from numeric_core.kernels.sums import LENGTH

__all__ = ["ARRAYS", "STATE", "ByClass", "rows"]


class ByClass(NamedTuple):
    """Labels that are the index of a class, (m,) for m rows."""

    tolerance: float


@INLINE
def _add_terms(e: Scalar, state: Scalar) -> None:
    """Adds the terms of a chunk below the largest, and how many are as large."""
    largest, zero = constant(e[0], state[LARGEST]), constant(e[0], 0.0)
    rest, ties = 0.0, 0.0
    for i in range(e.size):
        rest = add_any_order(rest, np.float64(zero if e[i] == largest else e[i]))
        ties = add_any_order(ties, 1.0 if e[i] == largest else 0.0)
    state[TIES] += ties
    if not cut_sums(e[0]):
        add(state, REST, rest, 0.0)
        return
    large, high, low = 2.0 * rest, 0.0, 0.0
    for i in range(e.size):
        a, b = part_of(np.float64(zero if e[i] == largest else e[i]), large)
        high, low = add_any_order(high, a), add_any_order(low, b)
    add(state, REST, *two_sum(high, low))


@INLINE
def _add_label(s: Scalar, y: Scalar, state: Scalar) -> None:
    """m - s_y, rounded as the product of labels is."""
    known = (y >= 0) & (y < s.size)
    score = s[y if known else 0]
    state[MAIN] = 1.0 if known & (score > -REACH) else np.nan
    state[LINEAR] = constant(score, state[TOP]) - score


@INLINE
def _gradient(e: Scalar, y: Scalar, f: Scalar) -> None:
    """The gradient in the place of the terms."""
    high, low, complement = f[0], f[1], f[2]
    for i in range(e.size):
        e[i] = fma(e[i], high, e[i] * low)
    place = y if (y >= 0) & (y < e.size) else 0
    p = e[place]
    e[place] = -(complement if p > constant(p, 0.5) else constant(p, 1.0) - p)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) with labels (m,) and, unless it has the size 0, the gradient."""
    m = value.size
    n = scores.size // m
    step = max(1, LENGTH // n)
    states = np.zeros((m, STATE))
    for start in range(0, m, step):
        stop = min(start + step, m)
        some, here = states[start:stop], slice(start * n, stop * n)
        e = gradient[here] if gradient.size else scratch[0, : (stop - start) * n]
        fill_rows(scores[here], e, some)
        for i in range(start, stop):
            row = e[(i - start) * n : (i - start + 1) * n]
            for first in range(0, n, LENGTH):
                _add_terms(row[first : min(first + LENGTH, n)], states[i])
            _add_label(scores[i * n : (i + 1) * n], labels[i], states[i])
        if gradient.size:
            for i in range(start, stop):
                f = factors(scores[0], states[i])
                _gradient(gradient[i * n : (i + 1) * n], labels[i], f)
    values(states, kind.tolerance, value)
