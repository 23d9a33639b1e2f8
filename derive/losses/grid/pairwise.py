"""One log for each ordered pair of classes.

    l = sum_{j != k} log P_jk,    P_jk = 1 + sum_i t_ij e^{s_ik - s_ij}

With ``w_ijk = t_ij e^{s_ik - s_ij} / P_jk`` the gradient is ``sum_{k != j} (w_ikj - w_ijk)``: that
of loss 1 with another denominator.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, log

from derive.axis import Index, total
from derive.grid.sums import SOFT, apart, i, j, k, l, p, pair, t, term
from derive.losses.grid import derivations, shares
from derive.losses.grid.derivations import Logs, squares_of, variance_of
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


HESSIAN = _hessian()


def _share(sample: Index) -> Expr:
    return share(sample, j, k)


def _slope(sample: Index) -> Expr:
    return slope(sample, j, k)


#: The logs by ordered pair of classes, the terms of each by sample.
LOGS = Logs(
    grouping="terms grouped by the pair of classes",
    value=VALUE,
    hessian=HESSIAN,
    indices=(j, k),
    variance=variance_of((i,), _share, _slope),
    squares=squares_of((i,), (p,), pair(j, k), _share, _slope),
    weight=apart(j, k),
)

LOSS: SymbolicLoss = SymbolicLoss(
    name="grid_pairwise",
    family="grid",
    formula="Σ_j Σ_{k≠j} log(1 + Σ_i t_ij e^(s_ik - s_ij))",
    labels=t,
    facts=SOFT,
    value=VALUE,
    gradient=shares.gradient(share),
    hessian=HESSIAN,
    hvp=shares.product(share, mean_slope),
    squares=LOGS.over_all(LOGS.squares),
    flat=apart(j, k) * t[i, j] * slope(i, j, k),
    indices=(i, j),
    others=(p, k),
    own_topics=derivations.matrix_topics(lambda: LOSS, (LOGS,)),
)
