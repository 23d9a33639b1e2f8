"""Softmax cross-entropy of rows as long as a vector and longer, with vectors (`vectors`).

The formulas, and what is left to others, are those of `softmax`.  A row is read three times, twice
of them from a cache: for its terms and the largest score, for the sums (`vector_sums`), and for the
gradient.  Each time something of what is next is asked for, so that memory is at work all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels import softmax
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.exponentials import (
    EASY,
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
from numeric_core.kernels.intrinsics import Scalar, constant, higher, pattern, positive
from numeric_core.kernels.odd_rows import redo
from numeric_core.kernels.sums import LENGTH, gone
from numeric_core.kernels.vector_lanes import largest, most
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
from numeric_core.kernels.vector_sums import added, nothing, total_of_three
from numeric_core.kernels.vectors import choose, count, larger, smaller, uniformly, width

__all__ = ["AHEAD", "all_terms", "far_out", "reach", "rows"]

AHEAD = LENGTH
"""How far ahead memory is asked: as many scores as are done at a time, a microsecond of work."""


def reach(like: Any) -> Any:
    """EASY for the dtype of a number; Numba takes it from `_reach`."""
    return EASY[types.float32 if like.dtype == np.float32 else types.float64]


@overload(reach, jit_options={"forceinline": True})
def _reach(like: Any) -> Any:
    easy = (np.float32 if like == types.float32 else np.float64)(EASY[like])

    def code(like: Any) -> Any:
        return easy

    return code


@INLINE
def _tamed(x: Scalar, far: Scalar) -> Scalar:
    """Which classes count as absent, and the scores with 0 for theirs."""
    absent = x < -(far + gone(far))
    return absent, choose(absent, constant(far, 0.0), x)


@INLINE
def _some(masks: Scalar, x: Scalar, far: Scalar, low: Scalar) -> Scalar:
    """The terms of some classes, and the smallest score that was seen of those not absent.

    masks: None if none is looked for.
    """
    if masks is None:
        return easy_term(x), smaller(low, x)
    absent, tame = _tamed(x, far)
    return choose(absent, constant(far, 0.0), easy_term(tame)), smaller(low, tame)


@INLINE
def _terms(masks: Scalar, s: Scalar, e: Scalar, n: Scalar, low: Scalar) -> Scalar:
    """The terms of a row, its maximum, or -EASY if that is above, and the smallest score seen."""
    far = reach(s[0])
    top = uniformly(-far)
    lanes = width(s)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        x = load(s, i)
        found, low = _some(masks, x, far, low)
        store(e, i, found)
        top = larger(top, x)
        ask(s, i + AHEAD, 0)
    if whole < n:
        m = n - whole
        x = load_some(s, whole, m)
        found, low = _some(masks, x, far, low)
        store_some(e, whole, m, found)
        top = larger(top, choose(first(s, m), x, -far))
    return largest(top), low


@INLINE
def _gap(masks: Scalar, x: Scalar, y: Scalar, top: Scalar) -> Scalar:
    """t (m - s); nan for a label > 0 of a masked class."""
    if masks is None:
        return y * (top - x)
    zero, nan = constant(y, 0.0), constant(y, np.nan)
    gap = choose(x <= constant(y, -REACH), nan, y * (top - x))
    return choose(y == zero, zero, gap)


@INLINE
def _add(
    masks: Scalar,
    sums: Scalar,
    x: Scalar,
    y: Scalar,
    e: Scalar,
    top: Scalar,
    highest: Scalar,
) -> Scalar:
    """The sums with some labels more: of e below the largest, t up to 1/2, t (m - s), ties; and the
    largest label."""
    rest, others, linear, ties, label = sums
    zero, half = constant(e, 0.0), constant(e, 0.5)
    tie = e == highest
    rest, others = added(rest, choose(tie, zero, e)), added(others, choose(y > half, zero, y))
    linear = added(linear, _gap(masks, x, y, top))
    return rest, others, linear, ties + count(tie), higher(label, pattern(y))


@INLINE
def _sums(
    masks: Scalar, s: Scalar, t: Scalar, e: Scalar, n: Scalar, top: Scalar, highest: Scalar
) -> Scalar:
    """The sums of a row, the ties, and the bits of its largest label."""
    zero = nothing(top)
    sums = zero, zero, zero, 0, pattern(uniformly(constant(top, 0.0)))
    top, highest = uniformly(top), uniformly(highest)
    lanes = width(s)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        sums = _add(masks, sums, load(s, i), load(t, i), load(e, i), top, highest)
        ask(t, i + AHEAD, 0)
    if whole < n:
        m = n - whole
        x, y, rest = load_some(s, whole, m), load_some(t, whole, m), load_some(e, whole, m)
        sums = _add(masks, sums, x, y, rest, top, highest)
    return total_of_three(sums[0], sums[1], sums[2]), sums[3], most(sums[4])


@INLINE
def _put(state: Scalar, highest: Scalar, sums: Scalar, ties: Scalar, label: Scalar) -> None:
    (state[REST], state[REST + 1]), (state[OTHERS], state[OTHERS + 1]), linear = sums
    state[LINEAR], state[LINEAR + 1] = linear
    state[LARGEST], state[TIES] = np.float64(highest), np.float64(ties)
    state[MAIN] = np.float64(label) if label > constant(label, 0.5) else 0.0


@INLINE
def _gradient(e: Scalar, t: Scalar, g: Scalar, n: Scalar, f: Scalar) -> None:
    share, low, complement, mass, others = f
    f = uniformly(share), uniformly(low), uniformly(complement), uniformly(mass), uniformly(others)
    lanes = width(g)
    whole = n - n % lanes
    for i in range(0, whole, lanes):
        store(g, i, softmax.component(load(e, i), load(t, i), f))
        ask(g, i + AHEAD, 1)
    if whole < n:
        m = n - whole
        found = softmax.component(load_some(e, whole, m), load_some(t, whole, m), f)
        store_some(g, whole, m, found)


@INLINE
def far_out(s: Scalar, n: Scalar, top: Scalar, far: Scalar) -> bool:
    """Whether a row by itself, of maximum `top`, has a score out of reach."""
    low = uniformly(far)
    for i in range(0, n, width(s)):
        low = smaller(low, _tamed(load_some(s, i, min(width(s), n - i)), far)[1])
    return (largest(-low) > far) | (top > far) | (top <= -far)


@INLINE
def all_terms(masks: Scalar, s: Scalar, e: Scalar, states: Scalar, k: Scalar, n: Scalar) -> bool:
    """The terms and the maxima of k rows; whether no score of them is out of reach."""
    far = reach(s[0])
    low, high, deep = uniformly(far), -far, far
    for j in range(k):
        top, low = _terms(masks, at(s, j * n), at(e, j * n), n, low)
        states[j * STATE + TOP] = np.float64(top)
        high, deep = larger(high, top), smaller(deep, top)
    return (largest(-low) <= far) & (high <= far) & (deep > -far)


@INLINE
def _all_sums(masks: Scalar, places: Scalar, odd: Scalar, k: Scalar, n: Scalar) -> bool:
    """The states of k rows; whether no label is above 1 or negative, and which rows have one."""
    s, t, e, states = places
    one = pattern(constant(s[0], 1.0))
    label = pattern(constant(s[0], 0.0))
    for j in range(k):
        state = at(states, j * STATE)
        top = constant(s[0], state[TOP])
        highest = easy_term(top)
        sums, ties, main = _sums(masks, at(s, j * n), at(t, j * n), at(e, j * n), n, top, highest)
        _put(state, highest, sums, ties, positive(main))
        odd[j] = main > one
        label = higher(label, main)
    return label <= one


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """As `softmax.rows`, which does those that ask for care."""
    n = scores.size // value.size
    step = max(1, LENGTH // n)
    room, odd = np.empty(step * STATE), np.zeros(step, np.bool_)
    s, t, v, g = numbers(scores), numbers(labels), numbers(value), numbers(gradient)
    e, states, far = numbers(scratch[0]), numbers(room), reach(scores[0])
    masks = False
    for i in range(0, value.size, step):
        k = min(step, value.size - i)
        x, y = at(s, i * n), at(t, i * n)
        easy = False if masks else all_terms(None, x, e, states, k, n)
        if easy:
            known = _all_sums(None, (x, y, e, states), odd, k, n)
        else:
            # the next rows have masks too, more often than not
            masks = True
            easy = all_terms(masks, x, e, states, k, n)
            known = _all_sums(masks, (x, y, e, states), odd, k, n)
        for j in range(k):
            v[i + j] = softmax.loss(far, at(states, j * STATE), kind.tolerance)
        for j in range(k if gradient.size else 0):
            f = softmax.factors(far, at(states, j * STATE))
            _gradient(at(e, j * n), at(y, j * n), at(g, (i + j) * n), n, f)
        if not (easy & known):
            for j in range(k):
                top = constant(far, states[j * STATE + TOP])
                odd[j] = odd[j] or far_out(at(x, j * n), n, top, far)
            redo(softmax.rows, kind, (scores, labels, value, gradient, scratch), odd, i, k)
