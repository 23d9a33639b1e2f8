"""Sums over orders: closed where a rule applies, left as they are where none does."""

from __future__ import annotations

import pytest
from sympy import Expr, S, log

from derive.coefficients import Z, coefficient, order, order_sum
from derive.decide import Proved, Refuted, Undecided, equal
from derive.facts import soft
from derive.lattice.sums import negatives, positives, t

p, q, r, d = order("p"), order("q"), order("r"), order("d")
V, W = negatives(t), positives(t)
#: ``W(1/z)``.
W_BACK = W.xreplace({Z: 1 / Z})
ENDLESS = S.Infinity


def diagonal(ahead: Expr, series: Expr = V) -> Expr:
    """``sum_q [z^q] W [z^{q + ahead}] series``."""
    return order_sum(coefficient(W, q) * coefficient(series, q + ahead), q, 0, ENDLESS)


CLOSED = {
    "diagonal": (diagonal(S.Zero), coefficient(V * W_BACK, S.Zero)),
    "beside the diagonal, as far as a symbol says": (diagonal(d), coefficient(V * W_BACK, d)),
    "a series that does not end, against one that does": (
        diagonal(d, V / (1 - Z)),
        coefficient(V * W_BACK / (1 - Z), d),
    ),
    "first term left out": (
        order_sum(coefficient(W, q) * coefficient(V, q + d), q, 1, ENDLESS),
        coefficient(V * W_BACK, d) - coefficient(V, d),
    ),
    "a sum inside a sum": (
        order_sum(coefficient(V, p) * order_sum(coefficient(W, q), q, 0, r), p, 0, r),
        coefficient(V / (1 - Z), r) * coefficient(W / (1 - Z), r),
    ),
    "a sum inside a sum, up to an order of its own": (
        order_sum(order_sum(coefficient(V, q), q, 0, p), p, 0, r),
        coefficient(V / (1 - Z) ** 2, r),
    ),
    "the geometric series at 1": (order_sum(coefficient(1 / (1 - Z), p), p, 0, 0), S.One),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closes(name: str):
    left, right = CLOSED[name]
    assert isinstance(equal(left, right, soft(t)), Proved)


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_one_off_is_refuted(name: str):
    left, right = CLOSED[name]
    assert isinstance(equal(left, right + coefficient(V, S.Zero), soft(t)), Refuted)


def test_a_sum_that_no_rule_closes_equals_itself_and_nothing_that_it_does_not_show():
    terms = order_sum(log(1 + p) * coefficient(V, p), p, 0, r)
    assert isinstance(equal(terms, order_sum(log(1 + q) * coefficient(V, q), q, 0, r)), Proved)
    other = order_sum(log(1 + p) * coefficient(V, p), p, 1, r)
    assert isinstance(equal(terms, other, soft(t)), Undecided)
