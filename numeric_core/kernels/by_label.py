"""Binary cross-entropy: a sum over labels, value and gradient in one pass.

    e = e^{-|s|},   y = 1 / (1 + e),   a = 1 - t, b = t for s > 0, else a = t, b = 1 - t
    l = sum_i a |s| + log1p(e),   dl/ds = +-(a - b e) y,   + for s > 0

e is the smaller of e^s and e^-s, so nothing overflows, and a and b are the weights of the side on
which s is wrong and of that on which it is right: a - b e is a difference of two terms that are
each rounded once.  log1p(e) = e + e^2 Q on [0, 1], Q a polynomial in e - 1/2, without a division.

Exponents up to LIMIT are taken as they are; from GONE on e counts as 0.  A row with a score in
between, with a label > 0 at a score of -REACH or less, labels outside of [0, 1] or nan gets the
value nan: `numeric_core.kernels` has it done by the plain version.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import exponential, two_sum
from numeric_core.kernels.intrinsics import Scalar, constant, fma, power_of_two
from numeric_core.kernels.softmax import REACH
from numeric_core.kernels.sums import GONE, LIMIT, exact_sum

__all__ = ["ARRAYS", "STATE", "CrossEntropy", "gradient_part", "merge", "part", "rows", "tail"]


class CrossEntropy(NamedTuple):
    """Binary cross-entropy; it has no parameters."""


ARRAYS = 1
"""Terms of a chunk: the losses of its labels."""

STATE = 2
"""Numbers in a state: the sum, what it lacks."""

Q = {
    types.float32: (
        -0.37813957086093075,
        0.17922493897790284,
        -0.09322970891822155,
        0.051083038528451655,
        -0.02896400818693947,
        0.01680165150955186,
        -0.009681858671931063,
        0.005787683439985007,
        -0.004576878014833635,
        0.00280164199280335,
    ),
    types.float64: (
        -0.37813956756734246,
        0.17922493693603628,
        -0.09323036636366504,
        0.05108344610565852,
        -0.02894318316522819,
        0.01678874247000762,
        -0.009909900709018689,
        0.005929012347899714,
        -0.00358566675681427,
        0.00218763196321537,
        -0.001344493715755721,
        0.0008315234081490733,
        -0.0005169575993625731,
        0.0003222161102992342,
        -0.00020204880268313708,
        0.00013056054379050492,
        -8.24550194446244e-05,
        4.138249661375945e-05,
        -2.6208826056265817e-05,
        3.590740235781667e-05,
        -2.2938856818471438e-05,
    ),
}
"""(log1p(e) - e) / e^2 in powers of e - 1/2, interpolated at the Chebyshev points of [0, 1]: of
log1p(e), this leaves out 0.42 u (float32) and 0.25 u (float64) at most, the rounding of the
coefficients included; 1.41 and 1.21 ulp were seen.  The test computes them anew in mpmath."""


def tail(x: Any) -> Any:
    """e^{-|x|}, nan where it may be subnormal and not 0; Numba takes it from `_tail`."""
    return math.exp(-abs(x))


@overload(tail, jit_options={"forceinline": True, "error_model": "numpy"})
def _tail(x: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone = dtype(LIMIT[x]), dtype(GONE[x])
    zero, one, nan = dtype(0.0), dtype(1.0), dtype(np.nan)

    def code(x: Any) -> Any:
        size = abs(x)
        shifted, _, c, s = exponential(-min(size, limit))
        e = fma(one, s + c, one) * power_of_two(shifted)
        return e if size <= limit else (zero if size > gone else nan)

    return code


def log1p_of(e: Any) -> Any:
    """log1p(e) for e in [0, 1]; Numba takes it from `_log1p_of`."""
    return math.log1p(e)


@overload(log1p_of, jit_options={"forceinline": True, "error_model": "numpy"})
def _log1p_of(e: Any) -> Any:
    dtype = np.float32 if e == types.float32 else np.float64
    # even and odd powers apart: two chains of half the length
    even = tuple(dtype(c) for c in reversed(Q[e][::2]))
    odd = tuple(dtype(c) for c in reversed(Q[e][1::2]))
    evens, odds, half = len(even), len(odd), dtype(0.5)

    def code(e: Any) -> Any:
        x = e - half
        z = x * x
        a, b = even[0], odd[0]
        for k in range(1, evens):
            a = fma(a, z, even[k])
        for k in range(1, odds):
            b = fma(b, z, odd[k])
        return fma(e * e, fma(b, x, a), e)

    return code


def sides(x: Any, t: Any) -> Any:
    """(a, b) of the module's text, a nan where the kernel has no answer; see `_sides`."""
    return (1.0 - t, t) if x > 0 else (t, 1.0 - t)


@overload(sides, jit_options={"forceinline": True, "error_model": "numpy"})
def _sides(x: Any, t: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    reach, zero, one, nan = dtype(REACH), dtype(0.0), dtype(1.0), dtype(np.nan)

    def code(x: Any, t: Any) -> Any:
        rest = one - t
        # a masked label has the label 0
        good = (t >= zero) & (t <= one) & ((x > -reach) | (t == zero))
        wrong = rest if x > zero else t
        return (wrong if good else nan), (t if x > zero else rest)

    return code


@INLINE
def _loss(x: Scalar, a: Scalar, e: Scalar) -> Scalar:
    """a |s| + log1p(e); a mask has a = 0 and |s| = inf."""
    zero = constant(x, 0.0)
    size = abs(x)
    return fma(a, zero if (a == zero) & (x < zero) else size, log1p_of(e))


@INLINE
def _slope(x: Scalar, a: Scalar, b: Scalar, e: Scalar) -> Scalar:
    one = constant(x, 1.0)
    slope = fma(-b, e, a) / (one + e)
    return slope if x > constant(x, 0.0) else -slope


@INLINE
def _fill(s: Scalar, t: Scalar, g: Scalar, losses: Scalar) -> None:
    """The losses of single labels and, unless it has the size 0, their slopes."""
    if g.size:
        for i in range(s.size):
            e = tail(s[i])
            a, b = sides(s[i], t[i])
            losses[i] = _loss(s[i], a, e)
            g[i] = _slope(s[i], a, b, e)
    else:
        for i in range(s.size):
            a, _ = sides(s[i], t[i])
            losses[i] = _loss(s[i], a, tail(s[i]))


@INLINE
def _add(state: Scalar, high: Scalar, low: Scalar) -> None:
    state[0], error = two_sum(state[0], high)
    state[1] += error + low


@INLINE
def _sums(s: Scalar, t: Scalar, g: Scalar, losses: Scalar, state: Scalar) -> None:
    """Adds the losses of a row longer than LENGTH, or of a part of one, to its state."""
    for start in range(0, s.size, losses.size):
        here = slice(start, min(start + losses.size, s.size))
        k = here.stop - here.start
        _fill(s[here], t[here], g[here], losses[:k])
        _add(state, *exact_sum(losses[:k]))


@INLINE
def _values(states: Scalar, value: Scalar) -> None:
    for i in range(value.size):
        total = states[i, 0] + states[i, 1]
        value[i] = total if total < np.inf else np.nan


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m, losses = value.size, scratch[0]
    n = scores.size // m
    step = max(1, losses.size // n)
    states = np.zeros((m, STATE))
    for start in range(0, m, step):
        stop = min(start + step, m)
        here = slice(start * n, stop * n)
        s, t, g = scores[here], labels[here], gradient[here]
        if n > losses.size:
            _sums(s, t, g, losses, states[start])
            continue
        _fill(s, t, g, losses[: s.size])
        for i in range(stop - start):
            _add(states[start + i], *exact_sum(losses[i * n : (i + 1) * n]))
    _values(states, value)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row."""
    _sums(scores, labels, scores[:0], scratch[0], state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        _add(state[0], parts[i, 0], parts[i, 1])
    _values(state, value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row."""
    for i in range(scores.size):
        a, b = sides(scores[i], labels[i])
        gradient[i] = _slope(scores[i], a, b, tail(scores[i]))
