"""The error-free transforms are exact, and the sum does not depend on the order of adding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from array_api_compat import array_namespace
from core_reference import Arrays, to_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from numeric_core.exact import accurate_sum, split_constant, sum_pair, two_product, two_sum

floats = st.floats(-(2.0**99), 2.0**99, width=32)


@settings(derandomize=True, deadline=None)
@given(floats, floats)
def test_two_sum_is_exact(a: float, b: float) -> None:
    s, e = two_sum(np.float32(a), np.float32(b))
    assert Fraction(float(s)) + Fraction(float(e)) == Fraction(a) + Fraction(b)


@settings(derandomize=True, deadline=None)
@given(st.floats(-(2.0**30), 2.0**30, width=32), st.floats(-(2.0**30), 2.0**30, width=32))
def test_two_product_is_exact(a: float, b: float) -> None:
    for dtype in (np.float32, np.float64):
        x, y = np.asarray(a, dtype), np.asarray(b, dtype)
        p, e = two_product(np, x, y)
        exact = Fraction(a) * Fraction(b)
        # the error term itself may underflow when the product is near the smallest normal number
        if exact == 0 or abs(exact) > Fraction(1e-25):
            assert Fraction(float(p)) + Fraction(float(e)) == exact


def test_split_constant_keeps_a_float64() -> None:
    high, low = split_constant(np, 0.1, np.zeros(1, np.float32))
    assert abs(float(high) + float(low) - 0.1) < 1e-16
    high, low = split_constant(np, 0.1, np.zeros(1))
    assert (float(high), float(low)) == (0.1, 0.0)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 31, 255, 256, 1000, 4097])
def test_sum_within_an_ulp(arrays: Arrays, n: int) -> None:
    rng = np.random.default_rng(n)
    for dtype in arrays.dtypes:
        x = (rng.random((2, n)) * 10.0 ** rng.uniform(-6, 0, (2, n))).astype(dtype)
        got = to_numpy(accurate_sum(array_namespace(arrays(x)), arrays(x)))[:, 0]
        true = np.array([math.fsum(row) for row in x.astype(np.float64)])
        assert np.all(np.abs(got - true) <= 1.5 * np.spacing(true.astype(dtype)))


def test_low_part_is_what_the_sum_lacks() -> None:
    x = np.array([[1.0, 2.0**-60, 2.0**-61, 3.0]])
    high, low = sum_pair(np, x)
    assert (float(high[0, 0]), float(low[0, 0])) == (4.0, 2.0**-60 + 2.0**-61)
