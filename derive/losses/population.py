"""ZLPR in the mean over hard labels: which probability its best scores stand for.

Let outcome w have probability ``pi_w`` and labels ``y_wi`` in {0, 1}, and ``eta_i`` be the
probability of label i. With ``A_w = 1 + sum_k y_wk e^{-s_k}`` and
``B_w = 1 + sum_k (1 - y_wk) e^{s_k}`` the mean loss is stationary where, label by label,

    eta_i / (1 - eta_i) = e^{2 s_i} E[1/B | y_i = 0] / E[1/A | y_i = 1].

For n = 1 the right side is ``e^{s_i}``; otherwise it is neither that nor ``e^{2 s_i}``, nor between
the two: it has in it what else is present.
"""

from __future__ import annotations

from dataclasses import replace

from sympy import KroneckerDelta, Symbol, exp, log

from derive.axis import Axis, array, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import Facts
from derive.losses.loss import SymbolicLoss
from derive.losses.symbols import i, j, k, s

OUTCOMES = Axis("outcomes", Symbol("N", integer=True, positive=True), letters="wuz")
w = OUTCOMES.index("w")
y, pi = array("y"), array("pi")
FACTS = Facts(hard=frozenset({y}), distribution=frozenset({pi}))

A = 1 + total(y[w, k] * exp(-s[k]), k)
B = 1 + total((1 - y[w, k]) * exp(s[k]), k)
RISK = total(pi[w] * (log(A) + log(B)), w)
ETA = total(pi[w] * y[w, i], w)
#: ``P(y_i = 1) E[1/A | y_i = 1]`` and ``P(y_i = 0) E[1/B | y_i = 0]``.
PRESENT = total(pi[w] * y[w, i] / A, w)
ABSENT = total(pi[w] * (1 - y[w, i]) / B, w)
OTHERWISE = total(pi[w] * (1 - y[w, i]), w)
SLOPE = exp(s[i]) * ABSENT - exp(-s[i]) * PRESENT
NAMES = ((Symbol("A_w"), A), (Symbol("B_w"), B))


def derive_population(loss: SymbolicLoss) -> Derivation:
    """The exact relation of score and probability, and bounds of its factor."""
    title = "The mean loss of hard labels: scores and probabilities"
    chain = loss.begin("population", title, partial(RISK, s[i])).assuming(FACTS)
    chain = replace(chain, names=NAMES).differentiate()
    chain = chain.to("present: pulled up by 1/A; absent: pushed down by 1/B", SLOPE)
    chain = chain.lemma("the other outcomes", 1 - ETA, OTHERWISE)
    related = exp(2 * s[i]) * (ABSENT / OTHERWISE) / (PRESENT / ETA)
    rest = ETA / OTHERWISE * exp(s[i]) / PRESENT * SLOPE
    rule = "odds less e^{2s} E[1/B | y_i = 0] / E[1/A | y_i = 1], zero where the slope is"
    chain = chain.lemma(rule, ETA / OTHERWISE - related, -rest)
    slopes = total((1 - y[w, j]) * exp(s[j]) / B - y[w, j] * exp(-s[j]) / A, j)
    note = "so that E[1/A] = E[1/B] where all slopes vanish"
    chain = chain.lemma("all slopes of an outcome", slopes, 1 / A - 1 / B, note)
    return _bounds(chain)


def _bounds(chain: Derivation) -> Derivation:
    """Absent: ``1 + e^{s_i} <= B <= 1 + sum e^s``; present: likewise A."""
    here, gone = y[w, i], 1 - y[w, i]
    others = (1 - KroneckerDelta(i, k)) * (1 - y[w, k]) * exp(s[k])
    others_present = (1 - KroneckerDelta(i, k)) * y[w, k] * exp(-s[k])
    rule = "absent: B holds the own term"
    chain = chain.lemma(rule, gone * (B - 1 - exp(s[i])), gone * total(others, k))
    rule = "present: A holds the own term"
    chain = chain.lemma(rule, here * (A - 1 - exp(-s[i])), here * total(others_present, k))
    chain = chain.nonnegative("and others of B", gone * total(others, k))
    chain = chain.nonnegative("and others of A", here * total(others_present, k))
    chain = chain.nonnegative("B holds no more than all", total(exp(s[k]), k) - (B - 1))
    note = "e^s (1 + e^s) / (1 + sum_k e^{s_k}) <= odds <= e^{2s} (1 + sum_k e^{-s_k}) / (1 + e^s)"
    return chain.nonnegative("A likewise", total(exp(-s[k]), k) - (A - 1), note)
