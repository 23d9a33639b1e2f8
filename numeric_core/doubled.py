"""log Z_k in twice the digits, for the rows where it is a small difference.

log Z_k = T + R, where T is the sum of the k largest scores and R = log(Z_k / e^T) >= 0.  Where the
two nearly cancel (scores that are log-probabilities: log Z_1 = log 1), a float64 R is right to
1e-16 of R, and wrong in every digit of log Z_k.  So T and R are computed in pairs, 106 digits:

    d_i = s_i - c  for the tilt c (see `tilt`),
    F(z) = prod_{d_i <= 0} (1 + e^{d_i} z) prod_{d_i > 0} (e^{-d_i} + z),
    R = log [z^k] F + sum_{i among the k largest} max(-d_i, 0) + sum_{i not} max(d_i, 0).

No factor exceeds 1; the two sums hold the few labels between c and the k-th score.  F is multiplied
out by halves, and each partial product is divided by a power of two (exact), so that nothing
underflows that could matter.  The error is then some 3e-32 sqrt(k), and the result's rounding.

Where even that leaves less than 14 digits (log Z_k of 1e-18) the row is done in decimals, which do
not run out.  It is NumPy on the host and some 100 times slower than a float64 product, decimals
100 times slower still; only rows that need it come here.

exp and log of a pair: the argument is reduced to |r| <= log(2) / 512, where ten terms of Taylor's
series are enough (r^10 / 11! < 1e-36), and e^r - 1 is squared up, which keeps its digits.

Source: Hida, Li, Bailey, Algorithms for quad-double precision floating point arithmetic, ARITH-15
(2001).
"""

from __future__ import annotations

import math
from decimal import Context, Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from numeric_core.exact import Pair, two_sum
from numeric_core.tilt import REACH, tilted

__all__ = ["exp_pair", "log_partition_doubled", "log_parts"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LOG_2 = (0.6931471803691238, 1.9082149288430703e-10, 4.275175589747649e-20)
"""log 2 in parts: two of 32 digits, whose products with integers below 2^21 are exact, and the
float nearest to the rest; together 117 digits."""

UNSETTLED = 4e-18
"""log Z_k below this, times sqrt(k), is computed in decimals: pairs were measured to be within
3e-32 of R for k = 1 and 1.2e-31 for k = 150, and 1e-14 of the value is wanted."""

DIGITS = (60, 120, 500)
"""Decimal digits, tried one after the other: log Z_k of 10^-m needs m + KEPT of them."""

KEPT = 30
"""Digits that the value must have: 17 are returned, and n k roundings cost at most 10."""

SQUARINGS = 8
"""e^x = (e^{x / 2^8})^{2^8}: a squaring is cheaper than a further term."""

TERMS = 10
"""Terms of e^r - 1 for |r| <= log(2) / 2^9: what is left out is below 1e-36 of it."""


def log_partition_doubled(scores: Floats, k: int) -> Floats:
    """log Z_k of (rows, n) finite scores or -inf, at least k > 0 finite in each row: (rows,)."""
    ordered = -np.sort(-scores, axis=-1)
    d = _pair(*tilted(np, ordered, k))
    apart, above = _absolute(d), d.high > 0
    root, exponent = _product(_leaves(apart, above), k)
    misplaced = above != (np.arange(scores.shape[-1]) < k)
    rest = (np.where(misplaced, part, 0.0) for part in (apart.high, apart.low))
    parts = (ordered[:, :k], *rest, *log_parts(root), *_log_power_parts(exponent))
    # added without an error: T and R may agree in all digits of a pair
    values = np.asarray([math.fsum(row) for row in np.concatenate(parts, axis=-1)])
    for i in np.flatnonzero(np.abs(values) < UNSETTLED * math.sqrt(k)):
        values[i] = _in_decimal(scores[i], k)
    return values


def _in_decimal(scores: Floats, k: int) -> float:
    """log Z_k, label by label, in as many decimal digits as it takes.

    It is 0 only for k labels that sum to 0: else a sum of e^{s}, s rational, is never 1.
    """
    kept = scores[scores > -math.inf].tolist()
    if len(kept) == k:
        return math.fsum(kept)
    for digits in DIGITS:
        with localcontext(Context(prec=digits)):
            e = [Decimal(1)] + [Decimal(0)] * k
            for x in (Decimal(s).exp() for s in kept):
                e = [e[0], *(a + x * b for a, b in zip(e[1:], e[:-1], strict=True))]
            value = e[k].ln()
        if value.adjusted() > KEPT - digits:
            break
    return float(value)


def _leaves(apart: Pair, above: NDArray[np.bool_]) -> Pair:
    """(1, e^-|d|) for d <= 0 and (e^-|d|, 1) for d > 0 as nodes (2, rows, n)."""
    small, leaves = exp_pair(-apart), _pair(np.zeros((2, *above.shape)))
    for order, one in ((0, ~above), (1, above)):
        leaves.high[order] = np.where(one, 1.0, small.high)
        leaves.low[order] = np.where(one, 0.0, small.low)
    return leaves


def exp_pair(x: Pair) -> Pair:
    """e^x for x <= 700, below -745 it is 0; relative error some 2^-102."""
    x = _pair(np.maximum(x.high, -REACH), np.where(x.high > -REACH, x.low, 0.0))
    power: Floats = np.rint(x.high / math.log(2.0))
    scale = 2.0**-SQUARINGS
    r = x
    for part in _log_power_parts(power):
        r = r - _pair(part)
    r = _pair(r.high * scale, r.low * scale)
    term = total = r
    for m in range(2, TERMS + 1):
        term = term * r * _inverse(m)
        total = total + term
    for _ in range(SQUARINGS):
        total = _pair(2.0 * total.high, 2.0 * total.low) + total * total
    total = total + _pair(np.ones_like(r.high))
    return _scaled(total, power.astype(np.int64))


def log_parts(x: Pair) -> tuple[Floats, Floats, Floats]:
    """log x for x > 0 of moderate size, as a sum: a step of Newton from the float64 logarithm."""
    first = np.log(x.high)
    step = x * exp_pair(_pair(-first)) - _pair(np.ones_like(first))
    return first, step.high, step.low


def _pair(high: Floats, low: Floats | None = None) -> Pair:
    return Pair.of(np, high, low)


def _absolute(x: Pair) -> Pair:
    sign = np.where(x.high < 0, -1.0, 1.0)
    return _pair(sign * x.high, sign * x.low)


def _inverse(m: int) -> Pair:
    """1 / m, of shape (1,)."""
    return _pair(np.ones(1)) / _pair(np.full(1, float(m)))


def _log_power_parts(power: Floats | Integers) -> tuple[Floats, ...]:
    """power * log 2 as a sum, |power| < 2^21 an integer."""
    return tuple(power.astype(np.float64) * part for part in LOG_2)


def _scaled(x: Pair, power: Integers) -> Pair:
    """2^power x; what leaves the range of float64 is 0."""
    return _pair(np.ldexp(x.high, power), np.ldexp(x.low, power))


def _product(nodes: Pair, k: int) -> tuple[Pair, Integers]:
    """[z^k] of the product of all nodes (orders, rows, nodes), as mantissa and power of two."""
    exponents = np.zeros(nodes.high.shape[1:], np.int64)
    while nodes.high.shape[-1] > 1:
        if nodes.high.shape[-1] % 2:
            nodes, exponents = _with_one(nodes), np.pad(exponents, ((0, 0), (0, 1)))
        nodes = _merged(nodes, k)
        power = np.frexp(np.max(nodes.high, axis=0))[1].astype(np.int64)
        nodes = _scaled(nodes, -power)
        exponents = exponents[..., 0::2] + exponents[..., 1::2] + power
    root = _pair(nodes.high[k], nodes.low[k])
    power = np.frexp(root.high)[1].astype(np.int64)
    return _scaled(root, -power), exponents + power


def _with_one(nodes: Pair) -> Pair:
    """A further node: the polynomial 1."""
    pad = ((0, 0), (0, 0), (0, 1))
    high, low = np.pad(nodes.high, pad), np.pad(nodes.low, pad)
    high[0, ..., -1] = 1.0
    return _pair(high, low)


def _merged(nodes: Pair, k: int) -> Pair:
    """Products of neighbours, cut off at order k."""
    count = nodes.high.shape[0]
    orders = min(2 * (count - 1), k) + 1
    left, right = (_pair(nodes.high[..., i::2], nodes.low[..., i::2]) for i in (0, 1))
    out = _pair(np.zeros((orders, *left.high.shape[1:])))
    for j in range(min(count, orders)):
        here = slice(j, min(j + count, orders))
        width = here.stop - here.start
        term = _pair(left.high[j], left.low[j]) * _pair(right.high[:width], right.low[:width])
        high, low = two_sum(out.high[here], term.high)
        out.high[here], out.low[here] = high, out.low[here] + (low + term.low)
    return out._normal(out.high, out.low)
