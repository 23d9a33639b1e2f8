"""The shares p_i = terms_i / norm of a row state, counted in a unit in which none is subnormal.

A share below the smallest normal number has lost digits, and a sum of many such shares has lost a
unit for each of them.  Counted in 2^-300 (float32: 2^-64) all have their digits, and only the
finished sum is rounded to what the dtype can hold.
"""

from __future__ import annotations

from numeric_core.distribution import enlarged_terms, norm_pair
from numeric_core.exact import Pair, rounded
from numeric_core.namespace import Array, Namespace
from numeric_core.reductions import RowSum

__all__ = ["shares"]


def shares(xp: Namespace, state: RowSum, exact: bool) -> tuple[Array, float]:
    """p / unit, and the unit: 1 unless exact, for rows in a dtype wider than their result."""
    norm = norm_pair(xp, state)
    if not exact:
        return state.terms / norm.high, 1.0
    unit = 2.0**-300 if state.norm.dtype == xp.float64 else 2.0**-64
    one = Pair.of(xp, xp.full_like(norm.high, 1.0 / unit))
    return rounded(enlarged_terms(xp, state, one / norm)), unit
