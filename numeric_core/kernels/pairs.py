"""The loss with one log an ordered pair of classes: products of matrices in short runs.

With e = e^s and u = t / e of n samples,

    P_jk = 1 + sum_i u_ij e_ik,   Q_jk = 1 / P_jk off the diagonal, 0 on it
    l = sum_{j != k} log P_jk,    dl/ds_ik = e_ik sum_j u_ij Q_jk - u_ik sum_j e_ij Q_kj

All three are sums of scalars times rows.  The leading products of RUN rows are added up plainly,
the partial sums without loss, and what all factors lack is added as well.  (A matrix product of
BLAS adds an entry's terms all one by one, which costs 9 ulp at 200 x 100.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_pair, two_sum
from numeric_core.kernels.grid import REACH, factors, subtract
from numeric_core.kernels.intrinsics import Scalar, fma
from numeric_core.kernels.threads import work

__all__ = ["REACH", "value_and_gradient"]

RUN = 4
"""Terms of a sum that are added up with three roundings each."""

CHUNK = 256
"""The fewest samples that a thread takes at a time."""

CHUNKS, HELD = 16, 1 << 21
"""The most chunks, whose sums of m^2 pairs are merged at the end; and the most pairs in all."""


@INLINE
def _add_run(w: Scalar, x: Scalar, high: Scalar, low: Scalar) -> None:
    """high + low += w_0 x_0 + ... + w_3 x_3 for pairs w (2, 4) and rows of pairs x (2, 4, m)."""
    w0, w1, w2, w3 = w[0, 0], w[0, 1], w[0, 2], w[0, 3]
    v0, v1, v2, v3 = w[1, 0], w[1, 1], w[1, 2], w[1, 3]
    for k in range(high.size):
        a, b = fma(w1, x[0, 1, k], w0 * x[0, 0, k]), fma(w3, x[0, 3, k], w2 * x[0, 2, k])
        c, d = fma(w1, x[1, 1, k], w0 * x[1, 0, k]), fma(w3, x[1, 3, k], w2 * x[1, 2, k])
        c, d = fma(v0, x[0, 0, k], c), fma(v2, x[0, 2, k], d)
        c, d = fma(v1, x[0, 1, k], c), fma(v3, x[0, 3, k], d)
        high[k], error = two_sum(high[k], a + b)
        low[k] += error + (c + d)


@COMPILED
def products(s: Any, t: Any, sums: Any) -> bool:
    """P - 1 of samples (rows, m) into sums (2, m, m), but for the diagonal; False: no answer."""
    rows, m = s.shape
    e, u = np.zeros((2, RUN, m)), np.zeros((m, 2, RUN))
    x, y = np.empty((2, m)), np.empty((2, m))
    for start in range(0, rows, RUN):
        u[:] = 0.0
        for i in range(min(RUN, rows - start)):
            if factors(s[start + i], t[start + i], x, y):
                return False
            for j in range(m):
                e[0, i, j], e[1, i, j] = x[0, j], x[1, j]
                u[j, 0, i], u[j, 1, i] = y[0, j], y[1, j]
        for j in range(m):
            _add_run(u[j], e, sums[0, j], sums[1, j])
    return True


@INLINE
def _combined(c: Scalar, x: Scalar, out: Scalar) -> None:
    """sum_j c_j x_j of pairs, (2, m), for rows x (2, r, m), r a multiple of RUN."""
    out[:] = 0.0
    for start in range(0, x.shape[1], RUN):
        here = slice(start, start + RUN)
        _add_run(c[:, here], x[:, here], out[0], out[1])


@COMPILED
def gradient_rows(s: Any, t: Any, q: Any, turned: Any, g: Any) -> None:
    """The gradient of samples (rows, m); q, and turned, its transpose, have rows of 0 below."""
    m, padded = s.shape[1], q.shape[1]
    e, u = np.zeros((2, padded)), np.zeros((2, padded))
    up, down = np.empty((2, m)), np.empty((2, m))
    for i in range(s.shape[0]):
        factors(s[i], t[i], e, u)
        _combined(u, q, up)
        _combined(e, turned, down)
        subtract(e, up, u, down, 1.0, g[i])


@COMPILED
def merged(parts: Any, q: Any, turned: Any) -> float:
    """sum log P of sums (chunks, 2, m, m) of P - 1; 1 / P goes into q, and turned."""
    value, lack = 0.0, 0.0
    for j in range(parts.shape[2]):
        for k in range(parts.shape[2]):
            high, low = 0.0, 0.0
            for i in range(parts.shape[0]):
                high, error = two_sum(high, parts[i, 0, j, k])
                low += error + parts[i, 1, j, k]
            if j != k:
                high, low = two_sum(high, low)
                value, error = two_sum(value, log1p_pair(high, low))
                lack += error
                norm, error = two_sum(1.0, high)
                inverse = 1.0 / norm
                left = fma(-inverse, norm, 1.0) - inverse * (error + low)
                q[0, j, k] = turned[0, k, j] = inverse
                q[1, j, k] = turned[1, k, j] = left * inverse
    return value + lack


def value_and_gradient(name: str, s: Any, t: Any, with_gradient: bool) -> Any:
    """The loss of a grid (n, m) and its gradient, or None for it; None where there is no answer."""
    n, m = s.shape
    s, t = np.ascontiguousarray(s), np.ascontiguousarray(t)
    most = max(1, min(CHUNKS, HELD // m**2))
    step = max(CHUNK, -(-n // most))
    chunks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    parts = np.zeros((len(chunks), 2, m, m))
    answers = [False] * len(chunks)

    def first(k: int) -> None:
        answers[k] = products(s[chunks[k]], t[chunks[k]], parts[k])

    work(first, range(len(chunks)))
    if not all(answers):
        return None
    q = np.zeros((2, -(-m // RUN) * RUN, m))
    turned = np.zeros_like(q)
    value = merged(parts, q, turned)
    if not with_gradient:
        return (value, None) if math.isfinite(value) else None
    gradient = np.empty_like(s)

    def second(k: int) -> None:
        gradient_rows(s[chunks[k]], t[chunks[k]], q, turned, gradient[chunks[k]])

    work(second, range(len(chunks)))
    return (value, gradient) if math.isfinite(value) else None
