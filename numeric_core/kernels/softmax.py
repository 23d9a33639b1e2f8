"""Softmax cross-entropy, value and gradient, with the labels as rows or as the index of a class.

With m = max_j s_j, the power of two 2^K next to e^m and a class k at the maximum,

    e_j = 2^-K e^{s_j},   R = sum_{j != k} e_j,   T = sum_j t_j,   L = sum_j t_j (m - s_j)
    l   = L + T log1p(R / e_k)
    g_i = p_i (T - t_i) - t_i (1 - p_i),   p_i = e_i / (e_k + R),   1 - p_k = R / (e_k + R)

The shift by K changes exponents, not digits: no argument of exp is rounded.  The largest term is
left out of R, and a label above 1/2 out of the sum of the others, so that nothing is lost as p_k
goes to 1 and t becomes one-hot.

A class with s_j < m - GONE counts as absent.  Rows with a score between that and m - LIMIT, with
|m| > REACH, a label > 0 that is masked, labels outside of [0, 1] or of another sum than 1, and nan
get the value nan: `numeric_core.kernels` has them done by the plain version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import exponential, log1p_pair, two_sum
from numeric_core.kernels.intrinsics import (
    Scalar,
    add_any_order,
    constant,
    fma,
    maximum,
    power_of_two,
)
from numeric_core.kernels.sums import GONE, LIMIT, exact_sum

__all__ = [
    "ARRAYS",
    "STATE",
    "TOP",
    "Distribution",
    "gradient_part",
    "largest",
    "merge",
    "part",
    "rows",
]


class Distribution(NamedTuple):
    """Labels that are rows.  tolerance: by how much their sums may miss 1."""

    tolerance: float


REACH = 65504.0
"""finfo(float16).max: a mask in any dtype is at or below -REACH, and k < 2^17 is exact."""

STATE = 11
"""Numbers in a state: m, K, e_k, the labels above 1/2, how often m occurs, and the sums of e_j
below it, of labels up to 1/2, and L, each followed by what it lacks."""
TOP, POWER, LARGEST, MAIN, TIES, REST, _, OTHERS, _, LINEAR, _ = range(STATE)

FACTORS = 5
"""Numbers of a row that its gradient needs: 1 / (e_k + R), what it lacks, 1 - p_k, T, and the sum
of the labels up to 1/2."""

ARRAYS = 4
"""Terms of a chunk: e, e without the largest, t where it is at most 1/2, t (m - s)."""


def terms(x: Any, t: Any, top: Any, power: Any) -> Any:
    """(e, t (m - s)) of one class, nan where the kernel has no answer; Numba takes it from
    `_terms`."""
    return np.exp(x) / 2.0**power, t * (top - x)


@overload(terms, jit_options={"forceinline": True, "error_model": "numpy"})
def _terms(x: Any, t: Any, top: Any, power: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone, reach = dtype(LIMIT[x]), dtype(GONE[x]), dtype(REACH)
    zero, one, nan = dtype(0.0), dtype(1.0), dtype(np.nan)

    def code(x: Any, t: Any, top: Any, power: Any) -> Any:
        shifted, _, c, s = exponential(max(x, top - limit))
        e = fma(one, s + c, one) * power_of_two(shifted - power)
        e = e if x >= top - limit else (zero if x < top - gone else nan)
        gap = t * (top - x) if (x > -reach) & (t > zero) & (t <= one) else nan
        return e, (zero if t == zero else gap)

    return code


@INLINE
def _top(s: Scalar) -> Scalar:
    top = s[0]
    for i in range(s.size):
        top = maximum(top, s[i])
    return top


@INLINE
def _refer(states: Scalar, like: Scalar) -> None:
    """K and e_k of some rows whose maximum is known; nan for a maximum that is out of reach."""
    one = constant(like, 1.0)
    for i in range(states.shape[0]):
        top = states[i, TOP]
        inside = abs(top) <= REACH
        _, power, c, s = exponential(constant(like, top if inside else 0.0))
        states[i, POWER] = power
        states[i, LARGEST] = fma(one, s + c, one) if inside else np.nan


@INLINE
def _fill(s: Scalar, t: Scalar, scratch: Scalar, place: Scalar, state: Scalar) -> None:
    """The terms of a chunk, written to the scratch from `place` on."""
    here = slice(place, place + s.size)
    e, rest, others, linear = scratch[0, here], scratch[1, here], scratch[2, here], scratch[3, here]
    top, power = constant(s[0], state[TOP]), constant(s[0], state[POWER])
    zero, half = constant(top, 0.0), constant(top, 0.5)
    for i in range(s.size):
        e[i], linear[i] = terms(s[i], t[i], top, power)
        rest[i] = zero if s[i] == top else e[i]
        others[i] = t[i] if t[i] <= half else zero


@INLINE
def _collect(s: Scalar, t: Scalar, scratch: Scalar, place: Scalar, state: Scalar) -> None:
    """Adds the sums of a chunk to the state of its row."""
    here = slice(place, place + s.size)
    top = constant(s[0], state[TOP])
    zero, half, one = constant(top, 0.0), constant(top, 0.5), constant(top, 1.0)
    ties, main = zero, zero
    for i in range(s.size):
        ties = add_any_order(ties, one if s[i] == top else zero)
        main = add_any_order(main, t[i] if t[i] > half else zero)
    state[TIES] += ties
    state[MAIN] += main
    _add(state, REST, *exact_sum(scratch[1, here]))
    _add(state, OTHERS, *exact_sum(scratch[2, here]))
    _add(state, LINEAR, *exact_sum(scratch[3, here]))


@INLINE
def _add(state: Scalar, place: Scalar, high: Scalar, low: Scalar) -> None:
    state[place], error = two_sum(state[place], high)
    state[place + 1] += error + low


@INLINE
def _sums(s: Scalar, t: Scalar, scratch: Scalar, state: Scalar) -> None:
    """Adds the sums of a long row, or of a part of one, to its state; m, K and e_k are known."""
    length = scratch.shape[1]
    for start in range(0, s.size, length):
        here = slice(start, min(start + length, s.size))
        _fill(s[here], t[here], scratch, 0, state)
        _collect(s[here], t[here], scratch, 0, state)


@INLINE
def _rest(state: Scalar) -> Scalar:
    """(R, what it lacks): a tie at the maximum is a term e_k of R."""
    rest, error = two_sum(state[REST], (state[TIES] - 1.0) * state[LARGEST])
    return rest, error + state[REST + 1]


@INLINE
def _values(states: Scalar, tolerance: Scalar, value: Scalar) -> None:
    """L + T log1p(R / e_k) of some rows."""
    for i in range(value.size):
        state = states[i]
        rest, low = _rest(state)
        largest = state[LARGEST]
        ratio = rest / largest
        lack = (fma(-ratio, largest, rest) + low) / largest
        mass = state[MAIN] + (state[OTHERS] + state[OTHERS + 1])
        linear = state[LINEAR] + state[LINEAR + 1]
        result = linear + mass * log1p_pair(ratio, lack)
        value[i] = result if abs(mass - 1.0) <= tolerance else np.nan


@INLINE
def _factors(states: Scalar, f: Scalar) -> None:
    """FACTORS of some rows, in the dtype of f."""
    for i in range(states.shape[0]):
        state = states[i]
        rest, low = _rest(state)
        norm, error = two_sum(state[LARGEST], rest)
        share = 1.0 / norm
        lack = (fma(-share, norm, 1.0) - share * (error + low)) / norm
        others = state[OTHERS] + state[OTHERS + 1]
        f[i, 0] = share
        f[i, 1] = (share - np.float64(f[i, 0])) + lack
        f[i, 2] = (rest + low) * share
        f[i, 3] = state[MAIN] + others
        f[i, 4] = others


@INLINE
def _component(e: Scalar, top: Scalar, t: Scalar, f: Scalar) -> Scalar:
    """p (T - t) - t (1 - p), no difference of which loses digits; top: it is a class k."""
    high, low, complement, mass, others = f
    p = fma(e, high, e * low)
    q = complement if top else constant(p, 1.0) - p
    apart = others if t > constant(t, 0.5) else mass - t
    return fma(p, apart, -(t * q))


@INLINE
def _from_scores(s: Scalar, t: Scalar, state: Scalar, f: Scalar, g: Scalar) -> None:
    top, power = constant(s[0], state[TOP]), constant(s[0], state[POWER])
    factors = f[0], f[1], f[2], f[3], f[4]
    for i in range(g.size):
        e, _ = terms(s[i], t[i], top, power)
        g[i] = _component(e, s[i] == top, t[i], factors)


@INLINE
def _from_terms(s: Scalar, t: Scalar, e: Scalar, state: Scalar, f: Scalar, g: Scalar) -> None:
    top = constant(s[0], state[TOP])
    factors = f[0], f[1], f[2], f[3], f[4]
    for i in range(g.size):
        g[i] = _component(e[i], s[i] == top, t[i], factors)


@INLINE
def _short_rows(
    s: Scalar, t: Scalar, g: Scalar, scratch: Scalar, states: Scalar, f: Scalar
) -> None:
    """Some rows whose terms fit into the scratch, side by side.

    All are written before the first is read: what was just written is slow to read in other pieces.
    """
    m = states.shape[0]
    n = s.size // m
    for i in range(m):
        row = slice(i * n, (i + 1) * n)
        _fill(s[row], t[row], scratch, i * n, states[i])
    for i in range(m):
        row = slice(i * n, (i + 1) * n)
        _collect(s[row], t[row], scratch, i * n, states[i])
    if g.size:
        _factors(states, f)
        for i in range(m):
            row = slice(i * n, (i + 1) * n)
            _from_terms(s[row], t[row], scratch[0, row], states[i], f[i], g[row])


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m, length = value.size, scratch.shape[1]
    n = scores.size // m
    step = max(1, length // n)
    states, f = np.zeros((m, STATE)), np.empty((step, FACTORS), scores.dtype)
    for start in range(0, m, step):
        stop = min(start + step, m)
        some, here = states[start:stop], slice(start * n, stop * n)
        s, t, g = scores[here], labels[here], gradient[here]
        for i in range(stop - start):
            some[i, TOP] = _top(s[i * n : (i + 1) * n])
        _refer(some, s[0])
        if n <= length:
            _short_rows(s, t, g, scratch, some, f)
            continue
        _sums(s, t, scratch, some[0])
        if g.size:
            _factors(some, f)
            _from_scores(s, t, some[0], f[0], g)
    _values(states, kind.tolerance, value)


@COMPILED
def largest(scores: Any) -> float:
    """The maximum of a part (n,) of a row."""
    return float(_top(scores))


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row; its TOP is that of the whole row."""
    _refer(state.reshape(1, STATE), scores[0])
    _sums(scores, labels, scratch, state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    row = state[0]
    row[: TIES + 1] = parts[0, : TIES + 1]
    row[MAIN], row[TIES] = 0.0, 0.0
    for i in range(parts.shape[0]):
        row[TIES] += parts[i, TIES]
        row[MAIN] += parts[i, MAIN]
        for place in (REST, OTHERS, LINEAR):
            _add(row, place, parts[i, place], parts[i, place + 1])
    _values(state, kind.tolerance, value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known."""
    f = np.empty((1, FACTORS), scores.dtype)
    _factors(state, f)
    _from_scores(scores, labels, state[0], f[0], gradient)
