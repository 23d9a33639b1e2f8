"""Losses ``sum_j log C_j``, ``C_j = 1 + sum_i t_ij e^{-f_ij}``, for any function f of the scores.

Where ``t = softmax(f)`` all ``C_j`` are ``1 + sum_i 1/Z_i`` and the gradient by ``s_ik`` is

    -(1/Z_i) d(sum_j f_ij)/ds_ik / (1 + sum_i 1/Z_i):

stationary there for every f that occurs means that the sum of f over the classes is constant. It is
also enough, for a minimum over all scores: with ``x_ij = f_ij - log t_ij`` and its mean ``xbar_i``
over the classes, which depends on the sum of f alone,

    sum_j log C_j >= m log(1 + sum_i e^{-xbar_i}),

and only ``t = softmax(f)`` is equal. But with hard labels the loss sees one ``f_ij`` of a sample;
the sum binds the others only if there is but one of them.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, log

from derive.axis import Axis, Index, array, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import hard_rows
from derive.grid.sums import CLASSES, SAMPLES, h, i, j, k, l, mean_score, p, s, t
from derive.grid.theory import begin

OTHERS = Axis("other classes", Symbol("M", integer=True, positive=True), letters="oqr")
o = OTHERS.index("o")

f, x, g = array("f"), array("x"), array("g")
#: ``df_ij / ds_ik``.
slope = array("J")
W, shifted = Symbol("W", positive=True), array("Y", positive=True)
#: The value of f at every label, the sum over the classes, and how far a wrong class leads.
A, SUM, LEAD = Symbol("A", positive=True), Symbol("C", real=True), Symbol("a", nonnegative=True)
COUNT = total(t[p, j], p)


def _argument(own: Index) -> Expr:
    return 1 + total(t[p, own] * exp(-f[p, own]), p)


VALUE = total(log(_argument(j)), j)


def _partition(sample: Index) -> Expr:
    return total(exp(f[sample, h]), h)


def derive_stationarity() -> Derivation:
    """The document's way from the link to the condition, and that the condition is needed."""
    title = "Stationary at t = softmax(f): the sum of f is constant"
    start = total(partial(VALUE, f[i, j]) * slope[i, j, k], j)
    claims = ("9158-5", "9158-6", "9158-f")
    chain = begin("constant-sum", title, start, claims=claims)
    printed = total(-t[i, j] * exp(-f[i, j]) * slope[i, j, k] / _argument(j), j)
    chain = chain.to("chain rule, J the derivatives of f (eq. 5)", printed)
    linked = map_entries(printed, t, lambda *at: exp(f[at]) / _partition(at[0]))
    scale = 1 / _partition(i) / (1 + total(1 / _partition(p), p))
    of_sum = total(slope[i, j, k], j)
    chain = chain.lemma("at t = softmax(f) (eq. 6)", linked, -scale * of_sum)
    note = "so it does not depend on the scores of the sample; it may depend on the sample"
    return chain.forces("zero only where the sum of f is stationary", scale * of_sum, of_sum, note)


def mean(sample: Index) -> Expr:
    """``xbar_i``, the mean over the classes."""
    return total(x[sample, l], l) / CLASSES.size


def _whole() -> Expr:
    return 1 + total(exp(-mean(p)), p)


def _mean_apart(own: Index) -> Expr:
    """The mean of ``x_ij - xbar_i`` over the samples, ``e^{-xbar_i}`` and a 1 the weights."""
    return total(exp(-mean(p)) * (x[p, own] - mean(p)), p) / _whole()


def _above(u: Expr) -> Expr:
    return exp(u) - 1 - u


def _excess(own: Index) -> Expr:
    """``sum_e w_e (e^{u_e} - 1 - u_e)`` with weights that sum to 1."""
    apart = _mean_apart(own)
    terms = total(exp(-mean(p)) * _above(mean(p) - x[p, own] + apart), p)
    return _above(apart) / _whole() + terms / _whole()


def derive_minimum() -> Derivation:
    """A lower bound that depends on f through its sum over the classes alone."""
    argument = 1 + total(exp(-x[p, j]), p)
    start = total(log(argument), j) - CLASSES.size * log(_whole())
    title = "A constant sum of f is enough: t = softmax(f) is a minimum over all scores"
    claims = ("9158-7", "9158-g")
    names = (
        (Symbol("X_j"), _excess(j)),
        (Symbol("M_j"), _mean_apart(j)),
        (Symbol("W"), _whole()),
        (Symbol("xbar_i"), mean(i)),
        (Symbol("xbar_p"), mean(p)),
    )
    chain = begin("constant-sum-minimum", title, start, claims=claims, names=names)
    chain = _means_taken_out(chain, argument)
    gap = total(log(1 + _excess(j)), j)
    chain = chain.nonnegative("never negative", gap)
    chain = chain.forces("zero only where, for each class,", gap, _excess(j))
    chain = chain.forces("which needs that its mean is 0", _excess(j), _mean_apart(j))
    equal = mean(i) - x[i, j] + _mean_apart(j)
    note = "so f - log t is one number for all classes of a sample"
    chain = chain.forces("and every distance the mean", _excess(j), equal, note)
    return _at_the_minimum(chain)


def _means_taken_out(chain: Derivation, argument: Expr) -> Derivation:
    apart = _mean_apart(j)
    moved = exp(apart) + total(exp(apart - x[p, j]), p)
    note = "x = f - log t, so that e^-x = t e^-f"
    chain = chain.rewrite("the mean distance taken out", argument, exp(-apart) * moved, note)
    logs = total(log(moved / _whole()), j) - total(apart, j)
    chain = chain.generally("of the log", logs, {moved: shifted[j], _whole(): W})
    chain = chain.rewrite("over the classes the means cancel", total(apart, j), S.Zero)
    return chain.rewrite("the weights sum to 1", moved / _whole(), 1 + _excess(j))


def _at_the_minimum(chain: Derivation) -> Derivation:
    """What the bound is, in general and for the centred scores of loss 3."""
    linked = map_entries(exp(f[i, j]) / _partition(i), f, lambda *at: log(t[at]) + g[at[0]])
    chain = chain.lemma("there softmax(f) is t", linked, t[i, j])
    logs = total(log(t[i, l]), l)
    sums = exp(-(total(f[i, l], l) - logs) / CLASSES.size)
    geometric = CLASSES.product(t[i, l] ** (1 / CLASSES.size), l)
    apart = exp(-total(f[i, l], l) / CLASSES.size) * geometric
    chain = chain.lemma("e^-xbar, with the geometric mean of the labels", sums, apart)
    centred = total(s[i, j] - mean_score(i), j)
    note = "so the minimum of loss 3 is m log(1 + sum_i prod_j t_ij^(1/m))"
    return chain.lemma("centred scores sum to 0 (eq. 7)", centred, S.Zero, note)


def derive_hard_labels() -> Derivation:
    """Hard labels and three classes or more: a loss near 0, and every argmax wrong."""
    chosen = A * t[p, j] + (1 - t[p, j]) * g[p, j]
    loss = map_entries(VALUE, f, lambda *at: chosen.xreplace(dict(zip((p, j), at, strict=True))))
    title = "A constant sum fails on hard labels from three classes on"
    chain = begin("constant-sum-hard", title, loss, hard_rows(t), ("9158-i", "9158-j1"))
    rule = "f = A at the labels, anything elsewhere"
    chain = chain.to(rule, total(log(1 + exp(-A) * COUNT), j), "the loss does not see the rest")
    below = total(exp(-A) * COUNT - log(1 + exp(-A) * COUNT), j)
    chain = chain.lemma("counted", total(COUNT, j), SAMPLES.size)
    difference = exp(-A) * SAMPLES.size - chain.result
    chain = chain.lemma("n e^-A less the loss", difference, below)
    chain = chain.nonnegative("so the loss is at most n e^-A, as near 0 as one likes", below)
    return _rival(chain)


def _rival(chain: Derivation) -> Derivation:
    """A wrong class leads within the constant sum, if there is a third class to pay for it."""
    paid = A + 2 * A + total((SUM - 3 * A) / OTHERS.size, o)
    rule = "A at the label, 2A at a wrong class, the rest shared by the other m - 2: the sum is C"
    chain = chain.lemma(rule, paid, SUM)
    chain = chain.positive("and the wrong class leads", 2 * A - A)
    lead = A - (SUM - A), 2 * A - SUM
    chain = chain.lemma("with two classes f at the label is the lead: no conflict", *lead)
    wrong = exp(-(SUM - LEAD) / 2) - exp(-SUM / 2), exp(-SUM / 2) * (exp(LEAD / 2) - 1)
    chain = chain.lemma("where the other class leads by a, f = (C - a)/2 at the label", *wrong)
    rule = "so that one sample costs log(1 + e^(-C/2)) or more"
    return chain.nonnegative(rule, exp(-SUM / 2) * (exp(LEAD / 2) - 1))
