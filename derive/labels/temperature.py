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

from sympy import Expr, S, exp, log

from derive.axis import Index, array, total
from derive.calculus import partial
from derive.derivation import Derivation
from derive.labels.parts import Entries, begin, binary, cross_entropy, soft_zlpr
from derive.lattice.sums import LABELS, i, k, s
from derive.series import GRADE, first_order, second_order

u = array("u")
n = LABELS.size


def cooled(at: Index) -> Expr:
    """``b s``: the score over the temperature."""
    return GRADE * s[at]


def softmax_label(at: Index) -> Expr:
    """``softmax(b u)``."""
    return exp(GRADE * u[at]) / total(exp(GRADE * u[k]), k)


def sigmoid_label(at: Index) -> Expr:
    """``sigma(b u)``."""
    return 1 / (1 + exp(-GRADE * u[at]))


def doubled_label(at: Index) -> Expr:
    """``sigma(2 b u)``."""
    return 1 / (1 + exp(-2 * GRADE * u[at]))


def _orders(chain: Derivation, gradient: Expr, second: Expr) -> Derivation:
    """The gradient is carried out; what is its order in ``b``, and the coefficient."""
    chain = chain.differentiate().to("student less teacher", gradient)
    chain = chain.lemma("orders 0 and 1 in b vanish", first_order(gradient), S.Zero)
    return chain.lemma("order 2 in b", second_order(gradient), second)


def _at_teacher(chain: Derivation, gradient: Expr) -> Derivation:
    """At ``s = u`` there is nothing left to learn."""
    learned = gradient.xreplace({s: u})
    return chain.lemma("at the scores of the teacher", learned, S.Zero)


def derive_softmax() -> Derivation:
    """Softmax cross-entropy with the labels ``softmax(u/T)``."""
    start = partial(cross_entropy(softmax_label, cooled), s[i])
    title = "Distillation by softmax cross-entropy at high temperature"
    chain = begin("temperature-softmax", title, start)
    student = exp(cooled(i)) / total(exp(cooled(k)), k)
    gradient = GRADE * (student - softmax_label(i))
    lead = s[i] - u[i] - total(s[k] - u[k], k) / n
    return _at_teacher(_orders(chain, gradient, lead / n), gradient)


def derive_bce() -> Derivation:
    """Binary cross-entropy with the labels ``sigma(u/T)``."""
    start = partial(binary(sigmoid_label, cooled), s[i])
    title = "Distillation by binary cross-entropy at high temperature"
    chain = begin("temperature-bce", title, start)
    gradient = GRADE * (1 / (1 + exp(-cooled(i))) - sigmoid_label(i))
    return _at_teacher(_orders(chain, gradient, (s[i] - u[i]) / 4), gradient)


def derive_zlpr() -> Derivation:
    """Soft ZLPR with the labels ``sigma(2u/T)``."""
    start = partial(soft_zlpr(doubled_label, cooled), s[i])
    chain = begin("temperature-zlpr", "Distillation by soft ZLPR at high temperature", start)
    gradient = GRADE * _pulls(doubled_label)
    second = 2 * (s[i] - u[i]) / (n + 2) - 2 * total(s[k] - u[k], k) / (n + 2) ** 2
    return _at_teacher(_orders(chain, gradient, second), gradient)


def _pulls(label: Entries) -> Expr:
    """``q_i - p_i`` of soft ZLPR at the scores ``b s``."""
    below = 1 + total(label(k) * exp(-cooled(k)), k)
    above = 1 + total((1 - label(k)) * exp(cooled(k)), k)
    return (1 - label(i)) * exp(cooled(i)) / above - label(i) * exp(-cooled(i)) / below


def derive_teacher() -> Derivation:
    """The score at which soft ZLPR is least, for either kind of the teacher's labels."""
    start = _best(doubled_label(i))
    chain = begin("teacher", "What soft ZLPR learns of a teacher", start)
    chain = chain.to("of sigma(2u/T) the scores u/T", GRADE * u[i])
    return chain.lemma("of sigma(u/T) half of them", _best(sigmoid_label(i)), GRADE * u[i] / 2)


def _best(label: Expr) -> Expr:
    """``logit(t) / 2``."""
    return log(label / (1 - label)) / 2
