"""The sums under the logs of the n x m losses, and the symbols they are written in.

Samples ``i, p, q`` run over an axis of length n, classes ``j, k, h, l`` over one of length m. Each
sample has scores ``s_ij`` and labels ``t_ij``, a row of which is a distribution over the classes.
Every ordered pair of classes of a sample has one term,

    a_ijk = t_ij e^{s_ik - s_ij},    j != k,

and the losses differ in which terms share a log: those of the label's class j in ``D_j``, those of
the other class k in ``E_k``, those of one ordered pair in ``P_jk``. The centred loss has terms of
its own, ``c_ij = t_ij e^{sbar_i - s_ij}`` with the mean score ``sbar_i`` of the sample, in ``C_j``.
"""

from __future__ import annotations

from functools import cache

from sympy import Expr, KroneckerDelta, Symbol, exp

from derive.axis import Axis, Index, array, total
from derive.facts import open_rows, rows

SAMPLES = Axis("samples", Symbol("n", integer=True, positive=True), letters="ipqr")
CLASSES = Axis("classes", Symbol("m", integer=True, positive=True), letters="jkhl")
i, p, q = SAMPLES.indices("i p q")
j, k, h, l = CLASSES.indices("j k h l")
s, t, v = array("s"), array("t"), array("v")

#: A row of labels is a distribution; a strictly soft one has no zero.
SOFT, STRICTLY_SOFT = rows(t), open_rows(t)

D_NAMES, E_NAMES, P_NAMES, C_NAMES = (array(letter) for letter in "DEPC")


# Each is asked for many times, at the same few indices.
@cache
def apart(first: Index, second: Index) -> Expr:
    """1 for two different indices, 0 for equal ones."""
    return 1 - KroneckerDelta(first, second)


@cache
def term(sample: Index, own: Index, other: Index) -> Expr:
    """``a_ijk = t_ij e^{s_ik - s_ij}``, also where j = k."""
    return t[sample, own] * exp(s[sample, other] - s[sample, own])


def _others(avoided: Index) -> tuple[Index, Index]:
    """A sample and a class to sum over, the class another one than that avoided."""
    return p, next(index for index in (h, l) if index != avoided)


@cache
def own_class(own: Index) -> Expr:
    """``D_j = 1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij}``."""
    sample, other = _others(own)
    return 1 + total(total(apart(own, other) * term(sample, own, other), other), sample)


@cache
def other_class(other: Index) -> Expr:
    """``E_k = 1 + sum_i sum_{j != k} t_ij e^{s_ik - s_ij}``."""
    sample, own = _others(other)
    return 1 + total(total(apart(own, other) * term(sample, own, other), own), sample)


@cache
def pair(own: Index, other: Index) -> Expr:
    """``P_jk = 1 + sum_i t_ij e^{s_ik - s_ij}``."""
    return 1 + total(term(p, own, other), p)


def mean_score(sample: Index) -> Expr:
    """``sbar_i``: the mean over the classes."""
    return total(s[sample, l], l) / CLASSES.size


def centred_term(sample: Index, own: Index) -> Expr:
    """``c_ij = t_ij e^{sbar_i - s_ij}``."""
    return t[sample, own] * exp(mean_score(sample) - s[sample, own])


def centred(own: Index) -> Expr:
    """``C_j = 1 + sum_i t_ij e^{sbar_i - s_ij}``."""
    return 1 + total(centred_term(p, own), p)
