"""One log a class: sums over samples of e^{-x_ij} times the sum of the other classes' e^{x_ik}.

    A_j = 1 + sum_i a_ij,   a_ij = o_ij e^{-x_ij} sum_{k != j} w_ik e^{x_ik},   l = sum_j log A_j

with outer weights o and inner weights w in [0, 1].  Grouped by the label's class, D_j is this with
x = s, o = t, w = 1; grouped by the other class, E_j with x = -s, o = 1, w = t.

The leader L of a sample is a class of the largest w_k e^{x_k}; with e_k = (w_k / w_L) e^{x_k - x_L}

    sum_{k != j} w_k e^{x_k} = w_L e^{x_L} V_j,   V_j = sum_{k != j} e_k in [1, m - 1] for j != L

and V_L, the sum without the leader, is added up without it.  Where V_L would be below e^-L
(`numeric_core.reductions`) the sample is *far*, and V_L is seen from the second class instead.  So
A_j is a row state over the samples, of exponents x_L - x_j and weights o w_L V, in O(n m).

With p_ij = a_ij / A_j and c_ij = p_ij / V_ij, the share of the pair (j, k) is c_ij e_ik:

    dl/dx_ib = e_ib sum_{k != b} c_ik - p_ib
    (H v)_ib = e_ib sum_{k != b} c_ik (v_ib - v_ik - m_k)
                 - c_ib sum_{k != b} e_ik (v_ik - v_ib - m_b)

where m_j is the mean of v_ik - v_ij in A_j, its null term included.  It is kept as d*_j + rest_j,
d*_j that of the largest share: p (1 - p) keeps its digits as p -> 1 (`numeric_core.distribution`).
For the same reason the sums over k != b leave the own term out (`numeric_core.others`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from numeric_core.distribution import exact_probabilities, is_top, null_probability, weigh_null
from numeric_core.exact import (
    Pair,
    last_sum,
    leading,
    rounded,
    sum_pair,
    two_diff,
)
from numeric_core.namespace import Array, Namespace, constant, exp, finfo_max, known, log
from numeric_core.others import (
    Number,
    as_like,
    excluding_own,
    exclusive,
    ones,
    only,
    only_array,
    only_pair,
    scaled,
    sum_apart,
    transposed,
    two_largest,
    where,
    zeros,
)
from numeric_core.reductions import (
    Exponents,
    RowSum,
    exponent_limit,
    exponential_sum,
    log_partition,
    split_terms,
    with_null,
)
from numeric_core.shares import counted, shares

__all__ = ["ClassSums", "SampleBlocks", "class_sums", "sample_blocks"]


class _Inner(NamedTuple):
    """The inner sums of a grid, seen from one class of each sample; see the module for the symbols.

    e: (*batch, n, m), and what it is made of.  here: where that class is.  weight: w_L,
    (*batch, n, 1).  d, delta: x - x_L.
    """

    e: Number
    made_of: Exponents
    here: Array
    weight: Array
    d: Array
    delta: Array


class ClassSums(NamedTuple):
    """A_j as row states over the samples, and what is read from them: see the module.

    others: V.  far: where a sample's leader is seen from the second class; second: the inner sums
    as seen from there, None where no sample is far.  exact: all in pairs, see `Rows.exact`.
    """

    xp: Namespace
    state: RowSum
    inner: _Inner
    others: Number
    far: Array
    second: _Inner | None
    exact: bool

    def logs(self) -> Array:
        """log A_j: (*batch, m)."""
        return log_partition(self.xp, self.state)

    def gradient(self) -> Array:
        """sum_j dlog A_j / dx: (*batch, n, m)."""
        xp = self.xp
        p, c, unit = self._shares()
        e, e_unit = counted(xp, self.inner.e, self.inner.made_of, self.exact)
        up = e * excluding_own(xp, self._near(c))
        if self.second is not None:
            e, _ = counted(xp, self.second.e, self.second.made_of, self.exact)
            up = up + e * only(xp, self.far, c)
        return (rounded(up) * e_unit - rounded(p)) * unit

    def hvp(self, v: Array) -> Array:
        """sum_j Hessian of log A_j, times v: (*batch, n, m)."""
        pivot = self.pivot(*self.largest(v))
        return self.product(v, pivot, self.beside(v, pivot) - self.null_slope(pivot))

    def largest(self, v: Array) -> tuple[Array, Pair]:
        """About the largest share of a pair in A_j, and v_ik - v_ij there: (*batch, 1, m)."""
        xp, inner = self.xp, self.inner
        p, c, unit = self._shares()
        size = xp.where(inner.here, leading(p), leading(c)) * unit
        first, second = (only_array(xp, here, v) for here in (inner.here, self._following()))
        upper = xp.where(inner.here, second, first)
        columns = [xp.matrix_transpose(x) for x in (size, upper, v)]
        top = is_top(xp, columns[0])
        share, upper, lower = (xp.matrix_transpose(only_array(xp, top, x)) for x in columns)
        return share, Pair.difference(xp, upper, lower)

    def pivot(self, share: Array, slope: Pair) -> Pair:
        """The slope of the largest share of A_j, 0 where that is the null term's."""
        xp = self.xp
        null = xp.matrix_transpose(null_probability(xp, self.state))
        above, zero = share > null, xp.zeros_like(share)
        return Pair(xp, xp.where(above, slope.high, zero), xp.where(above, slope.low, zero))

    def null_slope(self, pivot: Pair) -> Number:
        """p_0 d* of every A_j: (*batch, 1, m)."""
        _, null = exact_probabilities(self.xp, self.state)
        amount = transposed(self.xp, as_like(null, pivot))
        return transposed(self.xp, weigh_null(self.xp, self.state, amount))

    def beside(self, v: Array, pivot: Pair) -> Number:
        """sum of p (d - d*) over these samples: (*batch, 1, m)."""
        _, c, unit = self._shares()
        around, e_unit = self._around(v, pivot)
        total = last_sum(self.xp, transposed(self.xp, c * around))
        return scaled(transposed(self.xp, total), e_unit * unit)

    def product(self, v: Array, pivot: Pair, rest: Number) -> Array:
        """H v for the means d* + rest of the A_j."""
        xp = self.xp
        p, c, unit = self._shares()
        around, e_unit = self._around(v, pivot)
        e, _ = counted(xp, self.inner.e, self.inner.made_of, self.exact)
        near, own = self._near(c), Pair.of(xp, v)
        shifted = own + pivot
        top, following = two_largest(xp, leading(near))
        up = sum_apart(xp, near, shifted, own, top, following) + exclusive(xp, near * rest)
        up = -(e * up)
        if self.second is not None:
            e, _ = counted(xp, self.second.e, self.second.made_of, self.exact)
            step = as_like(c, own - only_pair(xp, self.far, shifted)) - only(xp, self.far, rest)
            up = up + e * only(xp, self.far, c) * step
        return rounded(scaled(up - c * around, e_unit) + p * rest) * unit

    def _following(self) -> Array:
        """Where the second class of each sample is."""
        xp, here = self.xp, self.inner.here
        e = leading(self.inner.e)
        second = is_top(xp, xp.where(here, -xp.ones_like(e), e))
        if self.second is None:
            return second
        return xp.where(xp.any(self.far, axis=-1, keepdims=True), self.second.here, second)

    def _around(self, v: Array, pivot: Pair) -> tuple[Number, float]:
        """sum_{k != j} e_ik (v_ik - v_ij - d*_j) / unit, and the unit."""
        xp, own = self.xp, Pair.of(self.xp, v)
        e, unit = counted(xp, self.inner.e, self.inner.made_of, self.exact)
        shifted = own + pivot
        around = sum_apart(xp, e, own, shifted, self.inner.here, self._following())
        if self.second is None:
            return around, unit
        e, _ = counted(xp, self.second.e, self.second.made_of, self.exact)
        start = only_pair(xp, self.second.here, own)
        seen = last_sum(xp, e * as_like(e, own - start))
        seen = seen - last_sum(xp, e) * as_like(e, shifted - start)
        return where(xp, self.far, seen, around), unit

    def _shares(self) -> tuple[Number, Number, float]:
        """p / unit, c / unit and the unit of `shares`."""
        xp = self.xp
        p, unit = shares(xp, self.state, self.exact)
        p = transposed(xp, p)
        some = leading(self.others) > 0
        return p, p / where(xp, some, self.others, ones(xp, self.others)), unit

    def _near(self, c: Number) -> Number:
        """c, 0 where a leader is far."""
        return c if self.second is None else where(self.xp, self.far, zeros(self.xp, c), c)


class SampleBlocks(NamedTuple):
    """`ClassSums` of many samples, a block of them at a time, whose temporaries stay in a cache.

    make: the sums of a block; it is called anew for each pass.  state: A_j of all samples.
    """

    xp: Namespace
    make: Callable[[slice], ClassSums]
    blocks: list[slice]
    state: RowSum

    def logs(self) -> Array:
        """log A_j: (*batch, m)."""
        return log_partition(self.xp, self.state)

    def gradient(self) -> Array:
        """sum_j dlog A_j / dx: (*batch, n, m)."""
        return self.xp.concat([self._sums(block).gradient() for block in self.blocks], axis=-2)

    def hvp(self, v: Array) -> Array:
        """sum_j Hessian of log A_j, times v: (*batch, n, m)."""
        first = self._sums(self.blocks[0])
        pivot = first.pivot(*self._largest(v))
        rest = -first.null_slope(pivot)
        for block in self.blocks:
            rest = rest + self._sums(block).beside(v[..., block, :], pivot)
        parts = [self._sums(b).product(v[..., b, :], pivot, rest) for b in self.blocks]
        return self.xp.concat(parts, axis=-2)

    def _largest(self, v: Array) -> tuple[Array, Pair]:
        """`ClassSums.largest` of all samples."""
        xp = self.xp
        found = [self._sums(block).largest(v[..., block, :]) for block in self.blocks]
        share = xp.concat([size for size, _ in found], axis=-2)
        top = xp.matrix_transpose(is_top(xp, xp.matrix_transpose(share)))
        share, high, low = (
            xp.sum(xp.where(top, x, xp.zeros_like(x)), axis=-2, keepdims=True)
            for x in (
                share,
                xp.concat([slope.high for _, slope in found], axis=-2),
                xp.concat([slope.low for _, slope in found], axis=-2),
            )
        )
        return share, Pair(xp, high, low)

    def _sums(self, block: slice) -> ClassSums:
        """The sums of a block, with shares of all samples' A_j."""
        sums, whole = self.make(block), self.state
        norm = {"total": whole.total, "norm": whole.norm, "norm_low": whole.norm_low}
        return sums._replace(state=sums.state._replace(**norm))


def sample_blocks(
    xp: Namespace, make: Callable[[slice], ClassSums], blocks: list[slice]
) -> SampleBlocks | None:
    """The sums of all blocks; None where one of them needs a shift of its exponents."""
    totals = []
    for block in blocks:
        state = make(block).state
        if known(xp.all(state.shift == 0)) is not True:
            return None
        totals.append(state.total)
    high, low = sum_pair(xp, xp.concat(totals, axis=-1), exact=True)
    one, zero = xp.ones_like(high), xp.zeros_like(high)
    whole = with_null(xp, state.terms, None, high, low, zero, one, state.exponents)
    return SampleBlocks(xp, make, blocks, whole)


def class_sums(
    xp: Namespace,
    x: Array,
    outer: Array,
    inner: Array,
    *,
    moderate: bool,
    hard: bool,
    exact: bool,
) -> ClassSums:
    """The sums A_j for x, o, w of (*batch, n, m); x of a masked class is any moderate number.

    moderate: all |x| <= L / 2.  hard: all inner weights are 0 or 1.
    """
    level = x if hard else x + log(xp, xp.where(inner > 0, inner, xp.ones_like(inner)))
    first = _seen_from(xp, x, inner, level, hard, exact)
    others = excluding_own(xp, first.e, first.here)
    far, second = xp.zeros_like(first.here), None
    d, delta, weight = first.d, first.delta, first.weight
    if not (moderate and hard):
        rest = xp.where(first.here, xp.zeros_like(inner), inner)
        faint = exp(xp, constant(xp, -exponent_limit(xp, x.dtype), x))
        far = first.here & (leading(others) < faint) & xp.any(rest > 0, axis=-1, keepdims=True)
        if known(xp.any(far)) is not False:
            second = _seen_from(xp, x, rest, level, hard, exact)
            others = where(xp, far, last_sum(xp, second.e), others)
            d, delta = xp.where(far, second.d, d), xp.where(far, second.delta, delta)
            weight = xp.where(far, second.weight, weight)
    weights, delta = _outer_weights(xp, outer, weight, others, delta)
    columns = (xp.matrix_transpose(y) for y in (-d, -delta, weights))
    state = exponential_sum(xp, *columns, moderate=moderate, hard=False, exact=exact)
    return ClassSums(xp, state, first, others, far, second, exact)


def _outer_weights(
    xp: Namespace, outer: Array, weight: Array, others: Number, delta: Array
) -> tuple[Array, Array]:
    """o w_L V rounded, and delta less what the rounding lost, relative to it."""
    if not isinstance(others, Pair):
        return outer * weight * others, delta
    product = Pair.of(xp, outer) * Pair.of(xp, weight) * others
    size = xp.where(product.high > 0, product.high, xp.ones_like(outer))
    return product.high, delta - product.low / size


def _seen_from(
    xp: Namespace, x: Array, weights: Array, level: Array, hard: bool, exact: bool
) -> _Inner:
    """e of the module's text for the class of the largest level among those with a weight."""
    active = weights > 0
    lowest = constant(xp, -finfo_max(xp, x.dtype), x)
    here = is_top(xp, xp.where(active, level, lowest)) & active
    d, delta = two_diff(x, only_array(xp, here, x))
    weight = only_array(xp, here, weights)
    # a class without a weight may lie far above those that have one
    floor = xp.full_like(d, -8.0 * exponent_limit(xp, x.dtype))
    seen, error = xp.where(active, d, floor), xp.where(active, delta, xp.zeros_like(delta))
    share = weights if hard else weights / xp.where(weight > 0, weight, xp.ones_like(weight))
    e, lack = split_terms(xp, seen, error, share, exact)
    inner: Number = e if lack is None else Pair(xp, e, lack)
    return _Inner(inner, Exponents(seen, error, share), here, weight, d, delta)
