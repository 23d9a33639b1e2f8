"""Where loss 1 comes from: softmax cross-entropy, each product cut after its first order.

With ``u_ij = sum_{k != j} e^{s_ik - s_ij}`` the cross-entropy of n samples is
``sum_j log prod_i (1 + u_ij)^{t_ij}`` (document 000, eq. 1). Graded by z, the product of class j is
``P_j(z) = prod_i (1 + z u_ij)^{t_ij}``, and loss 1 keeps ``P_j(0) + P_j'(0) = D_j`` (eq. 2). What
is dropped is ``int_0^1 (1 - z) P_j''(z) dz`` for all scores, also where u > 1 and the binomial
series itself diverges. For hard labels it is never negative, so that loss 1 is at most the
cross-entropy; a soft label adds ``t (t - 1) u^2 / 2 <= 0``.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, log

from derive.axis import Axis, Index, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import hard_rows
from derive.grid.sums import SAMPLES, apart, h, i, j, k, own_class, p, q, s, t
from derive.losses.loss import SymbolicLoss
from derive.series import GRADE, second_order, slope

#: The classes but one, and the score of that one.
OTHERS = Axis("other classes", Symbol("M", integer=True, positive=True), letters="oqr")
o, r = OTHERS.indices("o r")
ONE_SCORE = Symbol("a", real=True)


def _odds(sample: Index, own: Index) -> Expr:
    """``u_ij = sum_{k != j} e^{s_ik - s_ij}``."""
    return total(apart(own, h) * exp(s[sample, h] - s[sample, own]), h)


def _graded() -> Expr:
    """``P_j(z) = prod_i (1 + z u_ij)^{t_ij}``."""
    return SAMPLES.product((1 + GRADE * _odds(p, j)) ** t[p, j], p)


def _second(first: Index, second: Index) -> Expr:
    """``t u`` of two different samples, or ``t (t - 1) u^2`` of one, over 2."""
    mixed = apart(first, second) * t[first, j] * _odds(first, j) * t[second, j] * _odds(second, j)
    alone = t[first, j] * (t[first, j] - 1) * _odds(first, j) ** 2
    return total(total(mixed, second), first) / 2 + total(alone, first) / 2


def cross_entropy() -> Expr:
    """``-sum_ij t_ij log softmax(s_i)_j``."""
    log_softmax = log(exp(s[p, j]) / total(exp(s[p, k]), k))
    return -total(total(t[p, j] * log_softmax, j), p)


def derive_from_softmax(loss: SymbolicLoss) -> Derivation:
    """Document 000, eq. 1 and 2, with what is dropped."""
    title = "From softmax cross-entropy, cut inside the logs"
    chain = loss.begin("from-softmax", title, cross_entropy())
    products = _graded().xreplace({GRADE: S.One})
    differences = total(total(t[p, j] * log(1 + _odds(p, j)), j), p)
    chain = chain.to("divide by the own exponential (eq. 1, line 1)", differences)
    chain = chain.to("sums of logs are logs of products (line 2)", total(log(products), j))
    chain = chain.truncate("first order (line 3, eq. 2)", _graded(), GRADE, own_class(j))
    note = (
        "the binomial series itself converges for u < 1 only, the remainder is exact for all scores"
    )
    return chain.lemma("first of the dropped orders", second_order(_graded()), _second(p, q), note)


def derive_remainder(loss: SymbolicLoss) -> Derivation:
    """For hard labels nothing negative is dropped; what a soft label drops by itself is not."""
    ratio = t[p, j] * _odds(p, j) / (1 + GRADE * _odds(p, j))
    pairs = total(total(apart(p, q) * ratio * ratio.xreplace({p: q}), q), p)
    start = slope(slope(_graded()))
    chain = loss.begin("remainder", "The sign of the remainder", start).assuming(hard_rows(t))
    chain = chain.to("second derivative in the grade, at every z", _graded() * pairs)
    note = "the remainder is int_0^1 (1 - z) P''(z) dz, so that loss 1 <= cross-entropy"
    chain = chain.nonnegative("for hard labels it is non-negative", pairs, note)
    chain = chain.assuming(loss.facts)
    alone = t[i, j] * (1 - t[i, j]) * _odds(i, j) ** 2 / (1 + GRADE * _odds(i, j)) ** 2
    own = (1 + GRADE * _odds(i, j)) ** t[i, j]
    chain = chain.lemma("a soft label by itself", slope(slope(own)), -own * alone)
    note = "with one sample loss 1 >= cross-entropy, by Bernoulli's inequality"
    return chain.nonnegative("adds nothing positive", alone, note)


def derive_general_form(loss: SymbolicLoss) -> Derivation:
    """Loss 1 as loss 2 (eq. 4): its f is a log-odds, whose sum is constant for m = 2 only."""
    f = s[p, j] - log(total(apart(j, h) * exp(s[p, h]), h))
    title = "An instance of the general form"
    chain = loss.begin("general-form", title, loss.value)
    rule = "f_ij = s_ij less the log-sum-exp of the other classes (eq. 4)"
    chain = chain.to(rule, total(log(1 + total(t[p, j] * exp(-f), p)), j))
    count, grown = OTHERS.size, exp(ONE_SCORE)
    of_one = ONE_SCORE - log(total(S.One, o))
    of_another = -log(grown + total(apart(o, r), r))
    change = partial(of_one + total(of_another, o), ONE_SCORE)
    note = "not 0 for a != 0 and three classes or more: the sum of f is not constant"
    rule = "sum of f where one class has score a, the M others 0: its slope"
    return chain.lemma(rule, change, (count - 1) * (1 - grown) / (grown + count - 1), note)
