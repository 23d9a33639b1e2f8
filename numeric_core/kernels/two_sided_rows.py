"""ZLPR, hard and soft, of rows as long as a vector and longer, with vectors (`vectors`).

The formulas, and what is left to others, are those of `two_sided`.  A row is read once: the terms
go to where they are kept and into their sums (`vector_sums`).  Meanwhile the
scores and labels of the next rows are asked for, and with the gradient of one row the place of the
gradient after it, so that memory is at work all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric_core.kernels import two_sided
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.intrinsics import Scalar, constant, higher, magnitude, one_less, pattern
from numeric_core.kernels.odd_rows import redo
from numeric_core.kernels.sums import LENGTH, gone
from numeric_core.kernels.two_sided import (
    STATE,
    easy_terms,
    factors,
    in_reach,
    loss,
    seen,
    slope,
)
from numeric_core.kernels.vector_lanes import least, most
from numeric_core.kernels.vector_memory import (
    ask,
    at,
    first,
    load,
    load_some,
    numbers,
    store,
    store_some,
)
from numeric_core.kernels.vector_sums import added, nothing, total_of_two
from numeric_core.kernels.vectors import choose, uniformly, width

__all__ = ["rows"]

AHEAD = LENGTH
"""How far ahead memory is asked: as many scores as are done at a time, a microsecond of work."""


@INLINE
def _unseen(like: Scalar) -> Scalar:
    """What was seen of no label: the largest |s|, the largest and the smallest t."""
    zero = pattern(uniformly(constant(like, 0.0)))
    return zero, zero, one_less(zero)


@INLINE
def _tamed(s: Scalar, x: Scalar, y: Scalar) -> Scalar:
    """Which labels are masked, of no term in either sum, and the scores with 0 for theirs."""
    zero = constant(s[0], 0.0)
    masked = (x < -gone(zero)) & (y == zero)
    return masked, choose(masked, zero, x)


@INLINE
def _see(kind: Scalar, x: Scalar, y: Scalar, bounds: Scalar) -> Scalar:
    far, high, low = bounds
    high, low = seen(kind, y, high, low)
    return higher(far, magnitude(x)), high, low


@INLINE
def _easy(kind: Scalar, like: Scalar, bounds: Scalar) -> bool:
    far, high, low = bounds
    return in_reach(kind, like, most(far), most(high), least(low))


@INLINE
def _terms(kind: Scalar, masks: Scalar, s: Scalar, x: Scalar, y: Scalar, bounds: Scalar) -> Scalar:
    """u and d of some labels, and what was seen with them; masks: None if none is looked for."""
    if masks is None:
        a, b = easy_terms(kind, x, y)
        return a, b, _see(kind, x, y, bounds)
    masked, x = _tamed(s, x, y)
    a, b = easy_terms(kind, x, y)
    return choose(masked, constant(s[0], 0.0), a), b, _see(kind, x, y, bounds)


@INLINE
def _sums(
    kind: Scalar,
    masks: Scalar,
    s: Scalar,
    t: Scalar,
    u: Scalar,
    d: Scalar,
    n: Scalar,
    bounds: Scalar,
) -> Scalar:
    """The terms of a row, (U, what it lacks), (D, what it lacks), and what was seen."""
    zero = constant(s[0], 0.0)
    up, down = nothing(zero), nothing(zero)
    lanes = width(s)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        a, b, bounds = _terms(kind, masks, s, load(s, i), load(t, i), bounds)
        store(u, i, a)
        store(d, i, b)
        up, down = added(up, a), added(down, b)
        ask(s, i + AHEAD, 0)
        ask(t, i + AHEAD, 0)
    if whole < n:
        m = n - whole
        a, b, bounds = _terms(
            kind, masks, s, load_some(s, whole, m), load_some(t, whole, m), bounds
        )
        store_some(u, whole, m, a)
        store_some(d, whole, m, b)
        inside = first(s, m)
        up, down = added(up, choose(inside, a, zero)), added(down, choose(inside, b, zero))
    return total_of_two(up, down), bounds


@INLINE
def _differences(u: Scalar, d: Scalar, g: Scalar, n: Scalar, f: Scalar) -> None:
    """The gradient of a row."""
    a, a_low, b, b_low = f
    both = uniformly(a), uniformly(a_low), uniformly(b), uniformly(b_low)
    lanes = width(g)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        store(g, i, slope(load(u, i), load(d, i), both))
        ask(g, i + AHEAD, 1)
    if whole < n:
        m = n - whole
        store_some(g, whole, m, slope(load_some(u, whole, m), load_some(d, whole, m), both))


@INLINE
def _put(state: Scalar, sums: Scalar) -> None:
    (state[0], state[1]), (state[2], state[3]) = sums


@INLINE
def _state(state: Scalar) -> Scalar:
    return state[0], state[1], state[2], state[3]


@INLINE
def _states(kind: Scalar, masks: Scalar, places: Scalar, k: Scalar, n: Scalar) -> bool:
    """The terms and the states of k rows; whether none of them asks for care."""
    s, t, u, d, states = places
    bounds = _unseen(constant(s[0], 0.0))
    for j in range(k):
        x, y, a, b = at(s, j * n), at(t, j * n), at(u, j * n), at(d, j * n)
        sums, bounds = _sums(kind, masks, x, y, a, b, n, bounds)
        _put(at(states, j * STATE), sums)
    return _easy(kind, constant(s[0], 0.0), bounds)


@INLINE
def _odd(kind: Scalar, like: Scalar, s: Scalar, t: Scalar, n: Scalar) -> bool:
    """Whether a row by itself asks for care."""
    bounds = _unseen(like)
    for i in range(0, n, width(s)):
        m = min(width(s), n - i)
        y = load_some(t, i, m)
        bounds = _see(kind, _tamed(s, load_some(s, i, m), y)[1], y, bounds)
    return not _easy(kind, like, bounds)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """As `two_sided.rows`, which does those that ask for care."""
    n = scores.size // value.size
    step = max(1, LENGTH // n)
    room, odd = np.empty(step * STATE), np.zeros(step, np.bool_)
    s, t, v, g = numbers(scores), numbers(labels), numbers(value), numbers(gradient)
    u, d, states = numbers(scratch[0]), numbers(scratch[1]), numbers(room)
    like = constant(scores[0], 0.0)
    # u of a row that is longer than its place in the first cache is kept in its gradient
    kept, jump = (g, 1) if gradient.size and n > LENGTH else (u, 0)
    masks = False
    for i in range(0, value.size, step):
        k = min(step, value.size - i)
        places = at(s, i * n), at(t, i * n), at(kept, jump * i * n), d, states
        easy = False if masks else _states(kind, None, places, k, n)
        if not easy:
            # the next rows have masks too, more often than not
            masks = True
            easy = _states(kind, masks, places, k, n)
        for j in range(k):
            v[i + j] = loss(kind, like, *_state(at(states, j * STATE)))
        for j in range(k if gradient.size else 0):
            f = factors(kind, like, _state(at(states, j * STATE)))
            a, b = at(kept, (jump * i + j) * n), at(d, j * n)
            _differences(a, b, at(g, (i + j) * n), n, f)
        if not easy:
            for j in range(k):
                odd[j] = _odd(kind, like, at(s, (i + j) * n), at(t, (i + j) * n), n)
            redo(two_sided.rows, kind, (scores, labels, value, gradient, scratch), odd, i, k)
