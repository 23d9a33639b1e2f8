"""e^x, log x and powers of pairs, in any namespace: what is cancelled afterwards keeps its digits.

With x = j log 2 + r, j an integer and |r| <= log(2) / 2,

    e^x = 2^j (1 + m)^(2^8),   m = e^{r / 2^8} - 1,   (1 + m)^2 = 1 + (2 m + m^2)

where r is kept as a pair, m is four terms of its series in pairs and a plain rest, and squaring m
instead of 1 + m keeps the digits of a small m.  log x is one step of Newton from the logarithm of
the leading part: log x = f + log(1 + e), 1 + e = x e^{-f}, where e is below an ulp.

Relative errors are about |x| 2^-104 (float32: |x| 2^-46).
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from numeric_core.exact import Pair, two_product
from numeric_core.namespace import Array, Namespace, constant, log

__all__ = ["exp_pair", "log_pair", "power_pair"]

LOG_TWO = Fraction("0.69314718055994530941723212145817656807550013436025525412068")
"""log 2 to 59 digits (OEIS A002162): three floats of float64 hold 48 of them."""

SQUARINGS = 8
"""e^{r / 256} - 1 needs four exact terms: the rest is below (0.35 / 256)^4 / 120 = 3e-14 of it."""

REST = 6
"""Terms of that rest: r^11 / 11! is below 2^-120 of r."""

EXPONENTS = 11
"""Bits of the exponent j: 2^j is put together from 2, 4, 16, ... 2^1024, which are exact."""

WHOLE = 8
"""Whole exponents up to this are products."""


def exp_pair(xp: Namespace, x: Pair) -> Pair:
    """e^x for x whose exponential is a normal number, as a pair."""
    power = xp.round(x.high / constant(xp, math.log(2.0), x.high))
    r = x
    for part in _log_two(xp, x.high):
        high, low = two_product(xp, power, part + xp.zeros_like(power))
        r = r - Pair(xp, high, low)
    small = _exponential_minus_one(xp, _times(r, 2.0**-SQUARINGS))
    for _ in range(SQUARINGS):
        small = _times(small, 2.0) + small * small
    result = Pair.of(xp, xp.ones_like(x.high)) + small
    return _scaled(xp, result, power)


def log_pair(xp: Namespace, x: Pair) -> Pair:
    """log x for normal x > 0, as a pair."""
    first = log(xp, x.high)
    near = x * exp_pair(xp, Pair.of(xp, -first))
    e = near - Pair.of(xp, xp.ones_like(first))
    half_square = Pair.of(xp, 0.5 * e.high * e.high)
    return Pair.of(xp, first) + (e - half_square)


def power_pair(xp: Namespace, x: Pair, exponent: float) -> Pair:
    """x^exponent for x > 0 and exponent >= 0, as a pair; products for whole exponents."""
    if exponent == int(exponent) and exponent <= WHOLE:
        result = Pair.of(xp, xp.ones_like(x.high))
        for _ in range(int(exponent)):
            result = result * x
        return result
    high = exponent if x.high.dtype == xp.float64 else float(np.float32(exponent))
    factor = Pair(
        xp, xp.full_like(x.high, high), xp.full_like(x.high, float(exponent - Fraction(high)))
    )
    return exp_pair(xp, factor * log_pair(xp, x))


def _log_two(xp: Namespace, like: Array) -> list[Array]:
    """log 2 as three floats."""
    parts, rest = [], LOG_TWO
    for _ in range(3):
        part = float(rest) if like.dtype == xp.float64 else float(np.float32(float(rest)))
        parts.append(constant(xp, part, like))
        rest -= Fraction(part)
    return parts


def _exponential_minus_one(xp: Namespace, x: Pair) -> Pair:
    """x + x^2 / 2 + ... for small x."""
    tail = xp.zeros_like(x.high)
    for n in range(4 + REST, 4, -1):
        tail = (tail + 1.0) * x.high / n
    total = Pair.of(xp, xp.ones_like(x.high)) + Pair.of(xp, tail)
    for n in (4, 3, 2):
        total = Pair.of(xp, xp.ones_like(x.high)) + total * x / Pair.of(
            xp, xp.full_like(x.high, float(n))
        )
    return total * x


def _times(x: Pair, power_of_two: float) -> Pair:
    return Pair(x.xp, x.high * power_of_two, x.low * power_of_two)


def _scaled(xp: Namespace, x: Pair, power: Array) -> Pair:
    """2^power x: the power bit by bit, each factor exact."""
    size, high, low = xp.abs(power), x.high, x.low
    most = EXPONENTS if x.high.dtype == xp.float64 else EXPONENTS - 3
    for bit in reversed(range(most)):
        step = 2.0**bit
        set_ = size >= step
        size = xp.where(set_, size - step, size)
        up, down = 2.0 ** (2**bit) if bit < most - 1 else None, 2.0 ** -(2**bit)
        factor = xp.where(power < 0, constant(xp, down, high), constant(xp, up or 1.0, high))
        high, low = xp.where(set_, high * factor, high), xp.where(set_, low * factor, low)
    return Pair(xp, high, low)
