"""log Z_k in twice the digits, for the rows where it is a small difference.

log Z_k = T + R, where T is the sum of the k largest scores and R = log(Z_k / e^T) >= 0.  Where the
two nearly cancel (scores that are log-probabilities: log Z_1 = log 1), a float64 R is right to
1e-16 of R, and wrong in every digit of log Z_k.  So T and R are computed in pairs, 106 digits:

    d_i = s_i - c  for the tilt c (see `tilt`),
    F(z) = prod_{d_i <= 0} (1 + e^{d_i} z) prod_{d_i > 0} (e^{-d_i} + z),
    R = log [z^k] F + sum_{i among the k largest} max(-d_i, 0) + sum_{i not} max(d_i, 0).

No factor exceeds 1; the two sums hold the few labels between c and the k-th score.  F is multiplied
out by halves, and each partial product is divided by a power of two (exact), so that nothing
underflows that could matter.  The error of the result is some 1e-31 max(1, R), plus its rounding.

It is NumPy on the host and some 100 times slower than a float64 product; only rows that need it
come here.

exp and log of a pair: the argument is reduced to |r| <= log(2) / 512, where ten terms of Taylor's
series are enough (r^10 / 11! < 1e-36), and e^r - 1 is squared up, which keeps its digits.

Source: Hida, Li, Bailey, Algorithms for quad-double precision floating point arithmetic, ARITH-15
(2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numeric_core.exact import Pair, two_sum
from numeric_core.tilt import REACH, tilted

__all__ = ["exp_pair", "log_pair", "log_partition_doubled"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LOG_2 = (0.6931471805599453, 2.3190468138462996e-17)
"""log 2 as high + low: the float nearest to it, and the float nearest to the rest."""

SQUARINGS = 8
"""e^x = (e^{x / 2^8})^{2^8}: a squaring is cheaper than a further term."""

TERMS = 10
"""Terms of e^r - 1 for |r| <= log(2) / 2^9: what is left out is below 1e-36 of it."""


def log_partition_doubled(scores: Floats, k: int) -> Floats:
    """log Z_k of (rows, n) finite scores or -inf, at least k > 0 finite in each row: (rows,)."""
    ordered = -np.sort(-scores, axis=-1)
    top = _pair(ordered[:, :k]).sum()
    d = _pair(*tilted(np, ordered, k))
    leaves = _pair(np.zeros((2, *scores.shape)))
    small = exp_pair(-_absolute(d))
    above = d.high > 0
    for order, one in ((0, ~above), (1, above)):
        leaves.high[order] = np.where(one, 1.0, small.high)
        leaves.low[order] = np.where(one, 0.0, small.low)
    misplaced = above != (np.arange(scores.shape[-1]) < k)
    apart = _absolute(d)
    rest = _pair(np.where(misplaced, apart.high, 0.0), np.where(misplaced, apart.low, 0.0)).sum()
    root, exponent = _product(leaves, k)
    return (top + (rest + (log_pair(root) + _log_power(exponent)))).rounded()[:, 0]


def exp_pair(x: Pair) -> Pair:
    """e^x for x <= 700, below -745 it is 0; relative error some 2^-102."""
    x = _pair(np.maximum(x.high, -REACH), np.where(x.high > -REACH, x.low, 0.0))
    power: Floats = np.rint(x.high / LOG_2[0])
    scale = 2.0**-SQUARINGS
    r = x - _log_power(power)
    r = _pair(r.high * scale, r.low * scale)
    term = total = r
    for m in range(2, TERMS + 1):
        term = term * r * _inverse(m)
        total = total + term
    for _ in range(SQUARINGS):
        total = _pair(2.0 * total.high, 2.0 * total.low) + total * total
    total = total + _pair(np.ones_like(r.high))
    return _scaled(total, power.astype(np.int64))


def log_pair(x: Pair) -> Pair:
    """log x for x > 0 of moderate size: one step of Newton from the float64 logarithm."""
    first = _pair(np.log(x.high))
    return first + (x * exp_pair(-first) - _pair(np.ones_like(x.high)))


def _pair(high: Floats, low: Floats | None = None) -> Pair:
    return Pair.of(np, high, low)


def _absolute(x: Pair) -> Pair:
    sign = np.where(x.high < 0, -1.0, 1.0)
    return _pair(sign * x.high, sign * x.low)


def _inverse(m: int) -> Pair:
    """1 / m, of shape (1,)."""
    return _pair(np.ones(1)) / _pair(np.full(1, float(m)))


def _log_power(power: Floats | Integers) -> Pair:
    """power * log 2, power a small integer."""
    exact = power.astype(np.float64)
    high, low = (np.full_like(exact, part) for part in LOG_2)
    return _pair(exact) * _pair(high, low)


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
