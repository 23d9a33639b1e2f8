"""Half of loss 1 and half of its mirror: one log a class, terms grouped in both ways.

    l = 1/2 sum_j log D_j + 1/2 sum_k log E_k,
    D_j = 1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij},    E_k the same sum over j != k.

Where ``a_ijk = t_ij e^{s_ik - s_ij}`` is symmetric in j and k the two sums agree, and there the
gradient vanishes: at ``t = softmax(2s)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, exp, log

from derive.axis import Index, total
from derive.derivation import Derivation
from derive.grid.sums import (
    CLASSES,
    SOFT,
    apart,
    h,
    i,
    j,
    k,
    l,
    other_class,
    own_class,
    p,
    s,
    t,
    term,
)
from derive.losses.grid import bounds, common, derivations, shares, truncated
from derive.losses.grid.bounds import Bound
from derive.losses.grid.derivations import Logs, shown, squares_of, variance_of
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
    argument=other_class(k),
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


# Bounds -----------------------------------------------------------------------------------------


def _rest_of_term(own: Index, other: Index) -> Expr:
    """``D_j`` without the term ``a_ijk``, j and k as given."""
    kept = (1 - KroneckerDelta(i, p) * KroneckerDelta(other, h)) * apart(own, h)
    return 1 + total(total(kept * term(p, own, h), h), p)


def _rest_of_other_term(own: Index, other: Index) -> Expr:
    """``E_k`` without the term ``a_ijk``, j and k as given."""
    kept = (1 - KroneckerDelta(i, p) * KroneckerDelta(own, h)) * apart(other, h)
    return 1 + total(total(kept * term(p, h, other), h), p)


def _over_others(summand: Expr) -> Expr:
    """The sum over every class k but j, and half of it."""
    return total(apart(j, k) * summand, k) / 2


def derive_bounds() -> Derivation:
    """``|gradient| < m / 2``: one share sum of a log by itself, m - 1 shares of the other logs."""
    x, most = exp(s[i, j]), CLASSES.size / 2
    lowered, raised = _over_others(2 * share(i, j, k)), _over_others(2 * share(i, k, j))
    others = total(apart(j, k) * exp(s[i, k]), k)
    labelled = total(apart(j, k) * t[i, k] * exp(-s[i, k]), k)
    own = 1 + total(apart(i, p) * total(apart(j, k) * term(p, j, k), k), p)
    other = 1 + total(apart(i, p) * total(apart(j, k) * term(p, k, j), k), p)
    rest, other_rest = _rest_of_term(k, j), _rest_of_other_term(j, k)
    below = Bound(
        most,
        own / own_class(j) / 2 + _over_others(other_rest / other_class(k)) + raised,
        x,
        own / (x * own + t[i, j] * others) / 2
        + _over_others(other_rest / (other_class(k) * x))
        + raised / x,
        "t_ij > 0: the terms of s_ij take all of their logs",
        _where_apart(other_class(k) * x, other_rest * x + t[i, j] * exp(s[i, k])),
    )
    above = Bound(
        most,
        other / other_class(j) / 2 + _over_others(rest / own_class(k)) + lowered,
        1 / x,
        other / (other / x + labelled) / 2 + _over_others(rest / (own_class(k) / x)) + lowered * x,
        "all t_ik > 0: likewise",
        _where_apart(own_class(k) / x, rest / x + t[i, k] * exp(-s[i, k])),
    )
    return bounds.derive_bounds(LOSS, below, above, rest / own_class(k))


def _where_apart(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """An equation that holds for two different classes."""
    return apart(j, k) * left, apart(j, k) * right


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
    names=shown("D", own_class, (j,), (k,)) + shown("E", other_class, (j,), (k,)),
    indices=(i, j),
    others=(p, k),
    own_topics={
        "bounds": derive_bounds,
        **common.topics(lambda: LOSS, S.One),
        **derivations.derivative_topics(lambda: LOSS, KINDS),
    },
)
