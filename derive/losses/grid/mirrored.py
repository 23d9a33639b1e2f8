"""Half of loss 1 and half of its mirror: one log a class, terms grouped in both ways.

    l = 1/2 sum_j log D_j + 1/2 sum_k log E_k,
    D_j = 1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij},    E_k the same sum over j != k.

Where ``a_ijk = t_ij e^{s_ik - s_ij}`` is symmetric in j and k the two sums agree, and there the
gradient vanishes: at ``t = softmax(2s)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, log

from derive.axis import Index, total
from derive.grid.sums import (
    SOFT,
    apart,
    h,
    i,
    j,
    k,
    l,
    other_class,
    p,
    t,
    term,
)
from derive.losses.grid import derivations, shares, truncated
from derive.losses.grid.derivations import Logs, squares_of, variance_of
from derive.losses.grid.shares import slope
from derive.losses.loss import SymbolicLoss

MIRROR = total(log(other_class(k)), k)
VALUE = derivations.mean_of((truncated.VALUE, MIRROR))


def other_share(sample: Index, own: Index, other: Index) -> Expr:
    """``x_ijk = a_ijk / E_k``."""
    return term(sample, own, other) / other_class(other)


def share(sample: Index, own: Index, other: Index) -> Expr:
    """``a_ijk (1 / D_j + 1 / E_k) / 2``."""
    return (truncated.share(sample, own, other) + other_share(sample, own, other)) / 2


def other_mean_slope(other: Index) -> Expr:
    """``N_k = sum_i sum_{j != k} x_ijk (v_ik - v_ij)``."""
    own = h if other != h else l
    weighted = apart(own, other) * other_share(p, own, other) * slope(p, own, other)
    return total(total(weighted, own), p)


def _mirrored_hessian() -> Expr:
    """The Hessian of ``sum_k log E_k``."""
    raised, raised_other = (
        total(apart(other, h) * other_share(sample, h, other), h)
        for sample, other in ((i, j), (p, k))
    )
    both_lowered = total(apart(j, l) * apart(k, l) * other_share(i, j, l) * other_share(p, k, l), l)
    same_log = KroneckerDelta(j, k) * raised * raised_other
    crossed = apart(j, k) * (raised * other_share(p, k, j) + other_share(i, j, k) * raised_other)
    return shares.diagonal_blocks(other_share) - both_lowered - same_log + crossed


def _kept(sample: Index, own: Index) -> Expr:
    """The share of a term of the other class k; the class k itself has none."""
    return apart(own, k) * other_share(sample, own, k)


def _slope(sample: Index, own: Index) -> Expr:
    return slope(sample, own, k)


MIRRORED_HESSIAN = _mirrored_hessian()

#: The logs of the mirror by other class, the terms of each by sample and class of the label.
MIRRORED_LOGS = Logs(
    grouping="terms grouped by the other class",
    value=MIRROR,
    hessian=MIRRORED_HESSIAN,
    indices=(k,),
    variance=variance_of((i, j), _kept, _slope),
    squares=squares_of((i, j), (p, h), other_class(k), _kept, _slope),
)
KINDS = (truncated.LOGS, MIRRORED_LOGS)


def _product() -> Expr:
    """Half of the product of each part."""
    own = shares.product(truncated.share, lambda own, other: truncated.mean_slope(own))
    mirror = shares.product(other_share, lambda own, other: other_mean_slope(other))
    return (own + mirror) / 2


LOSS: SymbolicLoss = SymbolicLoss(
    name="grid_mirrored",
    family="grid",
    formula="½ Σ_j log(1 + Σ_i Σ_{k≠j} t_ij e^(s_ik - s_ij))"
    " + ½ Σ_k log(1 + Σ_i Σ_{j≠k} t_ij e^(s_ik - s_ij))",
    labels=t,
    facts=SOFT,
    value=VALUE,
    gradient=shares.gradient(share),
    hessian=derivations.mean_of([kind.hessian for kind in KINDS]),
    hvp=_product(),
    squares=derivations.mean_of([kind.over_all(kind.squares) for kind in KINDS]),
    flat=apart(j, k) * t[i, j] * slope(i, j, k),
    indices=(i, j),
    others=(p, k),
    own_topics=derivations.matrix_topics(lambda: LOSS, KINDS),
)
