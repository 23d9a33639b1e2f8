"""Mixup: labels ``lambda t + (1 - lambda) u``, against the losses of ``t`` and ``u`` so mixed.

Softmax and binary cross-entropy are linear in the labels, so that mixing labels is mixing losses.
Soft ZLPR is not: the arguments of its logs are affine in the labels, and a log is concave.
"""

from __future__ import annotations

from sympy import Expr, Symbol, log

from derive.axis import Index, array
from derive.calculus import partial
from derive.derivation import Derivation
from derive.facts import distribution, soft
from derive.labels.parts import Entries, arguments, begin, binary, cross_entropy, soft_zlpr
from derive.lattice.sums import i, s, t

u = array("u")
#: The weight of t as ``a / (1 + a)``: all of (0, 1).
ODDS = Symbol("a", positive=True)


def mixed(first: Expr, second: Expr) -> Expr:
    """``lambda first + (1 - lambda) second``."""
    return (ODDS * first + second) / (1 + ODDS)


def _score(at: Index) -> Expr:
    return s[at]


def _first(at: Index) -> Expr:
    return t[at]


def _second(at: Index) -> Expr:
    return u[at]


def _label(at: Index) -> Expr:
    return mixed(t[at], u[at])


def derive_linear() -> Derivation:
    """Of both cross-entropies, values and gradients are mixed as the labels are."""
    of = cross_entropy
    chain = begin("mixup-linear", "Mixing labels is mixing losses", of(_label, _score))
    chain = chain.assuming(distribution(t, u))
    target = mixed(of(_first, _score), of(_second, _score))
    chain = chain.to("softmax cross-entropy is affine in the labels", target)
    sides = mixed(binary(_first, _score), binary(_second, _score))
    chain = chain.lemma("so is binary cross-entropy", binary(_label, _score), sides)
    slopes = (partial(binary(label, _score), s[i]) for label in (_label, _first, _second))
    mix, first, second = slopes
    return chain.lemma("and so is its gradient", mix, mixed(first, second))


def derive_zlpr() -> Derivation:
    """The arguments of the logs are mixed, not the logs; equal labels stay as they are."""
    start = soft_zlpr(_label, _score)
    chain = begin("mixup-zlpr", "Mixup in soft ZLPR", start, soft(t, u))
    first, second = arguments(_first, _score), arguments(_second, _score)
    inside = [mixed(*pair) for pair in zip(first, second, strict=True)]
    chain = chain.to("the arguments are affine in the labels", log(inside[0]) + log(inside[1]))
    return chain.lemma("the same labels twice", _mixed_loss(_first), soft_zlpr(_first, _score))


def _mixed_loss(label: Entries) -> Expr:
    return soft_zlpr(lambda at: mixed(label(at), label(at)), _score)
