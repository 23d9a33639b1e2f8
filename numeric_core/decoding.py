"""Labels from scores: the class constants D at which given scores minimise loss 1.

Scores s minimise the truncated loss for the labels t_ij = softmax_j(2 s_ij + log D_j), where
D_j = 1 + sum_i t_ij sum_{k != j} e^{s_ik - s_ij}.  With

    A_ij = e^{2 s_ij},   B_ij = e^{s_ij} sum_{k != j} e^{s_ik},   c_i = 1 / sum_k A_ik D_k

the labels are t_ij = c_i A_ij D_j, and D solves m equations in m unknowns

    h_j = 1 - 1/D_j - sum_i c_i B_ij = 0,
    M_jl = dh_j / d log D_l = [j = l] / D_j + sum_i c_i^2 B_ij A_il D_l.

A solution exists for all scores (t -> D -> t maps a product of simplices into itself).  At one, M
has entries >= 0 and its rows sum to 1; the sum of sign det M over all solutions is 1, so where
det M < 0 there are at least two more.  For m = 2, B_i0 = B_i1 makes D_0 = D_1 = 1 + sum_i B_i0 /
(A_i0 + A_i1) the only one; so it is for one row, or equal rows, and any m.  For m >= 3 and many
rows it need not be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import device

from numeric_core.balancing import Floats
from numeric_core.exact import accurate_sum
from numeric_core.namespace import Array, Namespace, constant, exp, on_host

__all__ = ["Grid", "decode", "defect", "grid_of", "labels_of"]

STEPS = 300
"""Steps before giving up.  Most take 5 to 15; near a fold, where two solutions are about to meet,
some fifty."""

REACH = 2.0
"""A Newton step is cut to |v| <= 2 in log D: farther out exponentials leave their tangents."""

HALVINGS = 8

NEAR = 1e-6
"""Below this size of a Newton step the next one is at its square: two more end the iteration."""


@dataclass(frozen=True)
class Grid:
    """A and B of one grid, (n, m) each, every row divided by the square of its largest e^s."""

    xp: Namespace
    own: Array
    cross: Array

    def place(self, x: Floats) -> Array:
        """m numbers of the host, beside the grid."""
        return self.xp.asarray(x, dtype=self.own.dtype, device=device(self.own))

    @property
    def certain(self) -> float:
        """The largest |h_j| that is accepted: room for sums over n in the order of the library."""
        return 4096.0 * float(self.xp.finfo(self.own.dtype).eps)


def grid_of(xp: Namespace, scores: Array) -> Grid:
    """The arrays of one grid: (n, m), -inf where a class is masked."""
    top = xp.max(scores, axis=-1, keepdims=True)
    top = xp.where(top > -float("inf"), top, xp.zeros_like(top))
    e = exp(xp, scores - top)
    return Grid(xp, e * e, e * _others(xp, e))


def _others(xp: Namespace, e: Array) -> Array:
    """sum_{k != j} e_k for rows with a maximum of 1, which alone is summed without itself."""
    total = accurate_sum(xp, e)
    first = xp.argmax(e, axis=-1, keepdims=True)
    places = xp.arange(e.shape[-1], dtype=first.dtype, device=device(e))
    largest = places == first
    rest = accurate_sum(xp, xp.where(largest, xp.zeros_like(e), e))
    return xp.where(largest, rest, total - e)


def _weights(grid: Grid, log_constants: Floats) -> Array:
    """c_i: (n, 1); 0 for a row in which every class is masked."""
    xp = grid.xp
    total = grid.own @ grid.place(np.exp(log_constants))[:, None]
    some = total > 0
    one = constant(xp, 1.0, total)
    return xp.where(some, one / xp.where(some, total, one), xp.zeros_like(total))


def labels_of(grid: Grid, log_constants: Floats) -> Array:
    """t_ij = softmax_j(2 s_ij + log D_j): (n, m), a row of zeros where every class is masked."""
    return grid.own * grid.place(np.exp(log_constants)) * _weights(grid, log_constants)


def _shares(grid: Grid, weights: Array) -> Floats:
    """sum_i c_i B_ij: (m,)."""
    shares = grid.xp.permute_dims(grid.cross, (1, 0)) @ weights
    return np.asarray(on_host(shares)[:, 0], dtype=np.float64)


def defect(grid: Grid, log_constants: Floats) -> Floats:
    """h_j: (m,), zero at a solution."""
    return _defect(log_constants, _shares(grid, _weights(grid, log_constants)))


def _defect(log_constants: Floats, shares: Floats) -> Floats:
    """1 - 1/D - share."""
    return np.asarray(-np.expm1(-log_constants) - shares)


def _slope(grid: Grid, log_constants: Floats, weights: Array) -> Floats:
    """M of the module's text: (m, m)."""
    xp = grid.xp
    left = xp.permute_dims(grid.cross * (weights * weights), (1, 0))
    slope = np.asarray(on_host(left @ grid.own), dtype=np.float64) * np.exp(log_constants)
    places = np.arange(len(log_constants))
    slope[places, places] += np.exp(-log_constants)
    return slope


def decode(grid: Grid, start: Floats) -> Floats:
    """log D at a solution: Newton from a start, (m,) -> (m,).

    Raises RuntimeError where it finds none.
    """
    x, finishing = np.array(start), 0
    for _ in range(STEPS):
        weights = _weights(grid, x)
        shares = _shares(grid, weights)
        step = _newton_step(_slope(grid, x, weights), _defect(x, shares))
        finishing += bool(finishing or _size(step) <= NEAR)
        x = x + step if finishing else _advanced(grid, x, shares, step)
        if finishing == 3:
            break
    worst = _size(defect(grid, x))
    if not worst <= grid.certain:
        raise RuntimeError(
            f"no class constants were found from start={np.array2string(start, precision=6)} in "
            f"{STEPS} steps: the largest defect is {worst:.1e}, expected at most "
            f"{grid.certain:.1e}; try another start"
        )
    return x


def _size(x: Floats) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _newton_step(slope: Floats, wrong: Floats) -> Floats:
    """-M^{-1} h, cut to REACH; by least squares, which also has an answer where det M = 0."""
    step: Floats = np.asarray(-np.linalg.lstsq(slope, wrong, rcond=None)[0], dtype=np.float64)
    return np.asarray(step * min(1.0, REACH / max(_size(step), REACH)))


def _advanced(grid: Grid, x: Floats, shares: Floats, step: Floats) -> Floats:
    """The longest of 1, 1/2, 1/4, ... Newton steps that makes |h|^2 smaller.

    If none does, half of a step of D_j <- 1 + sum_i t_ij R_ij, which stays in a bounded box.
    """
    before = float(np.sum(_defect(x, shares) ** 2))
    for halving in range(HALVINGS):
        trial = np.maximum(x + step * 2.0**-halving, 0.0)
        if float(np.sum(defect(grid, trial) ** 2)) < before:
            return np.asarray(trial)
    return np.asarray(0.5 * (x + np.log1p(np.exp(x) * shares)))
