"""Losses of n samples x m classes: two passes over the samples, each number with its lack.

With e = e^s, w = t / e, and o(x)_j = sum_{k != j} x_k for a sample,

    truncated   D_j = 1 + sum_i w_ij o(e)_ij,           g = e o(w / D) - w o(e) / D
    mirrored    D, and E_j = 1 + sum_i e_ij o(w)_ij,    2 g = e (o(w / D) + o(w) / E)
                                                              - w (o(e) / D + o(e / E))
    centered    C_j = 1 + sum_i c_ij,   c = t e^{mean s - s},
                                                        g = mean_j p - p,   p = c / C

A number is a pair high + low, |low| about an ulp of high; products are exact by fma.  What is left
of rounding is that of each exponential, which is some 0.4 ulp, and of the last difference.  So the
same code serves both dtypes: float32 is read and written as it is, and computed in float64.

The first pass leaves sums of chunks of samples, (terms, 2, m); they are merged in the order of the
samples, whatever thread made them.  REACH and LEAST_LABEL keep all factors normal numbers; beyond,
there is no answer.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_pair, one_sided, two_sum
from numeric_core.kernels.intrinsics import (
    Scalar,
    add_any_order,
    bits,
    float_of,
    fma,
    power_of_two,
)
from numeric_core.kernels.threads import work

__all__ = ["LOSSES", "REACH", "factors", "subtract", "value_and_gradient"]

REACH = 100.0
"""The largest |s|."""

LEAST_LABEL = 1e-60
"""The least label > 0.  The smallest factor is then e w / D >= 1e-60 e^{-200} / (n m e^{200}),
1e-234 / (n m), whose low part is far above the least normal number, 1e-308."""

CHUNK = 1 << 15
"""Scores that a thread takes at a time."""

LOSSES = {"truncated": 1, "mirrored": 2, "centered": 1}
"""The logs of each class."""


@INLINE
def _times(a: Scalar, a_low: Scalar, b: Scalar, b_low: Scalar) -> Scalar:
    """A product of pairs."""
    high = a * b
    return high, fma(a, b, -high) + fma(a, b_low, a_low * b)


@INLINE
def _exponential(x: Scalar, low: Scalar) -> Scalar:
    """e^{x + low} as a pair."""
    shifted, q = one_sided(x)
    power = power_of_two(shifted)
    high = 1.0 + q
    return high * power, ((q - (high - 1.0)) + high * low) * power


@INLINE
def _quotient(x: Scalar, y: Scalar, y_low: Scalar) -> Scalar:
    """x / y as a pair."""
    inverse = 1.0 / y
    q = x * inverse
    return q, (fma(-q, y, x) - q * y_low) * inverse


@INLINE
def factors(s: Scalar, t: Scalar, e: Scalar, w: Scalar) -> Scalar:
    """e^s and t / e^s of a sample, pairs (2, m); whether a label is too small."""
    small = 0
    for j in range(s.size):
        label = np.float64(t[j])
        e[0, j], e[1, j] = _exponential(np.float64(s[j]), 0.0)
        w[0, j], w[1, j] = _quotient(label, e[0, j], e[1, j])
        small += 0 if (label == 0.0) | (label >= LEAST_LABEL) else 1
    return small > 0


@INLINE
def _largest(x: Scalar) -> Scalar:
    """Where a largest number >= 0 is: such numbers are ordered as their bits are."""
    top = bits(x[0])
    for j in range(x.size):
        top = max(top, bits(x[j]))
    largest = float_of(top)
    for j in range(x.size):
        if x[j] == largest:
            return j
    return 0


@INLINE
def _sum(x: Scalar) -> Scalar:
    """The sum of pairs (2, m) >= 0 as a pair, cut at the last place of twice the sum."""
    estimate, high, low = 0.0, 0.0, 0.0
    for j in range(x.shape[1]):
        estimate = add_any_order(estimate, x[0, j])
    large = 2.0 * estimate
    for j in range(x.shape[1]):
        upper = (x[0, j] + large) - large
        high = add_any_order(high, upper)
        low = add_any_order(low, (x[0, j] - upper) + x[1, j])
    return two_sum(high, low)


@INLINE
def _others(x: Scalar, o: Scalar) -> None:
    """sum_{k != j} x_k of pairs (2, m) >= 0, into o; the largest is in no sum but its own."""
    at = _largest(x[0])
    most, most_low = x[0, at], x[1, at]
    x[0, at], x[1, at] = 0.0, 0.0
    rest, rest_low = _sum(x)
    x[0, at], x[1, at] = most, most_low
    total, error = two_sum(rest, most)
    low = error + rest_low + most_low
    for j in range(x.shape[1]):
        d = total - x[0, j]
        o[0, j], o[1, j] = d, ((total - d) - x[0, j]) + (low - x[1, j])
    o[0, at], o[1, at] = rest, rest_low


@INLINE
def _add_products(a: Scalar, b: Scalar, sums: Scalar) -> None:
    """Adds a b to sums (2, m)."""
    for j in range(a.shape[1]):
        high, low = _times(a[0, j], a[1, j], b[0, j], b[1, j])
        sums[0, j], error = two_sum(sums[0, j], high)
        sums[1, j] += error + low


@COMPILED
def class_sums(s: Any, t: Any, sums: Any) -> bool:
    """D - 1, and E - 1 if sums has two, of samples (rows, m); False where there is no answer."""
    m = s.shape[1]
    e, w, o = np.empty((2, m)), np.empty((2, m)), np.empty((2, m))
    for i in range(s.shape[0]):
        if factors(s[i], t[i], e, w):
            return False
        _others(e, o)
        _add_products(w, o, sums[0])
        if sums.shape[0] == 2:
            _others(w, o)
            _add_products(e, o, sums[1])
    return True


@INLINE
def _scale(x: Scalar, factor: Scalar, out: Scalar) -> None:
    for j in range(x.shape[1]):
        out[0, j], out[1, j] = _times(x[0, j], x[1, j], factor[0, j], factor[1, j])


@INLINE
def _add_scaled(x: Scalar, factor: Scalar, out: Scalar) -> None:
    """out + x factor, into out."""
    for j in range(x.shape[1]):
        high, low = _times(x[0, j], x[1, j], factor[0, j], factor[1, j])
        out[0, j], error = two_sum(out[0, j], high)
        out[1, j] += error + low


@INLINE
def subtract(e: Scalar, up: Scalar, w: Scalar, down: Scalar, unit: Scalar, g: Scalar) -> None:
    """(e up - w down) unit."""
    for j in range(g.size):
        a, a_low = _times(e[0, j], e[1, j], up[0, j], up[1, j])
        b, b_low = _times(w[0, j], w[1, j], down[0, j], down[1, j])
        d, error = two_sum(a, -b)
        g[j] = (d + (error + (a_low - b_low))) * unit


@COMPILED
def class_gradient(s: Any, t: Any, inverse: Any, g: Any) -> None:
    """The gradient of samples (rows, m) from 1 / D, and 1 / E: (1 or 2, 2, m)."""
    m = s.shape[1]
    e, w, o, q = np.empty((2, m)), np.empty((2, m)), np.empty((2, m)), np.empty((2, m))
    c, up, down = np.empty((2, m)), np.empty((2, m)), np.empty((2, m))
    for i in range(s.shape[0]):
        factors(s[i], t[i], e, w)
        _others(e, o)
        _scale(w, inverse[0], c)
        _others(c, up)
        if inverse.shape[0] == 1:
            _scale(o, inverse[0], down)
            subtract(e, up, w, down, 1.0, g[i])
        else:
            _others(w, q)
            _add_scaled(q, inverse[1], up)
            _scale(e, inverse[1], c)
            _others(c, down)
            _add_scaled(o, inverse[0], down)
            subtract(e, up, w, down, 0.5, g[i])


@INLINE
def _below_mean(s: Scalar, t: Scalar, c: Scalar) -> Scalar:
    """t e^{mean s - s} of a sample, (2, m); whether a label is too small."""
    m = s.size
    # s + grid - grid is s but for its last digits: such numbers are added up without an error
    grid = 2.0 ** np.ceil(np.log2(4.0 * m * REACH))
    total, rest, small = 0.0, 0.0, 0
    for j in range(m):
        upper = (np.float64(s[j]) + grid) - grid
        total = add_any_order(total, upper)
        rest = add_any_order(rest, np.float64(s[j]) - upper)
    mean = total / m
    mean_low = (fma(-mean, np.float64(m), total) + rest) / m
    for j in range(m):
        label = np.float64(t[j])
        d, low = two_sum(mean, -np.float64(s[j]))
        e, e_low = _exponential(d, low + mean_low)
        c[0, j], c[1, j] = _times(label, 0.0, e, e_low)
        small += 0 if (label == 0.0) | (label >= LEAST_LABEL) else 1
    return small > 0


@COMPILED
def mean_sums(s: Any, t: Any, sums: Any) -> bool:
    """C - 1 of samples (rows, m); False where there is no answer."""
    m = s.shape[1]
    c, one = np.empty((2, m)), np.zeros((2, m))
    one[0] = 1.0
    for i in range(s.shape[0]):
        if _below_mean(s[i], t[i], c):
            return False
        _add_products(c, one, sums[0])
    return True


@COMPILED
def mean_gradient(s: Any, t: Any, inverse: Any, g: Any) -> None:
    """The gradient of samples (rows, m) from 1 / C: (1, 2, m)."""
    m = s.shape[1]
    c, p = np.empty((2, m)), np.empty((2, m))
    if m == 1:  # each p is its own mean, of which no digit may be left over
        g[:] = 0.0
        return
    for i in range(s.shape[0]):
        _below_mean(s[i], t[i], c)
        _scale(c, inverse[0], p)
        total, low = _sum(p)
        mean = total / m
        mean_low = (fma(-mean, np.float64(m), total) + low) / m
        for j in range(m):
            d, error = two_sum(mean, -p[0, j])
            g[i, j] = d + (error + (mean_low - p[1, j]))


@COMPILED
def merged(parts: Any, inverse: Any) -> float:
    """sum_j log A_j of sums (chunks, logs, 2, m) of A - 1; 1 / A goes into inverse (logs, 2, m)."""
    value, lack = 0.0, 0.0
    for k in range(parts.shape[1]):
        for j in range(parts.shape[3]):
            high, low = 0.0, 0.0
            for i in range(parts.shape[0]):
                high, error = two_sum(high, parts[i, k, 0, j])
                low += error + parts[i, k, 1, j]
            high, low = two_sum(high, low)
            value, error = two_sum(value, log1p_pair(high, low))
            lack += error
            total, error = two_sum(1.0, high)
            inverse[k, 0, j], inverse[k, 1, j] = _quotient(1.0, total, error + low)
    return value + lack


def value_and_gradient(name: str, s: Any, t: Any, with_gradient: bool) -> Any:
    """The loss of a grid (n, m) and its gradient, or None for it; None where there is no answer."""
    n, m = s.shape
    s, t = np.ascontiguousarray(s), np.ascontiguousarray(t)
    step = max(1, CHUNK // m)
    chunks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    logs = LOSSES[name]
    parts, inverse = np.zeros((len(chunks), logs, 2, m)), np.empty((logs, 2, m))
    answers = [False] * len(chunks)
    centered = name == "centered"
    sums, slopes = (mean_sums, mean_gradient) if centered else (class_sums, class_gradient)

    def first(k: int) -> None:
        answers[k] = sums(s[chunks[k]], t[chunks[k]], parts[k])

    work(first, range(len(chunks)))
    if not all(answers):
        return None
    value = merged(parts, inverse) * (0.5 if logs == 2 else 1.0)
    if not with_gradient:
        return (value, None) if math.isfinite(value) else None
    gradient = np.empty_like(s)

    def second(k: int) -> None:
        slopes(s[chunks[k]], t[chunks[k]], inverse, gradient[chunks[k]])

    work(second, range(len(chunks)))
    return (value, gradient) if math.isfinite(value) else None
