"""Error-free transforms and a sum that does not lose digits.

For floats a, b and round-to-nearest there are floats with *exact* equalities

    a + b = s + e,   s = fl(a + b)        two_sum       (Knuth; Moller)
    a * b = p + e,   p = fl(a b)          two_product   (Veltkamp's split, Dekker)

Why a loss needs them: exp turns an absolute error of its argument into a relative error of its
value, and `fl(s - m)` is off by up to |s - m| 2^-24 in float32: at a gap of 80 that is 80 ulp.
With the error term, e^{(s - m)} = e^{d} (1 + delta), where d + delta = s - m exactly.

Source: Ogita, Rump, Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numeric_core.namespace import Array, Namespace, constant, finfo_max, widest_sum

__all__ = [
    "Pair",
    "accurate_sum",
    "running_sum",
    "split_constant",
    "sum_of_few",
    "sum_pair",
    "sum_to_infinity",
    "two_diff",
    "two_product",
    "two_sum",
]

PLAIN_FOLDS_FROM = 256
"""Rows from this length on begin with PLAIN_FOLDS halvings without error terms: at most that many
roundings of half an ulp of a partial sum each, for 3/4 instead of 5 passes over the row."""

PLAIN_FOLDS = 2


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """(s, e) with s = fl(a + b) and s + e = a + b exactly, unless a + b overflows."""
    s = a + b
    b_seen = s - a
    return s, (a - (s - b_seen)) + (b - b_seen)


def two_diff(a: Array, b: Array) -> tuple[Array, Array]:
    """(d, e) with d = fl(a - b) and d + e = a - b exactly, unless a - b overflows."""
    return two_sum(a, -b)


def _split(xp: Namespace, a: Array) -> tuple[Array, Array]:
    """a = high + low with half of the digits each, so that products of parts are exact."""
    # 2^12 + 1 for the 24 digits of float32, 2^27 + 1 for the 53 digits of float64.
    factor = 2.0**27 + 1.0 if a.dtype == xp.float64 else 2.0**12 + 1.0
    c = a * factor
    high = c - (c - a)
    return high, a - high


def two_product(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    """(p, e) with p = fl(a b) and p + e = a b exactly, for |a| and |b| below finfo.max / 2^28."""
    p = a * b
    a_high, a_low = _split(xp, a)
    b_high, b_low = _split(xp, b)
    e = ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low
    return p, e


def split_constant(xp: Namespace, value: float, like: Array) -> tuple[Array, Array]:
    """A Python float as high + low in the dtype of `like`: a float64 constant in a float32 row."""
    high = value if like.dtype == xp.float64 else float(np.float32(value))
    return constant(xp, high, like), constant(xp, value - high, like)


def accurate_sum(xp: Namespace, x: Array) -> Array:
    """Sum over the last axis, kept as length 1: (*batch, n) -> (*batch, 1), n >= 1.

    The error is half an ulp of the sum, for n >= PLAIN_FOLDS_FROM at most 3 u sum |x_i| (u half
    an ulp at 1); whatever n, the memory layout and the order in which the library adds.
    """
    high, low = sum_pair(xp, x)
    return high + low


def sum_of_few(terms: Sequence[Array]) -> Array:
    """The sum of a handful of arrays, to an ulp also where they cancel; its sign is exact.

    Each sweep of two_sum leaves what it lost in the terms before the last, smaller by u; as many
    sweeps as terms leave nothing that the last could miss (Rump's VecSum).
    """
    parts = list(terms)
    for _ in range(len(parts)):
        for k in range(1, len(parts)):
            parts[k], parts[k - 1] = two_sum(parts[k], parts[k - 1])
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def sum_to_infinity(xp: Namespace, terms: Array) -> Array:
    """The sum of terms >= 0; inf, and not inf - inf, where it is above finfo.max."""
    largest = finfo_max(xp, terms.dtype)
    # 2^-32 of a row with such a term: up to 2^32 of them add up to a finite number, and what
    # underflows is no part of the sum.
    near = xp.max(terms, axis=-1, keepdims=True) > constant(xp, largest * 2.0**-32, terms)
    scale = xp.where(near, constant(xp, 2.0**-32, terms), constant(xp, 1.0, terms))
    total = accurate_sum(xp, terms * scale)
    above = total > largest * scale
    infinity = constant(xp, math.inf, terms)
    return xp.where(above, infinity, xp.where(above, scale, total) / scale)


def sum_pair(xp: Namespace, x: Array, *, exact: bool = False) -> tuple[Array, Array]:
    """The sum over the last axis as high + low, low being what high lacks.

    float32 is accumulated in float64 where there is one; all else is folded by halves with the
    error terms of two_sum.  exact: without plain folds, for sums that are later cancelled.
    """
    wide = widest_sum(xp, x)
    if wide is not None:
        return wide
    return _folded_sum(x, 0 if exact or x.shape[-1] < PLAIN_FOLDS_FROM else PLAIN_FOLDS)


def _folded_sum(x: Array, plain: int) -> tuple[Array, Array]:
    """sum_i x_i by x[:h] + x[h:2h], again and again; an odd column left over goes to `high`.

    plain: so many of the first folds go without error terms.
    """
    high = low = x[..., :1] * 0.0
    error = None
    while x.shape[-1] > 1:
        n, half = x.shape[-1], x.shape[-1] // 2
        if n % 2:
            high, e = two_sum(high, x[..., -1:])
            low = low + e
        first, second = x[..., :half], x[..., half : 2 * half]
        if plain > 0:
            x, plain = first + second, plain - 1
            continue
        x, e = two_sum(first, second)
        error, extra = _fold_error(error, half, n)
        low = low if extra is None else low + extra
        error = e if error is None else error + e
    high, e = two_sum(high, x)
    return high, low + e if error is None else low + e + error


def _fold_error(error: Array | None, half: int, n: int) -> tuple[Array | None, Array | None]:
    """The collected errors follow the fold of the row; their own rounding is of second order."""
    if error is None:
        return None, None
    extra = error[..., -1:] if n % 2 else None
    return error[..., :half] + error[..., half : 2 * half], extra


@dataclass(frozen=True)
class Pair:
    """high + low, |low| at most about an ulp of high: twice the digits, for a few operations.

    Sums and products of pairs are exact to some u^2.  What is computed in pairs and rounded once
    at the end has the error of its inputs and half an ulp.
    """

    xp: Namespace
    high: Array
    low: Array

    @classmethod
    def of(cls, xp: Namespace, high: Array, low: Array | None = None) -> Pair:
        """A pair from an array, and what it lacks."""
        return cls(xp, high, xp.zeros_like(high) if low is None else low)

    @classmethod
    def difference(cls, xp: Namespace, a: Array, b: Array) -> Pair:
        """a - b, exactly."""
        return cls(xp, *two_diff(a, b))

    def __add__(self, other: Pair) -> Pair:
        high, error = two_sum(self.high, other.high)
        return self._normal(high, error + (self.low + other.low))

    def __neg__(self) -> Pair:
        return Pair(self.xp, -self.high, -self.low)

    def __sub__(self, other: Pair) -> Pair:
        return self + (-other)

    def __mul__(self, other: Pair) -> Pair:
        high, error = two_product(self.xp, self.high, other.high)
        return self._normal(high, error + (self.high * other.low + self.low * other.high))

    def __truediv__(self, other: Pair) -> Pair:
        quotient = self.high / other.high
        product, error = two_product(self.xp, quotient, other.high)
        rest = ((self.high - product) - error) + (self.low - quotient * other.low)
        return self._normal(quotient, rest / other.high)

    def sum(self) -> Pair:
        """Sum over the last axis, kept as length 1."""
        high, low = sum_pair(self.xp, self.high, exact=True)
        return self._normal(high, low + self.xp.sum(self.low, axis=-1, keepdims=True))

    def rounded(self) -> Array:
        """high + low as one float."""
        return self.high + self.low

    def _normal(self, high: Array, low: Array) -> Pair:
        """The digits moved up; |low| <= |high| (Dekker's fast two_sum)."""
        total = high + low
        return Pair(self.xp, total, low - (total - high))


def running_sum(xp: Namespace, x: Array | Pair) -> Pair:
    """x_1, x_1 + x_2, ..., along the last axis: each as exact as `sum_pair`.

    log2(n) steps of doubling reach, each with the error terms of two_sum.
    """
    total, reach = x if isinstance(x, Pair) else Pair.of(xp, x), 1
    while reach < total.high.shape[-1]:
        before = (xp.zeros_like(y[..., :reach]) for y in (total.high, total.low))
        parts = (total.high[..., :-reach], total.low[..., :-reach])
        shifted = (xp.concat([a, b], axis=-1) for a, b in zip(before, parts, strict=True))
        total, reach = total + Pair(xp, *shifted), 2 * reach
    return total


# Formulas written with + - * / serve pairs and plain arrays alike: a row computed in a dtype wider
# than its result needs no pairs.  The few other operations on "a pair or an array":


def as_pair_of(
    xp: Namespace, a: Array | Pair, b: Array | Pair | None, like: Array | Pair
) -> Array | Pair:
    """a - b (a, if b is None) as a pair if `like` is one."""
    if isinstance(a, Pair):
        c = a if b is None else a - (b if isinstance(b, Pair) else Pair.of(xp, b))
        return c if isinstance(like, Pair) else c.rounded()
    if not isinstance(like, Pair):
        return a if b is None else a - b
    return Pair.of(xp, a) if b is None else Pair.difference(xp, a, b)


def last_sum(xp: Namespace, x: Array | Pair) -> Array | Pair:
    """Sum over the last axis, kept as length 1."""
    return x.sum() if isinstance(x, Pair) else accurate_sum(xp, x)


def leading(x: Array | Pair) -> Array:
    """The leading part of a pair, or the array."""
    return x.high if isinstance(x, Pair) else x


def rounded(x: Array | Pair) -> Array:
    """A pair as one float, or the array."""
    return x.rounded() if isinstance(x, Pair) else x
