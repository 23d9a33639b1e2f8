"""The distribution over k-subsets: the n-choose-k softmax of document 002.

Scores s_i, x_i = e^{s_i}.  A subset S of k of n labels has the probability

    P(S) = e^{sum_{i in S} s_i} / Z_k,   Z_k = e_k(x_1, ..., x_n) = [z^k] prod_i (1 + x_i z).

For k = 1 it is softmax.  How log Z_k is computed is said in `partition`, P(i in S) in `inclusion`,
how subsets are drawn in `sampling`.

All functions take scores (*batch, n), floats of any array library, the label axis anywhere, and one
integer k.  A score of -inf, or at most max(-1e7, finfo.min), is a mask: that label is in no subset.
float32 and halves are computed in float64 where the library has one.

Common errors.  TypeError: scores that are no floats; k that is no integer.  ValueError: k < 0 or
k > n, fewer than k scores of a row unmasked, scores nan or +inf, axis out of range.

Accuracy: 1e-14 of the true value in float64, 1e-6 in float32, for log Z_k and each probability,
however small (measured by `lossproof verify`: 1.6e-15, and one rounding to float32).

Source: document 002, claims 7359-2, 7359-3, 7359-e; the comment of March 31st, 2024 on k = 4 of
16384.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
from array_api_compat import device, is_numpy_array

from numeric_core import checks, inclusion, partition
from numeric_core.namespace import (
    Array,
    Namespace,
    constant,
    finfo_max,
    known,
    namespace,
    wider_dtype,
)
from numeric_core.newton import log_partitions_newton
from numeric_core.partition import SubsetRows, by_blocks
from numeric_core.rows import Rows, score_rows
from numeric_core.sampling import draw
from numeric_core.streaming import Row, row_log_partition

__all__ = [
    "inclusion_probabilities",
    "log_partition",
    "log_partitions",
    "log_prob",
    "pairwise_inclusion",
    "predict",
    "sample",
]

LONG = 1 << 18
"""NumPy rows from this length on are read in parts: 2 MiB of float64, 8 parts."""


def log_partition(
    scores: Array, k: int, *, axis: int = -1, method: str = "stable", check: bool = True
) -> Array:
    """log Z_k = log sum_{|S| = k} e^{sum_{i in S} s_i}: (*batch,).

    k = 0: 0.  k = n: the sum of the scores, k = 1: logsumexp.  Adding c to all scores adds k c; a
    label at -inf might as well not be there.

    method: "stable", accurate for every input.  "newton": the document's recursion, in the dtype of
    the scores, which loses all digits where a few scores dominate (see numeric_core.newton); it
    gives nan where the recursion ends at a negative number.

    Where T and R nearly cancel (log Z_1 of log-probabilities), the row is computed again with twice
    the digits, or more.  That needs values that can be read: under jax.jit and the like the error
    there is a few ulp of R, not of log Z_k.

    Memory beyond the input: O(k) and a block of 2^17 scores; in NumPy rows of 2^18 scores and more
    are read a part at a time (`streaming`).  There is no n k table.

    check: False skips the checks of values.  Source: claims 7359-2, 7359-3.
    """
    given, k = _checked(scores, k, axis, check)
    if _named(method) == "newton":
        rows = _prepared(given, k, check)
        return rows.per_row(_newton(rows, k)[:, -1])
    if k and is_numpy_array(given.scores) and given.scores.shape[-1] >= LONG:
        return given.per_row(_streamed(given, k, check))
    rows = _prepared(given, k, check)
    return rows.per_row(by_blocks(rows.subsets, lambda part: partition.log_partition(part, k)))


def log_partitions(
    scores: Array, max_k: int, *, axis: int = -1, method: str = "stable", check: bool = True
) -> Array:
    """log Z_0, ..., log Z_K for K = max_k at once: (*batch, K + 1), to the accuracy of one.

    A row with fewer than K unmasked scores is an error.  A product of polynomials to order K is
    read at all orders where that loses nothing, and made anew around another threshold for the
    rest; the few orders whose log Z_k is a small difference are computed one by one.

    Memory: some ten times a block of 2^17 scores, or of one row.  method, check: as in
    `log_partition`.  Source: claim 7359-3.
    """
    given, max_k = _checked(scores, max_k, axis, check, name="max_k")
    rows = _prepared(given, max_k, check, name="max_k")
    if _named(method) == "newton":
        return rows.per_row(_newton(rows, max_k))
    every = by_blocks(rows.subsets, lambda part: partition.log_partitions(part, max_k))
    return rows.per_row(every)


def inclusion_probabilities(scores: Array, k: int, *, axis: int = -1, check: bool = True) -> Array:
    """P(i in S) = d log Z_k / d s_i: the shape of the scores.

    They sum to k.  0 for a masked label, 1 for all others where k are unmasked; k = 1: softmax.
    Each is accurate relative to itself, also where it is 1e-300.

    Memory: n (log2 k + 3) numbers for a block of rows, for the tree of partial products.
    Source: claim 7359-2; the gradient of the loss is P(i in S) - y_i.
    """
    given, k = _checked(scores, k, axis, check)
    rows = _prepared(given, k, check)
    return rows.per_label(inclusion.singles(rows.subsets, k))


def pairwise_inclusion(scores: Array, k: int, *, axis: int = -1, check: bool = True) -> Array:
    """P(i and j in S): (*batch, n, n), the label axis moved last; the diagonal is P(i in S).

    P(i and j in S) = P(i in S) P(j in S'), where S' has k - 1 of the other labels: n distributions,
    O(n^2 k) operations, and no difference.  Symmetric to the last bit.  A row sums to k P(i in S).

    The Hessian of log Z_k is P(i and j in S) - P(i in S) P(j in S).
    """
    given, k = _checked(scores, k, axis, check)
    rows = _prepared(given, k, check)
    return rows.per_row(inclusion.pairs(rows.subsets, k))


def log_prob(scores: Array, subset: Array, *, axis: int = -1, check: bool = True) -> Array:
    """log P(S) = sum_{i in S} s_i - log Z_k: (*batch,), at most 0.

    subset: (*batch, k), distinct integer indices of unmasked labels in any order, as `sample` gives
    them for one draw.  It is minus the combination softmax of the subset, and keeps its digits
    where P(S) is near 1.

    Errors: TypeError for indices that are no integers, ValueError for another batch, indices that
    are out of range, repeated or masked.  Source: claim 7359-2.
    """
    xp = namespace(scores=scores, subset=subset)
    k = _checked_indices(xp, scores, subset, axis)
    given, k = _checked(scores, k, axis, check)
    rows = _prepared(given, k, check)
    index = xp.reshape(subset, (rows.subsets.scores.shape[0], k))
    chosen = _members(xp, index, rows.subsets.scores)
    if check:
        _check_members(rows.subsets, index, chosen)
    return rows.per_row(-partition.excess(rows.subsets, chosen, k))


def sample(
    scores: Array,
    k: int,
    size: int,
    rng: np.random.Generator,
    *,
    axis: int = -1,
    check: bool = True,
) -> Array:
    """Independent subsets S of every row, drawn with P(S): integers (size, *batch, k), ascending.

    Exact: a tree of partial products is made once, O(n log k) numbers, and every draw splits k on
    its way down.  Nothing is rejected, and no sequential softmax stands in for it.  The same state
    of rng gives the same subsets.  A masked label is never drawn.

    Errors, besides the common ones: TypeError where rng is no numpy.random.Generator, or size is no
    integer; ValueError for size < 0.  Source: 7359, the comments (4 of 16384), claim 7359-e.
    """
    size = _integer("size", size)
    if size < 0:
        raise ValueError(f"size must be at least 0, got {size}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {type(rng).__name__}; "
            "make one, for example with numpy.random.default_rng(seed)"
        )
    given, k = _checked(scores, k, axis, check)
    rows = _prepared(given, k, check)
    drawn = draw(rows.subsets.on_host(), k, size, rng).reshape((size, *rows.batch, k))
    return rows.subsets.xp.asarray(drawn, device=device(scores))


def predict(
    scores: Array, *, k: int | None = None, threshold: float | None = None, axis: int = -1
) -> Array:
    """The k largest scores of a row, or s > threshold: booleans of the shape of scores.

    Exactly one of k and threshold must be given.  Of equal scores the first come first.  The k
    largest are the likeliest k-subset (claim 7359-f); the threshold is s_0 of the padded loss
    (claim 7359-j).
    """
    if (k is None) == (threshold is None):
        raise ValueError(
            f"predict needs either k= or threshold=, got k={k!r}, threshold={threshold!r}"
        )
    if threshold is None:
        given, order = _checked(scores, k, axis, True)
        rows = _prepared(given, order, True)
        return rows.per_choice(partition.largest(rows.subsets.xp, rows.subsets.scores, order))
    checks.finite_number("threshold", threshold)
    given = score_rows(namespace(scores=scores), scores, axis, check=True)
    return given.per_choice(given.scores > threshold)


# Input


@dataclass(frozen=True)
class _Input:
    """Rows of scores to compute with, and the rows as they were given, for the way back."""

    subsets: SubsetRows
    given: Rows

    def per_row(self, x: Array) -> Array:
        """(rows, ...) -> (*batch, ...) in the dtype of the scores."""
        return self.given.per_row(self._in_batch(x))

    def per_label(self, x: Array) -> Array:
        """(rows, n) -> the shape and the dtype of the scores."""
        return self.given.per_label(self._in_batch(x))

    def per_choice(self, x: Array) -> Array:
        """(rows, n) booleans -> the shape of the scores."""
        return self.given.per_choice(self._in_batch(x))

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.given.scores.shape[:-1])

    def _in_batch(self, x: Array) -> Array:
        return self.subsets.xp.reshape(x, (*self.batch, *x.shape[1:]))


def _integer(name: str, value: object) -> int:
    """TypeError unless value is an integer; bool is none."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    return int(value)


def _named(method: str) -> str:
    if method not in ("stable", "newton"):
        raise ValueError(f'method must be "stable" or "newton", got {method!r}')
    return method


def _checked(scores: Array, k: object, axis: int, check: bool, name: str = "k") -> tuple[Rows, int]:
    """The scores, label axis last, and k."""
    order = _integer(name, k)
    rows = score_rows(namespace(scores=scores), scores, axis, check)
    n = int(rows.scores.shape[-1])
    if not 0 <= order <= n:
        raise ValueError(f"{name} must lie in 0..{n} for {n} labels, got {order}")
    return rows, order


def _prepared(given: Rows, k: int, check: bool, name: str = "k") -> _Input:
    """Scores as rows of the widest dtype, masks found."""
    xp = given.xp
    s = xp.reshape(given.scores, (math.prod(given.scores.shape[:-1]), given.scores.shape[-1]))
    masked = s <= checks.mask_bound(xp, given.dtype)
    if check:
        _check_unmasked(xp, xp.sum(xp.astype(~masked, xp.int32), axis=-1), k, name)
    wide = wider_dtype(xp, s)
    s = s if wide is None else xp.astype(s, wide)
    s = xp.where(masked, constant(xp, -finfo_max(xp, s.dtype), s), s)
    return _Input(SubsetRows(xp, s, masked, given.dtype != s.dtype), given)


def _streamed(given: Rows, k: int, check: bool) -> Array:
    """log Z_k of long NumPy rows, one after the other: (*batch,)."""
    xp, narrow = given.xp, given.dtype != np.float64
    mask = checks.mask_bound(xp, given.dtype)
    values = np.zeros(given.scores.shape[:-1])
    for place in np.ndindex(*values.shape):
        row = Row(given.scores[place], mask)
        if check:
            _check_unmasked(xp, np.asarray([row.labels()]), k, "k")
        values[place] = row_log_partition(row, k, partition.cancelled(narrow))
    return values


def _check_unmasked(xp: Namespace, count: Array, k: int, name: str) -> None:
    """ValueError if a row has fewer than k unmasked scores."""
    if known(xp.any(count < k)) is True:
        raise ValueError(
            f"every row must have at least {name} unmasked scores, got {name}={k} and a row with "
            f"{int(xp.min(count))} (a score of -inf, or at most max(-1e7, finfo.min), is a mask)"
        )


def _checked_indices(xp: Namespace, scores: Array, subset: Array, axis: int) -> int:
    """k, the number of indices in each subset."""
    if not xp.isdtype(subset.dtype, "integral"):
        raise TypeError(f"subset must hold integer indices, got dtype {subset.dtype}")
    position = checks.axis_of(scores, axis)
    batch = tuple(size for i, size in enumerate(scores.shape) if i != position)
    if subset.ndim != scores.ndim or tuple(subset.shape[:-1]) != batch:
        raise ValueError(
            f"subset must have the shape {(*batch, 'k')} for scores of shape "
            f"{tuple(scores.shape)} and axis {axis}, got {tuple(subset.shape)}; for many subsets "
            "broadcast the scores first, for example with xp.broadcast_to"
        )
    return int(subset.shape[-1])


def _members(xp: Namespace, index: Array, scores: Array) -> Array:
    """Where a label is in the subset: (rows, n) booleans; O(n) memory, index by index."""
    label = xp.arange(scores.shape[-1], dtype=index.dtype, device=device(scores))
    chosen = xp.zeros(scores.shape, dtype=xp.bool, device=device(scores))
    for j in range(index.shape[-1]):
        chosen = chosen | (label == index[:, j : j + 1])
    return chosen


def _check_members(subsets: SubsetRows, index: Array, chosen: Array) -> None:
    """ValueError for indices that are out of range, repeated or masked."""
    xp, (n, k) = subsets.xp, (chosen.shape[-1], index.shape[-1])
    if 0 in index.shape:
        return
    if known(xp.any((index < 0) | (index >= n))) is True:
        raise ValueError(
            f"indices of a subset must lie in 0..{n - 1} for {n} labels, "
            f"got indices from {int(xp.min(index))} to {int(xp.max(index))}"
        )
    count = xp.sum(xp.astype(chosen, xp.int32), axis=-1)
    if known(xp.any(count < k)) is True:
        raise ValueError(
            f"the {k} indices of a subset must be distinct, got a subset with "
            f"{int(xp.min(count))} different ones"
        )
    if known(xp.any(chosen & subsets.masked)) is True:
        raise ValueError(
            "a subset must hold unmasked labels, got one whose score is a mask "
            "(-inf, or at most max(-1e7, finfo.min)): its probability is 0"
        )


def _newton(prepared: _Input, max_k: int) -> Array:
    """The recursion in the compute dtype of the scores, without widening."""
    xp, s = prepared.subsets.xp, prepared.given.scores
    s = xp.reshape(s, prepared.subsets.scores.shape)
    lowest = constant(xp, -finfo_max(xp, s.dtype), s)
    return log_partitions_newton(xp, xp.where(prepared.subsets.masked, lowest, s), max_k)
