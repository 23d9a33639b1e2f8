"""Hard labels: a small loss has every argmax right.

The truncated, the mirrored and the pairwise loss hold the term ``a_ijk = t_ij e^{s_ik - s_ij}``
under logs with a 1 and other terms that are not negative, and every other log is at least 0. So
each of the three is at least ``log(1 + a_ijk)`` for every sample and every two classes: the label
of a sample leads any other class by ``-log(e^l - 1)`` or more, which is positive for ``l < log 2``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log

from derive.axis import total
from derive.derivation import Derivation
from derive.facts import hard_rows
from derive.grid.sums import apart, h, i, j, k, other_class, own_class, p, pair, s, t, term
from derive.grid.theory import begin

#: How far a wrong class leads, and the lead of the label.
LEAD, MARGIN = Symbol("a", nonnegative=True), Symbol("x", real=True)
SEEN = 1 + apart(j, k) * term(i, j, k)


def _others_of_class() -> Expr:
    """The terms of ``D_j`` but that of sample i and class k."""
    kept = apart(j, h) * (1 - KroneckerDelta(p, i) * KroneckerDelta(h, k))
    return total(total(kept * term(p, j, h), h), p)


def _others_of_other() -> Expr:
    """The terms of ``E_k`` but that of sample i and class j."""
    kept = apart(h, k) * (1 - KroneckerDelta(p, i) * KroneckerDelta(h, j))
    return total(total(kept * term(p, h, k), h), p)


def _others_of_pair() -> Expr:
    """The terms of ``P_jk`` but that of sample i."""
    return total(apart(i, p) * term(p, j, k), p)


def derive_hard_labels() -> Derivation:
    """``l >= log(1 + a_ijk)`` for the three losses, and what it says about hard labels."""
    title = "With hard labels a loss below log 2 has every argmax right"
    facts = hard_rows(t)
    chain = begin("hard-labels", title, own_class(j), facts, ("9158-c", "9158-q"))
    chain = chain.to("D_j, one term apart", SEEN + _others_of_class())
    chain = chain.nonnegative("the others are not negative", _others_of_class())
    chain = chain.lemma("likewise E_k", other_class(k), SEEN + _others_of_other())
    chain = chain.nonnegative("the others", _others_of_other())
    seen = 1 + term(i, j, k)
    chain = chain.lemma("and P_jk", pair(j, k), seen + _others_of_pair())
    chain = chain.nonnegative("the others", _others_of_pair())
    note = "l >= log D_j, (log D_j + log E_k) / 2 or log P_jk, each at least log(1 + a_ijk)"
    chain = chain.nonnegative("every log is at least 0", log(own_class(j)))
    chain = chain.nonnegative("also of the other classes", log(other_class(k)))
    chain = chain.nonnegative("and of a pair", log(pair(j, k)), note)
    return _leads(chain)


def _leads(chain: Derivation) -> Derivation:
    """From the loss to the lead of the label."""
    labelled = t[i, j] * log(1 + term(i, j, k)), t[i, j] * log(1 + exp(s[i, k] - s[i, j]))
    chain = chain.lemma("at the label of the sample", *labelled)
    cost = log(1 + exp(-MARGIN))
    note = "e^l >= 1 + e^-x: the lead x of the label is at least -log(e^l - 1)"
    chain = chain.lemma("a lead x costs log(1 + e^-x)", exp(cost) - 1, exp(-MARGIN), note)
    wrong = log(1 + (exp(LEAD) - 1) / 2)
    rule = "a wrong class that leads by a >= 0 costs log 2 and more"
    chain = chain.lemma(rule, log(1 + exp(LEAD)) - log(S(2)), wrong)
    return chain.nonnegative("so l < log 2 has every argmax right", wrong)
