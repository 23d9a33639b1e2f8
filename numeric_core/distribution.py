"""The distribution that a row state stands for, and products with its covariance.

With the terms and the norm of a row state (`numeric_core.reductions`),

    p_i = terms_i / norm,   p_0 = null / norm,   ((diag(p) - p p^T) v)_i = p_i (v_i - sum_j p_j v_j)

where the null class, if it counts, has v_0 = 0.  Three things lose digits and are avoided here:
1 - p_k as p_k -> 1 (`complements`), the mean of v where it is nearly every v_i (`center`), and a
subnormal p_i beside a large v (`weigh`).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from array_api_compat import device

from numeric_core.exact import Pair, accurate_sum, as_pair_of, last_sum, leading, two_sum
from numeric_core.namespace import Array, Namespace, constant, exp, known
from numeric_core.reductions import Exponents, RowSum, exponent_limit

__all__ = [
    "center",
    "complements",
    "enlarged",
    "enlarged_terms",
    "exact_probabilities",
    "is_top",
    "norm_pair",
    "null_probability",
    "probabilities",
    "weigh",
    "weigh_null",
]

LOG_TWO = Fraction("0.69314718055994530941723212145817656807550013436026")
"""log 2 to 50 digits (OEIS A002162): more than a float64 and what it lacks can hold."""


def _norm(xp: Namespace, state: RowSum) -> Array:
    """norm; 1 for an empty row without a null class, whose terms are all 0."""
    return xp.where(state.norm > 0, state.norm, xp.ones_like(state.norm))


def probabilities(xp: Namespace, state: RowSum) -> Array:
    """p_i = terms_i / norm: (*batch, n)."""
    return state.terms / _norm(xp, state)


def null_probability(xp: Namespace, state: RowSum) -> Array:
    """p_0 = null / norm: (*batch, 1)."""
    return state.null / _norm(xp, state)


def norm_pair(xp: Namespace, state: RowSum) -> Pair:
    """norm with what its rounding left over; 1 for an empty row without a null class."""
    return Pair(xp, _norm(xp, state), state.norm_low)


def exact_probabilities(xp: Namespace, state: RowSum) -> tuple[Array | Pair, Array | Pair]:
    """p and p_0: for a state made with exact=True as pairs, with no error but that of exp."""
    if state.terms_low is None:
        return probabilities(xp, state), null_probability(xp, state)
    norm = norm_pair(xp, state)
    return Pair(xp, state.terms, state.terms_low) / norm, Pair.of(xp, state.null) / norm


def weigh_null(xp: Namespace, state: RowSum, amount: Array | Pair) -> Array | Pair:
    """p_0 a for the null class; as in `weigh`, a subnormal e^{-m} is taken apart."""
    _, null = exact_probabilities(xp, state)
    return _weighed(xp, state, null, Exponents(-state.shift, None, None), amount)


def weigh(xp: Namespace, state: RowSum, amount: Array | Pair) -> Array | Pair:
    """p_i a_i for amounts a: (*batch, n), or a (*batch, 1) that stands beside one term.

    A subnormal p_i has lost digits that a large a_i would show.  There the product is made
    again from the exponent, as (w e^{d + k log 2} a / norm) 2^-k.
    """
    p, _ = exact_probabilities(xp, state)
    return _weighed(xp, state, p, state.exponents, amount)


def _weighed(
    xp: Namespace,
    state: RowSum,
    share: Array | Pair,
    made_of: Exponents,
    amount: Array | Pair,
) -> Array | Pair:
    """share * amount; mended where it is computed in pairs, in the dtype of the result."""
    product = share * amount
    if not isinstance(product, Pair):
        return product
    return _mended(xp, product, leading(share), made_of, leading(amount) / _norm(xp, state))


def _mended(xp: Namespace, product: Pair, share: Array, made_of: Exponents, amount: Array) -> Pair:
    """share * amount, made again from the exponents where the share is subnormal."""
    tiny = share < _least(xp, share)
    if known(xp.any(tiny)) is False:
        return product
    apart = _apart(xp, made_of, amount, tiny)
    zero = xp.zeros_like(apart)
    return Pair(xp, xp.where(tiny, apart, product.high), xp.where(tiny, zero, product.low))


def enlarged_terms(xp: Namespace, state: RowSum, factor: Pair) -> Pair:
    """terms_i a for an a that may be above 1: a subnormal term is taken apart as in `weigh`."""
    return enlarged(xp, Pair(xp, state.terms, _lack(xp, state)), state.exponents, factor)


def enlarged(xp: Namespace, e: Pair, made_of: Exponents, factor: Pair) -> Pair:
    """e a for e = w e^{d + delta}; a subnormal e is taken apart as in `weigh`."""
    return _mended(xp, e * factor, e.high, made_of, factor.high)


def _lack(xp: Namespace, state: RowSum) -> Array:
    """What the terms lack, as far as it is known."""
    return xp.zeros_like(state.terms) if state.terms_low is None else state.terms_low


def _least(xp: Namespace, like: Array) -> Array:
    """Far above the subnormals (2^-1022 in float64, 2^-126 in float32): what is larger has all its
    digits, also after the divisions that made it."""
    return constant(xp, 2.0**-900 if like.dtype == xp.float64 else 2.0**-100, like)


def _apart(xp: Namespace, exponents: Exponents, amount: Array, tiny: Array) -> Array:
    """w e^{d + delta} a as (w e^{d + delta + k log 2} a) 2^-k; only the last step underflows.

    Where a tiny w meets an exponent beyond L (`numeric_core.reductions`) it is the weight that is
    lifted, and the exponent comes in two halves: ((2^k w e^{d / 2}) e^{d / 2} a) 2^-k.
    """
    d, delta, weights = exponents
    # Up to L the lifted exponent stays in range: 512 + 256 log 2 < 709 and 64 + 32 log 2 < 88.
    k, limit = 256 if d.dtype == xp.float64 else 32, exponent_limit(xp, d.dtype)
    zero = xp.zeros_like(d)
    d = xp.where(tiny, d, zero)
    delta = zero if delta is None else xp.where(tiny, delta, zero)
    beyond = d > limit
    lift, lift_low = (xp.where(beyond, zero, x) for x in _log_two_times(xp, k, d))
    half, error = two_sum(xp.where(beyond, 0.5 * d, d), lift)
    e = exp(xp, half)
    product = e + e * (error + lift_low + delta)
    if weights is not None:
        second_half = xp.where(beyond, e, xp.ones_like(e))
        product = xp.where(beyond, weights * 2.0**k, weights) * product * second_half
    return product * amount * 2.0**-k


def _log_two_times(xp: Namespace, k: int, like: Array) -> tuple[Array, Array]:
    """k log 2 as high + low."""
    exact = k * LOG_TWO
    high = float(exact) if like.dtype == xp.float64 else float(np.float32(float(exact)))
    return constant(xp, high, like), constant(xp, float(exact - Fraction(high)), like)


def complements(xp: Namespace, state: RowSum) -> Array:
    """1 - p_i with relative accuracy, for a state whose null class is none of the labels.

    At most one label has more than half; for it the others are summed, for the rest 1 - p_i
    loses nothing.
    """
    norm = _norm(xp, state)
    dominant = state.terms > 0.5 * norm
    others = accurate_sum(xp, xp.where(dominant, xp.zeros_like(state.terms), state.terms))
    return xp.where(dominant, (state.null + others) / norm, 1.0 - state.terms / norm)


def center(xp: Namespace, state: RowSum, v: Array | Pair, *, null: bool) -> Array | Pair:
    """v_i - sum_j p_j v_j for the p of a state; null: its null class counts, with v = 0.

    The mean is written c + sum_j p_j (v_j - c), where c = v_k for the class k of the largest p_k.
    Then sum_j p_j |v_j - c| <= (1 + 1 / p_k) sum_j p_j |v_i - v_j| for every i, with equality to
    the right-hand sum for i = k: nothing is lost as p_k -> 1, and what a large n costs is covered
    by the digits of pairs, or of float64.  (Without c, p_k (1 - p_k) is lost as p_k -> 1.)
    """
    p, p_null = exact_probabilities(xp, state)
    c = _pivot(xp, leading(p), leading(p_null) if null else None, v)
    return as_pair_of(xp, v, c, p) - _mean_deviation(xp, state, null, v, c)


def _pivot(xp: Namespace, p: Array, null: Array | None, v: Array | Pair) -> Array | Pair:
    """v_k for the class of the largest probability; 0 when that is the null class.

    Read off, not computed: XLA may evaluate an expression anew in each of its uses, and contract
    products and sums differently in each; c must be one number.
    """
    here = is_top(xp, p)
    if null is not None:
        here = here & (p > null)
    if isinstance(v, Pair):
        return Pair(xp, *(_read(xp, here, part) for part in (v.high, v.low)))
    return _read(xp, here, v)


def _read(xp: Namespace, here: Array, v: Array) -> Array:
    """v at the one place of each row, 0 where there is none."""
    return xp.sum(xp.where(here, v, xp.zeros_like(v)), axis=-1, keepdims=True)


def is_top(xp: Namespace, x: Array) -> Array:
    """Where the first of the largest along the last axis is."""
    index = xp.argmax(x, axis=-1, keepdims=True)
    return xp.arange(x.shape[-1], dtype=index.dtype, device=device(x)) == index


def _mean_deviation(
    xp: Namespace, state: RowSum, null: bool, v: Array | Pair, c: Array | Pair
) -> Array | Pair:
    """sum_j p_j (v_j - c); null: the null class with v = 0 is included."""
    like = state.terms if state.terms_low is None else norm_pair(xp, state)
    deviation = last_sum(xp, weigh(xp, state, as_pair_of(xp, v, c, like)))
    if not null:
        return deviation
    return deviation - weigh_null(xp, state, as_pair_of(xp, c, None, like))
