"""Loss 1: one log for each class of the labels (document 000, eq. 1 to 3).

    l = sum_j log D_j,    D_j = 1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij}

is what is left of softmax cross-entropy, ``sum_j log prod_i (1 + sum_{k != j} e^{s_ik -
s_ij})^{t_ij}``, when each product is cut after its first order. With ``w_ijk = t_ij e^{s_ik -
s_ij} / D_j`` the gradient is ``sum_{k != j} (w_ikj - w_ijk)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, exp, log

from derive.axis import Index, total
from derive.derivation import Derivation
from derive.grid.sums import CLASSES, SOFT, apart, h, i, j, k, l, own_class, p, s, t, term
from derive.losses.grid import bounds, common, derivations, origin, shares
from derive.losses.grid.bounds import Bound
from derive.losses.grid.derivations import Logs, shown, squares_of, variance_of
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
    argument=own_class(j),
    hessian=HESSIAN,
    indices=(j,),
    variance=variance_of((i, k), _kept, _slope),
    squares=squares_of((i, k), (p, h), own_class(j), _kept, _slope),
)


def _rest_of_class() -> Expr:
    """``D_j`` without the terms of sample i."""
    return 1 + total(apart(i, p) * total(apart(j, k) * term(p, j, k), k), p)


def _rest_of_term() -> Expr:
    """``D_k`` without the term ``a_ikj``: what it holds is free of ``s_ij`` where k is not j."""
    kept = (1 - KroneckerDelta(i, p) * KroneckerDelta(j, h)) * apart(k, h)
    return 1 + total(total(kept * term(p, k, h), h), p)


def _where_apart(sides: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
    """An equation that holds for two different classes."""
    return apart(j, k) * sides[0], apart(j, k) * sides[1]


def derive_bounds() -> Derivation:
    """``-1 < gradient < m - 1`` from two classes on."""
    lowered = total(apart(j, k) * share(i, j, k), k)
    raised = total(apart(j, k) * share(i, k, j), k)
    others = total(apart(j, k) * exp(s[i, k]), k)
    x, own, rest = exp(s[i, j]), _rest_of_class(), _rest_of_term()
    near_zero = own / (x * own + t[i, j] * others) + raised / x
    near_one = apart(j, k) * rest / (own_class(k) / x)
    grown = (own_class(k) / x, rest / x + t[i, k] * exp(-s[i, k]))
    below, above = (
        "t_ij > 0: all terms of sample i in D_j grow, and its share of the log goes to 1",
        "all t_ik > 0: in each other log the term that holds s_ij goes to share 1",
    )
    lower = Bound(S.One, own / own_class(j) + raised, x, near_zero, below)
    distance = total(apart(j, k) * rest / own_class(k), k) + lowered
    bracket = total(near_one, k) + lowered * x
    upper = Bound(CLASSES.size - 1, distance, 1 / x, bracket, above, _where_apart(grown))
    return bounds.derive_bounds(LOSS, lower, upper, rest / own_class(k))


def derive_gradient() -> Derivation:
    """Shares that raise the score less shares that lower it, and as document 000 prints it."""
    chain = derivations.derive_gradient(LOSS)
    others = total(apart(j, k) * exp(s[i, k]), k)
    own = -t[i, j] * exp(-s[i, j]) * others / own_class(j)
    raised = t[i, k] * exp(-s[i, k]) * exp(s[i, j]) / own_class(k)
    return chain.lemma("as printed (eq. 3)", LOSS.gradient, own + total(apart(j, k) * raised, k))


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
    names=shown("D", own_class, (j,), (k,)),
    indices=(i, j),
    others=(p, k),
    claims={
        "from-softmax": ("9158-1a", "9158-1b", "9158-1c", "9158-2"),
        "gradient": ("9158-3",),
        "general-form": ("9158-e", "9158-4"),
        "two-classes": ("9158-k",),
    },
    own_topics={
        "from-softmax": lambda: origin.derive_from_softmax(LOSS),
        "remainder": lambda: origin.derive_remainder(LOSS),
        "general-form": lambda: origin.derive_general_form(LOSS),
        "bounds": derive_bounds,
        **common.topics(lambda: LOSS, S.One),
        **derivations.derivative_topics(lambda: LOSS, (LOGS,)),
        "gradient": derive_gradient,
    },
)
