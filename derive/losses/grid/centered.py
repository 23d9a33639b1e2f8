"""Loss 3: scores counted from the mean of their sample (document 000, eq. 7 and 8).

    l = sum_j log C_j,    C_j = 1 + sum_i t_ij e^{sbar_i - s_ij},    sbar_i = (1/m) sum_j s_ij

With ``w_ij = t_ij e^{sbar_i - s_ij} / C_j`` the gradient is ``(1/m) sum_k w_ik - w_ij``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, log

from derive.axis import Index, total
from derive.grid.sums import CLASSES, SOFT, centred, centred_term, h, i, j, k, l, p, q, t, v
from derive.losses.grid import derivations
from derive.losses.grid.derivations import Logs, squares_of, variance_of
from derive.losses.loss import SymbolicLoss

VALUE = total(log(centred(j)), j)
SIZE = CLASSES.size


def share(sample: Index, own: Index) -> Expr:
    """``w_ij = c_ij / C_j``."""
    return centred_term(sample, own) / centred(own)


def slope(sample: Index, own: Index) -> Expr:
    """``vbar_i - v_ij``: how fast the exponent of the term grows along v."""
    return total(v[sample, h], h) / SIZE - v[sample, own]


def mean_slope(own: Index) -> Expr:
    """``M_j = sum_i w_ij (vbar_i - v_ij)``."""
    return total(share(q, own) * slope(q, own), q)


def _hessian() -> Expr:
    """Blocks of one sample less, for each class, the outer product of its gradient."""
    same_class = KroneckerDelta(j, k)
    within = total(share(i, l), l) / SIZE**2 - (share(i, j) + share(i, k)) / SIZE
    across = total(share(i, l) * share(p, l), l) / SIZE**2
    across -= (share(i, j) * share(p, j) + share(i, k) * share(p, k)) / SIZE
    own = KroneckerDelta(i, p) * (within + same_class * share(i, j))
    return own - across - same_class * share(i, j) * share(p, j)


def _share(sample: Index) -> Expr:
    return share(sample, j)


def _slope(sample: Index) -> Expr:
    return slope(sample, j)


HESSIAN = _hessian()

#: The logs by class, the terms of each by sample.
LOGS = Logs(
    grouping="terms grouped by class",
    value=VALUE,
    hessian=HESSIAN,
    indices=(j,),
    variance=variance_of((i,), _share, _slope),
    squares=squares_of((i,), (p,), centred(j), _share, _slope),
)


def _product() -> Expr:
    deviation = share(i, j) * (slope(i, j) - mean_slope(j))
    others = share(i, l) * (slope(i, l) - mean_slope(l))
    return total(others, l) / SIZE - deviation


LOSS: SymbolicLoss = SymbolicLoss(
    name="grid_centered",
    family="grid",
    formula="Σ_j log(1 + Σ_i t_ij e^(s̄_i - s_ij))",
    labels=t,
    facts=SOFT,
    value=VALUE,
    gradient=total(share(i, l), l) / SIZE - share(i, j),
    hessian=HESSIAN,
    hvp=_product(),
    squares=LOGS.over_all(LOGS.squares),
    flat=t[i, j] * slope(i, j),
    indices=(i, j),
    others=(p, k),
    own_topics=derivations.matrix_topics(lambda: LOSS, (LOGS,)),
)
