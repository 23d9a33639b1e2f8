"""Newton's identities, the way document 002 computes Z_k.

With x_i = e^{s_i} and power sums S_m = sum_i x_i^m = sum_i e^{m s_i}, z E'(z) / E(z) for
E(z) = prod_i (1 + x_i z) = sum_m Z_m z^m gives

    k Z_k = Z_{k-1} S_1 - Z_{k-2} S_2 + ... + (-1)^{k-1} S_k,   Z_0 = 1.

It is O(n k) for the power sums and O(k^2) for the recursion, exact in exact arithmetic, and
unstable in floats: the terms alternate, and exceed their sum as soon as a few x_i dominate.  For
k = 2 and one score that is g above n - 1 equal ones, S_1^2 and S_2 are both about e^{2 g} and their
difference is 2 (n - 1) e^g: the digits lost are (g - log n) / log 10, and all 16 are gone at about
g = 37 + log n; the higher k, the sooner (k = 3: half of that g).  In float64 no digit of log Z_k is
left, for n = 100 normal scores of standard deviation sigma, at (sigma, k) = (1, 50), (2, 30),
(4, 20) or (20, 5), and at k = n even for equal scores.  The result is then any number, also a
negative one, of which there is no logarithm: nan.

It is kept as the document's algorithm, to be compared with.  One thing is not the document's: the
largest score of a row is subtracted first, Z_k(s) = e^{k m} Z_k(s - m), so that it fails by
cancellation only, and not by overflow of e^{k s} at k s > 709.

Source: document 002, claims 7359-3 and 7359-g.  `lossproof verify` maps where it fails.
"""

from __future__ import annotations

import numpy as np

from numeric_core.namespace import Array, Namespace, exp, log

__all__ = ["log_partitions_newton", "newton_recursion", "power_sums"]


def power_sums(xp: Namespace, d: Array, max_k: int) -> Array:
    """S_m = sum_i e^{m d_i} for m = 1..max_k: (rows, n) -> (rows, max_k)."""
    return xp.stack([xp.sum(exp(xp, m * d), axis=-1) for m in range(1, max_k + 1)], axis=-1)


def newton_recursion(xp: Namespace, sums: Array) -> Array:
    """Z_0..Z_K by m Z_m = Z_{m-1} S_1 - Z_{m-2} S_2 + ...: (rows, K) -> (rows, K + 1)."""
    signed = xp.concat([sums[:, i : i + 1] * (-1.0) ** i for i in range(sums.shape[-1])], axis=-1)
    falling = xp.ones_like(sums[:, :1])  # Z_{m-1}, ..., Z_0
    for m in range(1, sums.shape[-1] + 1):
        total = xp.sum(falling * signed[:, :m], axis=-1, keepdims=True)
        falling = xp.concat([total / m, falling], axis=-1)
    return xp.flip(falling, axis=-1)


def log_partitions_newton(xp: Namespace, scores: Array, max_k: int) -> Array:
    """log Z_0..log Z_K by the recursion, in the dtype of the scores: (rows, n) -> (rows, K + 1).

    nan where the recursion gives Z_k <= 0 or has overflowed.
    """
    zero = xp.zeros_like(scores[:, :1])
    if max_k == 0:
        return zero
    top = xp.max(scores, axis=-1, keepdims=True)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        z = newton_recursion(xp, power_sums(xp, scores - top, max_k))
    valid = (z > 0) & xp.isfinite(z)
    logs = log(xp, xp.where(valid, z, xp.ones_like(z)))
    shifts = xp.concat([zero] + [m * top for m in range(1, max_k + 1)], axis=-1)
    return xp.where(valid, logs + shifts, xp.full_like(z, float("nan")))
