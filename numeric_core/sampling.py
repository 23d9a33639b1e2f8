"""Exact draws of k-subsets: P(S) = e^{sum_{i in S} s_i} / Z_k.

Put the labels at the leaves of a binary tree.  With x_i = e^{s_i}, a node v knows the polynomial
of the labels below it, cut off at order k,

    F_v(z) = prod_{i below v} (1 + x_i z),   F_v = F_left F_right.

[z^m] F_v is the weight of all m-subsets below v.  Given that m labels are drawn below v, the left
child has j of them with probability

    [z^j] F_left [z^{m-j}] F_right / [z^m] F_v,

so a draw starts with k at the root and splits the counts down to the leaves.  Nothing is rejected
and no distribution stands in for another: up to rounding (1e-15 a split; a uniform number has 53
digits) the draw is exact.  (Take one by softmax, remove it, repeat, is the Plackett-Luce
distribution: for x = (4, 2, 1) and k = 2 it draws {1, 2} with 64/105, where the truth is 4/7.)

Range.  A common factor in all x_i changes no draw: the leaves are (1 - p_i) + p_i z, p_i at the
`tilt`, so that the coefficients are Poisson-binomial probabilities, the root's at its mean.

Cost.  The tree takes O(n log k) numbers, a draw visits at most k nodes a level.  All draws descend
together.  This is NumPy on the host, whatever the library of the scores.

Source: document 002, the question in the comments on 4 of 16384.  P(S) is the conditional Bernoulli
distribution of Chen, Dempster and Liu, Weighted finite population sampling to maximize entropy,
Biometrika 81 (1994); they go through the labels one by one, not down a tree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numeric_core.tilt import choices, tilted

__all__ = ["draw"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNK = 1 << 20
"""Numbers that a level of the descent may hold at a time: 8 MiB, and a few temporaries."""


class _Splits(NamedTuple):
    """Nodes with something to draw: the draw, the row of scores, the node, its amount."""

    draw: Integers
    row: Integers
    node: Integers
    amount: Integers


def draw(scores: Floats, k: int, size: int, rng: np.random.Generator) -> Integers:
    """Subsets (size, rows, k), indices ascending, for scores (rows, n); -inf is never drawn.

    Every row must have at least k scores above -inf.
    """
    rows, n = scores.shape
    if k == 0 or rows == 0 or size == 0:
        return np.zeros((size, rows, k), np.int64)
    levels = _tree(_leaves(scores, k), k)
    width = max(1, CHUNK // (rows * _width(n, k)))
    parts = [min(width, size - start) for start in range(0, size, width)]
    return np.concatenate([_descend(levels, k, part, rng) for part in parts])


def _leaves(scores: Floats, k: int) -> Floats:
    """(1 - p_i, p_i) at the tilt as (2, rows, 2^h), filled up with labels never drawn."""
    stay, take = choices(np, *tilted(np, scores, k))
    missing = (1 << math.ceil(math.log2(scores.shape[-1]))) - scores.shape[-1]
    pad = ((0, 0), (0, missing))
    return np.stack([np.pad(stay, pad, constant_values=1.0), np.pad(take, pad)])


def _tree(leaves: Floats, k: int) -> list[Floats]:
    """Coefficients (orders, rows, nodes) of every level, root first."""
    levels = [leaves]
    while levels[-1].shape[-1] > 1:
        levels.append(_merged(levels[-1], k))
    return levels[::-1]


def _merged(level: Floats, k: int) -> Floats:
    """Products of neighbours, cut off at order k."""
    left = np.ascontiguousarray(level[..., 0::2])
    right = np.ascontiguousarray(level[..., 1::2])
    orders = min(2 * (level.shape[0] - 1), k) + 1
    out = np.zeros((orders, *left.shape[1:]))
    for j in range(min(level.shape[0], orders)):
        part = right[: orders - j]
        out[j : j + part.shape[0]] += left[j] * part
    return out


def _width(n: int, k: int) -> int:
    """The most numbers that one draw needs at a level: occupied nodes times orders."""
    height = math.ceil(math.log2(n))
    sizes = [(min(k, 1 << (height - h)), min(1 << h, k) + 1) for h in range(height + 1)]
    return max(nodes * orders for nodes, orders in sizes)


def _descend(levels: list[Floats], k: int, size: int, rng: np.random.Generator) -> Integers:
    """Splits the counts from the root to the leaves, all draws of all rows together."""
    rows = levels[0].shape[1]
    number = np.arange(size * rows)
    splits = _Splits(number, number % rows, np.zeros_like(number), np.full_like(number, k))
    for children in levels[1:]:
        splits = _children(splits, _left_counts(children, splits, rng))
    # draws and nodes stay in order on the way down: the indices of a draw ascend
    return splits.node.reshape(size, rows, k)


def _left_counts(children: Floats, splits: _Splits, rng: np.random.Generator) -> Integers:
    """j of m with probability [z^j] F_left [z^{m-j}] F_right / [z^m] F."""
    highest = children.shape[0] - 1
    j = np.arange(min(highest, int(splits.amount.max())) + 1)[:, None]
    other = splits.amount - j
    possible = (other >= 0) & (other <= highest)
    right = children[np.where(possible, other, 0), splits.row, 2 * splits.node + 1]
    left = children[: j.shape[0], splits.row, 2 * splits.node]
    cumulative = np.cumsum(np.where(possible, left * right, 0.0), axis=0)
    # the first j whose cumulative weight exceeds u times the whole: never one of weight 0
    level = rng.random(splits.amount.shape[0]) * cumulative[-1]
    return np.count_nonzero(cumulative <= level, axis=0)


def _children(splits: _Splits, left: Integers) -> _Splits:
    """The occupied children, left before right."""

    def pair(first: Integers, second: Integers) -> Integers:
        return np.stack([first, second], axis=-1).reshape(-1)

    count = pair(left, splits.amount - left)
    occupied = count > 0
    node = pair(2 * splits.node, 2 * splits.node + 1)
    repeated = (np.repeat(x, 2) for x in (splits.draw, splits.row))
    return _Splits(*(x[occupied] for x in (*repeated, node, count)))
