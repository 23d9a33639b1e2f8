"""Samples that a model cannot tell apart: which loss keeps their frequencies, and which balances.

Samples with equal scores add their labels inside each log, so that a loss sees them as one sample
with the label weights ``c_j = sum_i t_ij``, such as the counts of the classes among them. Then the
pairwise loss has its minimum where ``c_j e^{-2 s_j}`` is one number, at the frequencies
``softmax(2s) = c / sum c``: a loss with this link cannot stay balanced down to its minimum.

The truncated loss has its own at ``e^{s_j} = x_j`` with

    x_j^2 / c_j + x_j sum_{k != j} x_k = 1,

from which ``(x_j - x_k) sum_{l != j, k} x_l = x_k^2 / c_k - x_j^2 / c_j``: from three classes on,
large counts leave no lead to a class, and are found in its ``D_j = c_j / x_j^2`` alone.
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, S, exp, log, sqrt

from derive.axis import Index, array, total
from derive.calculus import map_entries, partial
from derive.derivation import Derivation
from derive.facts import NOTHING_ASSUMED
from derive.grid.sums import SOFT, apart, h, i, j, k, l, own_class, pair, s, t
from derive.grid.theory import begin

#: Scores that all samples share, the label weights, and ``e^s``.
score, c, x = array("z"), array("c", positive=True), array("x", positive=True)
COUNT_J = total(t[i, j], i)


def _shared(expression: Expr) -> Expr:
    return map_entries(expression, s, lambda _, own: score[own])


def _root(own: Index, other: Index) -> Expr:
    """``sqrt(c_j) e^{(s_k - s_j)/2}``."""
    return sqrt(c[own]) * exp((score[other] - score[own]) / 2)


def derive_pairwise() -> Derivation:
    """One input with counts c: the pairwise loss settles at their frequencies."""
    title = "Samples with equal scores: the pairwise loss keeps their frequencies"
    chain = begin("frequencies-pairwise", title, _shared(pair(j, k)), SOFT)
    chain = chain.to("labels add up", 1 + COUNT_J * exp(score[k] - score[j]))
    both = (1 + _root(j, k) ** 2) * (1 + _root(k, j) ** 2)
    gap = (_root(j, k) - _root(k, j)) ** 2
    chain = chain.assuming(NOTHING_ASSUMED)
    floor = (1 + sqrt(c[j] * c[k])) ** 2
    chain = chain.lemma("a pair with its mirror image, c the sums of labels", both, floor + gap)
    chain = chain.forces("least only where", gap, _root(j, k) - _root(k, j))
    at_link = map_entries(exp(2 * score[j]), score, lambda own: log(c[own]) / 2)
    chain = chain.lemma("s = log(c)/2 has e^{2s} = c, the frequencies", at_link, c[j])
    closed = map_entries(gap, score, lambda own: log(c[own]) / 2)
    return chain.lemma("and closes the gap", closed, S.Zero)


def equation(own: Index) -> Expr:
    """``x_j^2 / c_j + x_j sum_{k != j} x_k - 1``."""
    return x[own] ** 2 / c[own] + x[own] * total(apart(own, l) * x[l], l) - 1


def _pulls(argument: Callable[[Index], Expr]) -> Expr:
    """``sum_{k != j} (c_k e^{s_j - s_k} / D_k - c_j e^{s_k - s_j} / D_j)``."""
    toward = c[k] * exp(score[j] - score[k]) / argument(k)
    away = c[j] * exp(score[k] - score[j]) / argument(j)
    return total(apart(j, k) * (toward - away), k)


def derive_truncated() -> Derivation:
    """The same input: the truncated loss has no lead for a class with more samples."""
    title = "Samples with equal scores: the truncated loss puts their counts into D"
    chain = begin("frequencies-truncated", title, _shared(own_class(j)), SOFT)
    odds = total(apart(j, h) * exp(score[h] - score[j]), h)
    chain = chain.to("labels add up", 1 + COUNT_J * odds)
    chain = chain.assuming(NOTHING_ASSUMED)

    def argument(own: Index) -> Expr:
        return 1 + c[own] * total(apart(own, l) * exp(score[l] - score[own]), l)

    at_x = map_entries(argument(j), score, lambda own: log(x[own]))
    residual = c[j] / x[j] ** 2 * equation(j)
    chain = chain.lemma("D_j = c_j / x_j^2 where x solves", at_x - c[j] / x[j] ** 2, residual)
    slope = partial(total(log(argument(k)), k), score[j])
    pulls = _pulls(argument)
    chain = chain.lemma("the gradient, a pull for each other class", slope, pulls)
    solved = map_entries(_pulls(lambda own: c[own] / x[own] ** 2), score, lambda to: log(x[to]))
    chain = chain.lemma("with these D it is 0: the minimum, as the loss is convex", solved, S.Zero)
    others = total(apart(j, l) * apart(k, l) * x[l], l)
    lead = (x[j] - x[k]) * others - x[k] ** 2 / c[k] + x[j] ** 2 / c[j]
    note = "zero, as both equations hold: the lead of a class goes to 0 as the counts grow"
    two = apart(j, k) * (equation(j) - equation(k))
    return chain.lemma("two of the equations", two, apart(j, k) * lead, note)
