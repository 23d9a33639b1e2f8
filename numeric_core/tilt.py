"""The tilt: scores seen from the threshold at which k labels are expected.

A common factor e^{-c} in all x_i = e^{s_i} changes no probability of a k-subset.  With c such that

    sum_i p_i = k,   p_i = sigma(s_i - c) = x_i / (e^c + x_i),

the k-subsets are n independent choices with the p_i, given that k labels were chosen, and

    [z^k] prod_i ((1 - p_i) + p_i z)

is the probability of that, a Poisson-binomial probability at its mean: at least about 1 / (n + 1).
So whatever the scores are, no product leaves the range of a float, and what underflows is lost
beside terms that are larger by its whole range.

c is written as (k-th largest score) + a rest of ordinary size: scores of 1e300 keep their
differences.  Its own value need not be exact, only s_i - c must be: it comes as a pair.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import is_numpy_array

from numeric_core.exact import two_diff
from numeric_core.namespace import Array, Namespace, exp, known

__all__ = ["REACH", "choices", "factors", "ranked", "seen_from", "threshold", "tilted"]

REACH = 4096.0
"""Scores this far apart do not see each other: e^-745 is the last number above 0."""


def tilted(xp: Namespace, scores: Array, k: int) -> tuple[Array, Array]:
    """s_i - c as d + lack, both (rows, n), |d| at most 2 REACH; for -inf d is low enough for p = 0.

    scores: (rows, n), finite or -inf or -finfo.max, 1 <= k <= n, at least k of them finite.
    """
    kth, following = ranked(xp, scores, k)
    d, _ = _difference(xp, scores, kth)
    gap, _ = _difference(xp, following, kth)
    c = threshold(xp, d, float(k), xp.clip(gap, -REACH, 0.0), axis=-1)
    return seen_from(xp, scores, kth, c)


def seen_from(xp: Namespace, scores: Array, kth: Any, c: Any) -> tuple[Array, Array]:
    """s_i - (kth + c) as d + lack, |d| at most 2 REACH."""
    d, lack = _difference(xp, scores, kth)
    d, more = _difference(xp, d, c)
    return d, lack + more


def ranked(xp: Namespace, scores: Array, k: int) -> tuple[Array, Array]:
    """The k-th largest score and the one after it (k = n: the same again): (rows, 1) each."""
    after = min(k, scores.shape[-1] - 1)
    if is_numpy_array(scores):
        ordered = -np.partition(-scores, (k - 1, after), axis=-1)
    else:
        ordered = xp.sort(scores, axis=-1, descending=True)
    return ordered[..., k - 1 : k], ordered[..., after : after + 1]


def choices(xp: Namespace, d: Array, lack: Array) -> tuple[Array, Array]:
    """1 - sigma(d + lack) and sigma(d + lack), each with relative accuracy; |lack| <= ulp(d)."""
    e = _far(xp, d, lack)
    small, large = e / (1.0 + e), 1.0 / (1.0 + e)
    return xp.where(d > 0, small, large), xp.where(d > 0, large, small)


def factors(xp: Namespace, d: Array, lack: Array) -> tuple[Array, Array]:
    """(1, e^{d + lack}) for d <= 0, (e^{-d - lack}, 1) for d > 0: the same ratio as `choices`."""
    e, one = _far(xp, d, lack), xp.ones_like(d)
    return xp.where(d > 0, e, one), xp.where(d > 0, one, e)


def _far(xp: Namespace, d: Array, lack: Array) -> Array:
    """e^{-|d + lack|}."""
    # not e - e * lack: that product is below the normal numbers long before e is
    return exp(xp, -xp.abs(d)) * (1.0 - xp.where(d > 0, lack, -lack))


def _difference(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    """a - b within +-REACH, and what it lacks: two_diff without its infinities."""
    with np.errstate(over="ignore", invalid="ignore"):
        d, lack = two_diff(a, b)
    inside = (d > -REACH) & (d < REACH)
    return xp.clip(d, -REACH, REACH), xp.where(inside, lack, xp.zeros_like(lack))


def threshold(
    xp: Namespace,
    d: Array,
    order: Array | float,
    following: Array,
    axis: int,
    weights: Array | None = None,
) -> Array:
    """c with sum_i sigma(d_i - c) = order within 1/8, by bisection; axis kept with length 1.

    The order-th largest of d is 0, the next one `following`.  They bound c from both sides, within
    log n + 1: there the k + 1 largest have 1 - p_i <= 1 / (e n), the n - k + 1 smallest
    p_i <= 1 / (e n).  A row with only k scores above -inf gets a c below which nothing is left.

    weights: how many labels each d_i stands for; None for one.
    """
    count = float(d.shape[axis]) if weights is None else float(weights.sum())
    lower, upper = following - math.log(count) - 1.0, 0.0 * following + math.log(count) + 1.0
    # the sum has a slope of at most n / 4: in 48 halvings its error is below 1/8 for n to 2^36
    for _ in range(48):
        c = 0.5 * (lower + upper)
        excess = _expected(xp, d, c, axis, weights) - order
        lower = xp.where(excess >= -0.125, c, lower)  # a row that is near stays where it is
        upper = xp.where(excess <= 0.125, c, upper)
        if known(xp.all(lower == upper)) is True:
            break
    return 0.5 * (lower + upper)


def _expected(xp: Namespace, d: Array, c: Array, axis: int, weights: Array | None) -> Array:
    """sum_i w_i sigma(d_i - c), the axis kept."""
    e = exp(xp, -xp.abs(d - c))
    p = xp.where(d > c, xp.ones_like(e), e) / (1.0 + e)
    return xp.sum(p if weights is None else p * weights, axis=axis, keepdims=True)
