"""Distillation: a student with scores ``s`` learns the labels of a teacher with scores ``u``.

Both are divided by a temperature T. With ``b = 1 / T`` the student's gradient by its own scores is
of order ``b^2``, its coefficient linear in ``s - u``, whence the factor T^2 of Hinton, Vinyals and
Dean (2015, section 2):

    softmax cross-entropy   b (p(bs) - p(bu))          b^2 (d_i - mean d) / n,   d = s - u
    binary cross-entropy    b (sigma(bs) - sigma(bu))  b^2 d_i / 4
    soft ZLPR, sigma(2bu)   b (q - p)                  b^2 2 (d_i / (n + 2) - sum d / (n + 2)^2)

In each the gradient vanishes at ``s = u``, at every temperature. With ``sigma(bu)`` for its labels
soft ZLPR would learn half the teacher's scores.
"""

from __future__ import annotations

from sympy import Expr, S, Symbol, exp, log

from derive.axis import Index, array, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.labels.parts import Entries, arguments, begin, binary, cross_entropy, soft_zlpr
from derive.lattice.sums import LABELS, i, k, s
from derive.series import GRADE, at

u = array("u")
n = LABELS.size
#: ``b = 1 / T``.
COLD = Symbol("b", positive=True)


def cooled(index: Index) -> Expr:
    """``b s``: the score over the temperature, with a grade by which orders in b are told."""
    return GRADE * COLD * s[index]


def softmax_label(index: Index) -> Expr:
    """``softmax(b u)``."""
    return exp(GRADE * COLD * u[index]) / total(exp(GRADE * COLD * u[k]), k)


def sigmoid_label(index: Index) -> Expr:
    """``sigma(b u)``."""
    return 1 / (1 + exp(-GRADE * COLD * u[index]))


def doubled_label(index: Index) -> Expr:
    """``sigma(2 b u)``."""
    return 1 / (1 + exp(-2 * GRADE * COLD * u[index]))


def residual(label: Entries) -> Expr:
    """``q_i - p_i`` of soft ZLPR at the scores ``b s``."""
    below, above = arguments(label, cooled)
    return (1 - label(i)) * exp(cooled(i)) / above - label(i) * exp(-cooled(i)) / below


def derive_softmax() -> Derivation:
    """Softmax cross-entropy with the labels ``softmax(u/T)``."""
    student = exp(cooled(i)) / total(exp(cooled(k)), k)
    lead = COLD * (s[i] - u[i] - total(s[k] - u[k], k) / n) / n
    loss = cross_entropy(softmax_label, cooled)
    return _distilled("softmax", loss, student - softmax_label(i), lead)


def derive_bce() -> Derivation:
    """Binary cross-entropy with the labels ``sigma(u/T)``."""
    student = 1 / (1 + exp(-cooled(i)))
    lead, loss = COLD * (s[i] - u[i]) / 4, binary(sigmoid_label, cooled)
    return _distilled("bce", loss, student - sigmoid_label(i), lead)


def derive_zlpr() -> Derivation:
    """Soft ZLPR with the labels ``sigma(2u/T)``."""
    lead = 2 * COLD * ((s[i] - u[i]) / (n + 2) - total(s[k] - u[k], k) / (n + 2) ** 2)
    loss = soft_zlpr(doubled_label, cooled)
    return _distilled("zlpr", loss, residual(doubled_label), lead)


_TITLES = {
    "softmax": "Distillation by softmax cross-entropy at high temperature",
    "bce": "Distillation by binary cross-entropy at high temperature",
    "zlpr": "Distillation by soft ZLPR at high temperature",
}


def _distilled(name: str, loss: Expr, graded: Expr, lead: Expr) -> Derivation:
    """The gradient is b times a difference, whose first order in b is the lead."""
    value, difference = (at(expression, GRADE, S.One) for expression in (loss, graded))
    chain = begin(f"temperature-{name}", _TITLES[name], partial(value, s[i]))
    chain = chain.differentiate().to("student less teacher", COLD * difference)
    learned = difference.xreplace({s: u})
    chain = chain.lemma("nothing is left at the scores of the teacher", learned, S.Zero)
    return chain.truncate("to first order in b", graded, GRADE, lead)


def derive_teacher() -> Derivation:
    """The score at which soft ZLPR is least, for either kind of the teacher's labels."""
    chain = begin("teacher", "What soft ZLPR learns of a teacher", _best(doubled_label(i)))
    chain = chain.to("of sigma(2u/T) the scores u/T", COLD * u[i])
    return chain.lemma("of sigma(u/T) half of them", _best(sigmoid_label(i)), COLD * u[i] / 2)


def _best(label: Expr) -> Expr:
    """``logit(t) / 2``."""
    return log(at(label / (1 - label), GRADE, S.One)) / 2
