"""Sums of terms >= 0 without an error, in whatever order a vector loop adds them.

float32 terms are added in float64: 2^20 of them lose less than 2^-9 ulp of float32.  float64 terms
are cut at the last bit of M = 2 S, S an estimate of the sum: x = high + low, high = fl(x + M) - M.
The highs are multiples of ulp(M) that sum up to less than M, hence exactly; the lows are below
ulp(M), and what their sum loses is n 2^-53 of that.

Source: Rump, Ogita, Oishi, Accurate floating-point summation I, SIAM J. Sci. Comput. 31 (2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.elementary import two_sum
from numeric_core.kernels.intrinsics import add_any_order

__all__ = ["GONE", "LENGTH", "LIMIT", "exact_sum", "gone"]

LIMIT = {types.float32: 87.0, types.float64: 700.0}
"""log(finfo.smallest_normal) = -87.3 and -708.4: up to here e^x and e^-x have all their digits."""

GONE = {types.float32: 127.0, types.float64: 768.0}
"""From here on 2^32 terms add up to less than the smallest subnormal: log(2) (149 + 32) = 125.5 and
log(2) (1074 + 32) = 766.7."""

LENGTH = 1024
"""Labels summed at a time: their terms take 4 or 8 KiB a side and stay in the first cache."""


def gone(like: Any) -> Any:
    """GONE for the dtype of a number; Numba takes it from `_gone`."""
    return GONE[types.float32 if like.dtype == np.float32 else types.float64]


@overload(gone, jit_options={"forceinline": True})
def _gone(like: Any) -> Any:
    limit = (np.float32 if like == types.float32 else np.float64)(GONE[like])

    def code(like: Any) -> Any:
        return limit

    return code


def exact_sum(x: Any) -> Any:
    """(sum, what it lacks) of terms (n,) >= 0; nan if one is; Numba takes it from `_exact_sum`."""
    return x.sum(dtype=np.longdouble), 0.0


@overload(exact_sum, jit_options={"forceinline": True, "error_model": "numpy"})
def _exact_sum(x: Any) -> Any:
    def wide(x: Any) -> Any:
        total = 0.0
        for i in range(x.size):
            total = add_any_order(total, np.float64(x[i]))
        return total, 0.0

    def cut(x: Any) -> Any:
        estimate, high, low = 0.0, 0.0, 0.0
        for i in range(x.size):
            estimate = add_any_order(estimate, x[i])
        large = 2.0 * estimate
        for i in range(x.size):
            upper = (x[i] + large) - large
            high = add_any_order(high, upper)
            low = add_any_order(low, x[i] - upper)
        return two_sum(high, low)

    return wide if x.dtype == types.float32 else cut
