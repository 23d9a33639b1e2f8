"""P(i in S) and P(i and j in S): shares of the terms of Z_k.

P(i in S) is the share of the terms of Z_k that take label i: with p_i = sigma(s_i - c),

    P(i in S) = p_i [z^{k-1}] prod_{j != i} ((1 - p_j) + p_j z) / [z^k] prod_j ((1 - p_j) + p_j z),

by reverse mode through the tree of products: sums of positive terms, for all labels at once.

Pairs: P(i and j in S) = P(i in S) P(j in S'), S' being k - 1 of the labels other than i: again
products of positive numbers only.
"""

from __future__ import annotations

from dataclasses import replace

from array_api_compat import device

from numeric_core.namespace import Array, Namespace, constant, finfo_max
from numeric_core.partition import SubsetRows, by_blocks
from numeric_core.symmetric import Leaves, Product
from numeric_core.tilt import choices, tilted

__all__ = ["pairs", "singles"]


def singles(subsets: SubsetRows, k: int) -> Array:
    """P(i in S): (rows, n)."""
    return by_blocks(subsets, lambda part: _inclusion(part.xp, part.scores, k))


def _inclusion(xp: Namespace, scores: Array, k: int) -> Array:
    """P(i in S): (rows, n)."""
    if k == 0 or 0 in scores.shape:
        return xp.zeros_like(scores)
    stay, take = (x.T for x in choices(xp, *tilted(xp, scores, k)))
    product = Product(xp, Leaves(stay, take), k)
    root = product.coefficients
    seed = xp.concat([xp.zeros_like(root[:k, :]), 1.0 / root[k:, :]], axis=0)
    derivative = product.adjoint(seed)
    share, other = take * derivative.take, stay * derivative.stay
    return (share / (share + other)).T


def pairs(subsets: SubsetRows, k: int) -> Array:
    """P(i and j in S): (rows, n, n), from the k - 1 others of a subset that has i."""
    xp, s = subsets.xp, subsets.scores
    rows, n = s.shape
    if k == 0 or 0 in s.shape:
        return xp.zeros((rows, n, n), dtype=s.dtype, device=device(s))
    single = singles(subsets, k)[:, :, None]
    own = xp.eye(n, dtype=s.dtype, device=device(s)) > 0
    lowest = constant(xp, -finfo_max(xp, s.dtype), s)
    others = xp.reshape(xp.where(own, lowest, s[:, None, :]), (rows * n, n))
    none = xp.zeros(others.shape, dtype=xp.bool, device=device(s))
    given = singles(replace(subsets, scores=others, masked=none), k - 1)
    upper = xp.triu(single * xp.reshape(given, (rows, n, n)), k=1)
    return xp.where(own, single, upper + xp.permute_dims(upper, (0, 2, 1)))
