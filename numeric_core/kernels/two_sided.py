"""ZLPR, hard and soft, value and gradient in two passes over a row that stays in cache.

    u_i = (1 - t_i) e^{s_i},   d_i = t_i e^{-s_i},   U = sum u_i,   D = sum d_i
    l   = log1p(e^{s0} D) + log1p(e^{-s0} U) = log1p(e^{s0} D + e^{-s0} U + D U)
    g_i = u_i / (e^{s0} + U) - d_i / (e^{-s0} + D)

No shift is subtracted: exponents up to 87 (float32) or 700 (float64) are taken as they are, and a
threshold s0 is a factor of the sums, so that no argument of exp is rounded.  A term counts as 0
where that is what it is in the dtype even times 2^32.  All other rows (scores in between or
beyond, labels outside of [0, 1], nan) get the value nan: `numeric_core.kernels` has them done by
the plain version.

Most chunks hold nothing of the kind.  So a chunk is done without a look at each label, while three
integers keep the largest |s| and the largest and smallest t that were seen; only if these are out
of range, it is done again with care, which gives all other labels the same bits.

Rows are summed in chunks of LENGTH, exactly (`sums`), and chunks are added in order with the error
terms of two_sum; so are the parts that a long row is cut into, by whatever thread they were summed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import exponential, log1p_near, log1p_pair, one_sided, two_sum
from numeric_core.kernels.intrinsics import (
    Scalar,
    constant,
    fma,
    higher,
    lower,
    magnitude,
    one_less,
    pattern,
    power_of_two,
    two_powers,
)
from numeric_core.kernels.sums import GONE, LENGTH, LIMIT, exact_sum
from numeric_core.kernels.vectors import choose, element

__all__ = ["ARRAYS", "STATE", "Hard", "Soft", "gradient_part", "merge", "part", "rows"]


class Hard(NamedTuple):
    """Labels 0 and 1: one exponential a label.  up = e^{-s0}, down = e^{s0}."""

    up: float
    down: float


class Soft(NamedTuple):
    """Labels in [0, 1]: both exponentials, from one reduction."""

    up: float
    down: float


LARGEST = {types.float32: 2.0**120, types.float64: 2.0**500}
"""1 / (1 + U) must be a normal number of the dtype, U D one of float64."""

EASY = {types.float32: 70.0, types.float64: 650.0}
"""Up to here u and d are normal numbers for every t in [eps / 2, 1]: e^-70 2^-24 = 2^-125."""

ARRAYS = 2
"""Terms of a row: u and d."""

STATE = 4
"""Numbers in a state: U, what it lacks, D, what it lacks."""


def easy_terms(kind: Any, x: Any, t: Any) -> Any:
    """(u, d) of a label in reach; Numba takes it from `_easy_terms`."""
    return (1.0 - t) * np.exp(x), t * np.exp(-x)


@overload(easy_terms, jit_options={"forceinline": True, "error_model": "numpy"})
def _easy_terms(kind: Any, x: Any, t: Any) -> Any:
    dtype = np.float32 if element(x) == types.float32 else np.float64
    zero, one = dtype(0.0), dtype(1.0)

    def soft(kind: Any, x: Any, t: Any) -> Any:
        shifted, _, c, s = exponential(x)
        up, down = two_powers(shifted)
        rest = one - t
        return fma(rest, s + c, rest) * up, fma(t, c - s, t) * down

    def hard(kind: Any, x: Any, t: Any) -> Any:
        positive = t == one
        shifted, q = one_sided(choose(positive, -x, x))
        scale = power_of_two(shifted)
        e = fma(scale, q, scale)
        return choose(positive, zero, e), choose(positive, e, zero)

    return hard if kind.instance_class is Hard else soft


def terms(kind: Any, x: Any, t: Any) -> Any:
    """(u, d) of any label, nan where the kernel has no answer; Numba takes it from `_terms`."""
    return easy_terms(kind, x, t)


@overload(terms, jit_options={"forceinline": True, "error_model": "numpy"})
def _terms(kind: Any, x: Any, t: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone = dtype(LIMIT[x]), dtype(GONE[x])
    zero, one, nan, tiny = dtype(0.0), dtype(1.0), dtype(np.nan), np.finfo(dtype).tiny

    def soft(kind: Any, x: Any, t: Any) -> Any:
        u, d = easy_terms(kind, min(max(x, -limit), limit), t)
        # t in [0, 1] is part of it: beyond, u or d is negative
        good = (abs(x) <= limit) & ((u >= tiny) | (t == one)) & ((d >= tiny) | (t == zero))
        absent = ((x < -gone) & (t == zero)) | ((x > gone) & (t == one))
        other = zero if absent else nan
        return (u if good else other), (d if good else other)

    def hard(kind: Any, x: Any, t: Any) -> Any:
        u, d = easy_terms(kind, min(max(x, -limit), limit), t)
        hard = (t == one) | (t == zero)
        good = (abs(x) <= limit) & hard
        absent = ((x if t == zero else -x) < -gone) & hard
        other = zero if absent else nan
        return (u if good else other), (d if good else other)

    return hard if kind.instance_class is Hard else soft


def seen(kind: Any, t: Any, most: Any, least: Any) -> Any:
    """What `in_reach` needs to know of the labels, with one more; Numba takes it from `_seen`."""
    return max(most, t), min(least, t)


@overload(seen, jit_options={"forceinline": True})
def _seen(kind: Any, t: Any, most: Any, least: Any) -> Any:
    def soft(kind: Any, t: Any, most: Any, least: Any) -> Any:
        return higher(most, pattern(t)), lower(least, one_less(pattern(t)))

    def hard(kind: Any, t: Any, most: Any, least: Any) -> Any:
        return higher(most, magnitude(fma(t, t, -t))), least

    return hard if kind.instance_class is Hard else soft


def in_reach(kind: Any, like: Any, far: Any, most: Any, least: Any) -> bool:
    """Whether all labels that were seen need no care; Numba takes it from `_in_reach`."""
    return far <= EASY[like] and most <= 1.0 and least >= 0.0


@overload(in_reach, jit_options={"forceinline": True})
def _in_reach(kind: Any, like: Any, far: Any, most: Any, least: Any) -> Any:
    dtype = np.float32 if like == types.float32 else np.float64
    easy, one, half_ulp = dtype(EASY[like]), dtype(1.0), dtype(np.finfo(dtype).eps / 2)

    def soft(kind: Any, like: Any, far: Any, most: Any, least: Any) -> Any:
        inside = (most <= pattern(one)) & (least >= one_less(pattern(half_ulp)))
        return inside & (far <= pattern(easy))

    def hard(kind: Any, like: Any, far: Any, most: Any, least: Any) -> Any:
        return (most == 0) & (far <= pattern(easy))

    return hard if kind.instance_class is Hard else soft


@INLINE
def _fill(kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar) -> None:
    far = most = pattern(constant(s[0], 0.0))
    least = one_less(far)
    for i in range(s.size):
        u[i], d[i] = easy_terms(kind, s[i], t[i])
        far = higher(far, magnitude(s[i]))
        most, least = seen(kind, t[i], most, least)
    if not in_reach(kind, s[0], far, most, least):
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
    """The terms of a row longer than LENGTH, and their sums added to its state.

    Terms of a part, for which there is no room, are overwritten chunk by chunk.
    """
    for start in range(0, s.size, LENGTH):
        here = slice(start, min(start + LENGTH, s.size))
        place = here if u.size == s.size else slice(0, here.stop - here.start)
        _fill(kind, s[here], t[here], u[place], d[place])
        add(state, *exact_sum(u[place]), *exact_sum(d[place]))


@INLINE
def _scaled(factor: Scalar, high: Scalar, low: Scalar) -> Scalar:
    """(v, lack), v + lack = factor (high + low)."""
    v = factor * high
    return v, fma(factor, high, -v) + factor * low


def share(like: Any, factor: float, inverse: float, high: float, low: float) -> Any:
    """(r, rest), r + rest = factor / (1 + factor (high + low)); inverse = 1 / factor.

    Numba takes it from `_share`; for float32 rows float64 alone has digits enough.
    """
    return factor / (1.0 + factor * (high + low)), 0.0


@overload(share, jit_options={"forceinline": True, "error_model": "numpy"})
def _share(like: Any, factor: Any, inverse: Any, high: Any, low: Any) -> Any:
    def wide(like: Any, factor: Any, inverse: Any, high: Any, low: Any) -> Any:
        return factor / fma(factor, high + low, 1.0), 0.0

    def paired(like: Any, factor: Any, inverse: Any, high: Any, low: Any) -> Any:
        v, lack = _scaled(factor, high, low)
        norm, error = two_sum(1.0, v)
        r = factor / norm
        return r, (fma(-r, norm, factor) - r * (error + lack)) * (r * inverse)

    return wide if like == types.float32 else paired


@INLINE
def factors(kind: Scalar, like: Scalar, state: Scalar) -> Scalar:
    """The factors of u and d in the gradient of a row, as pairs in the dtype."""
    up, up_low, down, down_low = state
    a, a_low = share(like, kind.up, kind.down, up, up_low)
    b, b_low = share(like, kind.down, kind.up, down, down_low)
    high, other = constant(like, a), constant(like, b)
    low = constant(like, (a - np.float64(high)) + a_low)
    return high, low, other, constant(like, (b - np.float64(other)) + b_low)


@INLINE
def slope(u: Scalar, d: Scalar, f: Scalar) -> Scalar:
    """u r - d r': each has one rounding beside those of its term."""
    a, a_low, b, b_low = f
    return fma(u, a, u * a_low) - fma(d, b, d * b_low)


@INLINE
def _differences(u: Scalar, d: Scalar, f: Scalar, g: Scalar) -> None:
    for i in range(g.size):
        g[i] = slope(u[i], d[i], f)


@INLINE
def difference(u: Scalar, d: Scalar, f: Scalar) -> None:
    """The gradient in the place of u."""
    for i in range(u.size):
        u[i] = slope(u[i], d[i], f)


@INLINE
def _from_scores(kind: Scalar, s: Scalar, t: Scalar, f: Scalar, g: Scalar) -> None:
    for i in range(g.size):
        u, d = terms(kind, s[i], t[i])
        g[i] = slope(u, d, f)


def loss(kind: Any, like: Any, up: float, up_low: float, down: float, down_low: float) -> Any:
    """l = log1p(v + w + v w), v = e^{s0} D, w = e^{-s0} U; Numba takes it from `_loss`."""
    v, w = kind.down * (down + down_low), kind.up * (up + up_low)
    return np.log1p(v + w + v * w)


@overload(loss, jit_options={"forceinline": True, "error_model": "numpy"})
def _loss(kind: Any, like: Any, up: Any, up_low: Any, down: Any, down_low: Any) -> Any:
    largest = LARGEST[like]

    def wide(kind: Any, like: Any, up: Any, up_low: Any, down: Any, down_low: Any) -> Any:
        v, w = kind.down * (down + down_low), kind.up * (up + up_low)
        fits = (v < largest) & (w < largest)
        return log1p_near(fma(v, w, v + w)) if fits else np.nan

    def paired(kind: Any, like: Any, up: Any, up_low: Any, down: Any, down_low: Any) -> Any:
        v, v_low = _scaled(kind.down, down, down_low)
        w, w_low = _scaled(kind.up, up, up_low)
        both = v * w
        total, error = two_sum(v, w)
        low = fma(v, w, -both) + (v * w_low + w * v_low) + (error + (v_low + w_low))
        total, error = two_sum(total, both)
        fits = (v < largest) & (w < largest)
        return log1p_pair(total, error + low) if fits else np.nan

    return wide if like == types.float32 else paired


@INLINE
def _values(kind: Scalar, states: Scalar, value: Scalar) -> None:
    """l of many rows: logarithms in vectors."""
    x = states.reshape(-1)
    for i in range(value.size):
        k = 4 * i
        value[i] = loss(kind, value[0], x[k], x[k + 1], x[k + 2], x[k + 3])


@INLINE
def _short(
    kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, g: Scalar, states: Scalar, f: Scalar
) -> None:
    """Some rows of up to LENGTH labels: the terms of all in one loop."""
    m = states.shape[0]
    n = s.size // m
    _fill(kind, s, t, u, d)
    for i in range(m):
        row = slice(i * n, (i + 1) * n)
        (up, up_low), (down, down_low) = exact_sum(u[row]), exact_sum(d[row])
        state = states[i]
        state[0], state[1], state[2], state[3] = up, up_low, down, down_low
        f[i, 0], f[i, 1], f[i, 2], f[i, 3] = factors(kind, s[0], (up, up_low, down, down_low))
    if g.size:
        for i in range(m):
            row = slice(i * n, (i + 1) * n)
            _differences(u[row], d[row], (f[i, 0], f[i, 1], f[i, 2], f[i, 3]), g[row])


@INLINE
def _long(
    kind: Scalar, s: Scalar, t: Scalar, u: Scalar, d: Scalar, g: Scalar, state: Scalar
) -> None:
    """A row longer than LENGTH; u is kept where the gradient is to be."""
    if g.size:
        _sums(kind, s, t, g, d, state)
        difference(g, d, factors(kind, s[0], (state[0], state[1], state[2], state[3])))
    else:
        _sums(kind, s, t, u, d, state)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,).

    Terms of short rows stay in the scratch: a sum that is read just after it was written waits for
    all stores before it, and those of terms into the gradient would wait for memory.
    """
    m = value.size
    n = scores.size // m
    step = max(1, LENGTH // n)
    states, f = np.zeros((m, STATE)), np.empty((step, 4), scores.dtype)
    for i in range(0, m, step):
        k = min(step, m - i)
        here = slice(i * n, (i + k) * n)
        s, t, g = scores[here], labels[here], gradient[here] if gradient.size else gradient
        u, d = scratch[0, : k * n], scratch[1, : k * n]
        if n > LENGTH:
            _long(kind, s, t, u, d, g, states[i])
        else:
            _short(kind, s, t, u, d, g, states[i : i + k], f)
    _values(kind, states, value)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row; no terms are kept for the gradient."""
    _sums(kind, scores, labels, scratch[0], scratch[1], state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        add(state[0], parts[i, 0], parts[i, 1], parts[i, 2], parts[i, 3])
    _values(kind, state, value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known."""
    row = state[0]
    f = factors(kind, scores[0], (row[0], row[1], row[2], row[3]))
    _from_scores(kind, scores, labels, f, gradient)
