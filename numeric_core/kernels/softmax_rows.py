"""Softmax cross-entropy of float32 rows of 32 and more labels, with vectors (`vectors`).

The formulas, and what is left to others, are those of `softmax`.  A row is read three times, twice
of them from a cache: for its terms and the largest score, for the sums, in which two numbers are
added in float32 before they go into float64, and for the gradient.  Each time something of what is
next is asked for, so that memory is at work all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from numeric_core.kernels import softmax
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_near
from numeric_core.kernels.exponentials import EASY, easy_term
from numeric_core.kernels.intrinsics import Scalar, higher, pattern, positive
from numeric_core.kernels.sums import LENGTH
from numeric_core.kernels.vectors import (
    LANES,
    LINE,
    at,
    choose,
    count,
    fetch,
    first,
    halved,
    larger,
    largest,
    load,
    load_some,
    most,
    numbers,
    smaller,
    store,
    store_some,
    totals_of_three,
    uniformly,
    widen,
)

__all__ = ["rows"]

AHEAD = LENGTH
"""How far ahead memory is asked: as many scores as are done at a time, a microsecond of work."""

FAR = np.float32(EASY[types.float32])
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)

STATE = 6
"""Numbers of a row: e_k, R, the labels above 1/2 and their sum with the others, those, and L."""
LARGEST, REST, MASS, OTHERS, LINEAR, TOP = range(STATE)


@INLINE
def _terms(s: Scalar, e: Scalar, n: Scalar, low: Scalar) -> Scalar:
    """The terms of a row, its maximum, and the smallest score that was seen."""
    top = uniformly(-FAR)
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        x = load(s, i)
        store(e, i, easy_term(x))
        top, low = larger(top, x), smaller(low, x)
        for k in range(0, LANES, LINE):
            fetch(s, i + k + AHEAD, 0)
    if whole < n:
        m = n - whole
        x = load_some(s, whole, m)
        store_some(e, whole, m, easy_term(x))
        inside = first(m)
        top, low = larger(top, choose(inside, x, -FAR)), smaller(low, x)
    return largest(top), low


@INLINE
def _shares(x: Scalar, y: Scalar, e: Scalar, top: Scalar, highest: Scalar) -> Scalar:
    """What some labels add to the sums, and how many are ties with the largest."""
    tie = e == highest
    rest, small = choose(tie, ZERO, e), choose(y > HALF, ZERO, y)
    sums = widen(halved(rest)), widen(halved(small)), widen(halved(y * (top - x)))
    return sums, count(tie)


@INLINE
def _sums(s: Scalar, t: Scalar, e: Scalar, n: Scalar, top: Scalar, highest: Scalar) -> Scalar:
    """R without the ties, the sum of the labels up to 1/2, L, the ties, and the largest label."""
    zero = widen(halved(uniformly(ZERO)))
    a, b, c = zero, zero, zero
    ties, most_of = 0, pattern(uniformly(ZERO))
    top, highest = uniformly(top), uniformly(highest)
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        y = load(t, i)
        more, found = _shares(load(s, i), y, load(e, i), top, highest)
        a, b, c, ties = a + more[0], b + more[1], c + more[2], ties + found
        most_of = higher(most_of, pattern(y))
        for k in range(0, LANES, LINE):
            fetch(t, i + k + AHEAD, 0)
    if whole < n:
        m = n - whole
        y = load_some(t, whole, m)
        more, found = _shares(load_some(s, whole, m), y, load_some(e, whole, m), top, highest)
        a, b, c, ties = a + more[0], b + more[1], c + more[2], ties + found
        most_of = higher(most_of, pattern(y))
    return totals_of_three(a, b, c), ties, most(most_of)


@INLINE
def _put(state: Scalar, sums: Scalar, ties: Scalar, label: Scalar) -> None:
    rest, others, linear = sums
    main = np.float64(label) if label > HALF else 0.0
    state[REST] = rest + (ties - 1) * state[LARGEST]
    state[MASS], state[OTHERS], state[LINEAR] = main + others, others, linear


@INLINE
def _value(state: Scalar, tolerance: Scalar) -> Scalar:
    result = state[LINEAR] + state[MASS] * log1p_near(state[REST] / state[LARGEST])
    return result if abs(state[MASS] - 1.0) <= tolerance else np.nan


@INLINE
def _factors(state: Scalar) -> Scalar:
    share = 1.0 / (state[LARGEST] + state[REST])
    high = np.float32(share)
    low, complement = np.float32(share - np.float64(high)), np.float32(state[REST] * share)
    return high, low, complement, np.float32(state[MASS]), np.float32(state[OTHERS])


@INLINE
def _gradient(e: Scalar, t: Scalar, g: Scalar, n: Scalar, f: Scalar) -> None:
    high, low, complement, mass, others = f
    all_ = (
        uniformly(high),
        uniformly(low),
        uniformly(complement),
        uniformly(mass),
        uniformly(others),
    )
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        store(g, i, softmax.component(load(e, i), load(t, i), all_))
        for k in range(0, LANES, LINE):
            fetch(g, i + k + AHEAD, 1)
    if whole < n:
        m = n - whole
        found = softmax.component(load_some(e, whole, m), load_some(t, whole, m), all_)
        store_some(g, whole, m, found)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """As `softmax.rows`, which does those of which one asks for care."""
    n = scores.size // value.size
    step = max(1, LENGTH // n)
    room = np.empty(step * STATE)
    s, t, v, g = numbers(scores), numbers(labels), numbers(value), numbers(gradient)
    e, states = numbers(scratch[0]), numbers(room)
    for i in range(0, value.size, step):
        k = min(step, value.size - i)
        low, high, label = uniformly(FAR), -FAR, pattern(ZERO)
        for j in range(k):
            top, low = _terms(at(s, (i + j) * n), at(e, j * n), n, low)
            states[j * STATE + TOP] = np.float64(top)
            high = larger(high, top)
        for j in range(k):
            state = at(states, j * STATE)
            top = np.float32(state[TOP])
            highest = easy_term(top)
            x, y = at(s, (i + j) * n), at(t, (i + j) * n)
            sums, ties, main = _sums(x, y, at(e, j * n), n, top, highest)
            state[LARGEST] = np.float64(highest)
            _put(state, sums, ties, positive(main))
            label = higher(label, main)
        if not ((-largest(-low) >= -FAR) & (high <= FAR) & (label <= pattern(ONE))):
            here = slice(i * n, (i + k) * n)
            into = gradient[here] if gradient.size else gradient
            softmax.rows(kind, scores[here], labels[here], value[i : i + k], into, scratch)
            continue
        for j in range(k):
            v[i + j] = _value(at(states, j * STATE), kind.tolerance)
        for j in range(k if gradient.size else 0):
            f = _factors(at(states, j * STATE))
            _gradient(at(e, j * n), at(t, (i + j) * n), at(g, (i + j) * n), n, f)
