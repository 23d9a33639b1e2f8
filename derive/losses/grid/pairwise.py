"""One log for each ordered pair of classes.

    l = sum_{j != k} log P_jk,    P_jk = 1 + sum_i t_ij e^{s_ik - s_ij}

With ``w_ijk = t_ij e^{s_ik - s_ij} / P_jk`` the gradient is ``sum_{k != j} (w_ikj - w_ijk)``: that
of loss 1 with another denominator.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, log

from derive.axis import Index, total
from derive.grid.sums import SOFT, apart, i, j, k, l, p, pair, t, term, v
from derive.losses.grid import shares
from derive.losses.grid.shares import slope
from derive.losses.loss import SymbolicLoss

VALUE = total(total(apart(j, k) * log(pair(j, k)), k), j)


def share(sample: Index, own: Index, other: Index) -> Expr:
    """``w_ijk = a_ijk / P_jk``."""
    return term(sample, own, other) / pair(own, other)


def mean_slope(own: Index, other: Index) -> Expr:
    """``M_jk = sum_i w_ijk (v_ik - v_ij)``."""
    return total(share(p, own, other) * slope(p, own, other), p)


def _hessian() -> Expr:
    """Blocks of one sample less, for each pair, the outer product of its gradient."""

    def products(own: Index, other: Index) -> Expr:
        return share(i, own, other) * share(p, own, other) + share(i, other, own) * share(
            p, other, own
        )

    degree = total(apart(j, l) * products(j, l), l)
    outer = KroneckerDelta(j, k) * degree - apart(j, k) * products(j, k)
    return shares.diagonal_blocks(share) - outer


def _squares() -> Expr:
    """For each pair: the slopes against the constant term, and against one another."""
    against_null = total(share(i, j, k) / pair(j, k) * slope(i, j, k) ** 2, i)
    gap = slope(i, j, k) - slope(p, j, k)
    pairs = total(total(share(i, j, k) * share(p, j, k) * gap**2, p), i)
    return total(total(against_null + pairs / 2, k), j)


LOSS = SymbolicLoss(
    name="grid_pairwise",
    family="grid",
    formula="Σ_j Σ_{k≠j} log(1 + Σ_i t_ij e^(s_ik - s_ij))",
    labels=t,
    facts=SOFT,
    value=VALUE,
    gradient=shares.gradient(share),
    hessian=_hessian(),
    hvp=shares.product(share, mean_slope),
    squares=_squares(),
    flat=t[i, j] * (v[i, j] - v[i, k]),
    indices=(i, j),
    others=(p, k),
)
