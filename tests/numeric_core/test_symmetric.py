"""Products of linear polynomials against exact fractions, up the tree and down again."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import pytest
from core_reference import Arrays, to_numpy

from numeric_core import symmetric
from numeric_core.dual import Dual
from numeric_core.namespace import namespace
from numeric_core.symmetric import Leaves, Product, coefficients

SIZES = [(1, 1), (2, 1), (3, 2), (5, 5), (7, 3), (33, 8), (40, 45)]


def elementary(x: Any, order: int) -> list[Fraction]:
    e = [Fraction(1)] + [Fraction(0)] * order
    for value in map(Fraction, map(float, x)):
        for j in range(order, 0, -1):
            e[j] += value * e[j - 1]
    return e


def relative(got: Any, exact: list[Fraction]) -> float:
    pairs = zip(map(float, got), exact, strict=True)
    return max(float(abs(Fraction(g) - e) / e) if e else abs(g) for g, e in pairs)


def draw(n: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).exponential(size=(n, 3)) * 10.0


def leaves_of(x: Any, unit: bool) -> Leaves:
    return Leaves(None if unit else np.ones_like(x), x)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize(("n", "order"), [*SIZES, (0, 2), (4, 0)])
def test_coefficients(n: int, order: int, unit: bool) -> None:
    x = draw(n)
    product = Product(xp, leaves_of(x, unit), order)
    got = product.coefficients * 2.0**product.exponent
    few, exponent = coefficients(xp, leaves_of(x, unit), order)
    for r in range(3):
        exact = elementary(x[:, r], order)
        assert relative(got[:, r], exact) <= 2e-15
        assert relative((few * 2.0**exponent)[:, r], exact) <= 2e-15


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize(("n", "order"), SIZES)
def test_adjoint_is_the_leave_one_out_sum(n: int, order: int, unit: bool) -> None:
    x, root = draw(n), np.random.default_rng(2).random((order + 1, 3))
    take = Product(xp, leaves_of(x, unit), order).adjoint(root).take
    for r in range(3):
        left = [elementary(np.delete(x[:, r], i), order) for i in range(n)]
        weights = [Fraction(float(weight)) for weight in root[1:, r]]
        exact = [sum(w * e for w, e in zip(weights, one[:-1], strict=True)) for one in left]
        assert relative(take[:, r], exact) <= 5e-15


def test_every_library_agrees(arrays: Arrays) -> None:
    for dtype in arrays.dtypes:
        x, root = draw(11).astype(dtype), np.ones((5, 3), dtype)
        mine = Product(xp, leaves_of(x.astype(np.float64), True), 4)
        take = arrays(x)
        product = Product(namespace(take=take), Leaves(None, take), 4)
        bound = 100 * np.finfo(dtype).eps
        assert np.allclose(to_numpy(product.coefficients), mine.coefficients, rtol=bound)
        adjoint = to_numpy(product.adjoint(arrays(root)).take)
        assert np.allclose(adjoint, mine.adjoint(np.ones((5, 3))).take, rtol=bound)


def test_dual_numbers_carry_the_derivative_along_a_direction() -> None:
    x, u = draw(9), np.random.default_rng(3).normal(size=(9, 3))
    root = np.zeros((4, 3))
    root[3] = 1.0
    stay = Dual(np.ones_like(x), np.zeros_like(x))
    product = Product(xp, Leaves(stay, Dual(x, u)), 3)
    slope = product.adjoint(Dual(root, np.zeros_like(root)))
    # e_3 is linear in each x_i, and so its difference quotient is a polynomial in h of degree 2:
    # the central one is right to h^2
    h = 2.0**-14
    up, down = (Product(xp, Leaves(None, x + h * sign * u), 3) for sign in (1, -1))
    assert np.allclose(
        product.coefficients.tangent[3],
        (up.coefficients[3] - down.coefficients[3]) / (2 * h),
        rtol=1e-6,
    )
    quotient = (up.adjoint(root).take - down.adjoint(root).take) / (2 * h)
    assert np.allclose(slope.take.tangent, quotient, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("unit", [True, False])
def test_a_tree_taken_in_pieces_is_the_same_tree(
    unit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, root = draw(333), np.random.default_rng(5).random((4, 3))
    x = x if unit else x / 200.0
    whole = Product(xp, leaves_of(x, unit), 3)
    monkeypatch.setattr(symmetric, "CHUNK", 64)
    pieces = Product(xp, leaves_of(x, unit), 3)
    few, exponent = coefficients(xp, leaves_of(x, unit), 3)
    assert np.allclose(pieces.coefficients, whole.coefficients, rtol=1e-14)
    assert np.allclose(few * 2.0**exponent, whole.coefficients, rtol=1e-14)
    assert np.allclose(pieces.adjoint(root).take, whole.adjoint(root).take, rtol=1e-14)


def test_long_products_stay_in_range() -> None:
    """(1 + z)^n up to order n / 2 is about 2^n."""
    n = 4000
    ones = np.ones((n, 1))
    product = Product(xp, Leaves(ones, ones), n // 2)
    exact = elementary([1.0] * 40, 20)[20]
    small = Product(xp, Leaves(ones[:40], ones[:40]), 20)
    assert relative(small.coefficients[20], [exact]) <= 1e-15
    top = product.coefficients[n // 2, 0]
    # C(n, n/2) = 2^n sqrt(2 / (pi n)) (1 - 1 / (4 n) + ...)  (Stirling)
    log_true = n * np.log(2.0) + 0.5 * np.log(2.0 / (np.pi * n)) - 1.0 / (4.0 * n)
    got = np.log(top) + product.exponent[0] * np.log(2.0)
    assert abs(got - log_true) <= 1e-9
