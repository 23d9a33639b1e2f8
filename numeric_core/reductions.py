"""Row states: a sum of weighted exponentials along the label axis, and what is read from it.

Every loss of the family is the log of such a sum.  With exponents x_i, weights w_i >= 0 and,
where the loss has one, a null class of exponent 0 (the 1 in log(1 + sum)):

    A = [1 +] sum_i w_i e^{x_i} = e^m norm,   norm = null + total,
    terms_i = w_i e^{x_i - m},   total = sum_i terms_i,   null = e^{-m} (0 without a null class)

    log A = m + log(norm),   p_i = terms_i / norm,   p_0 = null / norm

The shift m.  Let L = 64 in float32 and 512 in float64 and M = max_i (x_i + log w_i).  With a null
class m = 0 as long as |M| <= L: no subtraction, hence no error; m = M above, where the sum would
overflow, and m = -L below, where tiny terms would be lost to underflow before they are summed.
L is the largest power of two with n e^L finite for every n up to 2^32:
log(finfo.max) - 32 log 2 = 66.5 and 687.6.

Exponents come as pairs (x, low), x + low being the exact number; low is None when it is 0.
"""

from __future__ import annotations

from typing import NamedTuple

from numeric_core.exact import (
    sum_pair,
    two_diff,
    two_product,
    two_sum,
)
from numeric_core.namespace import (
    Array,
    Namespace,
    constant,
    exp,
    finfo_max,
    known,
    log,
    log1p,
    replaced,
)

__all__ = [
    "Exponents",
    "RowSum",
    "exponent_limit",
    "exponential_sum",
    "free_exponential_sum",
    "least_counted",
    "log_partition",
    "softmax_sum",
    "split_terms",
    "with_null",
]


class Exponents(NamedTuple):
    """w e^{d + delta}; weights None stands for 1."""

    d: Array
    delta: Array | None
    weights: Array | None


class RowSum(NamedTuple):
    """A = e^shift norm, norm = null + sum(terms); see the module for the symbols.

    shift_low, if any, belongs to the shift: it is below half an ulp of it.

    terms has shape (*batch, n), the others (*batch, 1).  total = sum(terms); norm is rounded once,
    norm_low is what it lacks.  exponents are what the terms were made of, for those that are
    subnormal.  terms_low is what the terms lack, kept only for states made with exact=True: then
    terms + terms_low has no error but that of exp.
    """

    terms: Array
    total: Array
    norm: Array
    null: Array
    shift: Array
    norm_low: Array
    exponents: Exponents
    terms_low: Array | None = None
    shift_low: Array | None = None


def exponent_limit(xp: Namespace, dtype: object) -> float:
    """L of the module's text: up to here exponents are taken as they are."""
    return 512.0 if dtype == xp.float64 else 64.0


def exponential_sum(
    xp: Namespace,
    x: Array,
    low: Array | None,
    weights: Array,
    *,
    moderate: bool,
    hard: bool,
    exact: bool = False,
) -> RowSum:
    """1 + sum_i w_i e^{x_i} as a row state.

    moderate: all |x_i| <= L, known beforehand; then only steps that would do nothing are left
    out, so a row has the same bits whatever the other rows of its batch are.
    hard: all weights are 0 or 1.  exact: keep what the terms lack, see RowSum.
    """
    if moderate:
        terms, lack = _weighted(xp, exp(xp, x), low, weights, exact)
        made_of = Exponents(x, low, weights)
        state = _state(xp, terms, lack, constant(xp, 0.0, x), constant(xp, 1.0, x), made_of)
        if not _underflows(xp, state.total, weights):
            return state
    limit = exponent_limit(xp, x.dtype)
    x, low, top = _clip(xp, x, low, weights, hard)
    shift = xp.where(top > limit, top, xp.where(top < -limit, -limit + top * 0, top * 0))
    d, delta, shift_low = _shifted(xp, x, low, shift)
    make = _hard_terms if hard else split_terms
    terms, lack = make(xp, d, delta, weights, exact)
    made_of = Exponents(d, delta, weights)
    state = _state(xp, terms, lack, shift, exp(xp, -shift), made_of)
    return state._replace(shift_low=shift_low)


def free_exponential_sum(
    xp: Namespace, x: Array, low: Array | None, weights: Array, *, exact: bool = False
) -> RowSum:
    """sum_i w_i e^{x_i} without a null class; total = 0 and shift = 0 for a row without weights."""
    x, low, top = _clip(xp, x, low, weights, hard=False)
    shift = xp.where(xp.any(weights > 0, axis=-1, keepdims=True), top, constant(xp, 0.0, x))
    d, delta, shift_low = _shifted(xp, x, low, shift)
    terms, lack = split_terms(xp, d, delta, weights, exact)
    made_of = Exponents(d, delta, weights)
    state = _state(xp, terms, lack, shift, xp.zeros_like(shift), made_of)
    return state._replace(shift_low=shift_low)


def softmax_sum(xp: Namespace, scores: Array, *, exact: bool = False, wide: bool = False) -> RowSum:
    """sum_i e^{s_i - m}, m = max_i s_i: one of the classes at the maximum is the null class.

    So total = sum_{j != k} e^{s_j - s_k} for one k with s_k = m, which keeps the digits of
    log(1 + total) and of 1 - p_k.  A tie at the maximum adds e^0 = 1 for each further class.
    wide: the scores come from a narrower dtype, where single roundings of this one are not seen.
    """
    top = xp.max(scores, axis=-1, keepdims=True)
    leader, one = xp.argmax(scores, axis=-1, keepdims=True), xp.ones_like(top)
    if wide:
        d = scores - top
        terms = exp(xp, d)
        total = xp.sum(replaced(xp, terms, leader, 0.0 * one), axis=-1, keepdims=True)
        return with_null(xp, terms, None, total, 0.0 * one, top, one, Exponents(d, None, None))
    # d >= -finfo.max, so that the difference of two huge scores does not overflow.
    lowest = xp.where(top > 0, top, xp.zeros_like(top)) - finfo_max(xp, scores.dtype)
    d, delta = two_diff(xp.maximum(scores, lowest), top)
    terms, lack = _weighted(xp, exp(xp, d), delta, None, exact)
    high, low = sum_pair(xp, replaced(xp, terms, leader, 0.0 * one), exact=exact)
    return with_null(xp, terms, lack, high, low, top, one, Exponents(d, delta, None))


def _state(
    xp: Namespace,
    terms: Array,
    lack: Array | None,
    shift: Array,
    null: Array,
    made_of: Exponents,
) -> RowSum:
    """The row state of given terms."""
    high, low = sum_pair(xp, terms, exact=lack is not None)
    return with_null(xp, terms, lack, high, low, shift, null, made_of)


def with_null(
    xp: Namespace,
    terms: Array,
    lack: Array | None,
    high: Array,
    low: Array,
    shift: Array,
    null: Array,
    made_of: Exponents,
) -> RowSum:
    """Norm = null + high + low, rounded once, and what the rounding left over."""
    if lack is not None:
        low = low + xp.sum(lack, axis=-1, keepdims=True)
    partial, error = two_sum(null, high)
    error = error + low
    norm = partial + error
    norm_low = error - (norm - partial)
    return RowSum(terms, high + low, norm, null, shift, norm_low, made_of, lack)


def _weighted(
    xp: Namespace, e: Array, delta: Array | None, weights: Array | None, exact: bool
) -> tuple[Array, Array | None]:
    """w e^{d + delta} from e = e^d, and with exact=True what its roundings lost.

    |delta| <= u |d|, so delta^2 is far below an ulp.
    """
    if not exact:
        e = e if delta is None else e + e * delta
        return e if weights is None else weights * e, None
    e, lack = two_sum(e, xp.zeros_like(e) if delta is None else e * delta)
    if weights is None:
        return e, lack
    terms, error = two_product(xp, weights, e)
    return terms, error + weights * lack


def _hard_terms(
    xp: Namespace, d: Array, delta: Array, weights: Array, exact: bool
) -> tuple[Array, Array | None]:
    """w e^d for w in {0, 1}, where d <= L."""
    return _weighted(xp, exp(xp, d), delta, weights, exact)


def split_terms(
    xp: Namespace, d: Array, delta: Array, weights: Array, exact: bool
) -> tuple[Array, Array | None]:
    """w e^d where e^d alone may overflow: a weight of 2^-149 stands for e^-103.

    d <= L - log w, so e^d = e^{min(d, L)} (e^{r / 2})^2 with r <= 103 (float64: 745).
    """
    limit = exponent_limit(xp, d.dtype)
    over = d > limit
    capped = xp.where(over, constant(xp, limit, d), d)
    terms, lack = _weighted(xp, exp(xp, capped), delta, weights, exact)
    if known(xp.any(over)) is not False:
        factor = exp(xp, 0.5 * (d - capped))
        terms = (terms * factor) * factor
        lack = None if lack is None else (lack * factor) * factor
    return terms, lack


def _underflows(xp: Namespace, total: Array, weights: Array) -> bool:
    """Whether some row is so small that terms lost by underflow could matter in its sum.

    n terms lose at most n 2^-149 (float32); below e^-L the row is taken through the shift.
    """
    floor = exp(xp, constant(xp, -exponent_limit(xp, total.dtype), total))
    small = total < floor
    if known(xp.any(small)) is False:
        return False
    weighted = xp.max(weights, axis=-1, keepdims=True) > 0
    return known(xp.any(small & weighted)) is not False


def _clip(
    xp: Namespace, x: Array, low: Array | None, weights: Array, hard: bool
) -> tuple[Array, Array | None, Array]:
    """Exponents made harmless, and top = max_i (x_i + log w_i), -8 L where there is nothing.

    Labels of weight 0 and exponents more than 8 L, or |top| / 1024, below the top get an exponent
    whose exp is 0 in the dtype: no -inf - -inf, no 0 * inf, and no overflow of a difference.
    """
    limit = exponent_limit(xp, x.dtype)
    active = weights > 0
    lowest = constant(xp, -finfo_max(xp, x.dtype), x)
    level = x if hard else x + log(xp, xp.where(active, weights, xp.ones_like(weights)))
    top = xp.max(xp.where(active, level, lowest), axis=-1, keepdims=True)
    floor = _floor(xp, xp.where(top > lowest, top, xp.zeros_like(top)), 8.0 * limit, lowest)
    keep = active & (x > floor)
    low = None if low is None else xp.where(keep, low, xp.zeros_like(low))
    return xp.where(keep, x, floor), low, top


def _floor(xp: Namespace, top: Array, reach: float, lowest: Array) -> Array:
    """What is too far below the top to matter: reach, or |top| / 1024 where that is more.

    (Beside a top of 1e12 an exponent that is 512 below it is the same float32.)  From half of the
    lowest number on nothing is too far: two such numbers are equal, or their difference is huge.
    """
    moderate = top > 0.5 * lowest
    top = xp.where(moderate, top, xp.zeros_like(top))
    share = xp.abs(top) * 2.0**-10
    reach_of_row = xp.where(share > reach, share, constant(xp, reach, top))
    return xp.where(moderate, top - reach_of_row, lowest)


def least_counted(xp: Namespace, shift: Array) -> Array:
    """What is so far below the shift of a row state that its exp is 0, or is lost beside it."""
    lowest = constant(xp, -finfo_max(xp, shift.dtype), shift)
    return _floor(xp, shift, 8.0 * exponent_limit(xp, shift.dtype), lowest)


def _shifted(
    xp: Namespace, x: Array, low: Array | None, shift: Array
) -> tuple[Array, Array, Array | None]:
    """x + low - shift - shift_low as a pair with |delta| <= u |d|, and shift_low.

    Beside an x of 1e12 its low part is some thousands in float32: then the largest x + low of the
    row is what is subtracted, shift and shift_low together.
    """
    d, delta = two_diff(x, shift)
    if low is None:
        return d, delta, None
    d, delta = two_sum(d, delta + low)
    # half an ulp of a shift below 2^20 is at most 2^-5, and harmless
    huge = xp.abs(shift) > 2.0**20
    if known(xp.any(huge)) is False:
        return d, delta, None
    shift_low = xp.where(huge, xp.max(d, axis=-1, keepdims=True), xp.zeros_like(shift))
    d, error = two_diff(d, shift_low)
    d, delta = two_sum(d, error + delta)
    return d, delta, shift_low


def log_partition(xp: Namespace, state: RowSum) -> Array:
    """log A for a state with a null class: (*batch,).  Relative accuracy also where A is near 1.

    m <= 0: log1p(total / null).  m > 0: m + log(norm), a sum of which m >= L is nearly all.
    """
    shifted = state.shift > 0
    ratio = xp.where(shifted, xp.zeros_like(state.total), state.total) / xp.where(
        shifted, xp.ones_like(state.null), state.null
    )
    amount = xp.where(shifted, state.norm, xp.ones_like(state.norm))
    rest = log(xp, amount) if state.shift_low is None else log(xp, amount) + state.shift_low
    value = xp.where(shifted, state.shift + rest, log1p(xp, ratio))
    return value[..., 0]
