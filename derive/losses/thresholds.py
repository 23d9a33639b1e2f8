"""Hard labels, and the threshold 0: it is not the probability 1/2, nor near it.

Two independent labels. At ``eta_1 = 1/2`` the best score of the first has the sign of
``eta_2 - 1/2``: the other label moves it.

One label that comes with exactly one of n others, all alike (a parent and its children). With
``z = e^{s}`` of the children and ``o`` the odds of the parent, its slope at the score 0 is

    (1 + o) dl/dr = 1 / (2 + n z) - o z / (1 + 2 z).

For ``n = q^3`` and ``o = q - 2`` the children are best below ``z = q^-2``, where that is positive:
the parent is present with probability ``(q - 2) / (q - 1)``, as near to 1 as one likes, and its
best score is negative. Seen from ``1 - y`` and ``-s``, a label that is as improbable has a positive
one.
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, Rational, S, Symbol, exp, expand, log, together

from derive.axis import total
from derive.calculus import map_entries, partial, resolve
from derive.derivation import Derivation
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import HALF, LABELS, c, i, k, s

#: Any positive number.
TAIL = Symbol("a", positive=True)

# Two independent labels ---------------------------------------------------------------------------

S_1, S_2 = Symbol("s_1", real=True), Symbol("s_2", real=True)
#: ``x = e^{s_2}`` and the odds of the second label.
X, ODDS = Symbol("x", positive=True), Symbol("o", positive=True)


def risk_of_two(first: Expr, second: Expr) -> Expr:
    """The mean loss of two independent labels with these probabilities."""
    up, down = (exp(S_1), exp(S_2)), (exp(-S_1), exp(-S_2))
    return (
        first * second * log(1 + down[0] + down[1])
        + first * (1 - second) * (log(1 + down[0]) + log(1 + up[1]))
        + (1 - first) * second * (log(1 + down[1]) + log(1 + up[0]))
        + (1 - first) * (1 - second) * log(1 + up[0] + up[1])
    )


def derive_two_labels(loss: SymbolicLoss) -> Derivation:
    """Probability 1/2, and a score that is not 0: the other label decides its sign."""
    title = "Two independent labels: the threshold 0 is not the probability 1/2"
    risk = risk_of_two(HALF, ODDS / (1 + ODDS))
    chain = loss.begin("two-labels", title, _at_zero(partial(risk, S_1))).differentiate()
    first = (ODDS / (2 * X + 1) - X / (X + 2)) / (4 * (1 + ODDS))
    chain = chain.to("the slope of the first label, at s_1 = 0", first)
    near, far = 1 / (X + 1) + 1 / (X + 2), 1 / (X + 1) + 1 / (2 * X + 1)
    second = (X * near - ODDS * far) / (2 * (1 + ODDS))
    chain = chain.lemma("the slope of the second, there", _at_zero(partial(risk, S_2)), second)
    left = X * (1 - X) / (4 * (1 + ODDS) * (1 + X) * (1 + 2 * X) * (2 + X) * far)
    note = "where s_2 is best the first slope has the sign of 1 - x = 1 - e^{s_2}"
    chain = chain.to("by the slope of the second", left - second / (2 * (2 * X + 1) * far), note)
    rule = "the slope of the second at s_2 = 0: s_2 < 0 exactly where eta_2 < 1/2"
    even = Rational(5, 12) * (1 - ODDS) / (1 + ODDS)
    chain = chain.lemma(rule, second.xreplace({X: S.One}), even)
    note = "convex: a positive slope at s_1 = 0, s_2 best, puts the best s_1 below 0"
    return chain.positive("for eta_2 < 1/2", left.xreplace({X: 1 / (1 + TAIL)}), note)


def _at_zero(slope: Expr) -> Expr:
    return resolve(slope).xreplace({S_1: S.Zero, S_2: log(X)})


# A parent and its children ------------------------------------------------------------------------

PARENT = Symbol("r", real=True)
Z = Symbol("z", positive=True)
#: ``q = 3 + a``.
ROOT = 3 + TAIL


def risk_of_parent() -> Expr:
    """The parent at the given odds, and with it exactly one of n children, all alike."""
    others = total((1 - KroneckerDelta(c, k)) * exp(s[k]), k)
    present = total(log(1 + exp(-PARENT) + exp(-s[c])) + log(1 + others), c) / LABELS.size
    absent = log(1 + exp(PARENT) + total(exp(s[k]), k))
    return (ODDS * present + absent) / (1 + ODDS)


def slope_of_parent(size: Expr, odds: Expr) -> Expr:
    """Times ``1 + o``, at the score 0."""
    return 1 / (2 + size * Z) - odds * Z / (1 + 2 * Z)


def slope_of_child(size: Expr, odds: Expr) -> Expr:
    """Times ``1 + o``, at the score 0 of the parent."""
    crowd = (size - 1) * Z / (1 + (size - 1) * Z) - 1 / (1 + 2 * Z)
    return odds / size * crowd + Z / (2 + size * Z)


def derive_parent(loss: SymbolicLoss) -> Derivation:
    """Probability ``(q - 2) / (q - 1)`` and a negative score."""
    risk, n = risk_of_parent(), LABELS.size
    title = "A parent of many children: probable, and its score is negative"
    chain = loss.begin("parent", title, _alike(partial(risk, PARENT)))
    slopes = slope_of_parent(n, ODDS), slope_of_child(n, ODDS)
    chain = chain.to("the slope of the parent, at the score 0", slopes[0] / (1 + ODDS))
    rule = "the slope of a child, there"
    chain = chain.lemma(rule, _alike(partial(risk, s[i])), slopes[1] / (1 + ODDS))
    family = ROOT**3, ROOT - 2
    parent, child = slope_of_parent(*family), slope_of_child(*family)
    note = "n = q^3 children, odds q - 2, q >= 3"
    chain = chain.positive("steeper down for a larger z", _fraction(-parent.diff(Z)), note)
    chain = chain.positive("of the children steeper up", _fraction(child.diff(Z)))
    chain = _at_inverse_square(chain, "at z = q^-2 the children are to fall", child)
    return _at_inverse_square(chain, "and there, so at their best too, the parent", parent)


def _alike(slope: Expr) -> Expr:
    """At the score 0 of the parent and equal scores ``log z`` of the children."""
    equal = map_entries(resolve(slope), s, lambda _: log(Z))
    return equal.xreplace({PARENT: S.Zero})


def _fraction(expression: Expr) -> Expr:
    numerator, denominator = together(expression).as_numer_denom()
    return expand(numerator) / denominator


def _at_inverse_square(chain: Derivation, rule: str, slope: Expr) -> Derivation:
    there = slope.xreplace({Z: ROOT**-2})
    chain = chain.lemma("over one denominator", there, _fraction(there))
    return chain.positive(rule, _fraction(there))
