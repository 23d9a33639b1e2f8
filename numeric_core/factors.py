"""One side of the lattice: factors 1 + x_i z with x_i = w_i e^{a_i}, ready to be multiplied out.

A side has exponents a_i (a score or its negative), weights w_i in [0, 1] and a row axis.  Its
factors come in two forms.

Plain: (1, x_i), where all |a_i| are at most 300 (float32: 36) and all coefficients that come out at
most e^340 (e^38).  No subtraction, hence no error but that of exp.  What underflows is lost beside
numbers that are e^300 larger.

Tilted by c, for everything else: with y_i = x_i e^{-c}

    1 + x_i z = max(1, y_i) (stay_i + take_i u),   u = e^c z,   one of stay and take is 1

so that e_j(x) = e^{cj + excess} [u^j] prod_i (stay_i + take_i u), excess = sum_i max(0, log y_i).
At the c where as many labels are expected as an order has,

    sum_i y_i / (1 + y_i) = order,

that coefficient is near the largest one, whatever the scores are.  A c between two scores that are
far apart leaves nothing to the labels on either side but their 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.exact import accurate_sum, two_diff, two_sum
from numeric_core.namespace import Array, Namespace, constant, exp, finfo_max, log
from numeric_core.symmetric import Leaves
from numeric_core.tilt import threshold

__all__ = ["Halves", "Side", "Tilt", "balanced_tilt", "coefficient_reach", "plain_reach"]

REACH = 1400.0
"""Exponents this far apart do not see each other: e^-745 is the least number above 0, and a weight
is no less.  e^{-REACH / 2} is still a normal number."""


def plain_reach(xp: Namespace, dtype: object) -> float:
    """Exponents up to here are taken as they are: far from overflow at 709 (float32: 88), so that
    sums and small powers of two do not matter."""
    return 300.0 if dtype == xp.float64 else 36.0


def coefficient_reach(xp: Namespace, dtype: object) -> float:
    """Logs of plain coefficients up to here: the sum of order^2 products of two must not overflow,
    2 * 340 + 2 log(order) < 709, 2 * 38 + 2 log(order) < 88."""
    return 340.0 if dtype == xp.float64 else 38.0


@dataclass(frozen=True)
class Tilt:
    """c = high + low, (rows,) each; |low| is of ordinary size, high may be any score."""

    high: Array
    low: Array

    def __neg__(self) -> Tilt:
        return Tilt(-self.high, -self.low)


class Halves(NamedTuple):
    """A number outer * inner that is subnormal, or 0, where its factors are not."""

    outer: Array
    inner: Array

    def times(self, xp: Namespace, number: Array, product: Array, amount: Array) -> Array:
        """product = number * amount, made again as outer * (inner * amount) for tiny numbers."""
        tiny = number < (2.0**-960 if number.dtype == xp.float64 else 2.0**-100)
        return xp.where(tiny, self.outer * (self.inner * amount), product)


@dataclass(frozen=True)
class Side:
    """Exponents a + low and weights, label axis first: (n, rows).

    low: what the exponents lack, or None.  weights: None stands for ones.  Where the weight is 0
    the exponent is any finite number.  absent: indices (label, row) of weights that are 0, in
    NumPy, besides `weights`.  bound: at least every |a|, if that is known.
    """

    xp: Namespace
    a: Array
    low: Array | None = None
    weights: Array | None = None
    absent: tuple[Array, Array] | None = None
    bound: float = math.inf

    def plain(self) -> Array:
        """x_i: (n, rows)."""
        x = _contiguous_exp(self.xp, self.a)
        if self.low is not None:
            x = x + x * self.low
        if self.weights is not None:
            x = x * self.weights
        if self.absent is not None:
            x[self.absent] = 0.0
        return x

    def spread(self) -> Side:
        """The same with all weights in `weights`."""
        if self.absent is None:
            return self
        weights = np.ones(self.a.shape, self.a.dtype) if self.weights is None else self.weights
        weights = np.array(weights, order="C")
        weights[self.absent] = 0.0
        return replace(self, a=np.ascontiguousarray(self.a), weights=weights, absent=None)

    def tilted(self, c: Tilt) -> tuple[Leaves, Array]:
        """The leaves (stay, take), and the excess (rows,).

        y = w e^d is made of two halves of e^d, so that a weight of 2^-1074 does not hide an e^d
        beyond the range.
        """
        xp = self.xp
        d, lack = self._seen_from(c)
        one = xp.ones_like(d)
        w = one if self.weights is None else xp.where(self.weights > 0, self.weights, one)
        half = exp(xp, -0.5 * xp.clip(xp.abs(d), 0.0, REACH))
        small, up = half * half, d > 0
        above = up & (w > small)
        middle = up & ~above
        inverse = half / xp.where(above, w, one) * half
        y = xp.where(
            middle, w / xp.where(middle, half, one) / xp.where(middle, half, one), w * small
        )
        stay = xp.where(above, inverse - inverse * lack, one)
        take = xp.where(above, one, y + y * lack)
        excess = xp.where(above, d + log(xp, w), xp.zeros_like(d))
        if self.weights is not None:
            absent = self.weights == 0
            stay, take = xp.where(absent, one, stay), xp.where(absent, xp.zeros_like(d), take)
            excess = xp.where(absent, xp.zeros_like(d), excess)
        return Leaves(stay, take), _sum_of(xp, excess)

    def halves(self, c: Tilt) -> Halves:
        """The smaller of stay and take as outer * inner, where it is w e^{-|d|} or its inverse."""
        xp = self.xp
        d, lack = self._seen_from(c)
        one = xp.ones_like(d)
        w = one if self.weights is None else xp.where(self.weights > 0, self.weights, one)
        half = exp(xp, -0.5 * xp.clip(xp.abs(d), 0.0, REACH))
        above = (d > 0) & (w > half * half)
        outer = xp.where(above, half / w * (1.0 - lack), half * w * (1.0 + lack))
        if self.weights is not None:
            outer = xp.where(self.weights > 0, outer, xp.zeros_like(outer))
        return Halves(outer, half)

    def present(self) -> Array:
        """Where the weight is above 0: (n, rows) bool."""
        return self.a == self.a if self.weights is None else self.weights > 0

    def emptied(self) -> Side:
        """A side of the same rows without a label."""
        return Side(self.xp, self.a[:0, :], None, None)

    def logs(self) -> Array:
        """log x_i, -finfo.max where the weight is 0: (n, rows); good enough to find a tilt."""
        xp = self.xp
        if self.weights is None:
            return self.a
        active = self.weights > 0
        lowest = constant(xp, -finfo_max(xp, self.a.dtype), self.a)
        weight = xp.where(active, self.weights, xp.ones_like(self.weights))
        return xp.where(active, self.a + log(xp, weight), lowest)

    def _seen_from(self, c: Tilt) -> tuple[Array, Array]:
        """a + low - c as a pair."""
        d, lack = _difference(self.xp, self.a, c.high[None, :])
        if self.low is not None:
            lack = lack + self.low
        d, more = _difference(self.xp, d, c.low[None, :])
        return two_sum(d, lack + more)


def _contiguous_exp(xp: Namespace, a: Array) -> Array:
    """e^a; in NumPy with the label axis first in memory too, for a product tree walks along it."""
    if is_numpy_array(a) and a.dtype == np.float64:
        return np.exp(a, out=np.empty(a.shape))
    return exp(xp, a)


def balanced_tilt(xp: Namespace, v: Side, w: Side, width: Array | float = 0.0) -> Tilt:
    """c with sum_i v_i / (e^c + v_i) = width + sum_j w_j / (e^-c + w_j): (rows,).

    Of the v, width more are expected to be chosen than of the w.  As w / (e^-c + w) is
    1 - u / (e^c + u) for u = 1 / w, it is a tilt of the v_i and the u_j together, at which the
    order width + (number of w_j > 0) is expected; below all of them if there are not so many.
    """
    lowest = -finfo_max(xp, v.a.dtype)
    mirrored = w.logs()
    active = mirrored > lowest
    number = xp.sum(xp.astype(active, v.a.dtype), axis=0)
    mirrored = xp.where(active, -mirrored, xp.full_like(mirrored, lowest))
    return _solved(xp, xp.concat([v.logs(), mirrored], axis=0), number + width)


def _solved(xp: Namespace, x: Array, order: Array) -> Tilt:
    """The tilt as the order-th largest number and a rest of ordinary size."""
    kth, following = _ranked(xp, x, xp.ceil(order))
    d = xp.clip(_difference(xp, x, kth[None, :])[0], -REACH, REACH)
    gap = xp.clip(_difference(xp, following, kth)[0], -REACH, 0.0)
    c = threshold(xp, d, order[None, :], gap[None, :], axis=0)
    return Tilt(kth, c[0, :])


def _ranked(xp: Namespace, x: Array, order: Array) -> tuple[Array, Array]:
    """The order-th largest of each row and the one after it; order 0: the largest, twice."""
    count = x.shape[0]
    ordered = xp.sort(x, axis=0, descending=True)
    rank = xp.arange(count, dtype=x.dtype, device=device(x))[:, None]

    def at(position: Array) -> Array:
        position = xp.clip(position, 0.0, float(count - 1))
        return xp.sum(xp.where(rank == position[None, :], ordered, xp.zeros_like(x)), axis=0)

    return at(order - 1.0), at(order)


def _difference(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    """a - b, and what it lacks; saturated at the largest number."""
    largest = finfo_max(xp, a.dtype)
    like = a + 0.0 * b
    huge = (xp.abs(a) > 0.25 * largest) | (xp.abs(b) > 0.25 * largest)
    unit = xp.where(huge, xp.full_like(like, 0.25), xp.ones_like(like))
    d, lack = two_diff(a * unit, b * unit)
    beyond = huge & (xp.abs(d) >= 0.25 * largest)
    edge = xp.where(d > 0, xp.full_like(like, largest), xp.full_like(like, -largest))
    d = xp.where(beyond, edge, xp.where(beyond, xp.zeros_like(d), d) / unit)
    return d, xp.where(beyond, xp.zeros_like(d), lack / unit)


def _sum_of(xp: Namespace, x: Array) -> Array:
    """Sum over the labels, (n, rows) of numbers >= 0 -> (rows,), to an ulp; inf where it is."""
    if x.shape[0] == 0:
        return xp.sum(x, axis=0)
    largest = finfo_max(xp, x.dtype)
    # 2^32 numbers of up to 2^-32 finfo.max have a finite sum; what underflows is no part of it
    huge = xp.max(x, axis=0) > constant(xp, largest * 2.0**-32, x)
    scale = xp.where(huge, xp.full_like(x[0, :], 2.0**-32), xp.ones_like(x[0, :]))
    total = accurate_sum(xp, xp.permute_dims(x * scale, (1, 0)))[..., 0]
    above = total > largest * scale
    total = xp.where(above, scale, total) / scale
    return xp.where(above, xp.full_like(total, math.inf), total)
