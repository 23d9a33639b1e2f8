"""The lattice loss for any index set: log sum_{(a,b) in I} e_a((1-t) e^s) e_b(t e^-s).

    lattice([(0, 0), (1, 1)])              unified
    lattice(lambda a, b: a <= 1 and b <= 1)   ZLPR
    lattice(lambda a, b: a == b)           combination softmax
    lattice(lambda a, b: True)             binary cross-entropy, for labels 0 and 1

A smaller set has a smaller loss, every set a convex one.  A set that is symmetric in a and b has
its minimum over s at t = sigma(2 s).  The named losses are faster; they and this one are checked
against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from numeric_core import checks
from numeric_core.lattice import LatticeLoss
from numeric_core.orders import Table
from numeric_core.parts import Part
from numeric_core.rows import Rows
from numeric_core.sides import soft_sides

__all__ = ["Lattice", "lattice"]

LARGEST = 1 << 20
"""Pairs (a, b) in the grid of an index set: a predicate is called for each of them, a second or so,
and each costs n operations."""

Predicate: TypeAlias = Callable[[int, int], bool]


@dataclass(frozen=True)
class Lattice(LatticeLoss):
    """l = log sum_{(a,b) in I} e_a(v) e_b(w), v = (1 - t) e^s, w = t e^{-s}; labels in [0, 1].

    index_set: a frozenset of pairs, or a predicate I(a, b), which is asked for all a, b <= n.

    Limits: with (0, 0) in I, l -> 0 as every t = 1 goes to inf and every t = 0 to -inf, with all
    digits.  Where a row can reach no pair of I (more negatives, or positives, than it has) the sum
    is empty and l = -inf.

    Accuracy: 1e-14 of the true value in float64 where |s| times the largest order is at most 300.
    Beyond, a row is computed order by order: then the error is 1e-15 of the largest of log e_a(v),
    log e_b(w) and the loss, and relative to tiny losses by as much.

    Errors besides the common ones: ValueError where the grid of a set and a row length, all a <= n
    and b <= n that matter, has more than 2^20 pairs.
    """

    index_set: frozenset[tuple[int, int]] | Predicate

    def __post_init__(self) -> None:
        if callable(self.index_set):
            return
        if not isinstance(self.index_set, frozenset) or not self.index_set:
            raise TypeError(
                "index_set must be a predicate I(a, b) or a frozenset of pairs, not empty, got "
                f"{self.index_set!r}; lattice(pairs) makes one of any iterable"
            )
        for pair in self.index_set:
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(f"index_set must hold pairs (a, b), got {pair!r}")
            for name, order in zip(("a", "b"), pair, strict=True):
                checks.count(name, order, least=0)

    def _parts(self, rows: Rows) -> list[Part]:
        v, w = soft_sides(rows)
        table = self._table(int(rows.scores.shape[-1]))
        return [Part(v, w, Table(table.shape[0] - 1, table.shape[1] - 1, table))]

    def _table(self, n: int) -> np.ndarray:
        """I as booleans (a, b), as far as n labels reach."""
        if callable(self.index_set):
            a_most = b_most = n
            _check_grid(n, a_most, b_most)
            inside = self.index_set
            pairs = [(a, b) for a in range(n + 1) for b in range(n + 1) if inside(a, b)]
        else:
            pairs = [(a, b) for a, b in self.index_set if a <= n and b <= n]
            a_most = max((a for a, _ in pairs), default=0)
            b_most = max((b for _, b in pairs), default=0)
            _check_grid(n, a_most, b_most)
        table = np.zeros((a_most + 1, b_most + 1), dtype=np.bool_)
        if pairs:
            table[tuple(np.asarray(pairs).T)] = True
        return table


def lattice(index_set: Iterable[tuple[int, int]] | Predicate) -> Lattice:
    """The loss of an index set: pairs (a, b), or a predicate I(a, b) -> bool."""
    if callable(index_set):
        return Lattice(index_set)
    return Lattice(frozenset(index_set))


def _check_grid(n: int, a: int, b: int) -> None:
    if (a + 1) * (b + 1) > LARGEST:
        raise ValueError(
            f"an index set for {n} labels is looked up at all a <= {a}, b <= {b}, which must be at "
            f"most {LARGEST} pairs, got {(a + 1) * (b + 1)}; give the pairs of a smaller set, or "
            "use a named loss"
        )
