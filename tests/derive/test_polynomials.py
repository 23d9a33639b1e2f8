"""FLINT's polynomials have the form that SymPy has, and the same values.

The expected results are SymPy's own, on random expressions.
"""

from __future__ import annotations

from random import Random

import pytest
from sympy import (
    Add,
    Expr,
    Mul,
    Poly,
    Rational,
    S,
    cancel,
    exp,
    expand,
    factor_list,
    log,
    reduced,
    symbols,
    together,
)

from derive.polynomials import (
    by_power,
    cancelled,
    divided,
    expanded,
    factored,
    multiplied_out,
    numerator_of,
)

SYMBOLS = symbols("x y z w", positive=True)
SEEDS = range(40)


def polynomial(random: Random, terms: int = 3) -> Expr:
    return Add(*(_term(random) for _ in range(random.randint(1, terms))))


def _term(random: Random) -> Expr:
    powers = (symbol ** random.randint(0, 2) for symbol in SYMBOLS)
    return Rational(random.randint(-6, 6), random.randint(1, 3)) * Mul(*powers)


def fraction_of(random: Random) -> Expr:
    below = polynomial(random)
    return polynomial(random) + polynomial(random) / (below if below != 0 else S.One)


@pytest.mark.parametrize("seed", SEEDS)
def test_products_are_multiplied_out(seed: int) -> None:
    random = Random(seed)
    value = polynomial(random) * polynomial(random) ** 2 - polynomial(random)
    assert expanded(value) == multiplied_out(value) == expand(value)


@pytest.mark.parametrize("seed", SEEDS)
def test_fractions_are_cancelled(seed: int) -> None:
    random = Random(seed)
    value = fraction_of(random) * fraction_of(random) - fraction_of(random)
    assert cancelled(value, SYMBOLS) == cancel(together(value), *SYMBOLS)


@pytest.mark.parametrize("seed", SEEDS)
def test_factors_come_in_the_same_order(seed: int) -> None:
    random = Random(seed)
    value = expand(polynomial(random) * polynomial(random) ** 2 * polynomial(random))
    number, factors = factor_list(value, *SYMBOLS)
    assert factored(value, SYMBOLS) == (number, factors)


@pytest.mark.parametrize("seed", SEEDS)
def test_quotients_and_rests_are_those_of_sympy(seed: int) -> None:
    random = Random(seed)
    x, y, z, w = SYMBOLS
    value = (polynomial(random) * polynomial(random) + x) / (3 * z * w**2)
    # Led by a number or, in x and y alone, by a monomial in the others.
    for leading, unit in (((x, y, z, w), S(2)), ((x, y), 2 * z * w)):
        factor = unit * x * y + polynomial(random).xreplace({x: S.One})
        (quotient,), rest = reduced(expand(value * z * w**2), [factor], *leading, order="lex")
        expected = expand(quotient / (z * w**2)), expand(rest / (z * w**2))
        assert divided(value, factor, leading) == expected


def test_a_quotient_that_is_no_rational_function_is_left_to_sympy() -> None:
    x, y, *_ = SYMBOLS
    assert divided(exp(y) * x**2, x + 1, [x]) == (x * exp(y) - exp(y), exp(y))


@pytest.mark.parametrize("seed", SEEDS)
def test_coefficients_are_those_of_sympy(seed: int) -> None:
    random = Random(seed)
    x, *others = SYMBOLS
    value = (polynomial(random) * x + 1) * (polynomial(random) + exp(others[0]) + x)
    expected = [(power, part) for (power,), part in Poly(expand(value), x).terms()]
    assert [(power, expand(part)) for power, part in by_power(value, x)] == expected
    over = value / (1 + others[1])
    assert expand(sum(part * x**power for power, part in by_power(over, x)) - over).equals(0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_numerator_is_zero_where_the_value_is(seed: int) -> None:
    random = Random(seed)
    value = fraction_of(random) + 1 / (1 + SYMBOLS[0])
    assert numerator_of(value - cancel(together(value))) == 0
    assert numerator_of(value - cancel(together(value)) + 1) != 0


def test_what_is_no_rational_function_is_left_to_sympy() -> None:
    x, y, *_ = SYMBOLS
    value = (1 + exp(x)) * (y + exp(x))
    assert expanded(value) == expand(value)
    half = (1 + x ** Rational(1, 2)) * (1 - x ** Rational(1, 2)) / (1 - x)
    assert cancelled(half, SYMBOLS) == cancel(together(half), *SYMBOLS)


def test_a_node_is_left_as_it_is() -> None:
    x, y, *_ = SYMBOLS
    node = log((1 + x) * (1 + y))
    assert multiplied_out(2 * (node - x) - node) == node - 2 * x
    assert multiplied_out(x * (node + y)) == x * node + x * y
