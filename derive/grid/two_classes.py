"""Two classes: the truncated, the mirrored and the pairwise loss are soft ZLPR of the difference.

With the scores ``a_i`` and ``b_i`` of the two classes, ``x_i = a_i - b_i`` and ``t_i`` the label
of the first, ``D_0 = E_1 = P_01 = 1 + sum_i t_i e^{-x_i}`` and ``D_1 = E_0 = P_10`` is
``1 + sum_i (1 - t_i) e^{x_i}``. The link ``t = sigma(2x)`` of soft ZLPR is ``softmax(2s)``, and
there the class constants of the truncated loss are equal,
``D_0 = D_1 = 1 + sum_i 1 / (e^{x_i} + e^{-x_i})``: with two classes scores determine their labels.
"""

from __future__ import annotations

from sympy import Expr, exp, log

from derive.axis import Index, array, total
from derive.calculus import map_entries
from derive.derivation import Derivation
from derive.facts import soft
from derive.grid.sums import i, p
from derive.grid.theory import begin

first, second, label, x = array("a"), array("b"), array("t"), array("x")


def _logs(lead: Expr) -> Expr:
    """``log(1 + sum_i t_i e^{-lead_i}) + log(1 + sum_i (1 - t_i) e^{lead_i})``, lead at p."""
    return log(1 + total(label[p] * exp(-lead), p)) + log(1 + total((1 - label[p]) * exp(lead), p))


def _link(at: Index) -> Expr:
    return 1 / (1 + exp(-2 * x[at]))


def derive_two_classes() -> Derivation:
    """Each of the three losses, written out for two classes."""
    own = label[p] * exp(second[p] - first[p]), (1 - label[p]) * exp(first[p] - second[p])
    start = log(1 + total(own[0], p)) + log(1 + total(own[1], p))
    title = "With two classes the three losses are soft ZLPR"
    chain = begin("two-classes", title, start, soft(label), ("9158-k",))
    note = "x = a - b; D_0 = E_1 = P_01 and D_1 = E_0 = P_10, as there is one other class"
    chain = chain.to("in the lead of the first class", _logs(first[p] - second[p]), note)
    row = exp(2 * first[i]) / (exp(2 * first[i]) + exp(2 * second[i]))
    lead = map_entries(_link(i), x, lambda at: first[at] - second[at])
    chain = chain.lemma("sigma(2x) is softmax(2s)", lead, row)
    sums = 1 + total(label[p] * exp(-x[p]), p), 1 + total((1 - label[p]) * exp(x[p]), p)
    linked = [map_entries(argument, label, _link) for argument in sums]
    common = 1 + total(1 / (exp(x[p]) + exp(-x[p])), p)
    chain = chain.lemma("there D_0", linked[0], common)
    note = "softmax(2s + log D) = softmax(2s): the labels follow from the scores alone"
    return chain.lemma("and D_1 are equal", linked[1], common, note)
