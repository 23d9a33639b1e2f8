"""The lattice: every topic proved, and the theorems against enumeration of subsets.

The id of a test is the id of the derivation, so that a red test names the mathematics.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, product
from math import prod
from random import Random

import pytest
from flint import arb, fmpq, fmpq_mat
from sympy import Rational

from derive.balls import Point, enclose
from derive.coefficients import coefficient
from derive.decide import Proved
from derive.lattice import LATTICE
from derive.lattice.sums import I_SET, LABELS, ORDERS, a, b, negatives, positives, t, weighted
from derive.losses import SUBJECTS, subject_named

SEED = 7359
Pair = tuple[int, int]


@pytest.mark.parametrize("topic", LATTICE.topics, ids=[f"lattice.{n}" for n in LATTICE.topics])
def test_derivation_holds(topic: str):
    derivation = LATTICE.derive(topic)
    assert derivation.id == f"lattice.{topic}"
    assert derivation.steps
    for step in derivation.steps:
        assert isinstance(step.decision, Proved), f"{step.rule}: {step.decision}"
    assert derivation.holds


@pytest.mark.parametrize("topic", LATTICE.topics)
def test_a_changed_result_does_not_hold(topic: str):
    derivation = LATTICE.derive(topic)
    assert not derivation.to("one too many", derivation.result + 1).holds


def test_is_a_subject_beside_the_losses():
    assert SUBJECTS["lattice"] is LATTICE
    assert subject_named("lattice") is LATTICE


def test_an_unknown_topic_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"lattice has no derivation 'colour'.*uniqueness"):
        LATTICE.derive("colour")


# Against enumeration ----------------------------------------------------------------------------


def subsets(n: int, size: int) -> Iterator[tuple[int, ...]]:
    return combinations(range(n), size)


def elementary(size: int, x: list[Fraction]) -> Fraction:
    """``e_size(x)`` by its definition."""
    return sum(
        (prod((x[m] for m in S), start=Fraction(1)) for S in subsets(len(x), size)), Fraction(0)
    )


def point(n: int, random: Random, orders: int) -> Point:
    """Scores 0, so that ``v = 1 - t`` and ``w = t`` are rational and sums over subsets exact."""
    entries = {("s", (m,)): Rational(0) for m in range(n)}
    entries |= {("t", (m,)): Rational(random.randint(0, 8), 8) for m in range(n)}
    cells = product(range(orders), repeat=2)
    entries |= {("c", cell): Rational(random.randint(0, 1)) for cell in cells}
    return Point({LABELS: n, ORDERS: orders}, {}, entries)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_weighted_sum_is_that_over_pairs_of_subsets(n: int):
    random = Random(SEED + n)
    where = point(n, random, n + 2)
    w = [Fraction(str(where.entries["t", (m,)])) for m in range(n)]
    v = [1 - x for x in w]
    expected = sum(
        (
            int(where.entries["c", (order_a, order_b)])
            * elementary(order_a, v)
            * elementary(order_b, w)
            for order_a, order_b in product(range(n + 2), repeat=2)
        ),
        Fraction(0),
    )
    ours = enclose(weighted(I_SET[a, b], t), where, 128)
    assert ours.overlaps(ball(expected)), f"seed {SEED + n}"
    assert ours.rad() < 1e-30


@pytest.mark.parametrize("order", range(6))
def test_coefficients_are_elementary_symmetric_polynomials(order: int):
    where = point(4, Random(SEED), 1)
    w = [Fraction(str(where.entries["t", (m,)])) for m in range(4)]
    for series, x in ((positives(t), w), (negatives(t), [1 - value for value in w])):
        assert enclose(coefficient(series, order), where, 128).overlaps(ball(elementary(order, x)))


def ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def symmetric_sets(n: int) -> Iterator[set[Pair]]:
    """Every symmetric index set on orders 0..n that holds (0, 0)."""
    cells = [(x, y) for x in range(n + 1) for y in range(x, n + 1) if (x, y) != (0, 0)]
    for chosen in product((False, True), repeat=len(cells)):
        half = {cell for cell, taken in zip(cells, chosen, strict=True) if taken}
        yield {(0, 0), *half, *((y, x) for x, y in half)}


def indicator(subset: tuple[int, ...], n: int) -> list[int]:
    return [int(m in subset) for m in range(n)]


def flat_directions(index_set: set[Pair], n: int) -> int:
    """How many independent ``rho`` have ``rho_S = rho_T`` for all pairs: n minus the rank."""
    rows = {
        tuple(x - y for x, y in zip(indicator(S, n), indicator(T, n), strict=True))
        for order_a, order_b in index_set
        for S in subsets(n, order_a)
        for T in subsets(n, order_b)
    }
    return n - fmpq_mat(len(rows), n, [x for row in sorted(rows) for x in row]).rank()


@pytest.mark.parametrize("n", [2, 3])
def test_uniqueness_is_decided_by_the_two_conditions(n: int):
    """Every symmetric index set: the criterion against the rank of the equations themselves."""
    for index_set in symmetric_sets(n):
        off_diagonal = any(x != y for x, y in index_set)
        exchange = any(0 < x < n or 0 < y < n for x, y in index_set)
        flat = flat_directions(index_set, n)
        assert (flat == 0) == (off_diagonal and exchange), index_set
        if exchange and not off_diagonal:
            assert flat == 1, index_set
