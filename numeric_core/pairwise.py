"""One log an ordered pair of classes: P_jk = 1 + sum_i a_ijk,   a_ijk = t_ij e^{s_ik - s_ij}.

With a middle c_i of each sample's scores, u_ij = t_ij e^{c_i - s_ij} and e_ik = e^{s_ik - c_i}, all
sums are products of matrices, in O(n m^2):

    P - 1 = u^T e,   Q_jk = 1 / P_jk (j != k),   dl/ds = e * (u Q) - u * (e Q^T)

as long as no factor leaves the range.  Else, and for Hessian-vector products that need all digits,
each P_jk is a row state over the samples (`numeric_core.reductions`), some classes j at a time:

    p_ijk = a_ijk / P_jk,   dl/ds_ib = sum_j p_ijb - sum_k p_ibk,
    (H v)_ib = sum_j z_ijb - sum_k z_ibk,   z_ijk = p_ijk (v_ik - v_ij - m_jk),
    m_jk = sum_i p_ijk (v_ik - v_ij)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from array_api_compat import device

from numeric_core.distribution import center, is_top, weigh
from numeric_core.exact import Pair, accurate_sum, rounded, sum_to_infinity, two_diff, two_sum
from numeric_core.namespace import Array, Namespace, constant, exp, finfo_max, known, log1p, read
from numeric_core.reductions import RowSum, exponential_sum, log_partition
from numeric_core.rows import Rows
from numeric_core.shares import shares

__all__ = [
    "element_gradient",
    "element_hvp",
    "element_slope",
    "element_value",
    "elements",
    "products",
]

RUN = 256
"""Terms that a matrix product adds up in its own order; the partial sums are added without loss."""

SHORT_RUN = 8
"""The same for results in the dtype of the arithmetic: a BLAS adds an entry's terms one by one, and
256 of them were measured to cost 6 ulp; the gradient of 200 x 100 was off by 9.4 ulp, and is by 3.6
with 8."""

ELEMENTS = 1 << 20
"""Elements (j, k, i) at a time: 8 MiB of float64."""


RANGE = {64: (150.0, 1e-80), 32: (20.0, 1e-8)}
"""By the bits of the dtype: the largest |s - c| and the least label > 0 for products of matrices.
The smallest factor is u Q >= t e^{-|s - c|} / (n e^{2 |s - c|}), and 1e-80 e^{-450} = 1e-275 and
1e-8 e^{-60} = 1e-34 are normal numbers."""


PAIRS = 1 << 15
"""Pairs (i, j, k) at a time in a Hessian-vector product: 256 KiB of float64, kept in a cache."""


ROUNDINGS = 2.0**-18
"""A product of matrices, RUN = 2^8 terms at a time, is off by less than 2^-44 of the sum of the
absolute terms.  Where that sum is up to 2^18 times the larger of the result and half of each of the
two sums that it is the difference of, that is 2^-25 of the larger sign's sum: half an ulp of
float32."""

TINIEST = 2.0**-107
"""2^-44 of a sum up to here is below a quarter of 2^-149, the least float32."""

FEW = 1 << 14
"""Up to so many elements (i, j, k) a float64 grid goes element by element, with fewer roundings."""


class Products(NamedTuple):
    """u, e of (*batch, n, m), and P - 1 of (*batch, m, m) with 0 on the diagonal.

    run: so many terms a matrix product may add up by itself.
    """

    xp: Namespace
    u: Array
    e: Array
    excess: Array
    run: int

    def value(self) -> Array:
        """sum_{j != k} log P_jk: (*batch,)."""
        return _total(self.xp, log1p(self.xp, self.excess))

    def null_shares(self) -> Array:
        """Q, rounded once: (*batch, m, m)."""
        one = Pair.of(self.xp, self.xp.ones_like(self.excess))
        return _off_diagonal(self.xp, (one / (one + Pair.of(self.xp, self.excess))).rounded())

    def gradient(self) -> Array:
        """(*batch, n, m)"""
        xp = self.xp
        q = self.null_shares()
        up = product(xp, self.u, q, self.run)
        down = product(xp, self.e, xp.matrix_transpose(q), self.run)
        return self.e * up - self.u * down

    def rough_hvp(self, v: Array) -> Array | None:
        """H v for a result in a narrower dtype; None if that cannot be told to be right.

        v is taken from the class of the largest score, so that the products of matrices cancel
        little; how much, is measured by the same sums of absolute values.
        """
        xp, e, u, q = self.xp, self.e, self.u, self.null_shares()
        v = v - xp.sum(xp.where(is_top(xp, e), v, xp.zeros_like(v)), axis=-1, keepdims=True)
        parts, size = self._slopes(v, q, 1.0), self._slopes(xp.abs(v), q, -1.0)
        result = e * (parts[0] - parts[1]) - u * (parts[2] - parts[3])
        bound = e * (size[0] - size[1]) - u * (size[2] - size[3])
        sides = e * xp.abs(parts[0] - parts[1]), u * xp.abs(parts[2] - parts[3])
        seen = xp.maximum(xp.abs(result), 0.5 * xp.maximum(*sides))
        lost = bound * ROUNDINGS > seen
        return None if known(xp.any(lost & (bound > TINIEST))) is not False else result

    def _slopes(self, v: Array, q: Array, sign: float) -> tuple[Array, Array, Array, Array]:
        """sum_j u_ij Q_jb (v_ib - v_ij), sum_j u_ij Q_jb m_jb, sum_k e_ik Q_bk (v_ik - v_ib) and
        sum_k e_ik Q_bk m_bk; sign -1: with all signs such that nothing cancels."""
        xp, e, u, t = self.xp, self.e, self.u, self.xp.matrix_transpose
        ev, uv, q_t = e * v, u * v, t(q)
        mean = q * (product(xp, t(u), ev) - sign * product(xp, t(uv), e))
        up = v * product(xp, u, q) - sign * product(xp, uv, q)
        down = product(xp, ev, q_t) - sign * v * product(xp, e, q_t)
        return up, sign * product(xp, u, q * mean), sign * down, product(xp, e, t(q * mean))

    def hvp(self, v: Array) -> Array:
        """H v for a result in a narrower dtype, all pairs of some samples at a time.

        d is seen from that of the largest share of P_jk, as in `numeric_core.distribution.center`.
        """
        xp, q = self.xp, self.null_shares()
        n, m = v.shape[-2:]
        step = max(1, PAIRS // (m * m * max(1, math.prod(v.shape[:-2]))))
        parts = [slice(start, min(start + step, n)) for start in range(0, n, step)]
        pivot = self._pivot(v, q, parts)
        sums = [_sum_over(xp, p * d, -3) for p, d in self._pairs(v, q, parts, pivot)]
        mean = _off_diagonal(xp, _added(xp, sums) - q * pivot.rounded())[..., None, :, :]
        rows = []
        for p, d in self._pairs(v, q, parts, pivot):
            z = p * (d - mean)
            rows.append(_sum_over(xp, z, -2) - _sum_over(xp, z, -1))
        return xp.concat(rows, axis=-2)

    def _pivot(self, v: Array, q: Array, parts: list[slice]) -> Pair:
        """v_ik - v_ij of the largest share of P_jk, 0 where that is the null term's."""
        xp, largest = self.xp, self.xp.ones_like(q)
        upper = lower = self.xp.zeros_like(q)
        for part in parts:
            u, e, w = (x[..., part, :] for x in (self.u, self.e, v))
            a = u[..., :, None] * e[..., None, :]
            at = xp.argmax(a, axis=-3, keepdims=True)
            ordinal = xp.arange(a.shape[-3], dtype=at.dtype, device=device(a))
            here = ordinal[:, None, None] == at
            top = xp.max(a, axis=-3)
            above = top > largest
            largest = xp.where(above, top, largest)
            upper = xp.where(above, _read(xp, here, w[..., None, :]), upper)
            lower = xp.where(above, _read(xp, here, w[..., :, None]), lower)
        return Pair.difference(xp, upper, lower)

    def _pairs(
        self, v: Array, q: Array, parts: list[slice], pivot: Pair
    ) -> Iterator[tuple[Array, Array]]:
        """p_ijk and v_ik - v_ij - pivot_jk of some samples: (*batch, part, m, m)."""
        xp = self.xp
        pivot = Pair(xp, pivot.high[..., None, :, :], pivot.low[..., None, :, :])
        for part in parts:
            u, e, w = (x[..., part, :] for x in (self.u, self.e, v))
            d = Pair.difference(xp, w[..., None, :], w[..., :, None])
            p = u[..., :, None] * e[..., None, :] * q[..., None, :, :]
            yield p, (d - pivot).rounded()


def _read(xp: Namespace, here: Array, x: Array) -> Array:
    """x at the one sample of each pair of classes: (*batch, m, m)."""
    return xp.sum(xp.where(here, x, 0.0 * x), axis=-3)


def products(rows: Rows) -> Products | None:
    """The sums as products of matrices; None where a factor may leave the range, and for few."""
    xp, s, t = rows.xp, rows.scores, rows.labels
    if rows.exact and math.prod(s.shape) * s.shape[-1] <= FEW:
        return None
    half, least = RANGE[xp.finfo(s.dtype).bits]
    low, high = _extremes(rows)
    smallest = read(xp.min(xp.where(t > 0, t, xp.ones_like(t))))
    reach = read(xp.max(0.5 * high - 0.5 * low))
    if smallest is None or reach is None or smallest < least or not reach <= half:
        return None
    # a sample within the range is taken as it is: an exponent without an error
    within = (high <= half) & (low >= -half)
    d, delta = two_diff(s, xp.where(within, xp.zeros_like(low), 0.5 * low + 0.5 * high))
    if rows.masked is not None:
        d, delta = (xp.where(rows.masked, xp.zeros_like(x), x) for x in (d, delta))
    e, u = exp(xp, d), exp(xp, -d)
    e, u = e + e * delta, t * (u - u * delta)
    if rows.masked is not None:
        e = xp.where(rows.masked, xp.zeros_like(e), e)
    run = SHORT_RUN if rows.exact else RUN
    excess = _off_diagonal(xp, product(xp, xp.matrix_transpose(u), e, run))
    return Products(xp, u, e, excess, run)


def _extremes(rows: Rows) -> tuple[Array, Array]:
    """The least and the largest unmasked score of each sample, (*batch, n, 1); 0, 0 if none."""
    xp, s = rows.xp, rows.scores
    if rows.masked is None:
        return xp.min(s, axis=-1, keepdims=True), xp.max(s, axis=-1, keepdims=True)
    largest = constant(xp, finfo_max(xp, s.dtype), s)
    low = xp.min(xp.where(rows.masked, largest, s), axis=-1, keepdims=True)
    high = xp.max(xp.where(rows.masked, -largest, s), axis=-1, keepdims=True)
    some = low <= high
    return xp.where(some, low, xp.zeros_like(low)), xp.where(some, high, xp.zeros_like(high))


def product(xp: Namespace, a: Array, b: Array, run: int = RUN) -> Array:
    """The matrix product, so many terms at a time, the parts added without loss."""
    inner = a.shape[-1]
    runs = [slice(start, min(start + run, inner)) for start in range(0, inner, run)]
    high = xp.matmul(a[..., runs[0]], b[..., runs[0], :])
    low = xp.zeros_like(high)
    for part in runs[1:]:
        high, error = two_sum(high, xp.matmul(a[..., part], b[..., part, :]))
        low = low + error
    return high + low


def _off_diagonal(xp: Namespace, x: Array) -> Array:
    """x with 0 on the diagonal."""
    index = xp.arange(x.shape[-1], device=device(x))
    return xp.where(index[:, None] == index[None, :], xp.zeros_like(x), x)


class Elements(NamedTuple):
    """For some classes j: the row states P_jk over the samples, terms (*batch, J, m, n)."""

    rows: Rows
    part: slice
    state: RowSum

    def value(self) -> Array:
        """sum over these j of log P_jk: (*batch,)."""
        return _total(self.rows.xp, log_partition(self.rows.xp, self.state))

    def deviations(self, v: Array) -> Array | Pair:
        """z_ijk: (*batch, J, m, n)."""
        xp, columns = self.rows.xp, self.rows.xp.matrix_transpose(v)
        d = Pair.difference(xp, columns[..., None, :, :], columns[..., self.part, None, :])
        return weigh(xp, self.state, center(xp, self.state, d, null=True))


def elements(rows: Rows, exact: bool = False) -> Iterator[Elements]:
    """All classes j, as many at a time as fit into ELEMENTS where values can be read."""
    xp, s = rows.xp, rows.scores
    m, size = s.shape[-1], math.prod(s.shape)
    step = m if read(xp.max(s)) is None else max(1, ELEMENTS // max(1, size))
    x, t = xp.matrix_transpose(s), xp.matrix_transpose(rows.labels)
    takes_part = xp.ones_like(t)
    if rows.masked is not None:
        hidden = xp.matrix_transpose(rows.masked)
        takes_part = xp.where(hidden, xp.zeros_like(t), takes_part)
    classes = xp.arange(m, device=device(s))
    for start in range(0, m, step):
        part = slice(start, min(start + step, m))
        d, delta = two_diff(x[..., None, :, :], x[..., part, None, :])
        weights = t[..., part, None, :] * takes_part[..., None, :, :]
        same = (classes[part][:, None] == classes[None, :])[..., None]
        weights = xp.where(same, xp.zeros_like(weights), weights)
        state = exponential_sum(xp, d, delta, weights, moderate=False, hard=False, exact=exact)
        yield Elements(rows, part, state)


def element_value(rows: Rows) -> Array:
    """sum_{j != k} log P_jk: (*batch,)."""
    return _added(rows.xp, [part.value() for part in elements(rows)])


def element_gradient(rows: Rows) -> tuple[Array, Array]:
    """The value, and the gradient: (*batch,), (*batch, n, m)."""
    values: list[Array] = []

    def states() -> Iterator[RowSum]:
        for part in elements(rows):
            values.append(part.value())
            yield part.state

    gradient = element_slope(rows, states())
    return _added(rows.xp, values), gradient


def element_slope(rows: Rows, states: Iterable[RowSum]) -> Array:
    """The gradient from the states P_jk, some classes j after the other: (*batch, n, m)."""
    xp, ups, downs, unit = rows.xp, [], [], 1.0
    for state in states:
        p, unit = shares(xp, state, rows.exact)
        share = rounded(p)
        ups.append(_sum_over(xp, share, -3))
        downs.append(_sum_over(xp, share, -2))
    return xp.matrix_transpose(_added(xp, ups) - xp.concat(downs, axis=-2)) * unit


def element_hvp(rows: Rows, v: Array) -> Array:
    """H v: (*batch, n, m)."""
    xp, ups, downs = rows.xp, [], []
    for part in elements(rows, exact=rows.exact):
        z = rounded(part.deviations(v))
        ups.append(_sum_over(xp, z, -3))
        downs.append(_sum_over(xp, z, -2))
    return xp.matrix_transpose(_added(xp, ups) - xp.concat(downs, axis=-2))


def _sum_over(xp: Namespace, x: Array, axis: int) -> Array:
    """The accurate sum over an axis."""
    axes = list(range(x.ndim))
    axes.append(axes.pop(x.ndim + axis))
    return accurate_sum(xp, xp.permute_dims(x, tuple(axes)))[..., 0]


def _total(xp: Namespace, logs: Array) -> Array:
    """The sum over both axes of (*batch, J, m): (*batch,)."""
    return sum_to_infinity(xp, xp.reshape(logs, (*logs.shape[:-2], -1)))[..., 0]


def _added(xp: Namespace, parts: list[Array]) -> Array:
    """The sum of the parts, without loss."""
    if len(parts) == 1:
        return parts[0]
    return accurate_sum(xp, xp.stack(parts, axis=-1))[..., 0]
