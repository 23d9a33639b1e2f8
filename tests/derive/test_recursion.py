"""Coefficients brought to products of elements, and what is left as it is."""

from __future__ import annotations

import pytest
from sympy import Expr, KroneckerDelta, Mul, Product, S, Symbol, exp, expand, log

from derive.axis import Index, total
from derive.coefficients import Coefficient, coefficient, order, order_sum
from derive.coefficients import Z as z
from derive.decide import Proved, equal
from derive.emit import CALLABLE, UnsupportedNode, emit
from derive.emit import coverage as cover
from derive.losses.symbols import LABELS, i, j, s, t, v
from derive.nodes import plain
from derive.recursion import elements_of, log_coefficient, recursion_form, subset_mean

l = LABELS.index("l")
r = order("r")
m = order("m")
s0 = Symbol("s_0", real=True)


HARD, SOFT = exp(s[l]), (1 - t[l]) * exp(s[l])


def series(*left_out: Index, weight: Expr = HARD) -> Expr:
    """``prod_l (1 + weight_l z)`` without some elements."""
    kept = Mul(*(1 - KroneckerDelta(index, l) for index in left_out))
    return LABELS.product(1 + kept * weight * z, l)


E, WITHOUT_I, WITHOUT_J = series(), series(i), series(j)
EXP_LOG = exp(log_coefficient(E, z, r))

MOVES = {
    "as it is": (coefficient(E, r), EXP_LOG),
    "a factor z": (coefficient(z * E, r + 1), EXP_LOG),
    "a power of z": (coefficient(E / z**2, r - 2), EXP_LOG),
    "a factor": (coefficient(3 * exp(s0) * E, r), 3 * exp(s0) * EXP_LOG),
    "a sum": (coefficient((2 + z) * E, r + 1), 2 * exp(log_coefficient(E, z, r + 1)) + EXP_LOG),
    "one element divided out": (
        coefficient(E / (1 + exp(s[i]) * z), r),
        exp(log_coefficient(WITHOUT_I, z, r)),
    ),
    "a geometric series": (
        coefficient(E / (1 - exp(s0) * z), r),
        exp(log_coefficient(E / (1 - exp(s0) * z), z, r)),
    ),
    "a sum over orders": (
        order_sum(coefficient(E, m), m, 0, r),
        exp(log_coefficient(E / (1 - z), z, r)),
    ),
    "a mean": (
        total(v[j] * exp(s[j]) * coefficient(WITHOUT_J, r - 1), j),
        subset_mean(total(v[j], j), E, z, r) * EXP_LOG,
    ),
    "a mean without one": (
        total((1 - KroneckerDelta(i, j)) * v[j] * exp(s[j]) * coefficient(series(i, j), r - 1), j),
        subset_mean(total(v[j], j), WITHOUT_I, z, r) * exp(log_coefficient(WITHOUT_I, z, r)),
    ),
    "a mean from under the coefficient": (
        coefficient(total(v[j] * exp(s[j]) * z / (1 + exp(s[j]) * z), j) * E, r),
        subset_mean(total(v[j], j), E, z, r) * EXP_LOG,
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_coefficient_becomes_one_of_elements(name: str) -> None:
    before, after = MOVES[name]
    assert recursion_form(before) == after


@pytest.mark.parametrize("name", MOVES)
def test_each_move_is_an_identity(name: str) -> None:
    before, after = MOVES[name]
    assert isinstance(equal(before, plain(after)), Proved)


@pytest.mark.parametrize(
    "expression",
    [E, WITHOUT_I, series(i, j), series(weight=SOFT), series(i, weight=SOFT), E / (1 - z)],
)
def test_a_series_is_read_however_it_is_expanded(expression: Expr) -> None:
    found = elements_of(expression, z)
    product = next(f for f in Mul.make_args(expression) if isinstance(f, Product))
    spread = expression.xreplace({product: product.func(expand(product.function), *product.limits)})
    assert found is not None
    assert elements_of(spread, z) == found
    assert log_coefficient(spread, z, r) == log_coefficient(expression, z, r)


@pytest.mark.parametrize(
    "other",
    [
        E**2,
        E * series(weight=SOFT),
        E / (1 - z) ** 2,
        E / (1 + t[i] * z),
        E / ((1 + exp(s[i]) * z) * (1 + exp(s[j]) * z)),
        exp(z) * E,
        LABELS.product(1 + exp(s[l]) * z**2, l),
        1 / (1 - z),
    ],
)
def test_other_series_stay_and_are_refused_by_array_targets(other: Expr) -> None:
    left = coefficient(other, cover.r)
    assert elements_of(other, z) is None
    assert recursion_form(left) == left
    free = tuple(index for index in (i, j) if left.has(index))
    formula = cover.formula("other", log(left) + total(s[l], l), free)
    for target in set(CALLABLE) - {"mpmath"}:
        with pytest.raises(UnsupportedNode, match="no text for the node Coefficient"):
            emit(formula, target)


def test_a_sum_that_only_looks_like_a_mean_is_left_a_sum() -> None:
    """Without the factor 1 - delta the term j = i counts, in which i is left out only once."""
    term = total(v[j] * exp(s[j]) * coefficient(series(i, j), r - 1), j)
    assert not recursion_form(term).has(subset_mean)
    assert isinstance(equal(term, plain(recursion_form(term))), Proved)


def test_an_element_may_have_the_name_of_the_bound_index() -> None:
    found = elements_of(E, z)
    assert found is not None
    assert found.without(l).series(z) == found.without(l).series(z).xreplace({j: i})
    assert l in found.without(l).series(z).free_symbols


def test_a_weight_may_depend_on_no_other_element() -> None:
    mixed = series(j, weight=exp(s[l] * v[j]))
    term = total(exp(s[j] * v[j]) * coefficient(mixed, r - 1), j)
    assert not recursion_form(term).has(subset_mean)
    assert isinstance(equal(term, plain(recursion_form(term))), Proved)


def test_no_coefficient_no_change() -> None:
    expression = log(1 + total(exp(s[j]), j))
    assert recursion_form(expression) is expression


def test_the_variable_of_the_series_is_bound() -> None:
    assert log_coefficient(E, z, r).free_symbols >= {r}
    assert z not in log_coefficient(E, z, r).free_symbols
    assert z not in subset_mean(total(v[j], j), E, z, r).free_symbols
    assert Coefficient(S.Zero, z, r) == 0
