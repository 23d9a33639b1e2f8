"""Coefficients of generating functions: what is decided for every order, and what is not.

Each identity is decided for symbolic n and k, and each of its false neighbours is refuted. The ball
arithmetic that refutes is held against plain enumeration of subsets.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from random import Random

import pytest
from flint import arb
from sympy import Expr, Integer, KroneckerDelta, Rational, S, Symbol, exp, log, oo

from derive.axis import array, labels_axis, total
from derive.balls import OutsideDomain, Point, enclose
from derive.calculus import Partial, free_indices, partial, resolve
from derive.coefficients import (
    Z,
    coefficient,
    is_polynomial,
    is_power_series,
    order,
    order_sum,
)
from derive.decide import Proved, Refuted, equal, nonnegative, positive, sample_points
from derive.facts import NOTHING_ASSUMED, Facts, choosing, hard, soft
from derive.generating import closed, generating
from derive.laurent import Laurent, TooShort
from derive.normal_form import normal_form
from derive.printing import latex, text

LABELS = labels_axis()
i, j, l, q = LABELS.indices("i j l q")
s, t, y = array("s"), array("t"), array("y")
k, m = order("k"), order("m")
a, b = Symbol("a", positive=True), Symbol("b", positive=True)


def product_without(*left_out) -> Expr:
    kept = S.One
    for index in left_out:
        kept *= 1 - KroneckerDelta(index, l)
    return LABELS.product(1 + kept * exp(s[l]) * Z, l)


E, OTHERS = product_without(), product_without(i)
F = LABELS.product(1 + t[l] * Z, l)
V = LABELS.product(1 + (1 - y[l]) * exp(s[l]) * Z, l)
W = LABELS.product(1 + y[l] * exp(-s[l]) * Z, l)
POWERS = total(exp(m * s[l]), l)
SLOPE = total(exp(s[l]) * Z / (1 + exp(s[l]) * Z), l)


def e(size: Expr) -> Expr:
    return coefficient(E, size)


# (left, right, facts): equal for every length and every order.
IDENTITIES: dict[str, tuple[Expr, Expr, Facts]] = {
    "shift of the order": (coefficient(Z**2 * E, k), e(k - 2), NOTHING_ASSUMED),
    "negative shift": (coefficient(E / Z, k - 1), e(k), NOTHING_ASSUMED),
    "constant inside": (coefficient(a * E, k), a * e(k), NOTHING_ASSUMED),
    "linear": (coefficient(E + b * F, k), e(k) + b * coefficient(F, k), NOTHING_ASSUMED),
    "order as a factor": (k * e(k), coefficient(Z * Partial(E, Z), k), NOTHING_ASSUMED),
    "power of the order": (a**k * e(k), coefficient(E.xreplace({Z: a * Z}), k), NOTHING_ASSUMED),
    "sign of the variable": (
        coefficient(E.xreplace({Z: -Z}), k),
        (-1) ** k * e(k),
        NOTHING_ASSUMED,
    ),
    "logarithmic derivative": (Z * Partial(E, Z), E * SLOPE, NOTHING_ASSUMED),
    "newton": (
        k * e(k),
        order_sum((-1) ** (m - 1) * POWERS * e(k - m), m, 1, k),
        NOTHING_ASSUMED,
    ),
    "newton from m = 2": (
        k * e(k) - total(exp(s[l]), l) * e(k - 1),
        order_sum((-1) ** (m - 1) * POWERS * e(k - m), m, 2, k),
        NOTHING_ASSUMED,
    ),
    "elements": (
        e(k),
        coefficient(OTHERS, k) + exp(s[i]) * coefficient(OTHERS, k - 1),
        NOTHING_ASSUMED,
    ),
    "cauchy": (
        order_sum(e(m) * coefficient(F, k - m), m, 0, k),
        coefficient(E * F, k),
        NOTHING_ASSUMED,
    ),
    "cauchy without its last term": (
        order_sum(e(m) * coefficient(F, k - m), m, 0, k - 1),
        coefficient(E * F, k) - e(k),
        NOTHING_ASSUMED,
    ),
    "partial sum": (order_sum(e(m), m, 0, k), coefficient(E / (1 - Z), k), NOTHING_ASSUMED),
    "geometric sum": (
        order_sum(a**m * e(k - m), m, 0, k),
        coefficient(E / (1 - a * Z), k),
        NOTHING_ASSUMED,
    ),
    "falling powers": (
        order_sum(a ** (k - m) * e(m), m, 0, k),
        coefficient(E / (1 - a * Z), k),
        NOTHING_ASSUMED,
    ),
    "all orders": (order_sum(e(m), m, 0, oo), E.xreplace({Z: S.One}), NOTHING_ASSUMED),
    "tail": (
        order_sum(e(m), m, k + 1, oo),
        E.xreplace({Z: S.One}) - coefficient(E / (1 - Z), k),
        NOTHING_ASSUMED,
    ),
    "diagonal": (
        order_sum(coefficient(V, m) * coefficient(W, m), m, 0, oo),
        coefficient(V * W.xreplace({Z: 1 / Z}), S.Zero),
        hard(y),
    ),
    "split by hard labels": (
        coefficient(E, total(y[l], l)),
        exp(total(y[l] * s[l], l)) * coefficient(V * W.xreplace({Z: 1 / Z}), S.Zero),
        hard(y),
    ),
    "sum inside": (
        total(t[j] * coefficient(product_without(j), k - 1), j),
        coefficient(Z * E * total(t[j] / (1 + exp(s[j]) * Z), j), k),
        NOTHING_ASSUMED,
    ),
    "coefficient of a coefficient": (
        coefficient(E * coefficient(F, m), k),
        e(k) * coefficient(F, m),
        NOTHING_ASSUMED,
    ),
    "order 2": (
        2 * e(Integer(2)),
        total(exp(s[l]), l) ** 2 - total(exp(2 * s[l]), l),
        NOTHING_ASSUMED,
    ),
    "negative order": (e(Integer(-1)), S.Zero, NOTHING_ASSUMED),
    "derivative": (
        partial(log(e(k)), s[i]),
        exp(s[i]) * coefficient(OTHERS, k - 1) / e(k),
        choosing(k),
    ),
}

FALSE: dict[str, tuple[Expr, Expr, Facts]] = {
    "other order": (coefficient(Z * E, k), e(k), NOTHING_ASSUMED),
    "newton without signs": (k * e(k), order_sum(POWERS * e(k - m), m, 1, k), NOTHING_ASSUMED),
    "newton from m = 0": (
        k * e(k),
        order_sum((-1) ** (m - 1) * POWERS * e(k - m), m, 0, k),
        NOTHING_ASSUMED,
    ),
    "newton to k - 1": (
        k * e(k),
        order_sum((-1) ** (m - 1) * POWERS * e(k - m), m, 1, k - 1),
        NOTHING_ASSUMED,
    ),
    "product of coefficients": (e(k) * coefficient(F, k), coefficient(E * F, k), NOTHING_ASSUMED),
    "left out and put back twice": (
        e(k),
        coefficient(OTHERS, k) + 2 * exp(s[i]) * coefficient(OTHERS, k - 1),
        NOTHING_ASSUMED,
    ),
    "two labels left out that may be one": (
        e(k),
        coefficient((1 + exp(s[i]) * Z) * (1 + exp(s[j]) * Z) * product_without(i, j), k),
        NOTHING_ASSUMED,
    ),
    "soft labels do not split": (
        coefficient(E, k),
        coefficient(V * LABELS.product(1 + y[l] * exp(s[l]) * Z, l), k),
        soft(y),
    ),
    "all orders of one more": (order_sum(e(m), m, 1, oo), E.xreplace({Z: S.One}), NOTHING_ASSUMED),
    "two labels left out at length 4": (
        coefficient(product_without(i, j), k) * coefficient(product_without(i, j), k - 2),
        2 * coefficient(product_without(i, j), k) * coefficient(product_without(i, j), k - 2),
        NOTHING_ASSUMED,
    ),
}


@pytest.mark.parametrize(("left", "right", "facts"), IDENTITIES.values(), ids=IDENTITIES)
def test_identity_is_proved_for_every_length_and_order(left: Expr, right: Expr, facts: Facts):
    assert isinstance(equal(left, right, facts), Proved)


@pytest.mark.parametrize(("left", "right", "facts"), FALSE.values(), ids=FALSE)
def test_false_statement_is_refuted(left: Expr, right: Expr, facts: Facts):
    decision = equal(left, right, facts)
    assert isinstance(decision, Refuted), decision


@pytest.mark.parametrize(("left", "right", "facts"), IDENTITIES.values(), ids=IDENTITIES)
def test_twice_the_right_side_is_not_proved(left: Expr, right: Expr, facts: Facts):
    if right != 0:
        assert not isinstance(equal(left, 2 * right, facts), Proved)


def test_normal_form_has_one_writing_of_equal_coefficients():
    left, right = e(k), coefficient(Z * E.xreplace({l: q}), k + 1)
    assert normal_form(left) == normal_form(right)


SERIES = (
    E,
    OTHERS,
    product_without(i, j),
    E / (1 - Z),
    E / (1 - a * Z),
    E.xreplace({Z: -Z}),
    E / (1 + exp(s[i]) * Z),
    V * W.xreplace({Z: 1 / Z}),
    LABELS.product(exp(s[l]) * Z - 1, l),
    E * total(t[l] / (1 + exp(s[l]) * Z), l),
    (1 + Z) ** t[i],
    1 + a * Z,
)
ORDERS = (k, k - 1, k + 1, S.Zero, S.One, Integer(2), Integer(-1))
FACTORS = (S.One, k, KroneckerDelta(i, j), exp(s[i]), a**k, (-1) ** k, 1 - KroneckerDelta(i, j))


@pytest.mark.parametrize("seed", range(24))
def test_normal_form_keeps_the_value(seed: int):
    """Sums and products of coefficients drawn at random: the two writings meet at every point."""
    random = Random(seed)

    def drawn() -> Expr:
        return coefficient(random.choice(SERIES), random.choice(ORDERS))

    statement = random.choice(FACTORS) * drawn() * drawn() + random.choice(FACTORS) * drawn()
    written = normal_form(statement, hard(y))
    for where in sample_points((statement, written), hard(y), 3, seed):
        left, right = enclose(statement, where, 192), enclose(written, where, 192)
        assert left.overlaps(right), f"seed {seed}: {statement} at {where.describe()}"


# Balls -----------------------------------------------------------------------------------------


def point(scores: list[Rational], size: int) -> Point:
    entries = {("s", (place,)): value for place, value in enumerate(scores)}
    return Point({LABELS: len(scores)}, {}, entries, {k: Integer(size)})


@pytest.mark.parametrize("size", range(6))
def test_elementary_symmetric_polynomial_by_enumeration(size: int):
    scores = [Rational(3, 2), Rational(-1, 3), Rational(0), Rational(5, 7)]
    xs = [(arb(int(x.p)) / int(x.q)).exp() for x in scores]
    expected = arb(0)
    for subset in combinations(xs, size):
        term = arb(1)
        for x in subset:
            term *= x
        expected += term
    found = enclose(e(k), point(scores, size), 128)
    assert found.overlaps(expected)
    assert found.rad() < 1e-30


def test_order_sum_is_empty_where_it_ends_before_it_starts():
    summand = order_sum(e(m), m, 3, k)
    assert enclose(summand, point([Rational(1), Rational(2)], 1), 64) == 0


def test_powers_and_logarithms_of_series():
    """``[z^2] (1 + z)^{1/2} = -1/8`` and ``[z^3] log(1 + z) = 1/3``, ``[z^4] e^z = 1/24``."""
    here = Point({}, {}, {}, {})
    assert enclose(coefficient((1 + Z) ** S.Half, 2), here, 64).overlaps(arb(-1) / 8)
    assert enclose(coefficient(log(1 + Z), 3), here, 64).overlaps(arb(1) / 3)
    assert enclose(coefficient(exp(Z), 4), here, 64).overlaps(arb(1) / 24)


def test_two_variables():
    """``[z^2] [u^2] 1 / (1 - z - u) = C(4, 2)``."""
    other = Symbol("u", positive=True)
    inner = coefficient((1 / (1 - Z - other)), 2)
    found = enclose(type(inner)(inner, other, Integer(2)), Point({}, {}, {}, {}), 64)
    assert found.overlaps(arb(comb(4, 2)))


def test_negative_powers():
    assert enclose(coefficient((1 + 1 / Z) ** 3, -2), Point({}, {}, {}, {}), 64) == 3


def test_a_series_says_where_it_ends():
    with pytest.raises(TooShort, match="order 4, of a series up to 3"):
        Laurent.variable(3)[4]


def test_a_log_of_nothing_is_outside_the_domain():
    with pytest.raises(OutsideDomain):
        enclose(log(e(k)), point([Rational(1)], 2), 64)


def test_points_obey_the_order_that_counts_labels():
    facts = choosing(k)
    for where in sample_points((log(e(k)), s[i]), facts, 6):
        assert 0 <= where.scalars[k] <= where.sizes[LABELS]


# Signs -----------------------------------------------------------------------------------------


def test_signs_of_coefficients():
    assert isinstance(nonnegative(e(k)), Proved)
    assert isinstance(positive(e(k), choosing(k)), Proved)
    assert isinstance(positive(coefficient(E / (1 - a * Z), k)), Proved)
    assert isinstance(positive(coefficient(E, total(y[l], l)), hard(y)), Proved)
    assert isinstance(nonnegative(order_sum(e(m), m, k + 1, oo)), Proved)


def test_a_coefficient_beyond_the_length_is_not_positive():
    assert isinstance(positive(e(k)), Refuted)
    assert isinstance(nonnegative(coefficient(E.xreplace({Z: -Z}), k)), Refuted)


# The nodes -------------------------------------------------------------------------------------


def test_the_variable_is_bound():
    assert Z not in e(k).free_symbols
    assert m not in order_sum(e(m), m, 0, k).free_symbols
    assert free_indices(coefficient(OTHERS, k)) == {i}


def test_the_derivative_goes_inside_and_not_by_the_order():
    assert resolve(partial(coefficient(a * Z, k), a)) == coefficient(Z, k)
    with pytest.raises(ValueError, match="its order depends on it"):
        resolve(partial(e(total(t[l], l)), t[i]))


def test_kinds_of_series():
    assert is_polynomial(E, Z)
    assert not is_polynomial(1 / (1 - Z), Z)
    assert is_power_series(E / (1 - a * Z), Z)
    assert not is_power_series(E / Z, Z)
    assert not is_power_series(W.xreplace({Z: 1 / Z}), Z)


def test_sums_that_no_rule_closes_are_left():
    assert closed(order_sum(e(m) * coefficient(F, m), m, 0, k)) is None
    assert generating(e(m) * coefficient(F, m), m) is None
    assert closed(order_sum(coefficient(1 / (1 - Z), m), m, 0, oo)) is None


def test_printed():
    assert text(e(k - 1)) == "[z^(k - 1)] Π_l(1 + z*e^(s_l))"
    assert latex(e(k)).startswith("[z^{k}] ")
    assert text(order_sum(e(m), m, 0, oo)).startswith("Σ_{m=0..∞}(")
    assert latex(order_sum(e(m), m, 0, k)).startswith(r"\sum_{m=0}^{k} ")
    assert latex(order_sum(e(m), m, 0, oo)).startswith(r"\sum_{m=0}^{\infty} ")
