"""Domains of arrays: what they print, which points obey them, and what the prover makes of them."""

from __future__ import annotations

import pytest
from sympy import S, Symbol, exp

from derive.axis import Axis, array, total
from derive.decide import Proved, Refuted, equal, nonnegative, positive, sample_points
from derive.facts import Facts, distribution, hard_rows, open_rows, rows

SAMPLES = Axis("samples", Symbol("n", integer=True, positive=True), letters="ipqr")
CLASSES = Axis("classes", Symbol("m", integer=True, positive=True), letters="jkhl")
i, p = SAMPLES.indices("i p")
j, k = CLASSES.indices("j k")
s, t = array("s"), array("t")
KINDS = {"rows": rows(t), "open rows": open_rows(t), "hard rows": hard_rows(t)}
each_kind = pytest.mark.parametrize("facts", KINDS.values(), ids=KINDS)


def tables(facts: Facts, expression=t[i, j]):
    """The rows of t at each point that is drawn."""
    for point in sample_points((expression,), facts, 20):
        n, m = point.sizes[SAMPLES], point.sizes[CLASSES]
        yield [[point.entries["t", (row, column)] for column in range(m)] for row in range(n)]


@each_kind
def test_points_have_rows_that_sum_to_one(facts: Facts):
    for table in tables(facts):
        assert all(sum(row) == 1 and min(row) >= 0 for row in table)


def test_open_rows_have_no_zero_and_rows_have_some():
    assert all(min(row) > 0 for table in tables(open_rows(t)) for row in table)
    assert any(min(row) == 0 for table in tables(rows(t)) for row in table)


def test_hard_rows_are_one_hot():
    assert all(sorted(row)[-1] == 1 for table in tables(hard_rows(t)) for row in table)
    assert len({row.index(1) for table in tables(hard_rows(t)) for row in table}) > 1


@each_kind
def test_a_row_sums_to_one_whatever_stands_beside_it(facts: Facts):
    assert isinstance(equal(total(t[i, j], j), S.One, facts), Proved)
    size = SAMPLES.size
    assert isinstance(equal(total(total(t[i, j], j), i), size, facts), Proved)
    weighted = total(total(t[i, j] * exp(s[i, k]), j), i)
    assert isinstance(equal(weighted, total(exp(s[i, k]), i), facts), Proved)


@each_kind
def test_a_column_does_not_sum_to_one(facts: Facts):
    assert isinstance(equal(total(t[i, j], i), S.One, facts), Refuted)


@each_kind
def test_the_order_of_the_sums_does_not_matter(facts: Facts):
    by_class = total(total(t[i, j] * exp(s[i, k]), i), j)
    assert isinstance(equal(by_class, total(exp(s[i, k]), i), facts), Proved)


def test_signs_of_entries():
    assert isinstance(positive(t[i, j], open_rows(t)), Proved)
    assert isinstance(nonnegative(t[i, j], rows(t)), Proved)
    assert isinstance(positive(t[i, j], rows(t)), Refuted)
    assert isinstance(nonnegative(1 - t[i, j], rows(t)), Proved)
    # A row of one class holds a 1.
    assert isinstance(positive(1 - t[i, j], open_rows(t)), Refuted)


def test_hard_rows_are_their_own_squares():
    assert isinstance(equal(t[i, j] ** 2, t[i, j], hard_rows(t)), Proved)
    assert isinstance(equal(t[i, j] ** 2, t[i, j], rows(t)), Refuted)


def test_a_distribution_over_one_axis_is_as_before():
    assert isinstance(equal(total(t[j], j), S.One, distribution(t)), Proved)


def test_facts_are_printed_with_both_indices():
    assert rows(t).describe_text() == ("t_ij >= 0, Σ_j t_ij = 1",)
    assert open_rows(t).describe_text() == ("t_ij > 0, Σ_j t_ij = 1",)
    assert hard_rows(t).describe_text() == ("t_ij in {0, 1}, Σ_j t_ij = 1",)
    assert rows(t).describe() == (r"t_{ij} \ge 0, \; \textstyle\sum_j t_{ij} = 1",)
    assert hard_rows(t).describe() == (r"t_{ij} \in \{0, 1\}, \; \textstyle\sum_j t_{ij} = 1",)
