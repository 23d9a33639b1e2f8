"""The symbols that every loss is written in, and the parts that several losses share.

Labels ``i, j, k`` run over one axis of length ``n``; ``s`` are scores, ``t`` soft labels, ``y``
hard labels, ``v`` the vector of a Hessian-vector product, ``c`` the class of a one-hot label.
"""

from __future__ import annotations

from sympy import Expr, IndexedBase, Rational, Symbol, exp, log

from derive.axis import Index, array, labels_axis, total
from derive.calculus import replace_index

LABELS = labels_axis()
i, j, k, c = LABELS.indices("i j k c")
s, t, y, v = array("s"), array("t"), array("y"), array("v")

HALF = Rational(1, 2)
#: Names of the sums under the logs, used when a derivation is shown.
A_NAME, B_NAME, Z_NAME = Symbol("A"), Symbol("B"), Symbol("Z")
#: The score of a threshold class.
S0 = Symbol("s_0", real=True)


def at_index(expression: Expr, target: Index, source: Index = i) -> Expr:
    """The entry-wise expression, written at ``source``, at another index."""
    return replace_index(expression, source, target)


def sigmoid(x: Expr) -> Expr:
    """``sigma(x) = 1 / (1 + e^{-x})``."""
    return 1 / (1 + exp(-x))


def bce_value(label: IndexedBase) -> Expr:
    """Binary cross-entropy, ``-sum t log sigma(s) - sum (1 - t) log(1 - sigma(s))`` (001 eq. 3)."""
    positive = -total(label[k] * log(sigmoid(s[k])), k)
    return positive - total((1 - label[k]) * log(1 - sigmoid(s[k])), k)


def mean(weight: Expr) -> Expr:
    """``sum_j w_j v_j`` for a weight written at ``i``."""
    return total(at_index(weight, j) * v[j], j)


def spread(weight: Expr) -> Expr:
    """``1/2 sum_jk w_j w_k (v_j - v_k)^2``: a variance written as squares; weight at ``i``."""
    pairs = at_index(weight, j) * at_index(weight, k) * (v[j] - v[k]) ** 2
    return total(total(pairs, k), j) / 2
