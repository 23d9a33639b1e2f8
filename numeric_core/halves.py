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

from numeric_core.lanes import Floats

__all__ = [
    "UPPER",
    "Halves",
    "Number",
    "halves",
    "product",
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
