"""Products without error for NumPy, which has no fused multiply-add: numbers in two halves.

    x = high + low,  high the upper 26 of the 53 digits of x, cut off, so that |low| < 2^-25 |x|

A product of two upper halves has 52 digits: it is exact.  So

    x y = H + R,   H = high_x high_y,   R = high_x low_y + low_x y

to 2^-76 of x y, for five operations: Dekker's split alone would take eight.  R is up to 2^-24 of H:
a product is a number of two parts, which is cut anew for the next one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from numeric_core.exact import two_sum
from numeric_core.lanes import Floats, row_sums

__all__ = [
    "Halves",
    "Number",
    "column_sums",
    "halves",
    "others",
    "product",
    "quotient",
]

UPPER = ~np.int64((1 << 27) - 1)
"""Sign, exponent and 25 of the 52 stored digits."""


class Number(NamedTuple):
    """upper + lower, as a product or a sum leaves it; |lower| <= 2^-24 upper, None for 0."""

    upper: Floats
    lower: Any


class Halves(NamedTuple):
    """high + low, and that rounded; high has 26 digits."""

    value: Floats
    high: Floats
    low: Floats


def halves(x: Number) -> Halves:
    """The number cut anew."""
    high = _cut(x.upper)
    low = x.upper - high
    if x.lower is None:
        return Halves(x.upper, high, low)
    low += x.lower
    return Halves(x.upper + x.lower, high, low)


def _cut(x: Floats) -> Floats:
    upper: Floats = (x.view(np.int64) & UPPER).view(np.float64)
    return upper


def product(a: Halves, b: Halves) -> Number:
    """a b to 2^-76."""
    lower = a.high * b.low
    lower += a.low * b.value
    return Number(a.high * b.high, lower)


def quotient(x: Floats, y: Halves) -> Halves:
    """x / y to 2^-76: the upper half of the quotient, and what it leaves of x."""
    value = x / y.value
    high = _cut(value)
    low = x - high * y.high
    low -= high * y.low
    low /= y.value
    return Halves(value, high, low)


def column_sums(x: Number) -> Number:
    """The sum over the samples, (m,), whose upper part is that sum rounded but for an ulp."""
    high, low = _split_sum(x.upper, np.add.reduce(x.upper, axis=0))
    lower = np.add.reduce(low, axis=0)
    if x.lower is not None:
        lower += np.add.reduce(x.lower, axis=0)
    return Number(*two_sum(np.add.reduce(high, axis=0), lower))


def _split_sum(x: Floats, total: Floats) -> tuple[Floats, Floats]:
    """h and x - h, both exact, for x >= 0 and about their sum: the sum of all h is exact, each
    being a multiple of the last place of the total."""
    high = x + total
    high -= total
    return high, x - high


def others(x: Number) -> Number:
    """sum_{k != j} x_k along the last axis: the largest of a row is in no sum but its own."""
    upper, lower = x
    flat, at = upper.reshape(-1), np.argmax(upper, axis=1)
    at += np.arange(0, upper.size, upper.shape[1])
    most = flat[at]
    flat[at] = 0.0
    high, low = _split_sum(upper, row_sums(upper)[:, None])
    flat[at] = most
    most_lower = np.zeros_like(most)
    if lower is not None:
        most_lower = lower.reshape(-1)[at]
        low += lower
        low.reshape(-1)[at] -= most_lower
    rest, rest_lower = row_sums(high), row_sums(low)
    total, error = two_sum(rest, most)
    result = total[:, None] - upper
    left = (total[:, None] - result) - upper  # exact: the total is larger than any x
    left += (error + rest_lower + most_lower)[:, None]
    if lower is not None:
        left -= lower
    result.reshape(-1)[at], left.reshape(-1)[at] = rest, rest_lower
    return Number(result, left)
