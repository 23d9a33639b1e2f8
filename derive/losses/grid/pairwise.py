"""One log for each ordered pair of classes.

    l = sum_{j != k} log P_jk,    P_jk = 1 + sum_i t_ij e^{s_ik - s_ij}

With ``w_ijk = t_ij e^{s_ik - s_ij} / P_jk`` the gradient is ``sum_{k != j} (w_ikj - w_ijk)``: that
of loss 1 with another denominator.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, exp, log

from derive.axis import Index, total
from derive.derivation import Derivation
from derive.grid.sums import CLASSES, SOFT, apart, i, j, k, l, p, pair, s, t, term
from derive.losses.grid import bounds, common, derivations, shares
from derive.losses.grid.bounds import Bound
from derive.losses.grid.derivations import Logs, shown, squares_of, variance_of
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
    argument=pair(j, k),
    hessian=HESSIAN,
    indices=(j, k),
    variance=variance_of((i,), _share, _slope),
    squares=squares_of((i,), (p,), pair(j, k), _share, _slope),
    weight=apart(j, k),
)


def _rest(own: Index, other: Index) -> Expr:
    """``P_jk`` without the term of sample i."""
    return 1 + total(apart(i, p) * term(p, own, other), p)


def derive_bounds() -> Derivation:
    """``|gradient| < m - 1`` from two classes on."""
    x = exp(s[i, j])
    lowered, raised = (total(apart(j, k) * share(i, *of), k) for of in ((j, k), (k, j)))
    lacking, lacking_above = (
        total(apart(j, k) * _rest(*of) / pair(*of), k) for of in ((j, k), (k, j))
    )
    near_zero = _rest(j, k) / (x * _rest(j, k) + t[i, j] * exp(s[i, k]))
    near_one = _rest(k, j) / (_rest(k, j) / x + t[i, k] * exp(-s[i, k]))
    bracket, bracket_above = (total(apart(j, k) * part, k) for part in (near_zero, near_one))
    most = CLASSES.size - 1
    note, note_above = "t_ij > 0: every share of s_ij goes to 1", "all t_ik > 0: likewise"
    lower = Bound(most, lacking + raised, x, bracket + raised / x, note)
    upper = Bound(most, lacking_above + lowered, 1 / x, bracket_above + lowered * x, note_above)
    return bounds.derive_bounds(LOSS, lower, upper, _rest(j, k) / pair(j, k))


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
    names=shown("P", pair, (j, k), (k, j)),
    indices=(i, j),
    others=(p, k),
    own_topics={
        "bounds": derive_bounds,
        **common.topics(lambda: LOSS, S.One),
        **derivations.derivative_topics(lambda: LOSS, (LOGS,)),
    },
)
