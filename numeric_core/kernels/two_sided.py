"""ZLPR, hard and soft, value and gradient in two passes over a row that stays in cache.

    u_i = (1 - t_i) e^{s_i},   d_i = t_i e^{-s_i},   U = sum u_i,   D = sum d_i
    l   = log1p(e^{s0} D) + log1p(e^{-s0} U)
    g_i = u_i / (e^{s0} + U) - d_i / (e^{-s0} + D)

No shift is subtracted: exponents up to 87 (float32) or 700 (float64) are taken as they are, and a
threshold s0 is a factor of the sums, so that no argument of exp is rounded.  A term counts as 0
where that is what it is in the dtype even times 2^32.  All other rows (scores in between or
beyond, labels outside of [0, 1], nan) get the value nan: `numeric_core.kernels` has them done by
the plain version.

Rows are summed in chunks of LENGTH, exactly (`sums`), and chunks are added in order with the error
terms of two_sum; so are the parts that a long row is cut into, by whatever thread they were summed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import exponential, log1p_pair, two_sum
from numeric_core.kernels.intrinsics import MAGIC, Scalar, fma, power_of_two
from numeric_core.kernels.sums import GONE, LIMIT, exact_sum

__all__ = ["ARRAYS", "STATE", "Hard", "Soft", "gradient_part", "merge", "part", "rows"]


class Hard(NamedTuple):
    """Labels 0 and 1: one exponential a label.  up = e^{-s0}, down = e^{s0}."""

    up: float
    down: float


class Soft(NamedTuple):
    """Labels in [0, 1]: both exponentials, from one reduction."""

    up: float
    down: float


LARGEST = {types.float32: 2.0**120, types.float64: 2.0**1000}
"""1 / (1 + U) must be a normal number of the dtype."""

ARRAYS = 2
"""Terms of a chunk: u and d."""

STATE = 4
"""Numbers in a state: U, what it lacks, D, what it lacks."""


def terms(kind: Any, x: Any, t: Any) -> Any:
    """(u, d) of one label, nan where the kernel has no answer; Numba takes it from `_terms`."""
    return (1.0 - t) * np.exp(x), t * np.exp(-x)


@overload(terms, jit_options={"forceinline": True, "error_model": "numpy"})
def _terms(kind: Any, x: Any, t: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone, magic = dtype(LIMIT[x]), dtype(GONE[x]), dtype(MAGIC[x])
    zero, one, nan, tiny = dtype(0.0), dtype(1.0), dtype(np.nan), np.finfo(dtype).tiny

    def soft(kind: Any, x: Any, t: Any) -> Any:
        shifted, k, c, s = exponential(min(max(x, -limit), limit))
        rest = one - t
        u = fma(rest, s + c, rest) * power_of_two(shifted)
        d = fma(t, c - s, t) * power_of_two(magic - k)
        # t in [0, 1] is part of it: beyond, u or d is negative
        good = (abs(x) <= limit) & ((u >= tiny) | (t == one)) & ((d >= tiny) | (t == zero))
        absent = ((x < -gone) & (t == zero)) | ((x > gone) & (t == one))
        other = zero if absent else nan
        return (u if good else other), (d if good else other)

    def hard(kind: Any, x: Any, t: Any) -> Any:
        positive = t == one
        y = -x if positive else x
        shifted, _, c, s = exponential(min(max(y, -limit), limit))
        e = fma(one, s + c, one) * power_of_two(shifted)
        known = positive | (t == zero)
        e = e if (abs(y) <= limit) & known else (zero if (y < -gone) & known else nan)
        return (zero if positive else e), (e if positive else zero)

    return hard if kind.instance_class is Hard else soft


def _largest(like: Any) -> Any:
    """LARGEST for the dtype of an array."""
    return 2.0**120 if like.dtype == np.float32 else 2.0**1000


@overload(_largest, jit_options={"forceinline": True})
def _largest_of(like: Any) -> Any:
    largest = LARGEST[like.dtype]

    def code(like: Any) -> Any:
        return largest

    return code


@INLINE
def _fill(kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar) -> None:
    for i in range(s.size):
        u[i], d[i] = terms(kind, s[i], t[i])


@INLINE
def add(state: Scalar, up: Scalar, up_low: Scalar, down: Scalar, down_low: Scalar) -> None:
    """state = (U, what it lacks, D, what it lacks) plus another."""
    state[0], error = two_sum(state[0], up)
    state[1] += error + up_low
    state[2], error = two_sum(state[2], down)
    state[3] += error + down_low


@INLINE
def _sums(kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, state: Scalar) -> None:
    """Adds the sums of a row longer than LENGTH, or of a part of one, to its state."""
    for start in range(0, s.size, u.size):
        m = min(u.size, s.size - start)
        _fill(kind, s[start : start + m], t[start : start + m], u[:m], d[:m])
        add(state, *exact_sum(u[:m]), *exact_sum(d[:m]))


@INLINE
def _share(factor: Scalar, high: Scalar, low: Scalar) -> Scalar:
    """(v, lack, r, rest): v + lack = factor (high + low), r + rest = factor / (1 + v + lack)."""
    v = factor * high
    lack = fma(factor, high, -v) + factor * low
    norm, error = two_sum(1.0, v)
    error += lack
    r = factor / norm
    rest = (fma(-r, norm, factor) - r * error) / norm
    return v, lack, r, rest


@INLINE
def _factors(kind: Scalar, states: Scalar, f: Scalar) -> None:
    """The factors of u and d in the gradients of some rows, as pairs in the dtype: (4, rows)."""
    for i in range(states.shape[0]):
        _, _, a, a_low = _share(kind.up, states[i, 0], states[i, 1])
        _, _, b, b_low = _share(kind.down, states[i, 2], states[i, 3])
        f[0, i], f[2, i] = a, b
        f[1, i] = (a - np.float64(f[0, i])) + a_low
        f[3, i] = (b - np.float64(f[2, i])) + b_low


@INLINE
def _from_terms(u: Scalar, d: Scalar, f: Scalar, g: Scalar) -> None:
    """u r - d r': each has one rounding beside those of its term."""
    a, a_low, b, b_low = f[0], f[1], f[2], f[3]
    for i in range(g.size):
        g[i] = fma(u[i], a, u[i] * a_low) - fma(d[i], b, d[i] * b_low)


@INLINE
def _from_scores(kind: Scalar, s: Scalar, t: Scalar, f: Scalar, g: Scalar) -> None:
    a, a_low, b, b_low = f[0], f[1], f[2], f[3]
    for i in range(g.size):
        u, d = terms(kind, s[i], t[i])
        g[i] = fma(u, a, u * a_low) - fma(d, b, d * b_low)


@INLINE
def _values(kind: Scalar, states: Scalar, largest: Scalar, value: Scalar) -> None:
    """l = log1p(e^{s0} D) + log1p(e^{-s0} U) of many rows: logarithms in vectors as well."""
    for i in range(value.size):
        up, up_low, _, _ = _share(kind.up, states[i, 0], states[i, 1])
        down, down_low, _, _ = _share(kind.down, states[i, 2], states[i, 3])
        total = log1p_pair(down, down_low) + log1p_pair(up, up_low)
        fits = (states[i, 0] < largest) & (states[i, 2] < largest)
        value[i] = total if fits else np.nan


@INLINE
def _short_rows(
    kind: Scalar, s: Scalar, t: Scalar, g: Scalar, u: Scalar, d: Scalar, states: Scalar, f: Scalar
) -> None:
    """Some rows whose terms fit into the scratch: one loop over all of them."""
    m = states.shape[0]
    n = s.size // m
    _fill(kind, s, t, u, d)
    for i in range(m):
        row = slice(i * n, (i + 1) * n)
        add(states[i], *exact_sum(u[row]), *exact_sum(d[row]))
    if g.size:
        _factors(kind, states, f)
        for i in range(m):
            row = slice(i * n, (i + 1) * n)
            _from_terms(u[row], d[row], f[:, i], g[row])


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m, u, d = value.size, scratch[0], scratch[1]
    n = scores.size // m
    step = max(1, u.size // n)
    states, f = np.zeros((m, STATE)), np.empty((STATE, step), scores.dtype)
    for i in range(0, m, step):
        k = min(step, m - i)
        here = slice(i * n, (i + k) * n)
        s, t, g, state = scores[here], labels[here], gradient[here], states[i : i + k]
        if n <= u.size:
            _short_rows(kind, s, t, g, u[: k * n], d[: k * n], state, f)
            continue
        _sums(kind, s, t, u, d, state[0])
        if g.size:
            _factors(kind, state, f)
            _from_scores(kind, s, t, f[:, 0], g)
    _values(kind, states, _largest(u), value)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row."""
    _sums(kind, scores, labels, scratch[0], scratch[1], state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        add(state[0], parts[i, 0], parts[i, 1], parts[i, 2], parts[i, 3])
    _values(kind, state, _largest(value), value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known."""
    f = np.empty((STATE, 1), scores.dtype)
    _factors(kind, state, f)
    _from_scores(kind, scores, labels, f[:, 0], gradient)
