"""Losses of float64 grids in NumPy: what `numeric_core.sweeps` computes, in twice the digits.

With e = e^s, w = t / e, and o(x) for the sum of the others of a sample

    truncated   a = w o(e),  D = 1 + sum_i a_ij,             g = e o(w / D) - a / D
    mirrored    b = e o(w),  E = 1 + sum_i b_ij,             2 g = e (o(w / D) + o(w) / E)
                                                                   - w (o(e) / D + o(e / E))
    centered    c = t e^{mean s - s}, C = 1 + sum_i c_ij,     g = mean_j p - p,   p = c / C

Each exponential has its own rounding, half an ulp, of an exact argument, and no other step has one
that is seen but the last: products and sums are `numeric_core.halves`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numeric_core.exact import two_sum
from numeric_core.halves import (
    Floats,
    Halves,
    Number,
    column_sums,
    halves,
    others,
    product,
    quotient,
)
from numeric_core.lanes import row_sums
from numeric_core.sweeps import REACH

__all__ = ["centered", "mirrored", "truncated"]

BLOCK = 1 << 14
"""Scores at a time: some ten arrays of 128 KiB are in use at once."""

KEPT = 1 << 16
"""Grids of up to so many scores keep what the second sweep takes from the first."""


class _Factors(NamedTuple):
    """e, w, and what else both sweeps need of some samples: a, or o(e) and o(w)."""

    e: Halves
    w: Halves
    parts: tuple[Any, ...]


def truncated(s: Floats, t: Floats) -> tuple[float, Floats]:
    """sum_j log D_j, and its gradient (n, m)."""

    def make(part: slice) -> _Factors:
        e, w = _factors(s[part], t[part])
        return _Factors(e, w, (product(w, halves(others(Number(e.value, None)))),))

    blocks = _Blocks(s, make)
    (d,) = blocks.totals(lambda x: x.parts)
    share = _reciprocal(d)

    def slope(x: _Factors) -> Floats:
        up = product(x.e, halves(others(product(x.w, share))))
        return _difference(up, product(halves(x.parts[0]), share))

    return _logs(d), blocks.joined(slope)


def mirrored(s: Floats, t: Floats) -> tuple[float, Floats]:
    """(sum_j log D_j + sum_j log E_j) / 2, and its gradient."""

    def make(part: slice) -> _Factors:
        e, w = _factors(s[part], t[part])
        o, q = (halves(others(x)) for x in (Number(e.value, None), Number(w.high, w.low)))
        return _Factors(e, w, (o, q))

    blocks = _Blocks(s, make)
    own, other = blocks.totals(lambda x: (product(x.w, x.parts[0]), product(x.e, x.parts[1])))
    d, f = _reciprocal(own), _reciprocal(other)

    def slope(x: _Factors) -> Floats:
        o, q = x.parts
        up = _added(others(product(x.w, d)), product(q, f))
        down = _added(product(o, d), others(product(x.e, f)))
        return 0.5 * _difference(product(x.e, halves(up)), product(x.w, halves(down)))

    return 0.5 * (_logs(own) + _logs(other)), blocks.joined(slope)


def centered(s: Floats, t: Floats) -> tuple[float, Floats]:
    """sum_j log C_j, and its gradient."""

    def make(part: slice) -> Number:
        return product(halves(Number(t[part], None)), halves(_exp_below_mean(s[part])))

    blocks = _Blocks(s, make)
    (c,) = blocks.totals(lambda x: (x,))
    share = _reciprocal(c)

    def slope(x: Number) -> Floats:
        p = product(halves(x), share)
        if s.shape[1] == 1:  # each p is its own mean, of which no digit may be left over
            return np.zeros_like(p.upper)
        mean, rest = _mean(p.upper, p.lower, 1.0)
        return (mean[:, None] - p.upper) + (rest[:, None] - p.lower)

    return _logs(c), blocks.joined(slope)


def _factors(s: Floats, t: Floats) -> tuple[Halves, Halves]:
    """e^s and t / e^s."""
    e = halves(Number(np.exp(s), None))
    return e, quotient(t, e)


def _exp_below_mean(s: Floats) -> Number:
    """e^{mean_k s_ik - s_ij}, the mean being known to more than its ulp."""
    mean, rest = _mean(s, None, REACH)
    d, delta = two_sum(mean[:, None], -s)
    delta += rest[:, None]
    e = np.exp(d)
    delta *= e
    return Number(e, delta)


def _mean(x: Floats, lower: Floats | None, bound: float) -> tuple[Floats, Floats]:
    """The mean over the classes of numbers up to the bound, and what it lacks: (samples,)."""
    m = x.shape[1]
    # x + grid - grid is x but for its last digits: such numbers are added up without an error
    grid = 2.0 ** math.ceil(math.log2(4.0 * m * bound))
    high = (x + grid) - grid
    total, rest = row_sums(high), row_sums(x - high)
    if lower is not None:
        rest += row_sums(lower)
    mean = total / m
    cut = halves(Number(mean, None))
    return mean, ((total - m * cut.high) - m * cut.low + rest) / m


Make: TypeAlias = Callable[[slice], Any]


class _Blocks:
    """The blocks of samples of a grid, made once or twice."""

    def __init__(self, s: Floats, make: Make) -> None:
        n, m = s.shape
        step = n if s.size <= BLOCK else max(1, BLOCK // m)
        self._make, self._shape = make, s.shape
        self._parts = [slice(i, min(i + step, n)) for i in range(0, n, step)]
        self._kept: list[Any] | None = [] if s.size <= KEPT else None

    def totals(self, terms: Callable[[Any], tuple[Number, ...]]) -> list[Number]:
        """Sums of terms over all samples, each (m,)."""
        sums = []
        for part in self._parts:
            made = self._make(part)
            if self._kept is not None:
                self._kept.append(made)
            sums.append([column_sums(x) for x in terms(made)])
        return [_total(list(column)) for column in zip(*sums, strict=True)]

    def joined(self, slope: Callable[[Any], Floats]) -> Floats:
        """slope of all blocks: (n, m)."""
        out = np.empty(self._shape)
        for place, part in enumerate(self._parts):
            out[part] = slope(self._make(part) if self._kept is None else self._kept[place])
        return out


def _total(parts: list[Number]) -> Number:
    """The sum of the sums of blocks."""
    if len(parts) == 1:
        return parts[0]
    upper, lower = (np.stack(x) for x in zip(*parts, strict=True))
    return column_sums(Number(upper, lower))


def _reciprocal(excess: Number) -> Halves:
    """1 / (1 + excess)."""
    one = np.ones_like(excess.upper)
    upper, error = two_sum(one, excess.upper)
    return quotient(one, halves(Number(upper, error + excess.lower)))


def _logs(excess: Number) -> float:
    """sum_j log(1 + excess_j)."""
    return math.fsum(np.log1p(excess.upper + excess.lower).tolist())


def _added(a: Number, b: Number) -> Number:
    return Number(a.upper + b.upper, a.lower + b.lower)


def _difference(a: Number, b: Number) -> Floats:
    return (a.upper - b.upper) + (a.lower - b.lower)
