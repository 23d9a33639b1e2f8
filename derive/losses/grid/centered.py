"""Loss 3: scores counted from the mean of their sample (document 000, eq. 7 and 8).

    l = sum_j log C_j,    C_j = 1 + sum_i t_ij e^{sbar_i - s_ij},    sbar_i = (1/m) sum_j s_ij

With ``w_ij = t_ij e^{sbar_i - s_ij} / C_j`` the gradient is ``(1/m) sum_k w_ik - w_ij``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, Rational, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import map_entries
from derive.derivation import Derivation
from derive.facts import hard_rows
from derive.grid.sums import (
    CLASSES,
    SOFT,
    STRICTLY_SOFT,
    apart,
    centred,
    centred_term,
    h,
    i,
    j,
    k,
    l,
    mean_score,
    p,
    q,
    s,
    t,
    v,
)
from derive.losses.grid import bounds, common, derivations
from derive.losses.grid.bounds import Bound
from derive.losses.grid.derivations import Logs, shown, squares_of, variance_of
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
    argument=centred(j),
    hessian=HESSIAN,
    indices=(j,),
    variance=variance_of((i,), _share, _slope),
    squares=squares_of((i,), (p,), centred(j), _share, _slope),
)


def _product() -> Expr:
    deviation = share(i, j) * (slope(i, j) - mean_slope(j))
    others = share(i, l) * (slope(i, l) - mean_slope(l))
    return total(others, l) / SIZE - deviation


# Bounds -----------------------------------------------------------------------------------------


def _rest(of: Index) -> Expr:
    """``C_j`` without the term of sample i."""
    return 1 + total(apart(i, p) * centred_term(p, of), p)


def derive_bounds() -> Derivation:
    """``|gradient| < (m - 1) / m`` from two classes on.

    As ``s_ij`` grows by x, its mean grows by ``x / m``: the term of class j has the factor
    ``e^{-x (m - 1) / m}`` and those of the other classes ``e^{x / m}``.
    """
    most = (SIZE - 1) / SIZE
    others = total(apart(j, k) * share(i, k), k) / SIZE
    lacking = total(apart(j, k) * _rest(k) / centred(k), k) / SIZE
    apart_from_mean, mean = exp(s[i, j] - mean_score(i)), exp(mean_score(i))
    near_zero = most * _rest(j) / (_rest(j) * apart_from_mean + t[i, j])
    at_mean = total(apart(j, k) * _rest(k) / (_rest(k) / mean + t[i, k] * exp(-s[i, k])), k) / SIZE
    lower = Bound(
        most,
        most * _rest(j) / centred(j) + others,
        S.One,
        apart_from_mean * near_zero
        + mean * total(apart(j, k) * t[i, k] * exp(-s[i, k]) / centred(k), k) / SIZE,
        "t_ij > 0: e^{s_ij - sbar_i} and e^{sbar_i} go to 0",
    )
    upper = Bound(
        most,
        lacking + most * share(i, j),
        S.One,
        at_mean / mean + most * t[i, j] / apart_from_mean / centred(j),
        "all t_ik > 0: e^{sbar_i} and e^{s_ij - sbar_i} go to infinity",
    )
    return bounds.derive_bounds(LOSS, lower, upper, _rest(j) / centred(j))


# Where it comes from, and where it leads ----------------------------------------------------------

LIFT, LEAD = Symbol("A", real=True), Symbol("B", real=True)
other_scores = array("u")
#: A class bound where every other letter is in reach.
g = CLASSES.index("g")


def derive_general_form() -> Derivation:
    """Loss 2 at ``f = s - sbar``, the simplest f whose sum over the classes is constant."""
    f = s[p, j] - mean_score(p)
    title = "From a sum of f that is constant"
    chain = LOSS.begin("general-form", title, total(f, j))
    chain = chain.to("the mean is taken m times", total(s[p, j], j) - SIZE * mean_score(p))
    chain = chain.to("so the sum of f over the classes is 0 (eq. 7)", S.Zero)
    general = total(log(1 + total(t[p, j] * exp(-f), p)), j)
    return chain.lemma("the general form with this f (eq. 8)", general, VALUE)


def derive_optimum() -> Derivation:
    """Stationary at ``t = softmax(s)``, for every score; convex, so that this is the minimum."""

    def linked(expression: Expr) -> Expr:
        return map_entries(expression, t, lambda at, of: exp(s[at, of]) / total(exp(s[at, h]), h))

    chain = LOSS.begin("optimum", "The minimiser t = softmax(s)", linked(LOSS.gradient))
    chain = chain.to("every class has the same log: the gradient vanishes", S.Zero)
    shift = exp(s[i, j] - mean_score(i)) / total(exp(s[i, h] - mean_score(i)), h)
    chain = chain.lemma("the mean takes no part in softmax", linked(t[i, j]), shift)
    chain = chain.assuming(STRICTLY_SOFT)
    note = "so every minimiser is log t + a constant for each row"
    chain = chain.forces("convex, flat for", LOSS.squares, slope(i, j), note)
    geometric = CLASSES.product(t[p, h] ** (1 / SIZE), h)
    at_optimum = map_entries(VALUE, s, lambda at, of: log(t[at, of]))
    minimum = SIZE * log(1 + total(geometric, p))
    return chain.lemma("minimum, with the geometric mean of each row", at_optimum, minimum)


def _free_of(entry: Expr) -> Expr:
    """``(1 - t_ij) ((m - 1) u_ij - sum_g (1 - t_ig) u_ig)``: 0 at the label, and so is the sum."""
    sample, of = entry.indices
    kept = total((1 - t[sample, g]) * other_scores[sample, g], g)
    return (1 - t[sample, of]) * ((SIZE - 1) * other_scores[sample, of] - kept)


def derive_hard_labels() -> Derivation:
    """A hard label sees its own centred score alone: a loss near 0, whatever the argmax."""
    scores = map_entries(VALUE, s, lambda *at: LIFT * t[at] + _free_of(s[at]))
    title = "Hard labels: what the loss does not see"
    chain = LOSS.begin("hard-labels", title, scores).assuming(hard_rows(t))
    near_zero = exp(-LIFT * (SIZE - 1) / SIZE)
    seen = total(log(1 + near_zero * total(t[p, j], p)), j)
    note = "as near 0 as one likes for A -> inf, with u any table"
    chain = chain.to("s_ij = A t_ij + what is 0 at the label and sums to 0", seen, note)
    rival = (LIFT * t[i, k] + _free_of(s[i, k])) - (LIFT * t[i, j] + _free_of(s[i, j]))
    of_one_class = map_entries(rival, other_scores, lambda at, of: LEAD * KroneckerDelta(of, k))
    wrong = t[i, j] * (1 - t[i, k])
    lead = wrong * (LEAD * (SIZE - 2) - LIFT)
    note = "u_ik = B at a wrong class k: with m > 2 and B > A / (m - 2) it is above the label"
    chain = chain.lemma("how far a wrong class leads", wrong * of_one_class, lead, note)
    along = map_entries(LOSS.hvp, v, lambda *at: _free_of(s[at]))
    note = "nm - 2n such directions and the n shifts: the Hessian has rank n at most, not nm - n"
    chain = chain.lemma("the Hessian maps these directions to zero", along, S.Zero, note)
    note = "so that the rank is n: the null space is where v at the label is the mean of v"
    return chain.forces("and its form is zero for no others", LOSS.squares, LOSS.flat, note)


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
    names=shown("C", centred, (j,), (k,)),
    indices=(i, j),
    others=(p, k),
    claims={
        "general-form": ("9158-7", "9158-8"),
        "optimum": ("9158-g",),
        "hard-labels": ("9158-i",),
        "two-classes": ("9158-k",),
    },
    own_topics={
        "general-form": derive_general_form,
        "optimum": derive_optimum,
        "hard-labels": derive_hard_labels,
        "bounds": derive_bounds,
        **common.topics(lambda: LOSS, Rational(1, 2)),
        **derivations.derivative_topics(lambda: LOSS, (LOGS,)),
    },
)
