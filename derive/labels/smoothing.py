"""Label smoothing: what it leaves of the sum, how far apart the best scores are, and the floor.

Classes that exclude each other get ``(1 - eps) y + eps / n``, labels by themselves
``(1 - eps) y + eps / 2``. With ``eps = 1 / (1 + a)``, ``a > 0`` running over all eps in (0, 1),
these are ``(a y + 1/n) / (1 + a)`` and ``(a y + 1/2) / (1 + a)``, and the best scores are

    softmax cross-entropy   s_target - s_other = log(1 + n a) = log(1 + n (1 - eps) / eps)
    binary cross-entropy    s = +-log(1 + 2 a) = +-log((2 - eps) / eps)
    soft ZLPR               half of that, s = +-log(1 + 2 a) / 2

where soft ZLPR is ``2 log(1 + n sqrt(eps (2 - eps)) / 2)``.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, S, Symbol, exp, log, sqrt

from derive.axis import Index, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import distribution, hard
from derive.labels.parts import arguments, begin, cross_entropy, soft_zlpr
from derive.lattice.sums import LABELS, i, k, s, t

#: ``(1 - eps) / eps``.
ODDS = Symbol("a", positive=True)
c = LABELS.index("c")
n = LABELS.size
#: ``sqrt(eps (2 - eps)) / 2``.
SHARE = sqrt(1 + 2 * ODDS) / (1 + ODDS) / 2


def among(label: Expr) -> Expr:
    """``(1 - eps) y + eps / n``."""
    return (ODDS * label + 1 / n) / (1 + ODDS)


def alone(label: Expr) -> Expr:
    """``(1 - eps) y + eps / 2``."""
    return (ODDS * label + S.Half) / (1 + ODDS)


def derive_sum() -> Derivation:
    """A distribution stays one, and none of its entries is 0."""
    start = total(among(t[k]), k)
    title = "Label smoothing keeps the sum of the labels"
    chain = begin("smoothing", title, start, distribution(t)).to("the labels sum to 1", S.One)
    return chain.positive("no label is 0", among(t[i]))


def derive_gap() -> Derivation:
    """Cross-entropy is least where the target is ``log(1 + n a)`` above all others, no further."""
    residual = partial(cross_entropy(lambda at: among(_target(at)), lambda at: s[at]), s[i])
    chain = begin("smoothing-gap", "The best scores under label smoothing", residual)
    slope = exp(s[i]) / total(exp(s[k]), k) - among(_target(i))
    chain = chain.differentiate().to("prediction less label", slope)
    own, others = log(among(S.One)), log(among(S.Zero))
    gap = log(1 + n * ODDS)
    chain = chain.lemma("log t of the target less log t of another class", own - others, gap)
    exponential = 1 + n * ODDS * _target(i)
    share = exponential / total(1 + n * ODDS * _target(k), k)
    note = "the exponentials are 1 + n a for the target and 1 for all others"
    return chain.lemma("softmax with this gap is the label", share, among(_target(i)), note)


def _target(at: Index) -> Expr:
    return KroneckerDelta(at, c)


def best(at: Index) -> Expr:
    """The best score of soft ZLPR for a hard label y, written t, that was smoothed."""
    return log(1 + 2 * ODDS) * (2 * t[at] - 1) / 2


def _label(at: Index) -> Expr:
    return alone(t[at])


def derive_each() -> Derivation:
    """Binary cross-entropy is least at the log-odds of the label, soft ZLPR at half of them."""
    label = _label(i)
    title = "The best scores where each label is smoothed by itself"
    chain = begin("smoothing-each", title, log(label) - log(1 - label), hard(t))
    chain = chain.to("log-odds of the label: the best score of BCE", 2 * best(i))
    balance = label * exp(-best(i)) - (1 - label) * exp(best(i))
    return chain.lemma("at half of it both terms of soft ZLPR are equal", balance, S.Zero)


def derive_floor() -> Derivation:
    """Every label adds the same to the minimum of soft ZLPR, whatever the labels are."""
    start = soft_zlpr(_label, best)
    chain = begin("smoothing-floor", "The floor of soft ZLPR, each label smoothed", start, hard(t))
    positive, negative = arguments(_label, best)
    chain = chain.rewrite("every term of A is the same", positive, 1 + n * SHARE)
    chain = chain.rewrite("and of B", negative, 1 + n * SHARE)
    term = sqrt(_label(i) * (1 - _label(i)))
    return chain.lemma("the term is sqrt(t (1 - t))", term, SHARE)
