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
    (H v)_ib = e_ib sum_{k != b} c_ik (v_ib - v_ik - m_k) - (c_ib B_ib - p_ib m_b),
    B_ij = sum_k e_ik (v_ik - v_ij),   m_j = sum_i c_ij B_ij   (the mean of v_ik - v_ij in A_j)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from numeric_core.distribution import is_top
from numeric_core.exact import Pair, as_pair_of, last_sum, leading, rounded, sum_pair, two_diff
from numeric_core.namespace import Array, Namespace, constant, exp, finfo_max, known, log
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

__all__ = ["ClassSums", "SampleBlocks", "class_sums", "excluding_own", "sample_blocks"]

Number: TypeAlias = Array | Pair
"""Pairs where each rounding counts, else arrays; all formulas serve both."""


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
            up = up + e * _only(xp, self.far, c)
        return (rounded(up) * e_unit - rounded(p)) * unit

    def slopes(self, v: Array) -> Number:
        """m_j, the mean of v_ik - v_ij in A_j, as far as these samples make it: (*batch, 1, m)."""
        _, c, unit = self._shares()
        b, _, e_unit = self._inner_deviations(v)
        total = last_sum(self.xp, _transposed(self.xp, c * b))
        return _scaled(_transposed(self.xp, total), e_unit * unit)

    def hvp(self, v: Array, mean: Number | None = None) -> Array:
        """sum_j Hessian of log A_j, times v: (*batch, n, m).  mean: m_j of more samples."""
        xp = self.xp
        p, c, unit = self._shares()
        b, e_second, e_unit = self._inner_deviations(v)
        e, _ = counted(xp, self.inner.e, self.inner.made_of, self.exact)
        mean = self.slopes(v) if mean is None else mean
        near = self._near(c)
        up = e * (_spread(xp, near, v) - excluding_own(xp, near * mean))
        if e_second is not None:
            step = as_pair_of(xp, v, _sum_only(xp, self.far, v), c) - _only(xp, self.far, mean)
            up = up + e_second * _only(xp, self.far, c) * step
        return rounded(_scaled(up - c * b, e_unit) + p * mean) * unit

    def _inner_deviations(self, v: Array) -> tuple[Number, Number | None, float]:
        """B / unit, the second e / unit, and the unit."""
        xp = self.xp
        e, unit = counted(xp, self.inner.e, self.inner.made_of, self.exact)
        b = _deviation(xp, e, self.inner.here, v)
        if self.second is None:
            return b, None, unit
        e, _ = counted(xp, self.second.e, self.second.made_of, self.exact)
        return _where(xp, self.far, _deviation(xp, e, self.second.here, v), b), e, unit

    def _shares(self) -> tuple[Number, Number, float]:
        """p / unit, c / unit and the unit of `shares`."""
        xp = self.xp
        p, unit = shares(xp, self.state, self.exact)
        p = _transposed(xp, p)
        some = leading(self.others) > 0
        return p, p / _where(xp, some, self.others, _ones(xp, self.others)), unit

    def _near(self, c: Number) -> Number:
        """c, 0 where a leader is far."""
        return c if self.second is None else _where(self.xp, self.far, _zeros(self.xp, c), c)


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
        mean = None
        for block in self.blocks:
            slopes = self._sums(block).slopes(v[..., block, :])
            mean = slopes if mean is None else mean + slopes
        parts = [self._sums(block).hvp(v[..., block, :], mean) for block in self.blocks]
        return self.xp.concat(parts, axis=-2)

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
            others = _where(xp, far, last_sum(xp, second.e), others)
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
    d, delta = two_diff(x, _sum_only(xp, here, x))
    weight = _sum_only(xp, here, weights)
    # a class without a weight may lie far above those that have one
    floor = xp.full_like(d, -8.0 * exponent_limit(xp, x.dtype))
    seen, error = xp.where(active, d, floor), xp.where(active, delta, xp.zeros_like(delta))
    share = weights if hard else weights / xp.where(weight > 0, weight, xp.ones_like(weight))
    e, lack = split_terms(xp, seen, error, share, exact)
    inner: Number = e if lack is None else Pair(xp, e, lack)
    return _Inner(inner, Exponents(seen, error, share), here, weight, d, delta)


def excluding_own(xp: Namespace, z: Number, top: Array | None = None) -> Number:
    """sum_{k != j} z_k along the last axis: the total less the own, but for the largest z.

    The sum without the largest |z| is that one's; for all others the largest is a part of the
    result, so that the difference loses no more than an ulp of the larger sign's sum.
    """
    top = is_top(xp, xp.abs(leading(z))) if top is None else top
    rest = last_sum(xp, _where(xp, top, _zeros(xp, z), z))
    return _where(xp, top, rest, _only(xp, top, z) + (rest - z))


def _only(xp: Namespace, here: Array, x: Number) -> Number:
    """The value at the one place of each sample, 0 where there is none: (*batch, n, 1)."""
    if isinstance(x, Pair):
        return Pair(xp, _sum_only(xp, here, x.high), _sum_only(xp, here, x.low))
    return _sum_only(xp, here, x)


def _sum_only(xp: Namespace, here: Array, x: Array) -> Array:
    return xp.sum(xp.where(here, x, xp.zeros_like(x)), axis=-1, keepdims=True)


def _deviation(xp: Namespace, e: Number, here: Array, v: Array) -> Number:
    """B_j = sum_k e_k (v_k - v_j), as seen from the class whose e_k is the largest."""
    apart = as_pair_of(xp, v, _sum_only(xp, here, v), e)
    return last_sum(xp, e * apart) - apart * last_sum(xp, e)


def _spread(xp: Namespace, c: Number, v: Array) -> Number:
    """sum_k c_k (v_j - v_k), as seen from the class of the largest c_k."""
    apart = as_pair_of(xp, v, _sum_only(xp, is_top(xp, leading(c)), v), c)
    return apart * last_sum(xp, c) - last_sum(xp, c * apart)


def _where(xp: Namespace, condition: Array, a: Number, b: Number) -> Number:
    if isinstance(a, Pair) and isinstance(b, Pair):
        parts = (xp.where(condition, x, y) for x, y in ((a.high, b.high), (a.low, b.low)))
        return Pair(xp, *parts)
    return xp.where(condition, a, b)


def _transposed(xp: Namespace, x: Number) -> Number:
    if isinstance(x, Pair):
        return Pair(xp, xp.matrix_transpose(x.high), xp.matrix_transpose(x.low))
    return xp.matrix_transpose(x)


def _scaled(x: Number, factor: float) -> Number:
    """x times a power of two."""
    return Pair(x.xp, x.high * factor, x.low * factor) if isinstance(x, Pair) else x * factor


def _ones(xp: Namespace, like: Number) -> Number:
    one = xp.ones_like(leading(like))
    return Pair.of(xp, one) if isinstance(like, Pair) else one


def _zeros(xp: Namespace, like: Number) -> Number:
    zero = xp.zeros_like(leading(like))
    return Pair.of(xp, zero) if isinstance(like, Pair) else zero
