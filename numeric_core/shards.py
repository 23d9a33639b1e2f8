"""Rows in parts: the state of a part of a row, and how states are merged.

A sum of weighted exponentials over the labels of one part is kept as three numbers,

    S = sum_i w_i e^{x_i} = e^(shift + low) total,

and parts are merged at the largest shift m of them, which is associative:

    S_1 + S_2 + ... = e^m sum_p e^(shift_p - m) total_p

In float64 each merge costs half an ulp of the sum, and float32 rows none that could be seen.  So a
row that does not fit into memory is read twice: once for its state, and once for its gradient,
which is an elementwise map of the scores, the labels and the merged state.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from numeric_core.exact import accurate_sum, sum_to_infinity, two_diff, two_sum
from numeric_core.namespace import Array, Namespace, constant, exp, finfo_max
from numeric_core.reductions import (
    Exponents,
    RowSum,
    exponent_limit,
    least_counted,
    log_partition,
    split_terms,
    with_null,
)

if TYPE_CHECKING:
    from numeric_core.rows import Rows

__all__ = [
    "Additive",
    "GridShards",
    "Shards",
    "WholeRows",
    "merged_sums",
    "part_of",
    "seen_from",
    "sum_state",
    "whole_of",
]


class Shards(ABC):
    """The mathematics of one loss on parts of rows.  States are (*batch, size) in float64."""

    size: ClassVar[int]
    """Numbers of a state."""

    whole: ClassVar[bool] = False
    """Whether a row must be one part."""

    by_part: ClassVar[bool] = True
    """Whether the loss's conditions on rows can be seen in each part."""

    @abstractmethod
    def state(self, rows: Rows) -> Array:
        """The state of a part: (*batch, n) -> (*batch, size)."""

    @abstractmethod
    def merged(self, xp: Namespace, states: Array) -> Array:
        """(*batch, parts, size) -> (*batch, size)."""

    @abstractmethod
    def value(self, xp: Namespace, state: Array) -> Array:
        """The loss of rows with these states: (*batch,)."""

    @abstractmethod
    def gradient(self, rows: Rows, state: Array) -> Array:
        """dl / ds_i for a part of rows with these merged states: (*batch, n)."""

    def check(self, xp: Namespace, state: Array, dtype: Any) -> None:
        """Raises ValueError where whole rows break a condition of the loss."""
        return None

    def counts(self, xp: Namespace, state: Array) -> Array | bool:
        """Where a positive at -inf makes the loss inf: (*batch,)."""
        return True


@dataclass(frozen=True)
class WholeRows(Shards):
    """Any loss, row by row: the state is its value, and a row cannot be split."""

    loss: Any
    size = 1
    whole = True

    def state(self, rows: Rows) -> Array:
        """The loss itself."""
        value = self.loss._value(rows)
        return rows.xp.astype(value, rows.xp.float64)[..., None]

    def merged(self, xp: Namespace, states: Array) -> Array:
        """The one there is."""
        return states[..., 0, :]

    def value(self, xp: Namespace, state: Array) -> Array:
        """The state."""
        return state[..., 0]

    def gradient(self, rows: Rows, state: Array) -> Array:
        """As in memory."""
        return self.loss._value_and_gradient(rows)[1]


@dataclass(frozen=True)
class Additive(Shards):
    """A sum of losses of single labels: states are added, and each label has its own slope."""

    loss: Any
    size = 1

    def state(self, rows: Rows) -> Array:
        """The loss of the part."""
        return self.loss._value(rows)[..., None]

    def merged(self, xp: Namespace, states: Array) -> Array:
        """The sum; inf where a part is."""
        parts = states[..., 0]
        infinite = parts > finfo_max(xp, parts.dtype)
        total = sum_to_infinity(xp, xp.where(infinite, xp.zeros_like(parts), parts))
        return xp.where(
            xp.any(infinite, axis=-1, keepdims=True), xp.full_like(total, math.inf), total
        )

    def value(self, xp: Namespace, state: Array) -> Array:
        """The state."""
        return state[..., 0]

    def gradient(self, rows: Rows, state: Array) -> Array:
        """As in memory."""
        return self.loss._value_and_gradient(replace(rows, infinite=None))[1]


class GridShards(ABC):
    """The mathematics of one loss on some samples of grids: a sum of logs of sums over samples.

    States: (*batch, count, m, 3) in float64, the numbers of `sum_state` for each sum.
    """

    weight: float = 1.0
    """Of each log in the loss."""

    def count(self, m: int) -> int:
        """Sums of each of the m classes."""
        return 1

    @abstractmethod
    def state(self, rows: Rows) -> Array:
        """The sums of some samples: (*batch, samples, m) -> (*batch, count, m, 3)."""

    @abstractmethod
    def gradient(self, rows: Rows, state: Array) -> Array:
        """dl / ds of some samples of a grid with these merged sums: (*batch, samples, m)."""

    def merged(self, xp: Namespace, states: Array) -> Array:
        """(*batch, count, m, parts, 3) -> (*batch, count, m, 3)."""
        return merged_sums(xp, states)

    def value(self, xp: Namespace, state: Array) -> Array:
        """The loss of grids with these sums: (*batch,)."""
        logs = log_partition(xp, whole_of(xp, state, null=True))
        return self.weight * sum_to_infinity(xp, xp.reshape(logs, (*logs.shape[:-2], -1)))[..., 0]


def sum_state(xp: Namespace, part: RowSum) -> Array:
    """(shift, low, total) of a row state: (*batch, 3)."""
    zero = xp.zeros_like(part.total)
    low = zero if part.shift_low is None else part.shift_low
    # the shift of moderate rows is one number for all
    return xp.concat([zero + part.shift, low, part.total], axis=-1)


def merged_sums(xp: Namespace, states: Array) -> Array:
    """The sum of parts: (*batch, parts, 3) -> (*batch, 3); all 0 where every total is."""
    shift, low, total = (states[..., k] for k in range(3))
    lowest = constant(xp, -finfo_max(xp, total.dtype), total)
    there = total > 0
    top = xp.max(xp.where(there, shift, lowest), axis=-1, keepdims=True)
    there = there & (shift >= least_counted(xp, top))
    top_low = xp.max(xp.where(there & (shift == top), low, lowest), axis=-1, keepdims=True)
    d, error = two_diff(xp.where(there, shift, top), top)
    d, error = two_sum(d, error + (xp.where(there, low, top_low) - top_low))
    e = exp(xp, d)
    terms = xp.where(there, total * (e + e * error), xp.zeros_like(total))
    some = xp.any(there, axis=-1, keepdims=True)
    nothing = xp.zeros_like(top)
    shifts = (xp.where(some, x, nothing) for x in (top, top_low))
    return xp.concat([*shifts, accurate_sum(xp, terms)], axis=-1)


def whole_of(xp: Namespace, state: Array, *, null: bool) -> RowSum:
    """The merged sum, with a null class of exponent 0 or without: a row state without terms."""
    shift, low, total = (state[..., k : k + 1] for k in range(3))
    zero = xp.zeros_like(total)
    made_of = Exponents(zero, None, None)
    least = exp(xp, -shift) if null else zero
    whole = with_null(xp, zero, None, total, zero, shift, least, made_of)
    return whole._replace(shift_low=low)


def part_of(
    xp: Namespace, x: Array, low: Array | None, weights: Array, state: Array, *, null: bool
) -> RowSum:
    """The merged sum, with the terms of one part of the row."""
    whole = whole_of(xp, state, null=null)
    keep = (weights > 0) & (x >= least_counted(xp, whole.shift))
    nothing = constant(xp, -8.0 * exponent_limit(xp, x.dtype), x)
    d, delta = two_diff(xp.where(keep, x, whole.shift), whole.shift)
    if low is not None:
        d, delta = two_sum(d, delta + (xp.where(keep, low, whole.shift_low) - whole.shift_low))
    d = xp.where(keep, d, nothing)
    terms, _ = split_terms(xp, d, delta, weights, False)
    return whole._replace(terms=terms, exponents=Exponents(d, delta, weights))


def seen_from(xp: Namespace, part: RowSum, state: Array) -> RowSum:
    """A row state of some terms, which has a null class, made the merged sum with these terms."""
    d, delta, weights = part.exponents
    x, low = two_sum(d, part.shift + xp.zeros_like(d))
    for more in (delta, part.shift_low):
        low = low if more is None else low + more
    weights = xp.ones_like(d) if weights is None else weights
    return part_of(xp, x, low, weights, state, null=True)
