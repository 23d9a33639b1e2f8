"""ZLPR, hard and soft, of float32 rows of 32 and more labels, with vectors (`vectors`).

The formulas, and what is left to others, are those of `two_sided`.  A row is read once: the terms
go to where they are kept and, two of them added in float32, into sums in float64.  Meanwhile the
scores and labels of the next rows are asked for, and with the gradient of one row the place of the
gradient after it, so that memory is at work all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numeric_core.kernels import two_sided
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.intrinsics import Scalar, higher, magnitude, one_less, pattern
from numeric_core.kernels.sums import LENGTH
from numeric_core.kernels.two_sided import (
    STATE,
    easy_terms,
    factors,
    in_reach,
    loss,
    seen,
    slope,
)
from numeric_core.kernels.vectors import (
    LANES,
    LINE,
    at,
    choose,
    fetch,
    first,
    halved,
    least,
    load,
    load_some,
    most,
    numbers,
    store,
    store_some,
    totals,
    uniformly,
    widen,
)

__all__ = ["rows"]

AHEAD = LENGTH
"""How far ahead memory is asked: as many scores as are done at a time, a microsecond of work."""


@INLINE
def _nothing() -> Scalar:
    """What was seen of no label: the largest |s|, the largest and the smallest t."""
    zero = pattern(uniformly(np.float32(0.0)))
    return zero, zero, one_less(zero)


@INLINE
def _see(kind: Scalar, x: Scalar, y: Scalar, bounds: Scalar) -> Scalar:
    far, high, low = bounds
    high, low = seen(kind, y, high, low)
    return higher(far, magnitude(x)), high, low


@INLINE
def _easy(kind: Scalar, bounds: Scalar) -> bool:
    far, high, low = bounds
    return in_reach(kind, np.float32(0.0), most(far), most(high), least(low))


@INLINE
def _sums(
    kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, n: Scalar, bounds: Scalar
) -> Scalar:
    """The terms of a row, U and D, and what was seen."""
    zero = uniformly(np.float32(0.0))
    up, down = widen(halved(zero)), widen(halved(zero))
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        x, y = load(s, i), load(t, i)
        a, b = easy_terms(kind, x, y)
        store(u, i, a)
        store(d, i, b)
        up, down = up + widen(halved(a)), down + widen(halved(b))
        bounds = _see(kind, x, y, bounds)
        for k in range(0, LANES, LINE):
            fetch(s, i + k + AHEAD, 0)
            fetch(t, i + k + AHEAD, 0)
    if whole < n:
        m = n - whole
        x, y = load_some(s, whole, m), load_some(t, whole, m)
        a, b = easy_terms(kind, x, y)
        store_some(u, whole, m, a)
        store_some(d, whole, m, b)
        inside = first(m)
        up = up + widen(halved(choose(inside, a, zero)))
        down = down + widen(halved(choose(inside, b, zero)))
        bounds = _see(kind, x, y, bounds)
    return totals(up, down), bounds


@INLINE
def _differences(u: Scalar, d: Scalar, g: Scalar, n: Scalar, f: Scalar) -> None:
    """The gradient of a row."""
    a, a_low, b, b_low = f
    both = uniformly(a), uniformly(a_low), uniformly(b), uniformly(b_low)
    whole = n - n % LANES
    for i in range(0, whole, LANES):
        store(g, i, slope(load(u, i), load(d, i), both))
        for k in range(0, LANES, LINE):
            fetch(g, i + k + AHEAD, 1)
    if whole < n:
        m = n - whole
        store_some(g, whole, m, slope(load_some(u, whole, m), load_some(d, whole, m), both))


@INLINE
def _put(state: Scalar, sums: Scalar) -> None:
    state[0], state[1], state[2], state[3] = sums[0], 0.0, sums[1], 0.0


@INLINE
def _state(state: Scalar) -> Scalar:
    return state[0], state[1], state[2], state[3]


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """As `two_sided.rows`, which does those of which one asks for care."""
    n = scores.size // value.size
    step = max(1, LENGTH // n)
    room = np.empty(step * STATE)
    s, t, v, g = numbers(scores), numbers(labels), numbers(value), numbers(gradient)
    u, d, states = numbers(scratch[0]), numbers(scratch[1]), numbers(room)
    like = np.float32(0.0)
    # u of a row that is longer than its place in the first cache is kept in its gradient
    kept, jump = (g, 1) if gradient.size and n > LENGTH else (u, 0)
    for i in range(0, value.size, step):
        k = min(step, value.size - i)
        bounds = _nothing()
        for j in range(k):
            x, y = at(s, (i + j) * n), at(t, (i + j) * n)
            a, b = at(kept, (jump * i + j) * n), at(d, j * n)
            sums, bounds = _sums(kind, x, y, a, b, n, bounds)
            _put(at(states, j * STATE), sums)
        if not _easy(kind, bounds):
            here = slice(i * n, (i + k) * n)
            into = gradient[here] if gradient.size else gradient
            two_sided.rows(kind, scores[here], labels[here], value[i : i + k], into, scratch)
            continue
        for j in range(k):
            v[i + j] = loss(kind, like, *_state(at(states, j * STATE)))
        for j in range(k if gradient.size else 0):
            a, b = at(kept, (jump * i + j) * n), at(d, j * n)
            f = factors(kind, like, _state(at(states, j * STATE)))
            _differences(a, b, at(g, (i + j) * n), n, f)
