"""The three losses that labels are made for, for any labels and any scores.

softmax cross-entropy  log sum_k e^{s_k} - sum_k t_k s_k     (labels that sum to 1)
binary cross-entropy   sum_k log(1 + e^{s_k}) - t_k s_k
soft ZLPR              log A + log B,  A = 1 + sum_k t_k e^{-s_k},  B = 1 + sum_k (1-t_k) e^{s_k}
"""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr, exp, log

from derive.axis import Index, total
from derive.derivation import Derivation
from derive.facts import NOTHING_ASSUMED, Facts
from derive.lattice.sums import k

#: An entry of labels or scores at each index.
Entries = Callable[[Index], Expr]


def begin(topic: str, title: str, start: Expr, facts: Facts = NOTHING_ASSUMED) -> Derivation:
    """An empty derivation about labels."""
    return Derivation("labels", topic, title, start, (), facts)


def cross_entropy(label: Entries, score: Entries) -> Expr:
    """Softmax cross-entropy of labels that sum to 1."""
    return log(total(exp(score(k)), k)) - total(label(k) * score(k), k)


def binary(label: Entries, score: Entries) -> Expr:
    """Binary cross-entropy, ``-t log sigma(s) - (1 - t) log sigma(-s)`` summed."""
    positive = total(label(k) * log(1 + exp(-score(k))), k)
    return positive + total((1 - label(k)) * log(1 + exp(score(k))), k)


def arguments(label: Entries, score: Entries) -> tuple[Expr, Expr]:
    """A and B of soft ZLPR."""
    a = 1 + total(label(k) * exp(-score(k)), k)
    return a, 1 + total((1 - label(k)) * exp(score(k)), k)


def soft_zlpr(label: Entries, score: Entries) -> Expr:
    """Soft ZLPR."""
    a, b = arguments(label, score)
    return log(a) + log(b)
