"""The unified pairwise loss, value and gradient, from the two sums of `two_sided`.

    u_i = (1 - t_i) e^{x_i},   d_i = t_i e^{-x_i},   x = gamma s,   U = sum u_i,   D = sum d_i
    R   = e^{gamma m} U D,     l = log1p(R)
    g_i = a u_i - b d_i,       a = gamma R / ((1 + R) U),   b = gamma R / ((1 + R) D)

No shift is subtracted.  Where gamma is not 1, x is rounded, and what the rounding left over is made
good in the terms: u (1 + rest), d (1 - rest).

There is no null class beside which a term may count as 0.  So a sum is 0 only for a row without a
label of that side; a row with such labels and a sum below SMALL, and one whose R, a or b is out of
range, gets the value nan: `numeric_core.kernels` has it done by the plain version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels import exponential_pair
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_pair, two_sum
from numeric_core.kernels.intrinsics import Scalar, constant, fma
from numeric_core.kernels.sums import LENGTH, exact_sum
from numeric_core.kernels.two_sided import Soft, add, difference
from numeric_core.kernels.two_sided import _fill as fill

__all__ = ["ARRAYS", "STATE", "Pairs", "gradient_part", "merge", "pairs", "part", "rows"]


class Pairs(NamedTuple):
    """scale: gamma; factor + factor_low = e^{gamma m}; sides: labels in [0, 1], no threshold."""

    scale: float
    factor: float
    factor_low: float
    sides: Soft = Soft(1.0, 1.0)


def pairs(scale: float, margin: float) -> Pairs:
    """The parameters of a loss, e^{gamma m} to twice the digits of float64."""
    return Pairs(scale, *exponential_pair(scale, margin))


ARRAYS = 3
"""Terms of a row: u and d; x."""

STATE = 6
"""Numbers in a state: U, what it lacks, D, what it lacks, how many labels are below 1 and how many
above 0; the last two are counted only where a sum is small."""

SMALL = {types.float32: 2.0**-100, types.float64: 2.0**-800}
"""2^32 terms that count as 0, of e^-GONE = 2^-183 or 2^-1108, are below 2^-51 of this."""

RANGE = {types.float32: 2.0**110, types.float64: 2.0**900}
"""R, a and b, up to here and down to the inverse, are normal numbers (R always in float64)."""


def limits(like: Any) -> Any:
    """(SMALL, RANGE) for the dtype of an array; Numba takes it from `_limits`."""
    return (2.0**-100, 2.0**110) if like.dtype == np.float32 else (2.0**-800, 2.0**900)


@overload(limits, jit_options={"forceinline": True})
def _limits(like: Any) -> Any:
    both = SMALL[like.dtype], RANGE[like.dtype]

    def code(like: Any) -> Any:
        return both

    return code


@INLINE
def _fill(kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, x: Scalar) -> None:
    """The terms of a chunk."""
    if kind.scale == 1.0:
        fill(kind.sides, s, t, u, d)
        return
    one, high = constant(s[0], 1.0), constant(s[0], kind.scale)
    low = constant(s[0], kind.scale - np.float64(high))
    for i in range(s.size):
        x[i] = high * s[i]
    fill(kind.sides, x[: s.size], t, u, d)
    for i in range(s.size):
        rest = fma(high, s[i], -x[i]) + low * s[i]
        # beyond that, and for a mask at -inf, the terms are 0 or nan
        rest = rest if abs(rest) < one else constant(rest, 0.0)
        u[i], d[i] = fma(u[i], rest, u[i]), fma(d[i], -rest, d[i])


@INLINE
def _count(t: Scalar, state: Scalar) -> None:
    """Adds how many labels there are on either side."""
    one, zero = constant(t[0], 1.0), constant(t[0], 0.0)
    for i in range(t.size):
        state[4] += 1.0 if t[i] < one else 0.0
        state[5] += 1.0 if t[i] > zero else 0.0


@INLINE
def _sums(
    kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, x: Scalar, states: Scalar
) -> None:
    """Terms and sums of one row, or of some short ones, all of whose terms are one loop."""
    m = states.shape[0]
    n = s.size // m
    for start in range(0, s.size, LENGTH):
        here = slice(start, min(start + LENGTH, s.size))
        _fill(kind, s[here], t[here], u[here], d[here], x)
        if m == 1:
            add(states[0], *exact_sum(u[here]), *exact_sum(d[here]))
    if m > 1:
        for i in range(m):
            row = slice(i * n, (i + 1) * n)
            add(states[i], *exact_sum(u[row]), *exact_sum(d[row]))


@INLINE
def _count_where_small(t: Scalar, states: Scalar) -> None:
    n = t.size // states.shape[0]
    small, _ = limits(t)
    for i in range(states.shape[0]):
        if not (states[i, 0] >= small) & (states[i, 2] >= small):
            _count(t[i * n : (i + 1) * n], states[i])


@INLINE
def _times(a: Scalar, a_low: Scalar, b: Scalar, b_low: Scalar) -> Scalar:
    product = a * b
    return product, fma(a, b, -product) + (a * b_low + a_low * b)


@INLINE
def _over_norm(a: Scalar, a_low: Scalar, r: Scalar, r_low: Scalar) -> Scalar:
    """(a + a_low) / (1 + r + r_low) as a pair."""
    norm, error = two_sum(1.0, r)
    q = a / norm
    return q, ((fma(-q, norm, a) - q * (error + r_low)) + a_low) / norm


@INLINE
def _pairs(kind: Scalar, state: Scalar, small: Scalar, largest: Scalar) -> Scalar:
    """R, a and b as pairs, R nan where the kernel has no answer."""
    up, up_low, down, down_low = state[0], state[1], state[2], state[3]
    if ((up == 0.0) & (state[4] == 0.0)) | ((down == 0.0) & (state[5] == 0.0)):
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    e_up, e_up_low = _times(kind.factor, kind.factor_low, up, up_low)
    e_down, e_down_low = _times(kind.factor, kind.factor_low, down, down_low)
    r, r_low = _times(e_up, e_up_low, down, down_low)
    a, a_low = _over_norm(*_times(kind.scale, 0.0, e_down, e_down_low), r, r_low)
    b, b_low = _over_norm(*_times(kind.scale, 0.0, e_up, e_up_low), r, r_low)
    least = 1.0 / largest
    good = (up >= small) & (down >= small) & (r >= 2.0**-900) & (r <= 2.0**900)
    good &= (a >= least) & (a <= largest) & (b >= least) & (b <= largest)
    return (r if good else np.nan), r_low, a, a_low, b, b_low


@INLINE
def _values(kind: Scalar, states: Scalar, value: Scalar) -> None:
    small, largest = limits(value)
    for i in range(value.size):
        r, r_low, _, _, _, _ = _pairs(kind, states[i], small, largest)
        value[i] = log1p_pair(r, r_low) if r >= 0.0 else np.nan


@INLINE
def _factors(kind: Scalar, state: Scalar, like: Scalar) -> Scalar:
    """a and b as pairs in the dtype of an array."""
    small, largest = limits(like)
    _, _, a, a_low, b, b_low = _pairs(kind, state, small, largest)
    high, other = constant(like[0], a), constant(like[0], b)
    low = constant(like[0], (a - np.float64(high)) + a_low)
    return high, low, other, constant(like[0], (b - np.float64(other)) + b_low)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m = value.size
    n = scores.size // m
    step = max(1, LENGTH // n)
    states, x = np.zeros((m, STATE)), scratch[2, :LENGTH]
    for i in range(0, m, step):
        k = min(step, m - i)
        here, some = slice(i * n, (i + k) * n), states[i : i + k]
        u = gradient[here] if gradient.size else scratch[0, : k * n]
        _sums(kind, scores[here], labels[here], u, scratch[1, : k * n], x, some)
        _count_where_small(labels[here], some)
        if gradient.size:
            for j in range(k):
                row = slice(j * n, (j + 1) * n)
                difference(u[row], scratch[1, row], _factors(kind, some[j], scores))
    _values(kind, states, value)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row; no terms are kept for the gradient."""
    u, d, x = scratch[0, :LENGTH], scratch[1, :LENGTH], scratch[2, :LENGTH]
    for start in range(0, scores.size, LENGTH):
        here = slice(start, min(start + LENGTH, scores.size))
        _sums(kind, scores[here], labels[here], u, d, x, state.reshape(1, STATE))
    _count(labels, state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        add(state[0], parts[i, 0], parts[i, 1], parts[i, 2], parts[i, 3])
        state[0, 4] += parts[i, 4]
        state[0, 5] += parts[i, 5]
    _values(kind, state, value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known."""
    scratch = np.empty((2, LENGTH), scores.dtype)
    d, x = scratch[0], scratch[1]
    f = _factors(kind, state[0], scores)
    for start in range(0, scores.size, LENGTH):
        here = slice(start, min(start + LENGTH, scores.size))
        u = gradient[here]
        _fill(kind, scores[here], labels[here], u, d[: u.size], x)
        difference(u, d[: u.size], f)
