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
from numeric_core.kernels.intrinsics import Scalar, constant, fma, maximum, power_of_two
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

STATE = 9
"""Numbers in a state, by the names below; *_LOW is what the number before it lacks."""
TOP, TIES, REST, REST_LOW, OTHERS, OTHERS_LOW, MAIN, LINEAR, LINEAR_LOW = range(STATE)

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
def _reference(top: Scalar) -> Scalar:
    """(K, e_k) for the class at the maximum; nan for a maximum that is out of reach."""
    inside = abs(top) <= constant(top, REACH)
    top = top if inside else constant(top, 0.0)
    _, power, c, s = exponential(top)
    one = constant(top, 1.0)
    return power, (fma(one, s + c, one) if inside else constant(top, np.nan))


@INLINE
def _chunk(s: Scalar, t: Scalar, top: Scalar, arrays: Scalar, state: Scalar) -> None:
    """Adds the sums of a chunk to the state of its row."""
    e, rest, others, linear = arrays[0], arrays[1], arrays[2], arrays[3]
    power, _ = _reference(top)
    zero, half = constant(top, 0.0), constant(top, 0.5)
    ties, main = 0, 0.0
    for i in range(s.size):
        e[i], linear[i] = terms(s[i], t[i], top, power)
        rest[i] = zero if s[i] == top else e[i]
        others[i] = t[i] if t[i] <= half else zero
    for i in range(s.size):
        ties += s[i] == top
        main = maximum(main, np.float64(t[i]))
    state[TIES] += ties
    state[MAIN] += main if main > 0.5 else 0.0
    _add(state, REST, *exact_sum(rest[: s.size]))
    _add(state, OTHERS, *exact_sum(others[: s.size]))
    _add(state, LINEAR, *exact_sum(linear[: s.size]))


@INLINE
def _add(state: Scalar, place: Scalar, high: Scalar, low: Scalar) -> None:
    state[place], error = two_sum(state[place], high)
    state[place + 1] += error + low


@INLINE
def _sums(s: Scalar, t: Scalar, arrays: Scalar, state: Scalar) -> None:
    """Adds the sums of a row, or of a part of one, to its state; the maximum is known."""
    length, top = arrays.shape[1], constant(s[0], state[TOP])
    for start in range(0, s.size, length):
        stop = min(start + length, s.size)
        _chunk(s[start:stop], t[start:stop], top, arrays, state)


@INLINE
def _rest(state: Scalar, top: Scalar) -> Scalar:
    """(e_k, R, what it lacks): a tie at the maximum is a term e_k of R."""
    largest = np.float64(_reference(top)[1])
    rest, error = two_sum(state[REST], (state[TIES] - 1.0) * largest)
    return largest, rest, error + state[REST_LOW]


@INLINE
def _value(state: Scalar, top: Scalar, tolerance: Scalar) -> Scalar:
    """L + T log1p(R / e_k)."""
    largest, rest, low = _rest(state, top)
    ratio = rest / largest
    lack = (fma(-ratio, largest, rest) + low) / largest
    mass = state[MAIN] + (state[OTHERS] + state[OTHERS_LOW])
    linear = state[LINEAR] + state[LINEAR_LOW]
    value = linear + mass * log1p_pair(ratio, lack)
    return value if abs(mass - 1.0) <= tolerance else np.nan


@INLINE
def _factors(state: Scalar, top: Scalar) -> Scalar:
    """1 / (e_k + R) as a pair, 1 - p_k, T and the sum of the labels up to 1/2, in the dtype."""
    largest, rest, low = _rest(state, top)
    norm, error = two_sum(largest, rest)
    share = 1.0 / norm
    lack = (fma(-share, norm, 1.0) - share * (error + low)) / norm
    high = constant(top, share)
    others = state[OTHERS] + state[OTHERS_LOW]
    return (
        high,
        constant(top, (share - np.float64(high)) + lack),
        constant(top, (rest + low) * share),
        constant(top, state[MAIN] + others),
        constant(top, others),
    )


@INLINE
def _component(e: Scalar, x: Scalar, t: Scalar, top: Scalar, f: Scalar) -> Scalar:
    """p (T - t) - t (1 - p), no difference of which loses digits."""
    high, low, complement, mass, others = f
    p = fma(e, high, e * low)
    q = complement if x == top else constant(p, 1.0) - p
    apart = others if t > constant(t, 0.5) else mass - t
    return fma(p, apart, -(t * q))


@INLINE
def _gradient(s: Scalar, t: Scalar, state: Scalar, g: Scalar) -> None:
    top = constant(s[0], state[TOP])
    power, _ = _reference(top)
    f = _factors(state, top)
    for i in range(g.size):
        e, _ = terms(s[i], t[i], top, power)
        g[i] = _component(e, s[i], t[i], top, f)


@INLINE
def _gradient_from_terms(s: Scalar, t: Scalar, e: Scalar, state: Scalar, g: Scalar) -> None:
    top = constant(s[0], state[TOP])
    f = _factors(state, top)
    for i in range(g.size):
        g[i] = _component(e[i], s[i], t[i], top, f)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m, length = value.size, scratch.shape[1]
    n = scores.size // m
    states = np.zeros((m, STATE))
    for i in range(m):
        here = slice(i * n, (i + 1) * n)
        s, t, g, state = scores[here], labels[here], gradient[here], states[i]
        state[TOP] = _top(s)
        _sums(s, t, scratch, state)
        if g.size and n <= length:
            _gradient_from_terms(s, t, scratch[0], state, g)
        elif g.size:
            _gradient(s, t, state, g)
    for i in range(m):
        value[i] = _value(states[i], constant(scores[0], states[i, TOP]), kind.tolerance)


@COMPILED
def largest(scores: Any) -> float:
    """The maximum of a part (n,) of a row."""
    return float(_top(scores))


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row; its TOP is that of the whole row."""
    _sums(scores, labels, scratch, state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    row = state[0]
    row[TOP] = parts[0, TOP]
    for i in range(parts.shape[0]):
        row[TIES] += parts[i, TIES]
        row[MAIN] += parts[i, MAIN]
        for place in (REST, OTHERS, LINEAR):
            _add(row, place, parts[i, place], parts[i, place + 1])
    value[0] = _value(row, constant(value[0], row[TOP]), kind.tolerance)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known."""
    _gradient(scores, labels, state[0], gradient)
