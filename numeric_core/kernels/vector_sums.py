"""Sums of vectors, as exact as those of `sums`.

float32: two neighbours are added in float32, then in float64, lane by lane.  Of each pair half an
ulp may be lost, of the rest of a million terms 2^-9.

float64: each lane is a pair, high + low, by two_sum (Knuth, The Art of Computer Programming 2,
4.2.2, theorem C), and so are the steps from sixteen lanes to one: n terms lose n^2 2^-106.

    a = nothing(like),  a = added(a, v),  (sum, lack), (other, lack) = total_of_two(a, b)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import INLINE
from numeric_core.kernels.elementary import two_sum
from numeric_core.kernels.intrinsics import Scalar
from numeric_core.kernels.vector_lanes import halved, lane, split, totals, totals_of_three
from numeric_core.kernels.vectors import Vector, element, uniformly, widen

__all__ = ["added", "nothing", "total_of_three", "total_of_two"]


def nothing(like: Any) -> Any:
    """The sum of no vectors of the dtype of a number; Numba takes it from `_nothing`."""
    return 0.0


@overload(nothing, jit_options={"forceinline": True})
def _nothing(like: Any) -> Any:
    def wide(like: Any) -> Any:
        return widen(halved(uniformly(np.float32(0.0))))

    def paired(like: Any) -> Any:
        zero = uniformly(0.0)
        return zero, zero

    return wide if like == types.float32 else paired


def added(sums: Any, v: Any) -> Any:
    """sums + v; Numba takes it from `_added`."""
    return sums + v


@overload(added, jit_options={"forceinline": True})
def _added(sums: Any, v: Any) -> Any:
    def wide(sums: Any, v: Any) -> Any:
        return sums + widen(halved(v))

    def paired(sums: Any, v: Any) -> Any:
        high, error = two_sum(sums[0], v)
        return high, sums[1] + error

    return wide if element(v) == types.float32 else paired


@INLINE
def _folded(high: Scalar, low: Scalar) -> Scalar:
    """A pair of half as many lanes."""
    a, b = split(high)
    high, error = two_sum(a, b)
    return high, error + halved(low)


@INLINE
def _total(sums: Scalar) -> Scalar:
    """(sum, what it lacks) over sixteen lanes of pairs."""
    high, low = sums
    eight, eight_low = _folded(high, low)
    four, four_low = _folded(eight, eight_low)
    two, two_low = _folded(four, four_low)
    one, one_low = _folded(two, two_low)
    return two_sum(lane(one), lane(one_low))


def total_of_two(a: Any, b: Any) -> Any:
    """(sum, what it lacks) of each of two sums; Numba takes it from `_total_of_two`."""
    return (a, 0.0), (b, 0.0)


@overload(total_of_two, jit_options={"forceinline": True})
def _total_of_two(a: Any, b: Any) -> Any:
    def wide(a: Any, b: Any) -> Any:
        x, y = totals(a, b)
        return (x, 0.0), (y, 0.0)

    def paired(a: Any, b: Any) -> Any:
        return _total(a), _total(b)

    return wide if isinstance(a, Vector) else paired


def total_of_three(a: Any, b: Any, c: Any) -> Any:
    """(sum, what it lacks) of each of three sums; Numba takes it from `_total_of_three`."""
    return (a, 0.0), (b, 0.0), (c, 0.0)


@overload(total_of_three, jit_options={"forceinline": True})
def _total_of_three(a: Any, b: Any, c: Any) -> Any:
    def wide(a: Any, b: Any, c: Any) -> Any:
        x, y, z = totals_of_three(a, b, c)
        return (x, 0.0), (y, 0.0), (z, 0.0)

    def paired(a: Any, b: Any, c: Any) -> Any:
        return _total(a), _total(b), _total(c)

    return wide if isinstance(a, Vector) else paired
