"""Grids in parts: some samples with all their classes, and what of them merges.

Each loss of a grid is a sum of logs, and each log has a sum over the samples,

    1 + sum_i a_i = 1 + sum_{parts} e^(shift + low) total

which is kept for a part as the three numbers (shift, low, total) of `numeric_core.shards`: m sums
for `grid_truncated` and `grid_centered`, 2 m for `grid_mirrored`, m^2 for `grid_pairwise`.  The
gradient at a sample is a function of that sample and of the merged sums.

A part is taken in slices of samples, whose temporaries stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from numeric_core.classwise import ClassSums
from numeric_core.exact import rounded
from numeric_core.grid_sums import centered, mean_less_own, sample_slices
from numeric_core.namespace import Array, Namespace, known
from numeric_core.pairwise import element_slope, elements, products
from numeric_core.reductions import RowSum
from numeric_core.rows import Rows
from numeric_core.shards import GridShards, seen_from, sum_state
from numeric_core.shares import shares

__all__ = ["CenteredParts", "ClassParts", "PairParts"]


@dataclass(frozen=True)
class ClassParts(GridShards):
    """Sums of `numeric_core.classwise`."""

    sums: tuple[Callable[[Rows], Any], ...]
    weight: float = 1.0

    def count(self, m: int) -> int:
        return len(self.sums)

    def state(self, rows: Rows) -> Array:
        return rows.xp.stack([_state(rows.xp, make(rows).state) for make in self.sums], axis=-3)

    def gradient(self, rows: Rows, state: Array) -> Array:
        def slope(part: Rows) -> Array:
            own, *other = (
                _seen(make(part), state[..., k, :, :]).gradient()
                for k, make in enumerate(self.sums)
            )
            # E_k has exponents -s
            return self.weight * (own - other[0] if other else own)

        return _by_slices(rows, slope)


def _seen(sums: ClassSums, state: Array) -> ClassSums:
    """The sums of some samples, with shares of the merged ones."""
    return sums._replace(state=seen_from(sums.xp, sums.state, state))


class CenteredParts(GridShards):
    """C_j."""

    def state(self, rows: Rows) -> Array:
        return _state(rows.xp, centered(rows))[..., None, :, :]

    def gradient(self, rows: Rows, state: Array) -> Array:
        def slope(part: Rows) -> Array:
            xp = part.xp
            seen = seen_from(xp, centered(part), state[..., 0, :, :])
            p, unit = shares(xp, seen, part.exact)
            return mean_less_own(part, xp.matrix_transpose(rounded(p))) * unit

        return _by_slices(rows, slope)


class PairParts(GridShards):
    """P_jk, by products of matrices where their factors stay in range, else element by element."""

    def count(self, m: int) -> int:
        return m

    def state(self, rows: Rows) -> Array:
        xp, sums = rows.xp, products(rows)
        if sums is None:
            return xp.concat([_state(xp, part.state) for part in elements(rows)], axis=-3)
        zero = xp.zeros_like(sums.excess)
        return xp.astype(xp.stack([zero, zero, sums.excess], axis=-1), xp.float64)

    def gradient(self, rows: Rows, state: Array) -> Array:
        xp, sums = rows.xp, products(rows)
        if sums is not None and known(xp.all(state[..., :2] == 0)) is True:
            return sums._replace(excess=xp.astype(state[..., 2], sums.excess.dtype)).gradient()
        return element_slope(
            rows,
            (seen_from(xp, part.state, state[..., part.part, :, :]) for part in elements(rows)),
        )


def _state(xp: Namespace, sums: RowSum) -> Array:
    return xp.astype(sum_state(xp, sums), xp.float64)


def _by_slices(rows: Rows, slope: Callable[[Rows], Array]) -> Array:
    """The slopes of all samples: (*batch, samples, m)."""
    parts = [slope(_samples(rows, part)) for part in sample_slices(rows.scores)]
    return parts[0] if len(parts) == 1 else rows.xp.concat(parts, axis=-2)


def _samples(rows: Rows, part: slice) -> Rows:
    """Some samples of each grid."""
    arrays = {name: getattr(rows, name) for name in ("scores", "labels", "masked")}
    return replace(rows, **{k: x[..., part, :] for k, x in arrays.items() if x is not None})
