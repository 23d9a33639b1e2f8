"""Softmax cross-entropy of class indices, of rows as long as a vector and longer, with vectors.

The formulas, and what is left to others, are those of `by_class`; how a row is read, that of
`softmax_rows`: nothing but the scores comes from memory, and nothing but the gradient goes there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric_core.kernels import by_class, softmax
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.exponentials import (
    LARGEST,
    LINEAR,
    MAIN,
    OTHERS,
    REACH,
    REST,
    STATE,
    TIES,
    TOP,
    easy_term,
)
from numeric_core.kernels.intrinsics import Scalar, constant, fma
from numeric_core.kernels.odd_rows import redo
from numeric_core.kernels.softmax_rows import AHEAD, all_terms, far_out, reach
from numeric_core.kernels.sums import LENGTH
from numeric_core.kernels.vector_memory import ask, at, load, load_some, numbers, store, store_some
from numeric_core.kernels.vector_sums import added, nothing, total_of_two
from numeric_core.kernels.vectors import choose, count, uniformly, width

__all__ = ["rows"]


@INLINE
def _below(e: Scalar, n: Scalar, highest: Scalar) -> Scalar:
    """The sum of the terms below the largest, as a pair, and how many are as large."""
    zero = constant(highest, 0.0)
    rest, none, ties, top = nothing(highest), nothing(highest), 0, uniformly(highest)
    lanes = width(e)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        x = load(e, i)
        tie = x == top
        rest, ties = added(rest, choose(tie, zero, x)), ties + count(tie)
    if whole < n:
        x = load_some(e, whole, n - whole)
        tie = x == top
        rest, ties = added(rest, choose(tie, zero, x)), ties + count(tie)
    return total_of_two(rest, none)[0], ties


@INLINE
def _put(state: Scalar, s: Scalar, n: Scalar, y: Scalar, e: Scalar, highest: Scalar) -> None:
    """The state of a row: of the labels there is one above 1/2."""
    (state[REST], state[REST + 1]), ties = _below(e, n, highest)
    state[LARGEST], state[TIES] = np.float64(highest), np.float64(ties)
    known = (y >= 0) & (y < n)
    score = s[y if known else 0]
    state[MAIN] = 1.0 if known & (score > -REACH) else np.nan
    state[OTHERS], state[OTHERS + 1], state[LINEAR + 1] = 0.0, 0.0, 0.0
    state[LINEAR] = np.float64(constant(highest, state[TOP]) - score)


@INLINE
def _gradient(e: Scalar, y: Scalar, g: Scalar, n: Scalar, f: Scalar) -> None:
    """p, and p - 1 for the class: exactly minus the rest where p is above 1/2."""
    high, low = uniformly(f[0]), uniformly(f[1])
    lanes = width(g)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        x = load(e, i)
        store(g, i, fma(x, high, x * low))
        ask(g, i + AHEAD, 1)
    if whole < n:
        m = n - whole
        x = load_some(e, whole, m)
        store_some(g, whole, m, fma(x, high, x * low))
    place = y if (y >= 0) & (y < n) else 0
    p = fma(e[place], f[0], e[place] * f[1])
    g[place] = -(f[2] if p > constant(p, 0.5) else constant(p, 1.0) - p)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """As `by_class.rows`, which does those that ask for care."""
    n = scores.size // value.size
    step = max(1, LENGTH // n)
    room, odd = np.empty(step * STATE), np.zeros(step, np.bool_)
    s, y, v, g = numbers(scores), numbers(labels), numbers(value), numbers(gradient)
    e, states, far = numbers(scratch[0]), numbers(room), reach(scores[0])
    masks = False
    for i in range(0, value.size, step):
        k = min(step, value.size - i)
        easy = False if masks else all_terms(None, at(s, i * n), e, states, k, n)
        if not easy:
            # the next rows have masks too, more often than not
            masks = True
            easy = all_terms(masks, at(s, i * n), e, states, k, n)
        for j in range(k):
            state = at(states, j * STATE)
            highest = easy_term(constant(far, state[TOP]))
            _put(state, at(s, (i + j) * n), n, y[i + j], at(e, j * n), highest)
        for j in range(k):
            v[i + j] = softmax.loss(far, at(states, j * STATE), kind.tolerance)
        for j in range(k if gradient.size else 0):
            f = softmax.factors(far, at(states, j * STATE))
            _gradient(at(e, j * n), y[i + j], at(g, (i + j) * n), n, f)
        if not easy:
            for j in range(k):
                top = constant(far, states[j * STATE + TOP])
                odd[j] = far_out(at(s, (i + j) * n), n, top, far)
            redo(by_class.rows, kind, (scores, labels, value, gradient, scratch), odd, i, k)
