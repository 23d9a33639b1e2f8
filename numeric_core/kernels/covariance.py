"""Hessian-vector products: a vector times the covariance of the distribution of a row.

    h_i = T p_i (v_i - sum_j p_j v_j),   p_i = e_i / N,   N = e_0 + sum_j e_j

e_0 is the weight of a null class with v_0 = 0, and 0 for softmax.  The Hessian of ZLPR is the sum
of two such covariances, of the sides u and d, each with its null class.

As h_i = T p_i sum_j p_j (v_i - v_j), an error of a term e_j is one of all of its shares alike, and
does no harm as long as the same e_j stands in N and in the mean.  The mean is written with the v of
the largest share as its origin, for the reason given at `numeric_core.distribution.center`:

    c = v_k,   D = sum_j e_j (v_j - c),   h_i = e_i ((v_i - c) - D / N) T / N

float32 terms are exact in float64, and so are their products with v; float64 terms are multiplied
and added as pairs: products by fma, sums as in `sums` but for their signs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import one_sided, two_sum
from numeric_core.kernels.exponentials import REACH, fill, power_in, term, top_of
from numeric_core.kernels.intrinsics import (
    Scalar,
    add_any_order,
    constant,
    fma,
    higher,
    order,
    ordered,
    pattern,
)
from numeric_core.kernels.sums import LENGTH, exact_sum
from numeric_core.kernels.two_sided import STATE
from numeric_core.kernels.two_sided import _sums as add_terms

__all__ = ["of_classes", "of_two_sides"]

LEAST, MOST = 2.0**-200, 2.0**200
"""|v| between which, in float64, nothing underflows or overflows: with e 0 or at least SMALLEST and
N at most LARGEST, no D / N other than 0 is below 2^-500 2^-200 2^-52 2^-200, and no e / N below
2^-700; 2^-52 for a difference of two v."""
SMALLEST, LARGEST = 2.0**-500, 2.0**200


def deviation(e: Any, v: Any, c: Any) -> Any:
    """(D, what it lacks) of a chunk; Numba takes it from `_deviation`."""
    return np.sum(e * (v - c)), 0.0


@overload(deviation, jit_options={"forceinline": True, "error_model": "numpy"})
def _deviation(e: Any, v: Any, c: Any) -> Any:
    def wide(e: Any, v: Any, c: Any) -> Any:
        total = 0.0
        for i in range(e.size):
            total = add_any_order(total, np.float64(e[i]) * (np.float64(v[i]) - c))
        return total, 0.0

    def cut(e: Any, v: Any, c: Any) -> Any:
        size, high, low = 0.0, 0.0, 0.0
        for i in range(e.size):
            good = (v[i] == 0.0) | ((abs(v[i]) >= LEAST) & (abs(v[i]) <= MOST))
            good &= (e[i] == 0.0) | (e[i] >= SMALLEST)
            gap, lack = two_sum(v[i], -c)
            x = e[i] * gap
            size = add_any_order(size, abs(x) if good else np.nan)
            low = add_any_order(low, fma(e[i], gap, -x) + e[i] * lack)
        large = 4.0 * size
        for i in range(e.size):
            x = e[i] * (v[i] - c)
            upper = (x + large) - large
            high = add_any_order(high, upper)
            low = add_any_order(low, x - upper)
        return two_sum(high, low)

    return wide if e.dtype == types.float32 else cut


def share(e: Any, v: Any, f: Any) -> Any:
    """h of one label from its term and the factors of the row; Numba takes it from `_share`."""
    c, mean, _, scale, _ = f
    return e * ((v - c) - mean) * scale


@overload(share, jit_options={"forceinline": True, "error_model": "numpy"})
def _share(e: Any, v: Any, f: Any) -> Any:
    def wide(e: Any, v: Any, f: Any) -> Any:
        c, mean, _, scale, _ = f
        return np.float64(e) * (((np.float64(v) - c) - mean) * scale)

    def pairs(e: Any, v: Any, f: Any) -> Any:
        c, mean, mean_low, scale, scale_low = f
        gap, lack = two_sum(v, -c)
        y, rest = two_sum(gap, -mean)
        p = fma(e, scale, e * scale_low)
        return fma(p, y, p * (rest + (lack - mean_low)))

    return wide if e == types.float32 else pairs


@INLINE
def _origin(e: Scalar, v: Scalar, null: Scalar) -> Scalar:
    """v of a class of the largest share, the largest such v; 0 where that is the null class."""
    top = top_of(e)
    lowest = constant(top, -np.inf)
    origin = order(lowest)
    for i in range(e.size):
        origin = higher(origin, order(v[i] if e[i] == top else lowest))
    return np.float64(ordered(origin)) if top > null else 0.0


@INLINE
def _factors(
    e: Scalar, v: Scalar, null: Scalar, total: Scalar, total_low: Scalar, mass: Scalar
) -> Scalar:
    """c, D / N as a pair, T / N as a pair; nan where the kernel has no answer.

    total: the sum of the terms, and what it lacks; mass: T, and what it lacks.
    """
    c = _origin(e, v, null)
    norm, norm_low = two_sum(null, total)
    norm_low += total_low
    gap, gap_low = -null * c, -fma(null, c, -(null * c))
    for start in range(0, e.size, LENGTH):
        here = slice(start, min(start + LENGTH, e.size))
        high, low = deviation(e[here], v[here], c)
        gap, error = two_sum(gap, high)
        gap_low += error + low
    norm = norm if norm <= LARGEST else np.nan
    mean, mean_low = _quotient(gap, gap_low, norm, norm_low)
    scale, scale_low = _quotient(mass[0], mass[1], norm, norm_low)
    return c, mean, mean_low, scale, scale_low


@INLINE
def _quotient(a: Scalar, a_low: Scalar, b: Scalar, b_low: Scalar) -> Scalar:
    """(a + a_low) / (b + b_low) as a pair; 0 / 0, of a row without terms, is 0."""
    q = a / b if b != 0.0 else a
    return q, ((fma(-q, b, a) - q * b_low) + a_low) / (b if b != 0.0 else 1.0)


@INLINE
def _mark(f: Scalar) -> Scalar:
    """0, nan if a factor is not finite."""
    return 0.0 * (f[1] + f[3])


@COMPILED
def of_two_sides(
    kind: Any, scores: Any, labels: Any, vector: Any, product: Any, odd: Any, scratch: Any
) -> None:
    """ZLPR for the rows (m n,); odd (m,): nan where the kernel has no answer; scratch (2, n)."""
    n = scores.size // odd.size
    u, d = scratch[0, :n], scratch[1, :n]
    states = np.zeros((odd.size, STATE))
    for i in range(odd.size):
        row = slice(i * n, (i + 1) * n)
        v, h, state = vector[row], product[row], states[i]
        add_terms(kind, scores[row], labels[row], u, d, state)
        up = _factors(u, v, kind.down, state[0], state[1], (1.0, 0.0))
        down = _factors(d, v, kind.up, state[2], state[3], (1.0, 0.0))
        for k in range(n):
            h[k] = share(u[k], v[k], up) + share(d[k], v[k], down)
        odd[i] = _mark(up) + _mark(down)


@INLINE
def _fill_shifted(s: Scalar, t: Scalar, e: Scalar) -> bool:
    """Terms e^s 2^-k of a row, 2^k next to the largest e^s; whether the kernel has an answer."""
    top = top_of(s)
    zero, reach = constant(top, 0.0), constant(top, REACH)
    if not abs(top) <= reach:
        return False
    shifted, _ = one_sided(top)
    power, masked = power_in(shifted), False
    for k in range(s.size):
        e[k] = term(s[k], top, power)
        masked |= (s[k] <= -reach) & (t[k] > zero)
    return not masked


@INLINE
def _in_unit(t: Scalar) -> bool:
    """Whether all labels lie in [0, 1]; -0 is not seen as 0."""
    most = pattern(t[0])
    for k in range(t.size):
        most = higher(most, pattern(t[k]))
    return most <= pattern(constant(t[0], 1.0))


@COMPILED
def of_classes(
    kind: Any, scores: Any, labels: Any, vector: Any, product: Any, odd: Any, scratch: Any
) -> None:
    """Softmax cross-entropy for the rows (m n,), as `of_two_sides`."""
    n = scores.size // odd.size
    e = scratch[0, :n]
    for i in range(odd.size):
        row = slice(i * n, (i + 1) * n)
        s, t, v, h = scores[row], labels[row], vector[row], product[row]
        mass = _sum(t)
        fits, (total, total_low) = fill(s, e), _sum(e)
        if not (fits & (total <= LARGEST)):
            fits = _fill_shifted(s, t, e)
            total, total_low = _sum(e)
        fits &= _in_unit(t) & (abs(mass[0] - 1.0) <= kind.tolerance)
        f = _factors(e, v, 0.0, total, total_low, mass)
        for k in range(n):
            h[k] = share(e[k], v[k], f)
        odd[i] = _mark(f) if fits else np.nan


@INLINE
def _sum(x: Scalar) -> Scalar:
    """(sum, what it lacks) of a row >= 0."""
    total, total_low = 0.0, 0.0
    for start in range(0, x.size, LENGTH):
        high, low = exact_sum(x[start : min(start + LENGTH, x.size)])
        total, error = two_sum(total, high)
        total_low += error + low
    return total, total_low
