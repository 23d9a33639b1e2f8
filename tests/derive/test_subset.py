"""The combination softmax, with and without the padding class: what document 002 states of it.

The formulas are held against enumeration of the subsets, which no derivation uses.
"""

from __future__ import annotations

from itertools import combinations

import pytest
from flint import arb
from sympy import Expr, Integer, Rational, S, exp

from derive.balls import Point, enclose
from derive.coefficients import order_sum
from derive.decide import Proved, equal
from derive.formulas import QUANTITIES, formula_of
from derive.losses import LOSSES
from derive.losses.subset import (
    CHOSEN,
    LARGEST,
    PADDING,
    inclusion,
    m,
    power_sum,
    subsets,
)
from derive.losses.symbols import LABELS, i, j, v
from derive.losses.zlpr import S0

COMBINATION, PADDED = LOSSES["combination_softmax"], LOSSES["padded_combination_softmax"]
SCORES = [Rational(3, 2), Rational(-1, 3), Rational(0), Rational(5, 7)]
LABELLED = [1, 0, 1, 0]
VECTOR = [Rational(1), Rational(-2), Rational(1, 2), Rational(3)]
THRESHOLD = Rational(1, 4)
BITS = 192


def point(largest: int = 3, **indices: int) -> Point:
    entries = {("s", (place,)): value for place, value in enumerate(SCORES)}
    entries |= {("y", (place,)): Rational(value) for place, value in enumerate(LABELLED)}
    entries |= {("v", (place,)): value for place, value in enumerate(VECTOR)}
    where = {index: indices[index.name] for index in (i, j) if index.name in indices}
    scalars = {S0: THRESHOLD, LARGEST: Integer(largest), CHOSEN: Integer(2)}
    return Point({LABELS: len(SCORES)}, where, entries, scalars)


def ball(value: Rational) -> arb:
    return arb(int(value.p)) / int(value.q)


def weights(largest: int | None) -> dict[tuple[int, ...], arb]:
    """The weight of every subset: of two labels, or of at most ``largest`` with class 0 besides."""
    n = len(SCORES)
    sizes = [2] if largest is None else range(min(largest, n) + 1)
    shift = S.Zero if largest is None else THRESHOLD
    return {
        chosen: (sum((ball(SCORES[p] - shift) for p in chosen), arb(0))).exp()
        for size in sizes
        for chosen in combinations(range(n), size)
    }


def share(table: dict[tuple[int, ...], arb], *held: int) -> arb:
    inside = sum((w for chosen, w in table.items() if set(held) <= set(chosen)), arb(0))
    return inside / sum(table.values(), arb(0))


CASES = [(COMBINATION, None), *((PADDED, largest) for largest in (2, 3, 4, 6))]
each_case = pytest.mark.parametrize(
    ("loss", "largest"), CASES, ids=[f"{loss.name}-{largest}" for loss, largest in CASES]
)


def meets(expression: Expr, where: Point, expected: arb) -> None:
    found = enclose(expression, where, BITS)
    assert found.overlaps(expected), f"{found} and {expected}"
    assert found.rad() < 1e-40


@each_case
def test_value_counts_the_subsets(loss, largest: int | None):
    table = weights(largest)
    own = table[tuple(p for p, label in enumerate(LABELLED) if label)]
    meets(loss.value, point(largest or 3), (sum(table.values(), arb(0)) / own).log())


@each_case
@pytest.mark.parametrize("place", range(4))
def test_gradient_is_inclusion_less_label(loss, largest: int | None, place: int):
    expected = share(weights(largest), place) - LABELLED[place]
    meets(loss.gradient, point(largest or 3, i=place), expected)


@each_case
@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (2, 3), (3, 1)])
def test_hessian_is_the_covariance(loss, largest: int | None, pair: tuple[int, int]):
    table = weights(largest)
    first, second = pair
    expected = share(table, *set(pair)) - share(table, first) * share(table, second)
    meets(loss.hessian, point(largest or 3, i=first, j=second), expected)


@each_case
def test_product_is_the_covariance_with_the_weighted_count(loss, largest: int | None):
    table = weights(largest)
    expected = sum(
        (
            ball(VECTOR[p]) * (share(table, *{0, p}) - share(table, 0) * share(table, p))
            for p in range(4)
        ),
        arb(0),
    )
    meets(loss.hvp, point(largest or 3, i=0), expected)


@pytest.mark.parametrize("size", range(1, 7), ids=lambda size: f"7359-3-k{size}")
def test_printed_recursion_is_the_instance_of_each_size(size: int):
    """``k Z_k = Z_{k-1} S_1 - Z_{k-2} S_2 + ... + (-1)^{k-1} S_k`` for k labels."""
    printed = sum(
        (-1) ** (p - 1) * subsets(Integer(size - p)) * power_sum(Integer(p))
        for p in range(1, size + 1)
    )
    general = order_sum((-1) ** (m - 1) * power_sum(m) * subsets(CHOSEN - m), m, 1, CHOSEN)
    here = point()
    at_size = Point(here.sizes, here.indices, here.entries, {CHOSEN: Integer(size)})
    meets(general, at_size, enclose(printed, at_size, BITS))
    meets(size * subsets(Integer(size)), at_size, enclose(printed, at_size, BITS))


@pytest.mark.parametrize("size", range(1, 5), ids=lambda size: f"7359-5b-K{size}")
def test_padding_recursion_is_the_instance_of_each_size(size: int):
    left = subsets(Integer(size), PADDING)
    right = subsets(Integer(size)) + exp(S0) * subsets(Integer(size - 1), PADDING)
    assert isinstance(equal(left, right), Proved)


def test_inclusion_at_one_label_is_softmax():
    table = {place: ball(score).exp() for place, score in enumerate(SCORES)}
    expected = table[2] / sum(table.values(), arb(0))
    meets(inclusion(i, S.One), point(i=2), expected)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("loss", [COMBINATION, PADDED], ids=lambda loss: loss.name)
def test_every_quantity_has_a_formula(loss, quantity: str):
    formula = formula_of(loss.name, quantity)
    assert formula.claims[0] == f"{loss.name}.{quantity}"
    assert formula.expression.has(v) == (quantity == "hvp")
