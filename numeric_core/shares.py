"""The shares p_i = terms_i / norm of a row state, counted in a unit in which none is subnormal.

A share below the smallest normal number has lost digits, and a sum of many such shares has lost a
unit for each of them.  Counted in 2^-200 (float32: 2^-32) all have their digits, and only the
finished sum is rounded to what the dtype can hold.
"""

from __future__ import annotations

from numeric_core.distribution import enlarged, enlarged_terms, norm_pair
from numeric_core.exact import Pair
from numeric_core.namespace import Array, Namespace
from numeric_core.reductions import Exponents, RowSum

__all__ = ["counted", "shares"]


def shares(xp: Namespace, state: RowSum, exact: bool) -> tuple[Array | Pair, float]:
    """p / unit, and the unit; arrays and 1 unless exact, for rows in a dtype wider than theirs."""
    norm = norm_pair(xp, state)
    if not exact:
        return state.terms / norm.high, 1.0
    unit = _unit(xp, state.norm)
    one = Pair.of(xp, xp.full_like(norm.high, 1.0 / unit))
    return enlarged_terms(xp, state, one / norm), unit


def counted(
    xp: Namespace, e: Array | Pair, made_of: Exponents, exact: bool
) -> tuple[Array | Pair, float]:
    """e / unit for e = w e^{d + delta} of at most 1, and the unit."""
    if not (exact and isinstance(e, Pair)):
        return e, 1.0
    unit = _unit(xp, e.high)
    return enlarged(xp, e, made_of, Pair.of(xp, xp.full_like(e.high, 1.0 / unit))), unit


def _unit(xp: Namespace, like: Array) -> float:
    """2^104 times the least subnormal number has, and lacks, all its digits; two such units and a
    vector of 2^400 (float32: 2^30) stay far from overflow."""
    return 2.0**-200 if like.dtype == xp.float64 else 2.0**-32
