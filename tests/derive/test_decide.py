"""Decisions: three answers, counterexamples that separate, points that obey what is assumed."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from flint import arb
from sympy import Expr, IndexedBase, KroneckerDelta, Rational, S, Symbol, exp, log, sqrt

from derive import decide
from derive.axis import Axis, array, labels_axis, total
from derive.balls import enclose
from derive.decide import (
    LENGTHS,
    POINTS_A_LENGTH,
    Proved,
    Refuted,
    Undecided,
    equal,
    nonnegative,
    positive,
    sample_points,
)
from derive.facts import NOTHING_ASSUMED, distribution, hard, soft, strictly_soft

LABELS = labels_axis()
i, j, k = LABELS.indices("i j k")
s, t, y = array("s"), array("t"), array("y")
n = LABELS.size
ROOT = Path(__file__).parents[2]


def distinct_triples() -> Expr:
    """A sum over three different labels: zero for n = 1 and 2 only."""
    term = exp(s[i] + s[j] + s[k])
    for pair in combinations((i, j, k), 2):
        term *= 1 - KroneckerDelta(*pair)
    for index in (i, j, k):
        term = total(term, index)
    return term


def test_proved_says_how():
    decision = equal(total(exp(s[k]), k), total(exp(s[j]), j))
    assert isinstance(decision, Proved)
    assert str(decision) == "proved (normal form)"
    assert str(positive(exp(s[i]))) == "proved (sign rules)"


REFUTED = {
    "sign": (exp(s[i]), -exp(s[i]), NOTHING_ASSUMED),
    "factor": (total(s[k], k), 2 * total(s[k], k), NOTHING_ASSUMED),
    "index": (s[i] * total(s[k], k), s[j] * total(s[k], k), NOTHING_ASSUMED),
    "true for n = 1": (total(s[k], k) ** 2, total(s[k] ** 2, k), NOTHING_ASSUMED),
    "true for n <= 2": (distinct_triples(), S.Zero, NOTHING_ASSUMED),
    "true for hard labels": (t[i] ** 2, t[i], soft(t)),
    "true but for the last digits": (s[i] + Rational(1, 10**100), s[i], NOTHING_ASSUMED),
}


@pytest.mark.parametrize("name", REFUTED)
def test_a_refutation_separates_the_sides(name: str):
    left, right, facts = REFUTED[name]
    decision = equal(left, right, facts)
    assert isinstance(decision, Refuted)
    found = decision.counterexample
    again = [enclose(side, found.point, decide.PRECISIONS[-1]) for side in (left, right)]
    assert not again[0].overlaps(again[1])
    assert found.left is not None
    assert found.left.overlaps(again[0])
    assert "left" in str(decision)


def test_a_statement_true_for_two_labels_is_refuted_at_three():
    decision = equal(distinct_triples(), S.Zero)
    assert isinstance(decision, Refuted)
    assert decision.counterexample.point.sizes[LABELS] == 3


def test_undecided_says_what_was_tried():
    x = exp(s[k])
    split = total(1 / (1 + x), k) - total(1 / (2 + x), k)
    decision = equal(total(1 / ((1 + x) * (2 + x)), k), split)
    assert isinstance(decision, Undecided)
    assert "normal form" in str(decision)
    assert str(POINTS_A_LENGTH) in str(decision)


def test_signs_have_the_same_three_answers():
    hidden_square = s[i] ** 2 - 2 * s[i] * s[j] + s[j] ** 2
    assert isinstance(nonnegative((s[i] - s[j]) ** 2), Proved)
    assert isinstance(nonnegative(s[i]), Refuted)
    assert isinstance(nonnegative(hidden_square), Undecided)
    assert isinstance(positive(1 + s[i] ** 2), Proved)
    assert isinstance(positive((s[i] - s[j]) ** 2), Refuted)  # zero where i = j
    assert isinstance(positive(1 + hidden_square), Undecided)


def test_zero_refutes_positive_and_not_nonnegative():
    assert isinstance(positive(t[i], soft(t)), Refuted)
    assert isinstance(nonnegative(t[i], soft(t)), Proved)


def test_one_side_without_a_value_is_a_counterexample():
    decision = equal(log(s[i] ** 2), 2 * log(s[i]))
    assert isinstance(decision, Refuted)
    assert decision.counterexample.right is None
    assert "undefined" in str(decision)


def test_both_sides_without_a_value_are_no_verdict():
    """``y log y`` has no value at a hard label of 0, on either side: such a point says nothing."""
    decision = equal(y[i] * log(y[i]) + s[i], s[i] + y[i] * log(y[i]), hard(y))
    assert isinstance(decision, Proved)


def test_the_logarithm_of_a_negative_is_refuted_where_the_other_side_is_defined():
    decision = equal(log(-exp(s[i])), s[i])
    assert isinstance(decision, Refuted)
    assert decision.counterexample.left is None


def test_every_statement_is_examined_before_it_is_proved(monkeypatch: pytest.MonkeyPatch):
    """A prover that says yes to everything is caught by the points."""
    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: True)
    monkeypatch.setattr(decide, "is_nonnegative", lambda expression, facts: True)
    assert isinstance(equal(s[i], s[j]), Refuted)
    assert isinstance(equal(total(s[k] ** 2, k), total(s[k], k) ** 2), Refuted)
    assert isinstance(nonnegative(s[i]), Refuted)


def test_what_is_believed_is_examined_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: True)
    assert isinstance(equal(s[i], s[j], believed=True), Refuted)
    squares = total(s[k] ** 2, k), total(s[k], k) ** 2
    assert isinstance(equal(*squares, believed=True), Refuted)


def test_an_equation_is_proved_as_an_instance_or_by_itself():
    instance = log(exp(s[i])), s[i] + total(t[k], k) - total(t[k], k)
    assert isinstance(equal(*instance, general=(s[j] + t[i], t[i] + s[j])), Proved)
    assert isinstance(equal(*instance, general=(s[i], t[i])), Proved)
    assert isinstance(equal(s[i], s[j], general=(t[i], t[i])), Refuted)


def test_a_prover_that_fails_leaves_true_statements_undecided(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decide, "vanishes", lambda expression, facts: False)
    assert isinstance(equal(exp(s[i]) ** 2, exp(2 * s[i]) + s[j] - s[j]), Undecided)


# The points ------------------------------------------------------------------------------------


def values_at(array_: IndexedBase, facts) -> list[list[Rational]]:
    points = sample_points((array_[i] + s[j],), facts, 12)
    name = str(array_)
    return [
        [value for (base, _), value in point.entries.items() if base == name] for point in points
    ]


def test_points_obey_the_facts():
    assert all(0 <= x <= 1 for row in values_at(t, soft(t)) for x in row)
    assert all(0 < x < 1 for row in values_at(t, strictly_soft(t)) for x in row)
    assert {x for row in values_at(y, hard(y)) for x in row} == {S.Zero, S.One}
    assert all(sum(row) == 1 for row in values_at(t, distribution(t)))
    assert any(x in (0, 1) for row in values_at(t, soft(t)) for x in row), "the edges are tried"


def test_points_obey_the_assumptions_of_sympy():
    z, x = Symbol("z", nonnegative=True), Symbol("x", positive=True)
    m = Symbol("m", integer=True, positive=True)
    q, r = IndexedBase("q", positive=True), IndexedBase("r", nonnegative=True)
    for point in sample_points((z + x + m + q[i] + r[i],), NOTHING_ASSUMED, 24):
        assert point.scalars[z] >= 0
        assert point.scalars[x] > 0
        assert point.scalars[m].is_integer
        assert point.scalars[m] > 0
        assert all(v > 0 if base == "q" else v >= 0 for (base, _), v in point.entries.items())


def test_a_length_that_no_index_runs_over_is_a_length():
    assert isinstance(nonnegative(n - 1), Proved)
    assert isinstance(equal(total(S.One, k), n), Proved)
    assert isinstance(equal(n, S.One), Refuted)


def test_points_are_tried_at_every_length_with_indices_apart_and_together():
    points = list(sample_points((s[i] - s[j],), NOTHING_ASSUMED, 24))
    assert {point.sizes[LABELS] for point in points} == set(LENGTHS)
    assert {point.indices[i] == point.indices[j] for point in points} == {True, False}


def test_the_seed_decides_the_points():
    first, again, other = (
        [point.describe() for point in sample_points((s[i] + t[j],), soft(t), 4, seed)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


PROGRAM = """
from sympy import Symbol, exp
from derive.axis import Axis, array, labels_axis, total
from derive.decide import equal, sample_points
from derive.facts import soft
labels, samples = labels_axis(), Axis("samples", Symbol("N", integer=True, positive=True))
i, j, k, a = *labels.indices("i j k"), samples.index("i")
s, t, M = array("s"), array("t"), array("M")
left = total(exp(s[k]) * t[k], k) * M[a, i] * s[j]
print(equal(left, left * Symbol("g", real=True), soft(t)))
print([point.describe() for point in sample_points((left,), soft(t), 3)])
"""


def test_decisions_are_the_same_in_every_run():
    """Two processes whose sets are ordered differently."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert "refuted" in runs[0]
    assert runs[0] == runs[1]


def test_the_smallest_length_that_separates_is_given():
    decision = equal(total(s[k], k) ** 2, total(s[k] ** 2, k))
    assert isinstance(decision, Refuted)
    assert decision.counterexample.point.sizes[LABELS] == 2


def test_two_axes_have_lengths_of_their_own_name():
    features = Axis("features", Symbol("d", integer=True, positive=True), letters="ab")
    a = features.index("a")
    x = array("x")
    assert isinstance(equal(total(x[a] * s[i], a), s[i] * total(x[a], a)), Proved)
    assert isinstance(equal(total(x[a] * s[i], a), x[a] * s[i]), Refuted)


def test_a_tiny_difference_needs_the_highest_precision():
    gap = Rational(1, 2**120)
    decision = equal(sqrt(1 + exp(s[i])) + gap, sqrt(1 + exp(s[i])))
    assert isinstance(decision, Refuted)
    assert decision.counterexample.left - decision.counterexample.right > arb(0)


# Several axes -----------------------------------------------------------------------------------

ROWS, COLUMNS = (
    Axis("rows", Symbol("R", positive=True)),
    Axis("columns", Symbol("C", positive=True)),
)
r, c = ROWS.index("r"), COLUMNS.index("c")
a, b = array("a"), array("b")


def test_axes_have_lengths_of_their_own():
    """True on every square, false elsewhere."""
    both = total(a[r], r) * total(b[c], c)
    decision = equal(ROWS.size * both, COLUMNS.size * both)
    assert isinstance(decision, Refuted)
    sizes = decision.counterexample.point.sizes
    assert sizes[ROWS] != sizes[COLUMNS]


def test_every_shape_comes_up_and_the_squares_come_first():
    points = list(sample_points((a[r] * b[c],), NOTHING_ASSUMED, POINTS_A_LENGTH))
    shapes = [(point.sizes[ROWS], point.sizes[COLUMNS]) for point in points]
    assert set(shapes) == {(x, y) for x in LENGTHS for y in LENGTHS}
    assert [shapes[at * POINTS_A_LENGTH] for at in range(len(LENGTHS))] == [(x, x) for x in LENGTHS]


def test_without_an_axis_there_is_one_shape():
    x = Symbol("x", real=True)
    assert isinstance(equal(x, x + 1), Refuted)
