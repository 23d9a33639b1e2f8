"""Loss 1: one log for each class of the labels (document 000, eq. 1 to 3).

    l = sum_j log D_j,    D_j = 1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij}

is what is left of softmax cross-entropy, ``sum_j log prod_i (1 + sum_{k != j} e^{s_ik -
s_ij})^{t_ij}``, when each product is cut after its first order. With ``w_ijk = t_ij e^{s_ik -
s_ij} / D_j`` the gradient is ``sum_{k != j} (w_ikj - w_ijk)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, log

from derive.axis import Index, total
from derive.grid.sums import SOFT, apart, h, i, j, k, l, own_class, p, t, term
from derive.losses.grid import derivations, shares
from derive.losses.grid.derivations import Logs, squares_of, variance_of
from derive.losses.grid.shares import slope
from derive.losses.loss import SymbolicLoss

VALUE = total(log(own_class(j)), j)


def share(sample: Index, own: Index, other: Index) -> Expr:
    """``w_ijk = a_ijk / D_j``."""
    return term(sample, own, other) / own_class(own)


def mean_slope(own: Index) -> Expr:
    """``M_j = sum_i sum_{k != j} w_ijk (v_ik - v_ij)``."""
    other = h if own != h else l
    weighted = apart(own, other) * share(p, own, other) * slope(p, own, other)
    return total(total(weighted, other), p)


def _hessian() -> Expr:
    """Blocks of one sample less, for each log, the outer product of its gradient."""
    lowered, lowered_other = (
        total(apart(own, h) * share(sample, own, h), h) for sample, own in ((i, j), (p, k))
    )
    both_raised = total(apart(j, l) * apart(k, l) * share(i, l, j) * share(p, l, k), l)
    same_log = KroneckerDelta(j, k) * lowered * lowered_other
    crossed = apart(j, k) * (lowered * share(p, j, k) + share(i, k, j) * lowered_other)
    return shares.diagonal_blocks(share) - both_raised - same_log + crossed


HESSIAN = _hessian()


def _kept(sample: Index, other: Index) -> Expr:
    """The share of a term of class j; the class of the label itself has none."""
    return apart(j, other) * share(sample, j, other)


def _slope(sample: Index, other: Index) -> Expr:
    return slope(sample, j, other)


#: The logs by class of the label, the terms of each by sample and other class.
LOGS = Logs(
    grouping="terms grouped by the class of the label",
    value=VALUE,
    hessian=HESSIAN,
    indices=(j,),
    variance=variance_of((i, k), _kept, _slope),
    squares=squares_of((i, k), (p, h), own_class(j), _kept, _slope),
)

LOSS: SymbolicLoss = SymbolicLoss(
    name="grid_truncated",
    family="grid",
    formula="Σ_j log(1 + Σ_i Σ_{k≠j} t_ij e^(s_ik - s_ij))",
    labels=t,
    facts=SOFT,
    value=VALUE,
    gradient=shares.gradient(share),
    hessian=HESSIAN,
    hvp=shares.product(share, lambda own, other: mean_slope(own)),
    squares=LOGS.over_all(LOGS.squares),
    flat=apart(j, k) * t[i, j] * slope(i, j, k),
    indices=(i, j),
    others=(p, k),
    own_topics=derivations.matrix_topics(lambda: LOSS, (LOGS,)),
)
