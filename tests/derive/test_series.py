"""Truncation by a grade: first and second order, and the exact remainder."""

from __future__ import annotations

from sympy import KroneckerDelta, Product, S, exp, log

from derive.axis import array, labels_axis, total
from derive.balls import enclose
from derive.decide import Proved, Refuted, equal, sample_points
from derive.facts import hard, soft
from derive.series import GRADE, at, first_order, second_order, slope

LABELS = labels_axis()
j, k = LABELS.indices("j k")
s, t, y = array("s"), array("t"), array("y")


def graded(label):
    """``P(z) = prod (1 + z e^{-s})^t``."""
    return LABELS.product((1 + GRADE * exp(-s[k])) ** label[k], k)


def test_at_grade_zero_the_product_is_one():
    assert at(graded(t), GRADE, S.Zero) == 1
    assert not at(graded(t), GRADE, S.Zero).has(Product)
    assert at(graded(t), GRADE, S.One) == LABELS.product((1 + exp(-s[k])) ** t[k], k)


def test_first_order_is_one_plus_the_sum():
    kept = 1 + total(t[k] * exp(-s[k]), k)
    assert isinstance(equal(first_order(graded(t)), kept, soft(t)), Proved)
    wrong = 1 + total((1 - t[k]) * exp(-s[k]), k)
    assert isinstance(equal(first_order(graded(t)), wrong, soft(t)), Refuted)


def test_second_order_has_a_pair_term_and_a_binomial_term():
    pairs = (1 - KroneckerDelta(j, k)) * t[j] * t[k] * exp(-s[j] - s[k])
    mixed = total(total(pairs, k), j) / 2
    squares = total(t[k] * (t[k] - 1) / 2 * exp(-2 * s[k]), k)
    assert isinstance(equal(second_order(graded(t)), mixed + squares, soft(t)), Proved)
    assert isinstance(equal(second_order(graded(t)), mixed, soft(t)), Refuted)
    assert isinstance(equal(second_order(graded(y)), mixed.xreplace({t: y}), hard(y)), Proved)


def test_slope_is_the_derivative_at_every_grade():
    closed = total(t[k] * exp(-s[k]) / (1 + GRADE * exp(-s[k])), k)
    assert isinstance(equal(slope(graded(t)), graded(t) * closed, soft(t)), Proved)


def test_a_sum_has_its_orders_too():
    logarithm = log(1 + GRADE * total(t[k] * exp(s[k]), k))
    assert isinstance(equal(first_order(logarithm), total(t[k] * exp(s[k]), k), soft(t)), Proved)


def test_first_order_bounds_the_product_for_hard_labels():
    """``P(1) - P(0) - P'(0) >= 0`` at points: what truncation drops is not negative."""
    dropped = at(graded(y), GRADE, S.One) - first_order(graded(y))
    for point in sample_points((dropped,), hard(y), 8):
        assert not enclose(dropped, point, 128) < 0, point.describe()
