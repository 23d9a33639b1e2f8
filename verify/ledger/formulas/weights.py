"""Soft ZLPR with a weight on every term, or with labels left out: where its minimum goes.

    l = log A + log B,   A = 1 + sum_i w_i t_i e^{-s_i},   B = 1 + sum_i u_i (1 - t_i) e^{s_i}

With ``x_i = sqrt(w_i t_i) e^{-s_i/2}`` and ``z_i = sqrt(u_i (1 - t_i)) e^{s_i/2}`` Lagrange's
identity reads ``A B = F^2 + sum (x_i - z_i)^2 + 1/2 sum_ik (x_i z_k - x_k z_i)^2`` with
``F = 1 + sum x_i z_i``, which has no scores in it. So the minimum is where
``w t e^{-s} = u (1 - t) e^s``, label by label.
"""

from __future__ import annotations

from flint import arb
from sympy import Expr, exp, log, sqrt

from derive.axis import Index, array, total
from derive.calculus import map_entries
from derive.losses.symbols import i, j, k, s, t, y
from verify.ledger.balls import Enclosure
from verify.ledger.formulas.d9064 import sigmoid

w, u = array("w", positive=True), array("u", positive=True)


def _positive(index: Index) -> Expr:
    return w[index] * t[index] * exp(-s[index])


def _negative(index: Index) -> Expr:
    return u[index] * (1 - t[index]) * exp(s[index])


A, B = 1 + total(_positive(k), k), 1 + total(_negative(k), k)
GRADIENT = _negative(i) / B - _positive(i) / A
FLOOR = 1 + total(sqrt(w[k]) * sqrt(u[k]) * sqrt(t[k] * (1 - t[k])), k)


def _roots(index: Index) -> tuple[Expr, Expr]:
    """``x`` and ``z``."""
    own = sqrt(w[index]) * sqrt(t[index]) * exp(-s[index] / 2)
    return own, sqrt(u[index]) * sqrt(1 - t[index]) * exp(s[index] / 2)


def _cross(first: Index, second: Index) -> Expr:
    return _roots(first)[0] * _roots(second)[1] - _roots(second)[0] * _roots(first)[1]


SQUARES = total((_roots(j)[0] - _roots(j)[1]) ** 2, j)
SQUARES += total(total(_cross(j, k) ** 2, k), j) / 2


def at_weighted_link(expression: Expr) -> Expr:
    """With the labels ``sigma(2s - log(w / u))``."""

    def label(index: Index) -> Expr:
        return u[index] * exp(2 * s[index]) / (w[index] + u[index] * exp(2 * s[index]))

    return map_entries(expression, t, label)


#: That label as it is printed.
WEIGHTED_LINK = sigmoid(2 * s[i] - log(w[i] / u[i]))

#: Labels that are kept have ``y = 1``, the others are left out of both sums.
KEPT_A = 1 + total(y[k] * t[k] * exp(-s[k]), k)
KEPT_B = 1 + total(y[k] * (1 - t[k]) * exp(s[k]), k)
KEPT_GRADIENT = y[i] * ((1 - t[i]) * exp(s[i]) / KEPT_B - t[i] * exp(-s[i]) / KEPT_A)
KEPT = log(KEPT_A) + log(KEPT_B)
WEIGHTED = log(A) + log(B)


def weight_of_ten() -> list[Enclosure]:
    """The best score of a label 0.2, its positive term weighted by 10."""
    weighted = (arb(10) * arb("0.2") / arb("0.8")).log() / 2
    plain = (arb("0.2") / arb("0.8")).log() / 2
    where, names = "t = 0.2 of any row, w = 10", ("best score", "threshold")
    read = 1 / (1 + (-2 * weighted).exp())
    return [
        Enclosure(where, weighted, ">", arb("0.45"), names),
        Enclosure("t = 0.2 of any row, no weight", plain, "<", arb("-0.69"), names),
        Enclosure(where, read, ">", arb("0.71"), ("sigma(2s)", "bound; t = 0.2")),
    ]
