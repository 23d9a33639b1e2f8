"""Losses of grids from totals of rows and columns, the own class included, for narrower results.

With e = e^s, w = t / e, and the totals r_i = sum_k e_ik, u_i = sum_k w_ik of a sample, the own
terms, e_ij w_ij = t_ij, are taken from the sums over the samples, and cancel in the gradient:

    D_j = 1 + sum_i r_i w_ij - sum_i t_ij,     E_j = 1 + sum_i u_i e_ij - sum_i t_ij

    dlog D / ds = e y - r w / D,               y_i = sum_k w_ik / D_k
    dlog E / ds = u e / E - w z,               z_i = sum_k e_ik / E_k

So all sums are products of a matrix and a vector, and nothing else passes over the grid but exp, a
quotient and some products.  How much the own terms take away is measured: where it may be seen in a
result of float32, there is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from numeric_core.grid_blocks import Grid, Sweeps
from numeric_core.lanes import Floats, class_sums, logs, row_sums, subtract

__all__ = ["mirrored", "truncated"]

SEEN = 2.0**-22
"""What is left of a sum without its own term may be this share of it: 30 of 52 digits, and the
products with vectors take two or three of these; a float32 has 24."""

ENOUGH = 2.0**-12
"""Where the range of the scores leaves this share at least, none is measured: then E may differ by
a factor of 2^10."""


def truncated(grid: Grid, gradient: Any) -> float | None:
    """sum_j log D_j; the gradient (n, m) is written, unless it is None.  None: no answer."""
    totals = _Totals(grid, both=False)
    if totals.rest < SEEN or _lost(totals.own, totals.labels):
        return None
    own = totals.own - totals.labels
    if gradient is not None:
        shares = 1.0 / (1.0 + own)
        for e, w, _, r, _, out in totals.second(gradient):
            e *= row_sums(w, shares)[:, None]
            w *= shares
            w *= r[:, None]
            subtract(e, w, out)
    return logs(own)


def mirrored(grid: Grid, gradient: Any) -> float | None:
    """(sum_j log D_j + sum_j log E_j) / 2; the gradient is written, unless it is None."""
    totals = _Totals(grid, both=True)
    if _lost(totals.own, totals.labels) or _lost(totals.other, totals.labels):
        return None
    own, other = totals.own - totals.labels, totals.other - totals.labels
    # an own term e_ij / E_j is seen beside the others, whose E may be larger
    if totals.rest * (1.0 + np.min(other)) < SEEN * (1.0 + np.max(other)):
        return None
    if gradient is not None:
        d, f = 0.5 / (1.0 + own), 0.5 / (1.0 + other)
        for e, w, (spare,), r, u, out in totals.second(gradient):
            y, z = row_sums(w, d), row_sums(e, f)
            for x, by, share, plus in ((e, u, f, y), (w, r, d, z)):
                np.multiply(by[:, None], share, out=spare)
                spare += plus[:, None]
                x *= spare
            subtract(e, w, out)
    return 0.5 * (logs(own) + logs(other))


class _Totals:
    """sum_i r_i w_ij, sum_i u_i e_ij and sum_i t_ij of all samples, each (m,), and r_i, u_i.

    rest: the least share that a sample's e have without their largest.
    """

    def __init__(self, grid: Grid, *, both: bool) -> None:
        m = grid.scores.shape[1]
        self.rest = (m - 1) * math.exp(-2.0 * grid.bound)
        self._measured = self.rest < (ENOUGH if both else SEEN)
        if self._measured:
            self.rest = 1.0
        self.own, self.other = np.zeros((2, m))
        self._labels: dict[int, Floats] = {}
        self._sweeps = Sweeps(grid, self._fill, kept=2, spare=int(both))
        self._rows = [self._add(e, w, both) for (e, w), _ in self._sweeps.first()]

    @property
    def labels(self) -> Floats:
        """sum_i t_ij."""
        sums = list(self._labels.values())
        return sums[0] if len(sums) == 1 else np.add.reduce(np.stack(sums), axis=0)

    def _fill(self, grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
        e, w = kept
        np.exp(grid.scores[part], out=e, dtype=np.float64)
        np.copyto(w, grid.labels[part])
        self._labels[part.start] = class_sums(w)
        w /= e

    def _add(self, e: Floats, w: Floats, both: bool) -> tuple[Floats, Floats | None]:
        """r and u of a block."""
        r = row_sums(e)
        self.own += class_sums(w, r)
        if self._measured:
            self.rest = min(self.rest, _least_rest(e, r))
        if not both:
            return r, None
        u = row_sums(w)
        self.other += class_sums(e, u)
        return r, u

    def second(self, gradient: Any) -> Iterator[tuple[Any, ...]]:
        """e, w, what is spare, r, u, and the block's part of the gradient."""
        blocks = self._sweeps.second(gradient)
        for ((e, w), spare, out), (r, u) in zip(blocks, self._rows, strict=True):
            yield e, w, spare, r, u, out


def _least_rest(e: Floats, r: Floats) -> float:
    """At most 1 - p of the largest share p = e / r of all samples: (1 - sum p^2) / 2 <= 1 - p."""
    squares = np.einsum("ij,ij->i", e, e)
    r = r * r
    return 0.5 * float(np.min((r - squares) / r))


def _lost(total: Floats, labels: Floats) -> bool:
    """Whether the own terms take too many digits of a class's total."""
    return bool((total - labels < SEEN * labels).any())
