"""Binary cross-entropy: a sum over labels, value and gradient in one pass.

    e = e^{-|s|},   y = 1 / (1 + e),   a = 1 - t, b = t for s > 0, else a = t, b = 1 - t
    l = sum_i a |s| + log1p(e),   dl/ds = +-(a - b e) y,   + for s > 0

e is the smaller of e^s and e^-s, so nothing overflows, and a and b are the weights of the side on
which s is wrong and of that on which it is right: a - b e is a difference of two terms that are
each rounded once.  log1p(e) = e + e^2 Q on [0, 1], Q a polynomial in e - 1/2, without a division.

Exponents up to LIMIT are taken as they are; from GONE on e counts as 0.  A row with a score in
between, with a label > 0 at a score of -REACH or less, labels outside of [0, 1] or nan gets the
value nan: `numeric_core.kernels` has it done by the plain version.  Most chunks hold nothing of the
kind: they are done without a look at each label, while two integers keep the largest |s| and t;
only if these are out of range, the chunk is done again with care, to the same bits elsewhere.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import one_sided, polynomial, two_sum
from numeric_core.kernels.exponentials import REACH
from numeric_core.kernels.intrinsics import (
    Scalar,
    constant,
    fma,
    higher,
    magnitude,
    pattern,
    power_of_two,
)
from numeric_core.kernels.sums import GONE, LENGTH, LIMIT, exact_sum

__all__ = [
    "ARRAYS",
    "STATE",
    "CrossEntropy",
    "gradient_part",
    "merge",
    "part",
    "products",
    "rows",
    "tail",
]


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


@INLINE
def easy_tail(x: Scalar) -> Scalar:
    """e^-|x| for |x| <= LIMIT."""
    shifted, q = one_sided(-abs(x))
    scale = power_of_two(shifted)
    return fma(scale, q, scale)


def tail(x: Any) -> Any:
    """e^-|x|, nan where it may be subnormal and not 0; Numba takes it from `_tail`."""
    return math.exp(-abs(x))


@overload(tail, jit_options={"forceinline": True, "error_model": "numpy"})
def _tail(x: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone = dtype(LIMIT[x]), dtype(GONE[x])
    zero, nan = dtype(0.0), dtype(np.nan)

    def code(x: Any) -> Any:
        size = abs(x)
        e = easy_tail(min(size, limit))
        return e if size <= limit else (zero if size > gone else nan)

    return code


def in_reach(like: Any, far: Any, most: Any) -> bool:
    """Whether |s| <= LIMIT and t in [0, 1], given the bits of the largest; see `_in_reach`."""
    return bool(far <= LIMIT[like] and most <= 1.0)


@overload(in_reach, jit_options={"forceinline": True})
def _in_reach(like: Any, far: Any, most: Any) -> Any:
    dtype = np.float32 if like == types.float32 else np.float64
    limit, one = dtype(LIMIT[like]), dtype(1.0)

    def code(like: Any, far: Any, most: Any) -> Any:
        return (far <= pattern(limit)) & (most <= pattern(one))

    return code


def log1p_of(e: Any) -> Any:
    """log1p(e) for e in [0, 1]; Numba takes it from `_log1p_of`."""
    return math.log1p(e)


@overload(log1p_of, jit_options={"forceinline": True, "error_model": "numpy"})
def _log1p_of(e: Any) -> Any:
    dtype = np.float32 if e == types.float32 else np.float64
    rest, half = polynomial(Q[e], dtype), dtype(0.5)

    def code(e: Any) -> Any:
        x = e - half
        return fma(e * e, rest(x, x * x), e)

    return code


@INLINE
def easy_loss_and_slope(x: Scalar, t: Scalar, e: Scalar) -> Scalar:
    """(a |s| + log1p(e), +-(a - b e) / (1 + e)) of a label in reach."""
    one = constant(x, 1.0)
    rest, up = one - t, x > constant(x, 0.0)
    a, b = (rest if up else t), (t if up else rest)
    slope = fma(-b, e, a) / (one + e)
    return fma(a, abs(x), log1p_of(e)), (slope if up else -slope)


def loss_and_slope(x: Any, t: Any, e: Any) -> Any:
    """The same of any label, the loss nan where the kernel has no answer; Numba takes it from
    `_loss_and_slope`."""
    return easy_loss_and_slope(x, t, e)


@overload(loss_and_slope, jit_options={"forceinline": True, "error_model": "numpy"})
def _loss_and_slope(x: Any, t: Any, e: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    reach, largest = dtype(REACH), dtype(np.finfo(dtype).max)
    zero, one, nan = dtype(0.0), dtype(1.0), dtype(np.nan)

    def code(x: Any, t: Any, e: Any) -> Any:
        # t (1 - t) >= 0 in [0, 1] alone; a masked label has the label 0
        good = (t * (one - t) >= zero) & (x <= largest) & ((x > -reach) | (t == zero))
        # |s| of a mask at -inf stands beside 0
        loss, slope = easy_loss_and_slope(max(x, -largest), t, e)
        return (loss if good else nan), slope

    return code


@INLINE
def _fill_in_reach(s: Scalar, t: Scalar, g: Scalar, losses: Scalar) -> bool:
    """What `_fill` does, for labels in reach; whether all of them are."""
    far, most = magnitude(s[0]), pattern(t[0])
    for i in range(s.size):
        losses[i] = easy_tail(s[i])
        far = higher(far, magnitude(s[i]))
    if g.size:
        for i in range(s.size):
            losses[i], g[i] = easy_loss_and_slope(s[i], t[i], losses[i])
            most = higher(most, pattern(t[i]))
    else:
        for i in range(s.size):
            losses[i], _ = easy_loss_and_slope(s[i], t[i], losses[i])
            most = higher(most, pattern(t[i]))
    return in_reach(s[0], far, most)


@INLINE
def _fill(s: Scalar, t: Scalar, g: Scalar, losses: Scalar) -> None:
    """The losses of single labels and, unless it has the size 0, their slopes.

    In two loops: a processor looks ahead over more labels of a shorter one.
    """
    if _fill_in_reach(s, t, g, losses):
        return
    for i in range(s.size):
        losses[i] = tail(s[i])
    if g.size:
        for i in range(s.size):
            losses[i], g[i] = loss_and_slope(s[i], t[i], losses[i])
    else:
        for i in range(s.size):
            losses[i], _ = loss_and_slope(s[i], t[i], losses[i])


def bend(x: Any, t: Any, e: Any, v: Any) -> Any:
    """e / (1 + e)^2 v of one label, nan where the kernel has no answer; Numba takes it from
    `_bend`."""
    return e / (1.0 + e) ** 2 * v


@overload(bend, jit_options={"forceinline": True, "error_model": "numpy"})
def _bend(x: Any, t: Any, e: Any, v: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    reach, largest = dtype(REACH), dtype(np.finfo(dtype).max)
    zero, one, nan = dtype(0.0), dtype(1.0), dtype(np.nan)

    def good(x: Any, t: Any) -> Any:
        return (t * (one - t) >= zero) & (x <= largest) & ((x > -reach) | (t == zero))

    inside = INLINE(good)

    def wide(x: Any, t: Any, e: Any, v: Any) -> Any:
        tail, norm = np.float64(e), 1.0 + np.float64(e)
        result = dtype(tail * np.float64(v) / (norm * norm))
        return result if inside(x, t) else nan

    def pairs(x: Any, t: Any, e: Any, v: Any) -> Any:
        norm = one + e
        lack = e - (norm - one)
        # (norm + lack)^2, rounded once
        result = e * v / fma(norm, norm, (norm + norm) * lack)
        return result if inside(x, t) else nan

    return wide if x == types.float32 else pairs


@COMPILED
def products(scores: Any, labels: Any, vector: Any, product: Any, odd: Any) -> None:
    """sigma(s) sigma(-s) v of the rows (m n,); odd (m,): nan where the kernel has no answer."""
    n = scores.size // odd.size
    odd[:] = 0.0
    for start in range(0, scores.size, LENGTH):
        here = slice(start, min(start + LENGTH, scores.size))
        s, t, v, h = scores[here], labels[here], vector[here], product[here]
        for i in range(s.size):
            h[i] = tail(s[i])
        far = magnitude(h[0])
        for i in range(s.size):
            h[i] = bend(s[i], t[i], h[i], v[i])
            far = higher(far, magnitude(h[i]))
        if far >= pattern(constant(s[0], np.inf)):
            for i in range(s.size):
                odd[(start + i) // n] += 0.0 * h[i]


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
    m, losses = value.size, scratch[0, :LENGTH]
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
def part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row and, unless it has the size 0, its gradient."""
    _sums(scores, labels, gradient, scratch[0, :LENGTH], state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        _add(state[0], parts[i, 0], parts[i, 1])
    _values(state, value)


def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """Nothing is left to do: the slope of a label depends on no other, `part` wrote it."""
