"""exp and log1p for vectors: polynomials, no tables, no branches.

    x = k log 2 + r,   |r| <= log(2) / 2,   e^x = 2^k (1 + S + C),   e^-x = 2^-k (1 + C - S)

    C = cosh(r) - 1 = r^2/2 + r^4/24 + ...,   S = sinh(r) = r + r^3/6 + ...

One reduction gives both signs, to the same bits as two would: r and k change sign, C does not.
A weight w goes in before the last rounding, w e^x = 2^k fma(w, S + C, w), so that 1 + (S + C) is
never rounded.  S + C is within 0.75 u of a number of size up to 0.41; Taylor's series, as long as
written here, leave out 0.09 u (float32) and 0.05 u (float64) at |r| = log(2) / 2.

Where one sign is enough, e^r - 1 = r + r^2 P(r) takes fewer steps.

log1p as in FreeBSD's msun (s_log1p.c, e_log.c, by Sun Microsystems 1993): the same reduction to
[sqrt(1/2), sqrt(2)) and the same polynomial, with what 1 + x lost from an error-free sum; < 1 ulp.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import INLINE
from numeric_core.kernels.intrinsics import (
    MAGIC,
    Scalar,
    bits,
    float_of,
    fma,
    power_of_two,
)
from numeric_core.kernels.vectors import element

__all__ = [
    "exponent",
    "exponential",
    "log1p_near",
    "log1p_pair",
    "one_sided",
    "polynomial",
    "two_sum",
]

LOG_2 = math.log(2.0)
LOG_2_LOW = 2.319046813846299558417771e-17
"""log 2 - float64(log 2): its next digits."""

EVEN = {types.float32: 3, types.float64: 6}
"""How many terms of C, and of S beyond the first: r^8 / 8! and r^14 / 14! are left out."""

P = {
    types.float32: (
        0.5,
        0.1666657702559799,
        0.041666554662050534,
        0.008363173074513711,
        0.001392617611993558,
    ),
    types.float64: (
        0.5000000000000001,
        0.16666666666666669,
        0.041666666666624164,
        0.008333333333330065,
        0.0013888888917196719,
        0.00019841269863040545,
        2.4801521322368692e-05,
        2.7557268480310024e-06,
        2.7620075879983367e-07,
        2.5100375832561234e-08,
    ),
}
"""(e^r - 1 - r) / r^2, interpolated at the Chebyshev points of |r| <= log(2) / 2: of e^r, this
leaves out 0.17 u (float32) and 0.15 u (float64) at most."""

_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01
"""log((1 + s) / (1 - s)) = 2 s + s z (L1 + L2 z + ...), z = s^2: Lp1 to Lp7 of s_log1p.c."""

_HALF_ROOT = 0x3FE6A09E00000000
"""The bits of sqrt(1/2), from where on a significand counts as the lower half of a binade."""

_ONE = 0x3FF0000000000000
_DIGITS = 0x000FFFFFFFFFFFFF


@INLINE
def two_sum(a: Scalar, b: Scalar) -> Scalar:
    """(s, e), s = fl(a + b) and s + e = a + b."""
    s = a + b
    seen = s - a
    return s, (a - (s - seen)) + (b - seen)


def exponential(x: Any) -> Any:
    """(k + MAGIC, k, C, S) of the module's text, for finite x of moderate size (|k| < 2^20).

    Numba takes it from `_exponential`; in Python it is exact to the digits of math.cosh.
    """
    k = round(x / LOG_2)
    r = x - k * LOG_2
    return k + MAGIC[types.float64], float(k), math.cosh(r) - 1.0, math.sinh(r)


@overload(exponential, jit_options={"forceinline": True})
def _exponential(x: Any) -> Any:
    number = element(x)
    terms, kind = EVEN[number], np.float32 if number == types.float32 else np.float64
    inverse, high, magic = kind(1.0 / LOG_2), kind(LOG_2), kind(MAGIC[number])
    low = kind((LOG_2 - float(high)) + LOG_2_LOW)
    even = tuple(kind(1.0 / math.factorial(2 * m)) for m in range(terms, 0, -1))
    odd = tuple(kind(1.0 / math.factorial(2 * m + 1)) for m in range(terms, 0, -1))

    def code(x: Any) -> Any:
        shifted = fma(x, inverse, magic)
        k = shifted - magic
        r = fma(-k, low, fma(-k, high, x))
        z = r * r
        c, s = even[0], odd[0]
        for m in range(1, terms):
            c, s = fma(c, z, even[m]), fma(s, z, odd[m])
        return shifted, k, c * z, fma(s * z, r, r)

    return code


def polynomial(coefficients: tuple[float, ...], dtype: Any) -> Any:
    """Compiled x, x^2 -> c_0 + c_1 x + ..., even and odd powers apart: two short chains."""
    even = tuple(dtype(c) for c in coefficients[::2][::-1])
    odd = tuple(dtype(c) for c in coefficients[1::2][::-1])
    evens, odds = len(even), len(odd)

    @INLINE
    def code(x: Any, z: Any) -> Any:
        a, b = even[0], odd[0]
        for k in range(1, evens):
            a = fma(a, z, even[k])
        for k in range(1, odds):
            b = fma(b, z, odd[k])
        return fma(b, x, a)

    return code


def one_sided(x: Any) -> Any:
    """(k + MAGIC, q), e^x = 2^k (1 + q), for finite x of moderate size (|k| < 2^20).

    Numba takes it from `_one_sided`; in Python it is exact to the digits of math.expm1.
    """
    k = round(x / LOG_2)
    return k + MAGIC[types.float64], math.expm1(x - k * LOG_2)


@overload(one_sided, jit_options={"forceinline": True})
def _one_sided(x: Any) -> Any:
    number = element(x)
    dtype = np.float32 if number == types.float32 else np.float64
    inverse, high, magic = dtype(1.0 / LOG_2), dtype(LOG_2), dtype(MAGIC[number])
    low = dtype((LOG_2 - float(high)) + LOG_2_LOW)
    rest = polynomial(P[number], dtype)

    def code(x: Any) -> Any:
        shifted = fma(x, inverse, magic)
        k = shifted - magic
        r = fma(-k, low, fma(-k, high, x))
        z = r * r
        return shifted, fma(z, rest(r, z), r)

    return code


@INLINE
def exponent(x: Scalar, w: Scalar) -> Scalar:
    """w e^x for |x| <= 87 (float32), 700 (float64)."""
    shifted, q = one_sided(x)
    return fma(w, q, w) * power_of_two(shifted)


@INLINE
def log1p_pair(high: Scalar, low: Scalar) -> Scalar:
    """log(1 + high + low) in float64, high >= 0 and |low| <= ulp(high)."""
    y, rest = two_sum(1.0, high)
    return _log(y, (rest + low) / y)


@INLINE
def log1p_near(x: Scalar) -> Scalar:
    """log(1 + x) in float64, x >= 0, to 2 ulp: what 1 + x lost counts where it is near 1 only."""
    y = 1.0 + x
    return _log(y, (x - (y - 1.0)) if y < 2.0 else 0.0)


@INLINE
def _log(y: Scalar, rest: Scalar) -> Scalar:
    """log(y) + rest, y >= 1."""
    moved = bits(y) + (_ONE - _HALF_ROOT)
    k = np.float64((moved >> 52) - 1023)
    f = float_of((moved & _DIGITS) + _HALF_ROOT) - 1.0
    s = f / (2.0 + f)
    z = s * s
    poly = fma(fma(fma(_L7, z, _L6), z, _L5), z, _L4)
    poly = fma(fma(fma(poly, z, _L3), z, _L2), z, _L1)
    half = 0.5 * f * f
    # log 2 in parts of which k times the first is exact
    tail = s * (half + z * poly) + (k * 1.90821492927058770002e-10 + rest)
    return k * 6.93147180369123816490e-01 - ((half - tail) - f)
