"""Losses of grids in NumPy: two sweeps over the samples, a block of them at a time, in float64.

The formulas are those of `numeric_core.moderate`.  With e = e^s, w = t e^{-s}, and o(x) for the sum
of a sample's classes without the own one,

    first sweep     D_j = 1 + sum_i w_ij o(e)_ij,   E_j = 1 + sum_i e_ij o(w)_ij,
                    C_j = 1 + sum_i c_ij,   c_ij = t_ij e^{mean_k s_ik - s_ij},
                    P_jk = 1 + sum_i w_ij e_ik   (j != k)
    second sweep    dlog D / ds = e o(w / D) - w o(e) / D,   dlog E / ds = e o(w) / E - w o(e / E),
                    dlog C / ds = mean_j p_ij - p_ij,   p = c / C,
                    dlog P / ds = e (w Q) - w (e Q^T),   Q = 1 / P off the diagonal

No exponent is shifted, so exp has an exact argument, but for that of `centered`.  A value is a sum
of terms with a handful of roundings each (measured: 0.6 ulp), also in float64.  A component of the
gradient has some eight roundings on either side of its difference, up to 8 ulp: so gradients are
for results of float32 and half precision, of whose digits nothing is lost; those of float64 are
`numeric_core.fine` and `fine_pairs`.  Where own terms may stay in the sums,
`numeric_core.grid_totals` is as good and takes half the time.

The range is not looked up: an operation that loses digits by underflow, or overflows, ends the
sweep, and the grid goes the careful way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import is_numpy_array

from numeric_core import grid_totals, kernels
from numeric_core.grid_blocks import Grid, Sweeps
from numeric_core.lanes import Floats, PlainTotal, Total, logs, row_sums, subtract
from numeric_core.rows import Rows

__all__ = [
    "centered",
    "mirrored",
    "pairwise",
    "swept",
    "truncated",
]

COMPILED = 1 << 14
"""Scores, or pairs of them, from which on a grid goes to a kernel: float64 takes 0.4 ms here."""

NARROW = 32
"""Classes from which on a float32 grid does: 10^5 x 10 take a kernel 22 ns a score, and 14 here,
as do all products of matrices."""

LARGE = 1 << 8
"""Scores from which on a grid of a batch, or of float64, is worth sweeps of its own."""

PAIR_REACH = 150.0
"""The same where BLAS may compute in threads of its own, which tell of no underflow.  For labels
of float32 the smallest factor is w Q >= 1e-45 e^{-150} / (n e^{300}), 1e-240 / n: no subnormal."""

REACH = 300.0
"""The largest |s| that is tried: e^{2 s} is a float64."""


Sweep: TypeAlias = Callable[[Grid, Any], float | None]
"""The value of a grid; the gradient is written, unless it is None; None: no answer."""


def swept(rough: Sweep, fine: Sweep | None, rows: Rows, gradient: bool) -> tuple[Any, Any] | None:
    """Value (*batch,) in float64 and gradient, or None; None instead where grids go other ways.

    rough: one of `truncated`, `mirrored`, `centered`, `pairwise`; fine: what has float64 gradients,
    and the values of `pairwise` and `centered`; None for a loss that is all for narrower results.
    """
    s, t = rows.scores, rows.labels
    if not is_numpy_array(s) or rows.masked is not None or not rows.bound <= REACH:
        return None
    exact = rows.dtype.itemsize == 8  # of either byte order
    *batch, n, m = s.shape
    if not batch and (found := _compiled(rough.__name__, rows, gradient)) is not None:
        return found
    if (exact or batch) and (n * m < LARGE or (exact and fine is None)):
        return None
    in_digits = exact and (gradient or rough in (centered, pairwise))
    s, t = s.reshape(-1, n, m), t.reshape(-1, n, m)
    value = np.empty(len(s))
    out = np.empty(s.shape, rows.dtype) if gradient else None
    try:
        with np.errstate(all="raise"):
            for i in range(len(s)):
                sweep = rough if fine is None or not in_digits else fine
                grid = Grid(s[i], t[i], exact, rows.bound)
                answer = sweep(grid, None if out is None else out[i])
                if answer is None:
                    return None
                value[i] = answer
    except FloatingPointError:
        return None
    return value.reshape(batch), None if out is None else out.reshape(rows.scores.shape)


def _compiled(name: str, rows: Rows, gradient: bool) -> tuple[Any, Any] | None:
    """From the kernels `grid` and `pairs`, for one large grid, where Numba is; else None."""
    s, m, in_pairs = rows.scores, rows.scores.shape[-1], name == "pairwise"
    if s.dtype != rows.dtype or not s.dtype.isnative:
        return None
    if s.dtype == np.float32 and (in_pairs or m < NARROW):
        return None
    if s.size * (m if in_pairs else 1) < COMPILED:
        return None
    if type(s) is not np.ndarray or type(rows.labels) is not np.ndarray or not kernels.used():
        return None
    from numeric_core.kernels import grid, pairs  # imports Numba

    module = pairs if in_pairs else grid
    if rows.bound > module.REACH:
        return None
    found: tuple[Any, Any] | None = module.value_and_gradient(name, s, rows.labels, gradient)
    return found if found is None else (np.asarray(found[0]), found[1])


def truncated(grid: Grid, gradient: Any) -> float:
    """sum_j log D_j; the gradient (n, m) is written, unless it is None."""
    if not grid.exact and (value := grid_totals.truncated(grid, gradient)) is not None:
        return value
    sweeps = Sweeps(grid, _own, kept=3, spare=2)
    own = Total()
    for (_, w, o), (a, _) in sweeps.first():
        own.add(np.multiply(w, o, out=a))
    excess = own.rounded()
    if gradient is not None:
        norm = 1.0 + excess
        for (e, w, o), (c, up), out in sweeps.second(gradient):
            np.divide(w, norm, out=c)
            grid.others(c, up)
            up *= e
            c *= o
            subtract(up, c, out)
    return logs(excess)


def _own(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """e, w, o(e)."""
    e, w, o = kept
    grid.factors(part, e, w)
    grid.others(e, o)


def mirrored(grid: Grid, gradient: Any) -> float:
    """(sum_j log D_j + sum_j log E_j) / 2; the gradient is written, unless it is None."""
    if not grid.exact and (value := grid_totals.mirrored(grid, gradient)) is not None:
        return value
    sweeps = Sweeps(grid, _both, kept=4, spare=3)
    own, other = Total(), Total()
    for (e, w, o, q), (a, _, _) in sweeps.first():
        own.add(np.multiply(w, o, out=a))
        other.add(np.multiply(e, q, out=a))
    d, f = own.rounded(), other.rounded()
    if gradient is not None:
        # halves of D and of E: a division less
        two_d, two_e = 2.0 + 2.0 * d, 2.0 + 2.0 * f
        for (e, w, o, q), (c, up, down), out in sweeps.second(gradient):
            grid.others(np.divide(w, two_d, out=c), up)
            up += np.divide(q, two_e, out=c)
            up *= e
            grid.others(np.divide(e, two_e, out=c), down)
            down += np.divide(o, two_d, out=c)
            down *= w
            subtract(up, down, out)
    return 0.5 * (logs(d) + logs(f))


def _both(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """e, w, o(e), o(w)."""
    e, w, o, q = kept
    grid.factors(part, e, w)
    grid.others(e, o)
    grid.others(w, q)


def centered(grid: Grid, gradient: Any) -> float:
    """sum_j log C_j; the gradient is written, unless it is None."""
    sweeps = Sweeps(grid, _below_mean, kept=1, spare=0)
    total = Total() if grid.exact else PlainTotal()
    for (c,), _ in sweeps.first():
        total.add(c)
    excess = total.rounded()
    if gradient is not None:
        inverse, m = 1.0 / (1.0 + excess), excess.size
        for (p,), _, out in sweeps.second(gradient):
            p *= inverse
            subtract((row_sums(p) / m)[:, None], p, out)
    return logs(excess)


def _below_mean(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """c = t e^{mean - s}."""
    (c,) = kept
    np.copyto(c, grid.scores[part])
    np.subtract((row_sums(c) / c.shape[1])[:, None], c, out=c)
    np.exp(c, out=c)
    c *= grid.labels[part]


def pairwise(grid: Grid, gradient: Any) -> float:
    """sum_{j != k} log P_jk; the gradient is written, unless it is None."""
    if np.max(np.abs(grid.scores)) > PAIR_REACH:
        raise FloatingPointError("out of the range in which no product underflows")
    sweeps = Sweeps(grid, _factors, kept=2, spare=2)
    products = (w.T @ e for (e, w), _ in sweeps.first())
    excess: Floats = sum(products, start=np.zeros(2 * grid.scores.shape[1:]))
    np.fill_diagonal(excess, 0.0)
    if gradient is not None:
        q = 1.0 / (1.0 + excess)
        np.fill_diagonal(q, 0.0)
        for (e, w), (up, down), out in sweeps.second(gradient):
            np.matmul(w, q, out=up)
            np.matmul(e, q.T, out=down)
            up *= e
            down *= w
            subtract(up, down, out)
    return float(np.sum(np.log1p(excess)))


def _factors(grid: Grid, part: slice, kept: Floats, spare: Floats) -> None:
    """e, w."""
    grid.factors(part, *kept)
