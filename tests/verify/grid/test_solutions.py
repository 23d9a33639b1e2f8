"""The certified examples: what the boxes say, that they are right, and that they can fail."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from flint import arb, ctx, fmpq

from verify.grid import solutions
from verify.grid.krawczyk import only_zero_near
from verify.grid.solutions import FLIP, SHARED, check_solutions
from verify.oracle.grid import GridOracle

LABELS = [[0.4, 0.35, 0.25], [0.5, 0.01, 0.49]]


@pytest.fixture(autouse=True)
def _working_precision():
    with ctx.workprec(256):
        yield


def _nearest(rows):
    return [[float(x) for x in row] for row in rows]


def _largest_slope(scores, labels):
    reference = GridOracle("grid_truncated")(scores, labels)
    pairs = zip(reference.gradient, reference.gradient_scale, strict=True)
    return max(float(abs(g) / scale) for g, scale in pairs)


def test_three_solutions_are_enclosed_and_their_boxes_do_not_meet():
    found = SHARED.solutions
    assert SHARED.distinct == len(found) == 3
    for first, second in pairwise(found):
        assert first.constants[2] < second.constants[2]
        assert first.constants[0] > second.constants[0]
    assert all(d.rel_accuracy_bits() > 100 for solution in found for d in solution.constants)


def test_at_each_solution_the_scores_are_stationary_for_its_labels():
    """Found by the oracle from the definition of the loss; labels are rounded to float64."""
    rows = [kind for kind, count in enumerate(SHARED.counts) for _ in range(count)]
    scores = [[float(s) for s in map(_quotient, SHARED.scores[kind])] for kind in rows]
    for solution in SHARED.solutions:
        labels = _nearest(solution.labels)
        assert _largest_slope(scores, [labels[kind] for kind in rows]) < 1e-14


def _quotient(x):
    return int(x.p) / int(x.q)


def test_the_constants_are_the_arguments_of_the_logs():
    """D_j = 1 + sum_i t_ij sum_{k != j} e^{s_ik - s_ij}, with the labels enclosed."""
    for solution in SHARED.solutions:
        for j, constant in enumerate(solution.constants):
            inside = arb(1)
            for row, labels, count in zip(
                SHARED.scores, solution.labels, SHARED.counts, strict=True
            ):
                others = sum((arb(s - row[j]).exp() for k, s in enumerate(row) if k != j), arb(0))
                inside += count * labels[j] * others
            assert inside.overlaps(constant)


def test_the_same_scores_are_optimal_for_labels_with_another_largest_entry():
    first, *_, last = SHARED.solutions
    assert first.labels[2][0] > first.labels[2][2]
    assert last.labels[2][2] > last.labels[2][0] and last.labels[2][2] > last.labels[2][1]


def test_the_largest_score_is_not_at_the_largest_label():
    assert FLIP.flipped == 2
    scores = _nearest(FLIP.scores)
    assert [row.index(max(row)) for row in scores] == [1, 2]
    assert _largest_slope(scores, LABELS) < 1e-14


def test_the_least_value_is_that_of_the_balance():
    """-2 sum_j log y_j, against the oracle's value at the scores rounded to float64."""
    least = sum((-2 * y.log() for y in FLIP.balance), arb(0))
    value = GridOracle("grid_truncated")(_nearest(FLIP.scores), LABELS).value
    assert abs(value - least) < 1e-15


def test_with_two_classes_one_solution_only():
    """m = 2: D_0 = D_1 = 1 + sum_i 1 / (2 cosh(s_i0 - s_i1))."""
    scores = ((fmpq(3, 2), fmpq(0)), (fmpq(-1), fmpq(1, 4)))
    example = replace(SHARED, scores=scores, counts=(1, 2), starts=((1.5, 1.5), (2.0, 1.2)))
    expected = 1 + 1 / (2 * arb(fmpq(3, 2)).cosh()) + 2 / (2 * arb(fmpq(5, 4)).cosh())
    assert example.distinct == 0
    assert all(d.overlaps(expected) for s in example.solutions for d in s.constants)


def test_what_has_no_zero_is_not_certified():
    def function(x):
        return [x[0] ** 2 + 1]

    def jacobian(x):
        return [[2 * x[0]]]

    with pytest.raises((ArithmeticError, ZeroDivisionError)):
        only_zero_near(function, jacobian, [0.3])


def test_a_zero_that_is_not_alone_in_its_box_is_not_certified():
    with pytest.raises((ArithmeticError, ZeroDivisionError)):
        only_zero_near(lambda x: [x[0] ** 2], lambda x: [[2 * x[0]]], [0.5])


def test_a_known_zero_is_enclosed():
    (root,) = only_zero_near(lambda x: [x[0] ** 2 - 2], lambda x: [[2 * x[0]]], [1.4])
    assert root.overlaps(arb(2).sqrt()) and root.rel_accuracy_bits() > 100


def test_a_report_without_its_solutions_has_problems(monkeypatch):
    assert not check_solutions().problems
    same = replace(SHARED, starts=(SHARED.starts[0],) * 3)
    monkeypatch.setattr(solutions, "SHARED", same)
    assert check_solutions().problems == ["solutions: 0 of 3 are distinct"]
    monkeypatch.setattr(solutions, "FLIP", replace(FLIP, labels=(FLIP.labels[0], FLIP.labels[0])))
    assert any("are flipped" in line for line in check_solutions().problems)
