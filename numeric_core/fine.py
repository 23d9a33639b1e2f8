"""Losses of float64 grids from totals of rows, the own class included, in twice the digits.

With e = e^s, w = t / e, and the totals R_i = sum_k e_ik, W_i = sum_k w_ik of a sample,

    D_j = 1 + sum_i R_i w_ij - sum_i t_ij,    dlog D / ds = R (e S / R - w / D)
    E_j = 1 + sum_i W_i e_ij - sum_i t_ij,    dlog E / ds = W (e / E - w Z / W)
    C_j = 1 + sum_i c_ij,                     dlog C / ds = mean_k p_ik - p_ij,  p = c / C

with S_i = sum_k w_ik / D_k, Z_i = sum_k e_ik / E_k, c_ij = t_ij e^{mean_k s_ik - s_ij}.  The own
terms, e_ij w_ij = t_ij, cancel.  For that the totals are known to 2^-100, and the terms of a
difference to 2^-76, as products in `numeric_core.halves`.  What is rounded like any float64 is each
exponential, with its label in c, and after that the difference and its factor.

An e that is nearly all of its total leaves too little to its sample's others: there the gradient is
computed from totals without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from numeric_core.exact import two_sum
from numeric_core.grid_blocks import Grid, Sweeps
from numeric_core.halves import UPPER, Halves, Number, halves, product
from numeric_core.lanes import Floats, class_sums, logs, row_sums

__all__ = ["ABOVE", "ClassSum", "centered", "factors", "mirrored", "reciprocal", "truncated"]

SEEN = 2.0**-20
"""The least share of sum_ij R_i w_ij that D - 1 may be all in all, to be known to 2^-56."""

NEARLY = 2.0**-16
"""The share of a total that its largest term leaves where that is done without it: 2^-76 of the
total is 2^-60 of the rest."""

ABOVE = 1.0 + 2.0**-24
"""A sum in any order, of up to 2^28 terms, times this is more than the sum: each term adds an error
of half an ulp, 2^-53, at most."""

Pair: TypeAlias = tuple[Floats, Floats]
"""A number and what it lacks."""


def truncated(grid: Grid, gradient: Any) -> float | None:
    """sum_j log D_j; the gradient (n, m) is written.  None: no answer."""
    totals = _Totals(grid, both=False)
    d = totals.excess(totals.own)
    if d is None:
        return None
    share = reciprocal(d)
    for e, w, r, _, at, spare, out in totals.second(gradient):
        slope = _slope(e, w, r, share, spare)
        np.multiply(slope, r[0][:, None], out=out)
        if at.size:
            out.reshape(-1)[at] = _leading(e, w, at, share)
    return logs(d[0])


def mirrored(grid: Grid, gradient: Any) -> float | None:
    """(sum_j log D_j + sum_j log E_j) / 2; the gradient is written.  None: no answer."""
    totals = _Totals(grid, both=True)
    d, f = totals.excess(totals.own), totals.excess(totals.other)
    if d is None or f is None:
        return None
    own, other = reciprocal(d), reciprocal(f)
    for e, w, r, u, at, spare, out in totals.second(gradient):
        more = _nearly_all(np.multiply(e[0], other.value, out=spare[0]))
        at = np.union1d(at, more) if more.size else at
        slope = _slope(e, w, r, own, spare[:3])
        slope *= 0.5 * r[0][:, None]
        down = _slope(w, e, u, other, spare[1:])
        down *= 0.5 * u[0][:, None]
        np.subtract(slope, down, out=out)
        if at.size:
            first, second = _leading(e, w, at, own), _leading(w, e, at, other)
            out.reshape(-1)[at] = 0.5 * (first - second)
    return 0.5 * (logs(d[0]) + logs(f[0]))


def centered(grid: Grid, gradient: Any) -> float:
    """sum_j log C_j; the gradient is written, unless it is None."""
    sweeps, total = Sweeps(grid, _below_mean, kept=2, spare=3), ClassSum()
    m = grid.scores.shape[1]
    for (c, c_low), (x, y, _) in sweeps.first():
        total.add(c, x, y, c_low)
    excess = total.pair()
    if gradient is None:
        return logs(excess[0] + excess[1])
    share = reciprocal(excess)
    for c, spare, out in sweeps.second(gradient):
        if m == 1:  # each p is its own mean, of which no digit may be left over
            out[:] = 0.0
            continue
        up, low, x = _products(c, share, spare)
        mean = _mean(_total(up, low, x), m)
        np.subtract(mean[0][:, None], up, out=up)
        np.subtract(mean[1][:, None], low, out=low)
        np.add(up, low, out=out)
    return logs(excess[0] + excess[1])


def _below_mean(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """c in halves: t e^d e^delta, d + delta being the mean less s, and d a float64."""
    (c, c_low), (x, y, _) = kept, spare
    scores, labels = grid.scores[part], grid.labels[part]
    m = scores.shape[1]
    # x + place - place is x but for its last digits: such numbers are added up without an error
    place = 2.0 ** math.ceil(math.log2(4.0 * m * max(grid.bound, 1.0)))
    np.add(scores, place, out=x)
    x -= place
    np.subtract(scores, x, out=y)
    mean, rest = _mean((row_sums(x), row_sums(y)), m)
    upper = (mean + place) - place
    np.exp(np.subtract(upper[:, None], x, out=x), out=x)
    np.subtract(((mean - upper) + rest)[:, None], y, out=y)
    y *= x
    np.multiply(labels, x, out=x)
    np.bitwise_and(x.view(np.int64), UPPER, out=c.view(np.int64))
    np.subtract(x, c, out=c_low)
    c_low += np.multiply(labels, y, out=y)


def _mean(total: Pair, m: int) -> Pair:
    """The mean of m numbers of which this is the sum."""
    mean = total[0] / m
    upper = _upper(mean)
    return mean, ((total[0] - m * upper) - m * (mean - upper) + total[1]) / m


class _Totals:
    """The first sweep: sums over all samples, and R, W and where an e is nearly all of R."""

    def __init__(self, grid: Grid, *, both: bool) -> None:
        self.own, self.other, self._labels = ClassSum(), ClassSum(), ClassSum()
        self._sweeps = Sweeps(grid, factors, kept=4, spare=4 if both else 3)
        self._samples = []
        labels = self._sweeps.parts(grid.labels)
        for (kept, (x, y, *_)), t in zip(self._sweeps.first(), labels, strict=True):
            e, w = kept[:2], kept[2:]
            self._labels.add(t, x, y)
            r, u = _total(e[0], e[1], x), None
            self.own.products(r, w, x, y)
            if both:
                u = _total(w[0], w[1], x)
                self.other.products(u, e, x, y)
            self._samples.append((r, u, _nearly_all(e[0], r[0])))

    def excess(self, total: ClassSum) -> Pair | None:
        """D - 1 or E - 1, (m,); None where too little is left of it."""
        high, low = total.less(self._labels)
        if np.sum(high) < SEEN * np.sum(self._labels.rounded()):
            return None
        return high, low

    def second(self, gradient: Any) -> Iterator[tuple[Any, ...]]:
        """e, w, R, W, where an e is nearly all of R, what is spare, the block's gradient."""
        for (kept, spare, out), sample in zip(
            self._sweeps.second(gradient), self._samples, strict=True
        ):
            yield kept[:2], kept[2:], *sample, spare, out


def factors(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """e^s and t / e^s, both in halves."""
    (e, e_low, w, w_low), x = kept, spare[0]
    labels = grid.labels[part]
    np.exp(grid.scores[part], out=x)
    np.bitwise_and(x.view(np.int64), UPPER, out=e.view(np.int64))
    np.subtract(x, e, out=e_low)
    np.divide(labels, x, out=w_low)
    np.bitwise_and(w_low.view(np.int64), UPPER, out=w.view(np.int64))
    # w_low = (t - w e - w e_low) / x: w e is exact, and so is t less it
    np.subtract(labels, np.multiply(w, e, out=w_low), out=w_low)
    w_low /= x
    np.divide(e_low, x, out=x)
    x *= w
    w_low -= x


def _total(x: Floats, lower: Floats, spare: Floats) -> Pair:
    """The sums over the classes of x + lower, x >= 0, all but exactly."""
    place = (ABOVE * row_sums(x))[:, None]
    np.add(x, place, out=spare)
    spare -= place
    upper = row_sums(spare)
    high, low = two_sum(upper, row_sums(np.subtract(x, spare, out=spare)) + row_sums(lower))
    return high, low


def _nearly_all(x: Floats, total: Any = None) -> Any:
    """The places of the x that are nearly all of their sample's total."""
    total = row_sums(x) if total is None else total
    return np.flatnonzero(x > ((1.0 - NEARLY) * total)[:, None])


class ClassSum:
    """The sum of terms >= 0 over all samples, all but exact."""

    def __init__(self) -> None:
        self._high: Any = 0.0
        self._low: Any = 0.0

    def add(self, x: Floats, upper: Floats, rest: Floats, lower: Floats | None = None) -> None:
        """A block (samples, m), and what it lacks; two spare arrays, the last may be x."""
        place = class_sums(x) * ABOVE
        np.add(x, place, out=upper)
        upper -= place
        np.subtract(x, upper, out=rest)
        self._high, error = two_sum(self._high, class_sums(upper))
        self._low = self._low + (error + class_sums(rest))
        if lower is not None:
            self._low = self._low + class_sums(lower)

    def products(self, total: Pair, w: Any, x: Floats, spare: Floats) -> None:
        """w in halves times a total of its sample."""
        high = _upper(total[0])
        low = (total[0] - high) + total[1]
        self._low = self._low + (class_sums(w[0], low) + class_sums(w[1], total[0]))
        self.add(np.multiply(w[0], high[:, None], out=x), spare, x)

    def less(self, other: ClassSum) -> Pair:
        """The difference to another sum, (m,)."""
        high, error = two_sum(self._high, -other._high)
        high, low = two_sum(high, error + (self._low - other._low))
        return high, low

    def pair(self) -> Pair:
        """(m,)"""
        high, low = two_sum(self._high, self._low)
        return high, low

    def rounded(self) -> Floats:
        """(m,)"""
        total: Floats = self._high + self._low
        return total


def reciprocal(excess: Pair) -> Halves:
    """1 / (1 + excess)."""
    one = np.ones_like(excess[0])
    high, error = two_sum(one, excess[0])
    return _ratio((one, 0.0 * one), two_sum(high, error + excess[1]))


def _ratio(a: Pair, b: Pair) -> Halves:
    """a / b to 2^-76."""
    upper, over = _upper(a[0] / b[0]), _upper(b[0])
    rest = (a[0] - upper * over) - upper * (b[0] - over)
    rest = (rest + (a[1] - upper * b[1])) / b[0]
    return Halves(upper + rest, upper, rest)


def _upper(x: Floats) -> Floats:
    upper: Floats = (x.view(np.int64) & UPPER).view(np.float64)
    return upper


def _products(b: Any, share: Halves, spare: Any) -> Any:
    """b q in two parts, and an array that is spare."""
    up, low, x = spare
    np.multiply(b[0], share.high, out=up)
    np.multiply(b[0], share.low, out=low)
    low += np.multiply(b[1], share.value, out=x)
    return up, low, x


def _slope(a: Any, b: Any, total: Pair, share: Halves, spare: Any) -> Floats:
    """a S / R - b q (1 + r / R) for totals R + r of a and S of b q, in the first of three arrays:
    times R, that is a S - b q (R + r)."""
    up, low, x = _products(b, share, spare)
    high = np.where(total[0] > 0.0, total[0], 1.0)
    by = _ratio(_total(up, low, x), (high, np.zeros_like(high)))
    low += np.multiply(up, (total[1] / high)[:, None], out=x)
    np.subtract(np.multiply(a[0], by.high[:, None], out=x), up, out=up)
    np.subtract(np.multiply(a[0], by.low[:, None], out=x), low, out=low)
    low += np.multiply(a[1], by.value[:, None], out=x)
    up += low
    return up


def _leading(a: Any, b: Any, at: Any, share: Halves) -> Floats:
    """a o(b q) - b q o(a) at these places of the samples."""
    rows, classes = np.divmod(at, a[0].shape[1])
    place = np.arange(rows.size), classes
    a_high, a_low, b_high, b_low = (x[rows] for x in (*a, *b))
    c = product(Halves(b_high + b_low, b_high, b_low), share)
    one, other = (halves(Number(x[place], y[place])) for x, y in ((a_high, a_low), c))
    for x in (a_high, a_low, *c):
        x[place] = 0.0
    totals = (_total(x, y, b_low) for x, y in (c, (a_high, a_low)))
    up, down = (
        product(x, halves(Number(*total))) for x, total in zip((one, other), totals, strict=True)
    )
    return (up.upper - down.upper) + (up.lower - down.lower)
