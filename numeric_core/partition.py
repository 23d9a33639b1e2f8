"""log Z_k, one order or all of them, to a few ulp of log Z_k itself.

With T_k the sum of the k largest scores,

    log Z_k = T_k + R_k,   R_k = log(Z_k / e^{T_k}) = log sum_a e_a(v) e_a(w) >= 0,

v_i = e^{s_i} of the other labels, w_i = e^{-s_i} of the k largest: R_k is the combination softmax
with the k largest as labels.  T_k is a sum without error, R_k keeps its digits also where it is
1e-300.  Rows in which the two cancel are computed again in pairs (see `doubled`).

All orders at once.  For descending scores, d_i = s_i - c and the polynomial F with the factors
(1 + e^{d_i} z) for d_i <= 0 and (e^{-d_i} + z) for d_i > 0,

    R_j = log [z^j] F + sum_{i <= j} max(-d_i, 0) + sum_{i > j} max(d_i, 0).

One product to order K, c the tilt at K, serves all orders j at which the three parts are not much
larger than R_j or T_j; another c serves the next ones.  The few orders at which log Z_j is a small
difference, or R_j is tiny and T_j = 0, are computed one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core.doubled import log_partition_doubled
from numeric_core.exact import running_sum, sum_pair, two_sum
from numeric_core.losses.subset import CombinationSoftmax
from numeric_core.namespace import BLOCK, Array, Namespace, known, log, on_host
from numeric_core.rows import Rows
from numeric_core.symmetric import Leaves, coefficients
from numeric_core.tilt import factors, ranked, tilted

__all__ = [
    "SubsetRows",
    "by_blocks",
    "cancelled",
    "excess",
    "largest",
    "log_partition",
    "log_partitions",
]


@dataclass(frozen=True)
class SubsetRows:
    """Scores (rows, n) as subsets see them.

    They are in float64 where the library has it, masks at -finfo.max.  narrow: whether the result
    is rounded to fewer digits than it is computed with.
    """

    xp: Namespace
    scores: Array
    masked: Array
    narrow: bool

    def block(self, part: slice) -> SubsetRows:
        """Some of the rows."""
        scores, masked = self.scores[part, :], self.masked[part, :]
        return replace(self, scores=scores, masked=masked)

    def on_host(self) -> Any:
        """The scores in NumPy, masks at -inf."""
        return np.where(on_host(self.masked), -np.inf, on_host(self.scores).astype(np.float64))


def by_blocks(subsets: SubsetRows, compute: Callable[[SubsetRows], Array]) -> Array:
    """compute(rows), a few rows at a time in NumPy, so that temporaries stay in the cache."""
    rows, n = subsets.scores.shape
    step = max(1, BLOCK // max(n, 1))
    if rows <= step or not is_numpy_array(subsets.scores):
        return compute(subsets)
    parts = (slice(start, start + step) for start in range(0, rows, step))
    return subsets.xp.concat([compute(subsets.block(part)) for part in parts], axis=0)


def cancelled(narrow: bool) -> float:
    """log Z_k is a small difference if it is less than this share of what it is made of.

    R has some 10 half-ulps: 4 times as many are within 1e-14.  A float32 result has 29 bits to
    lose, of which 20 are spent.
    """
    return 2.0**-20 if narrow else 0.25


def log_partition(subsets: SubsetRows, k: int) -> Array:
    """T + R: (rows,)."""
    xp = subsets.xp
    if k == 0:
        return _zeros(subsets)
    top = largest(xp, subsets.scores, k)
    high, low = _sum_of(xp, subsets.scores, top)
    above = xp.zeros_like(high) if k == subsets.scores.shape[-1] else excess(subsets, top, k)
    total, error = two_sum(high, above)
    return _repaired(subsets, k, total + (error + low), above)


def _zeros(subsets: SubsetRows) -> Array:
    """log Z_0: (rows,)."""
    s = subsets.scores
    return subsets.xp.zeros((s.shape[0],), dtype=s.dtype, device=device(s))


def _sum_of(xp: Namespace, scores: Array, chosen: Array) -> tuple[Array, Array]:
    """The sum of the chosen scores as high + low: (rows,) each."""
    high, low = sum_pair(xp, xp.where(chosen, scores, xp.zeros_like(scores)), exact=True)
    return high[:, 0], low[:, 0]


def excess(subsets: SubsetRows, chosen: Array, k: int) -> Array:
    """R = log Z_k - sum_{i in S} s_i for S of size k: the combination softmax, (rows,)."""
    xp, s = subsets.xp, subsets.scores
    labels = xp.astype(chosen, s.dtype)
    rows = Rows(xp, s, labels, 1, s.dtype, math.inf, subsets.masked)
    return CombinationSoftmax(k)._value(rows)


def _repaired(subsets: SubsetRows, k: int, total: Array, rest: Array) -> Array:
    """Rows whose T and R cancel are computed again in pairs, where values can be read."""
    xp = subsets.xp
    small = xp.abs(total) < cancelled(subsets.narrow) * rest
    if known(xp.any(small)) is not True:
        return total
    replaced = xp.where(small, total, xp.zeros_like(total))
    where, held = on_host(small), on_host(replaced)
    values = np.zeros(held.shape)
    values[where] = log_partition_doubled(subsets.on_host()[where], k)
    exact, frozen = (xp.asarray(x, dtype=total.dtype, device=device(total)) for x in (values, held))
    # replaced - frozen is 0, and carries the derivative in a library that differentiates
    return xp.where(small, exact + (replaced - frozen), total)


def largest(xp: Namespace, scores: Array, k: int) -> Array:
    """Where a score is among the k largest of its row, of equal ones the first: (rows, n)."""
    if k == 0:
        return xp.zeros(scores.shape, dtype=xp.bool, device=device(scores))
    kth, _ = ranked(xp, scores, k)
    above, equal = scores > kth, scores == kth
    count = xp.sum(xp.astype(above, xp.int32), axis=-1, keepdims=True)
    place = xp.cumulative_sum(xp.astype(equal, xp.int32), axis=-1)
    return above | (equal & (place <= k - count))


def log_partitions(subsets: SubsetRows, max_k: int) -> Array:
    """log Z_0..log Z_K: (rows, K + 1)."""
    xp = subsets.xp
    columns = [_zeros(subsets)[:, None]]
    if max_k == 0:
        return columns[0]
    values, sure = _read_off(subsets, max_k)
    for k in range(1, max_k + 1):
        column, doubt = values[:, k - 1], ~sure[:, k - 1]
        if known(xp.any(doubt)) is not False:
            column = xp.where(doubt, log_partition(subsets, k), column)
        columns.append(column[:, None])
    return xp.concat(columns, axis=-1)


def _read_off(subsets: SubsetRows, max_k: int) -> tuple[Array, Array]:
    """log Z_1..log Z_K from a few products, and where they are good: (rows, K) each."""
    xp, s = subsets.xp, subsets.scores
    values = xp.zeros_like(s[:, :max_k])
    sure = values != values
    if known(xp.any(sure)) is None:  # traced: every order by itself
        return values, sure
    ordered = _largest_first(xp, s, max_k)
    top = running_sum(xp, ordered[:, :max_k])
    order = max_k
    while order:
        rest, parts = _rests(xp, ordered, order, max_k)
        total, error = two_sum(top.high, rest)
        total = total + (error + top.low)
        near = parts <= 4.0 * xp.where(rest > xp.abs(top.high), rest, xp.abs(top.high))
        values = xp.where(near & ~sure, total, values)
        # a coefficient near 1 has a logarithm to half an ulp of 1
        sure = sure | (near & (cancelled(subsets.narrow) * (parts + 1.0) <= xp.abs(total)))
        order = _last(xp, ~near, order - 1)
    return values, sure


def _largest_first(xp: Namespace, scores: Array, k: int) -> Array:
    """The k largest of each row in descending order, then the others."""
    if not is_numpy_array(scores):
        return xp.sort(scores, axis=-1, descending=True)
    turned = np.partition(-scores, k - 1, axis=-1)
    turned[:, :k] = np.sort(turned[:, :k], axis=-1)
    return -turned


def _last(xp: Namespace, missing: Array, below: int) -> int:
    """The largest order 1..below that is missing in some row; 0 if none is."""
    column = on_host(xp.any(missing[:, :below], axis=0))
    return int(np.max(np.nonzero(column)[0], initial=-1)) + 1


def _rests(xp: Namespace, ordered: Array, order: int, max_k: int) -> tuple[Array, Array]:
    """R at the orders 1..max_k from one product around `order`, and the size of what it is made of.

    The size is inf beyond `order`, and where parts of the coefficient may have underflowed.
    """
    d, lack = tilted(xp, ordered, order)
    leaves = Leaves(*(x.T for x in factors(xp, d, lack)))
    root, exponent = coefficients(xp, leaves, order)
    root = root[1:, :].T
    visible = root > (1e-250 if root.dtype == xp.float64 else 1e-25)
    logs = log(xp, xp.where(visible, root, xp.ones_like(root))) + exponent[:, None] * math.log(2.0)
    moved = _moved(xp, d, lack, order)
    parts = xp.where(visible, xp.abs(logs) + moved, xp.full_like(logs, math.inf))
    missing = xp.zeros_like(d[:, : max_k - order])
    size = xp.concat([parts, missing + math.inf], axis=-1)
    return xp.concat([logs + moved, missing], axis=-1), size


def _moved(xp: Namespace, d: Array, lack: Array, order: int) -> Array:
    """sum_{i <= j} max(-d_i, 0) + sum_{i > j} max(d_i, 0) for j = 1..order: (rows, order).

    d: the `order` largest first, descending; the others in any order.
    """
    zero = xp.zeros_like(d)
    below = xp.where(d < 0, -d - lack, zero)[:, :order]
    above = xp.where(d > 0, d + lack, zero)
    beyond = xp.sum(above[:, order:], axis=-1, keepdims=True)
    # beyond, beyond + d_order, ..., beyond + d_order + ... + d_2
    rising = xp.concat([beyond, xp.flip(above[:, 1:order], axis=-1)], axis=-1)
    falling = xp.flip(running_sum(xp, rising).high, axis=-1)
    return running_sum(xp, below).high + falling
