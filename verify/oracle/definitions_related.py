r"""The losses that ZLPR is compared with, as their papers write them, for any kind of number.

    focal        -a (1-p)^g log p for a positive, -(1-a) p^g log(1-p) for a negative   1708.02002
    soft_focal   |sigma - t|^b (-t log sigma - (1-t) log(1-sigma))                     2006.04388
    asymmetric   -(1-p)^g+ log p; -p_m^g- log(1-p_m), p_m = max(p-m, 0)                2009.14119
    circle       log(1 + sum_j e^{c a_j (s_j-m)} sum_i e^{-c a_i (s_i-1+m)})           2002.10857
                 a_j = max(s_j+m, 0) of a negative, a_i = max(1+m-s_i, 0) of a positive

1 - p is written as the sigmoid of -s, and so is the 1 in sigma - t = sigma - t (sigma + 1 - sigma);
the double sum of Circle loss is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.oracle.arithmetic import Arithmetic

__all__ = ["asymmetric", "circle", "focal", "soft_focal"]

Number = Any


def focal(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> Number:
    """The sum over the labels of -a_t (1 - p_t)^g log p_t."""
    total = arithmetic.number(0.0)
    for s, t in zip(scores, labels, strict=True):
        own = s if t == 1 else -s
        term = _power(_sigmoid(-own, arithmetic), gamma, arithmetic)
        term = term * -arithmetic.log(_sigmoid(own, arithmetic))
        if alpha is not None:
            a = arithmetic.number(alpha)
            term = term * (a if t == 1 else 1 - a)
        total = total + term
    return total


def soft_focal(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    beta: float = 2.0,
) -> Number:
    """The sum over the labels of |sigma(s) - t|^b BCE(s, t)."""
    number, log = arithmetic.number, arithmetic.log
    total = number(0.0)
    for s, t in zip(scores, labels, strict=True):
        r = (1 - number(t)) * _sigmoid(s, arithmetic) - number(t) * _sigmoid(-s, arithmetic)
        size = r if arithmetic.positive(r) else -r
        cost = number(0.0)
        if t > 0:
            cost = cost - number(t) * log(_sigmoid(s, arithmetic))
        if t < 1:
            cost = cost - (1 - number(t)) * log(_sigmoid(-s, arithmetic))
        total = total + _power(size, beta, arithmetic) * cost
    return total


def asymmetric(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> Number:
    """The sum of L+ over the positives and L- over the negatives."""
    number, log, total = arithmetic.number, arithmetic.log, arithmetic.number(0.0)
    for s, t in zip(scores, labels, strict=True):
        if t == 1:
            term = _power(_sigmoid(-s, arithmetic), gamma_positive, arithmetic)
            total = total - term * log(_sigmoid(s, arithmetic))
            continue
        shifted = _sigmoid(s, arithmetic) - number(margin)
        if arithmetic.positive(shifted):
            rest = _sigmoid(-s, arithmetic) + number(margin)
            total = total - _power(shifted, gamma_negative, arithmetic) * log(rest)
    return total


def circle(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    scale: float = 256.0,
    margin: float = 0.25,
) -> Number:
    """log(1 + the sum over pairs), eq. 4 with the weights of eq. 5 and the margins of eq. 8."""
    c, m = arithmetic.number(scale), arithmetic.number(margin)
    positives = [s for s, t in zip(scores, labels, strict=True) if t == 1]
    inside = arithmetic.number(1.0)
    for s_j in (s for s, t in zip(scores, labels, strict=True) if t == 0):
        up = c * _ramp(s_j + m, arithmetic) * (s_j - m)
        for s_i in positives:
            down = c * _ramp(1 + m - s_i, arithmetic) * (s_i - (1 - m))
            inside = inside + arithmetic.exp(up - down)
    return arithmetic.log(inside)


def _sigmoid(s: Number, arithmetic: Arithmetic) -> Number:
    return 1 / (1 + arithmetic.exp(-s))


def _power(x: Number, exponent: float, arithmetic: Arithmetic) -> Number:
    """x^exponent for x >= 0; products for small whole exponents, where x may be 0."""
    if exponent == int(exponent) and exponent < 8:
        result = arithmetic.number(1.0)
        for _ in range(int(exponent)):
            result = result * x
        return result
    return arithmetic.exp(arithmetic.number(exponent) * arithmetic.log(x))


def _ramp(x: Number, arithmetic: Arithmetic) -> Number:
    return x if arithmetic.positive(x) else 0 * x
