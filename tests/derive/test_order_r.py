"""The order-r family against enumeration of subsets, and its limits: ZLPR, BCE, the cut series."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random

import pytest
from flint import arb, ctx, fmpq
from sympy import Expr, Rational, S, diff, exp

from derive.balls import Point, enclose, write_out
from derive.calculus import map_entries
from derive.coefficients import Z
from derive.decide import Refuted, equal, nonnegative
from derive.facts import strictly_soft
from derive.lattice.sums import LABELS, r
from derive.losses.order_r import ORDER, partial_sum
from derive.losses.symbols import i, j, s, t, v
from derive.losses.zlpr import BCE, SOFT_ZLPR

SEED = 9064
BITS = 192


def point(n: int, order: int, random: Random, hard: bool = False, **where: int) -> Point:
    entries = {
        (name, (m,)): Rational(random.randint(-8, 8), 4) for name in ("s", "v") for m in range(n)
    }
    for m in range(n):
        eighths = random.choice([0, 8]) if hard else random.randint(0, 8)
        entries["t", (m,)] = Rational(eighths, 8)
    indices = {index: where[index.name] for index in (i, j) if index.name in where}
    return Point({LABELS: n}, indices, entries, {r: Rational(order)})


def ball(value: Rational) -> arb:
    return arb(fmpq(int(value.p), int(value.q)))


def by_enumeration(where: Point, order: int) -> arb:
    """``log sum_{|S| <= r} prod_S w + log sum_{|S| <= r} prod_S v``, subset by subset."""
    n = where.sizes[LABELS]
    scores = [ball(where.entries["s", (m,)]) for m in range(n)]
    labels = [ball(where.entries["t", (m,)]) for m in range(n)]
    w = [x * (-z).exp() for x, z in zip(labels, scores, strict=True)]
    v_ = [(1 - x) * z.exp() for x, z in zip(labels, scores, strict=True)]
    result = arb(0)
    for side in (w, v_):
        whole = arb(0)
        for size in range(order + 1):
            for chosen in combinations(side, size):
                term = arb(1)
                for factor in chosen:
                    term *= factor
                whole += term
        result += whole.log()
    return result


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [0, 1, 2, 3, 5])
def test_value_is_that_over_subsets(n: int, order: int):
    where = point(n, order, Random(SEED + 10 * n + order))
    ctx.prec = BITS
    expected = by_enumeration(where, order)
    ours = enclose(ORDER.value, where, BITS)
    assert ours.overlaps(expected), f"seed {SEED + 10 * n + order}"
    assert ours.rad() < 1e-30


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradient_and_hessian_are_those_of_the_written_out_loss(order: int):
    random = Random(SEED + order)
    for row, column in ((0, 0), (0, 2), (1, 2)):
        where = point(3, order, random, i=row, j=column)
        value = written(ORDER.value, where)
        first, second = written(s[i], where), written(s[j], where)
        assert_meet(ORDER.gradient, diff(value, first), where)
        assert_meet(ORDER.hessian, diff(value, first, second), where)
        product = sum(
            diff(value, first, written(s[i], at)) * written(v[i], at)
            for at in (point_at(where, m) for m in range(3))
        )
        assert_meet(ORDER.hvp, product, where)


def point_at(where: Point, place: int) -> Point:
    return Point(where.sizes, {i: place}, where.entries, where.scalars)


def written(expression: Expr, where: Point) -> Expr:
    return write_out(expression, where)


def assert_meet(ours: Expr, plain: Expr, where: Point) -> None:
    left, right = enclose(ours, where, BITS), enclose(plain, where, BITS)
    assert left.overlaps(right), f"{where.describe()}: {left} and {right}"
    assert left.rad() < 1e-30


def test_orders_run_from_zlpr_to_bce_for_hard_labels():
    random = Random(SEED)
    for _ in range(5):
        at = [point(4, order, random, hard=True) for order in range(1, 6)]
        at = [Point(where.sizes, {}, at[0].entries, where.scalars) for where in at]
        values = [enclose(ORDER.value, where, BITS) for where in at]
        assert all(not later < former for former, later in pairwise(values))
        assert values[0].overlaps(enclose(SOFT_ZLPR.value, at[0], BITS))
        assert values[3].overlaps(enclose(BCE.value, at[0], BITS))
        assert values[4].overlaps(values[3])


def test_soft_labels_do_not_end_at_bce():
    where = point(3, 3, Random(SEED + 1))
    assert not enclose(ORDER.value, where, BITS).overlaps(enclose(BCE.value, where, BITS))


def test_sigma_of_s_is_not_the_link():
    """Only ``t = sigma(2s)`` is stationary at order 2: ``sigma(s)`` is refuted."""
    at_sigma = map_entries(ORDER.gradient.xreplace({r: S(2)}), t, lambda m: 1 / (1 + exp(-s[m])))
    assert isinstance(equal(at_sigma, S.Zero), Refuted)


def test_the_cut_series_of_soft_bce_is_negative_somewhere():
    cut = partial_sum((1 + 10 * Z) ** t[i], S(2))
    assert isinstance(nonnegative(cut, strictly_soft(t)), Refuted)
