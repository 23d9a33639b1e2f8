"""The theory of the n x m losses: every topic proved, and the theorems against numbers.

The id of a test is the id of the derivation, so that a red test names the mathematics.
"""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from flint import arb, arb_mat, ctx
from sympy import Expr, Rational, S, Symbol, exp, log

from derive.axis import total
from derive.balls import Point, enclose
from derive.calculus import map_entries, partial, replace_index, resolve
from derive.decide import Proved, Refuted, equal, sample_points
from derive.grid import GRID
from derive.grid.constant_sum import f
from derive.grid.pairs import over_pairs
from derive.grid.solution import VALUE, balanced, y
from derive.grid.sums import (
    CLASSES,
    SAMPLES,
    SOFT,
    STRICTLY_SOFT,
    apart,
    h,
    i,
    j,
    k,
    other_class,
    own_class,
    p,
    pair,
    s,
    t,
    v,
)
from derive.grid.symmetry import gradient
from derive.grid.theory import at_softmax2, overlap
from derive.losses import SUBJECTS, subject_named

SEED = 9158
BITS = 128
PAIRWISE = over_pairs(log(pair(j, k)))
MIRRORED = total(log(own_class(j)) + log(other_class(j)), j) / 2
LEAST = {
    "pairwise": over_pairs(log(1 + overlap(j, k))),
    "mirrored": total(log(1 + total(apart(j, k) * overlap(j, k), k)), j),
}
Rows = list[list[Rational]]


@pytest.mark.parametrize("topic", GRID.topics, ids=[f"grid.{n}" for n in GRID.topics])
def test_derivation_holds(topic: str):
    derivation = GRID.derive(topic)
    assert derivation.id == f"grid.{topic}"
    assert derivation.steps
    for step in derivation.steps:
        assert isinstance(step.decision, Proved), f"{step.rule}: {step.decision}"
    assert derivation.holds
    assert not derivation.to("one too many", derivation.result + 1).holds


def test_is_a_subject_beside_the_losses():
    assert SUBJECTS["grid"] is GRID
    assert subject_named("grid") is GRID


# What does not hold -----------------------------------------------------------------------------


def test_the_truncated_loss_is_not_stationary_at_softmax2():
    """At m = 2 it is, for both D are equal there: the counterexample has m = 3."""
    slope = at_softmax2(gradient(lambda _, own, __: 1 / own_class(own)))
    decision = equal(slope, S.Zero, STRICTLY_SOFT)
    assert isinstance(decision, Refuted)
    assert decision.counterexample.point.sizes[CLASSES] == 3


@pytest.mark.parametrize("loss", [PAIRWISE, MIRRORED], ids=["pairwise", "mirrored"])
def test_the_factor_is_two_and_no_other(loss: Expr):
    """``softmax(s)`` is not where these losses are stationary."""
    slope = resolve(partial(loss, s[i, j]))
    link = map_entries(slope, t, lambda *at: exp(s[at]) / total(exp(s[at[0], h]), h))
    assert isinstance(equal(link, S.Zero, STRICTLY_SOFT), Refuted)
    assert isinstance(equal(at_softmax2(slope), S.Zero, STRICTLY_SOFT), Proved)


def test_a_sum_of_f_that_depends_on_the_scores_moves_the_minimum():
    """``f = s`` in the general form: ``t = softmax(s)`` is not stationary."""
    value = total(log(1 + total(t[p, j] * exp(-s[p, j]), p)), j)
    slope = resolve(partial(value, s[i, j]))
    link = map_entries(slope, t, lambda *at: exp(s[at]) / total(exp(s[at[0], h]), h))
    assert isinstance(equal(link, S.Zero, STRICTLY_SOFT), Refuted)


# Against numbers --------------------------------------------------------------------------------


def random_rows(n: int, m: int, random: Random) -> Rows:
    weights = [[random.randint(1, 9) for _ in range(m)] for _ in range(n)]
    return [[Rational(w, sum(row)) for w in row] for row in weights]


def point(labels: Rows, scores: Rows, **more: list[Rational]) -> Point:
    n, m = len(labels), len(labels[0])
    entries = {
        (name, (row, column)): rows[row][column]
        for name, rows in (("t", labels), ("s", scores))
        for row, column in product(range(n), range(m))
    }
    entries |= {(name, (at,)): x for name, row in more.items() for at, x in enumerate(row)}
    return Point({SAMPLES: n, CLASSES: m}, {}, entries)


def solved(labels: Rows) -> list[arb]:
    """``y_j (K y)_j = 1`` by Newton's method on ``log y``, in plain ball midpoints."""
    n, m = len(labels), len(labels[0])
    roots = [[arb(int(x.p)) / int(x.q) for x in row] for row in labels]
    overlaps = [
        [sum(((roots[r][a] * roots[r][b]).sqrt() for r in range(n)), arb(0)) for b in range(m)]
        for a in range(m)
    ]
    z = [arb(0)] * m
    for _ in range(40):
        w = [
            [(overlaps[a][b] if a != b else arb(1)) * (z[a] + z[b]).exp() for b in range(m)]
            for a in range(m)
        ]
        gap = [sum(w[a], arb(0)) - 1 for a in range(m)]
        for a in range(m):
            w[a][a] += sum(w[a], arb(0))
        step = arb_mat(w).solve(arb_mat([[g] for g in gap]))
        z = [arb((z[a] - step[a, 0]).mid()) for a in range(m)]
    return [x.exp() for x in z]


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 3), (5, 4)])
def test_the_equations_are_solved_by_newton_and_give_the_minimum(n: int, m: int):
    """The solution put into the loss itself: value ``-2 sum log y``, and gradient 0."""
    before, ctx.prec = ctx.prec, BITS
    try:
        labels = random_rows(n, m, Random(SEED + n))
        solution = solved(labels)
        found = [Rational(int((x * 2**80).mid().floor().unique_fmpz()), 2**80) for x in solution]
        where = point(labels, [[Rational(0)] * m] * n, y=found)
        for number in range(m):
            residual = replace_index(balanced(j), j, k) - 1
            at = Point(where.sizes, {k: number}, where.entries)
            assert abs(enclose(residual, at, BITS)) < 1e-20
        scores = map_entries(VALUE, s, lambda *at: log(t[at]) / 2 + log(y[at[1]]))
        least = -2 * total(log(y[j]), j)
        assert abs(enclose(scores - least, where, BITS)) < 1e-20
        slope = map_entries(
            resolve(partial(VALUE, s[i, k])), s, lambda *at: log(t[at]) / 2 + log(y[at[1]])
        )
        for row, column in product(range(n), range(m)):
            at = Point(where.sizes, {i: row, k: column}, where.entries)
            assert abs(enclose(slope, at, BITS)) < 1e-20
    finally:
        ctx.prec = before


@pytest.mark.parametrize("loss", ["pairwise", "mirrored"])
def test_no_random_scores_go_below_the_minimum(loss: str):
    random = Random(SEED)
    gap = {"pairwise": PAIRWISE, "mirrored": MIRRORED}[loss] - LEAST[loss]
    for n, m in [(1, 2), (2, 3), (4, 3)]:
        for _ in range(5):
            labels = random_rows(n, m, random)
            scores = [[Rational(random.randint(-12, 12), 4) for _ in range(m)] for _ in range(n)]
            assert enclose(gap, point(labels, scores), BITS) > 0, (labels, scores)


def quadratic_form(loss: Expr) -> Expr:
    tau = Symbol("tau", real=True)
    moved = map_entries(loss, s, lambda *at: s[at] + tau * v[at])
    return resolve(partial(moved, tau, tau)).xreplace({tau: S.Zero})


def test_the_curvature_comes_as_near_to_half_m_as_one_likes():
    """Two equal samples, scores 40 j, opposite directions: within 1e-15 of m/2 for m = 3."""
    labels = [[Rational(1, 3)] * 3] * 2
    scores = [[Rational(0), Rational(40), Rational(80)]] * 2
    direction = [[Rational(1), Rational(0), Rational(-1)], [Rational(-1), Rational(0), Rational(1)]]
    where = point(labels, scores)
    entries = {("v", (a, b)): direction[a][b] for a, b in product(range(2), range(3))}
    where = Point(where.sizes, {}, where.entries | entries)
    form = enclose(quadratic_form(PAIRWISE), where, BITS)  # |v|^2 = 4
    assert form < 4 * 1.5
    assert form > 4 * 1.5 - 4e-15


def test_the_smoothness_bound_holds_at_random_points():
    gap = CLASSES.size * total(total(v[i, j] ** 2, j), i) / 2 - quadratic_form(PAIRWISE)
    for where in sample_points((gap,), SOFT, 5, SEED):
        assert enclose(gap, where, BITS) >= 0, where.describe()


def test_log_two_is_the_best_bound_for_hard_labels():
    """A tie of two classes costs exactly log 2: no larger bound keeps the argmax right."""
    labels, scores = [[Rational(1), Rational(0)]], [[Rational(0), Rational(0)]]
    for loss in (VALUE, PAIRWISE, MIRRORED):
        where = point(labels, scores)
        assert abs(enclose(loss - log(S(2)), where, BITS)) < 1e-30


def test_a_constant_sum_pays_for_a_wrong_argmax_from_three_classes_on():
    """``f = (A, 2A, C - 3A)`` with A = 10: a loss below 1e-4, and class 1 leads class 0."""
    value = total(log(1 + total(t[p, j] * exp(-f[p, j]), p)), j)
    entries = {("t", (0, at)): Rational(int(at == 0)) for at in range(3)}
    entries |= {("f", (0, at)): x for at, x in enumerate(map(Rational, (10, 20, -30)))}
    where = Point({SAMPLES: 1, CLASSES: 3}, {}, entries)
    assert enclose(value, where, BITS) < 1e-4
    assert enclose(total(f[p, j], j), Point(where.sizes, {p: 0}, entries), BITS) == 0
