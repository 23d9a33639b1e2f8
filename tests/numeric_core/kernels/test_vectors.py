"""Vectors and their sums in compiled code, against NumPy lane by lane."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="numba is not installed")

from numeric_core.kernels import vector_lanes as lanes  # noqa: E402
from numeric_core.kernels import vector_memory as memory  # noqa: E402
from numeric_core.kernels import vector_sums, vectors  # noqa: E402
from numeric_core.kernels.elementary import exponential, one_sided  # noqa: E402
from numeric_core.kernels.intrinsics import (  # noqa: E402
    fma,
    higher,
    lower,
    magnitude,
    one_less,
    order,
    ordered,
    pattern,
    positive,
    power_of_two,
    two_powers,
)

SEED = 7
DTYPES = (np.float32, np.float64)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)

compiled = numba.njit(error_model="numpy")


def lanes_of(dtype: Any) -> int:
    return vectors.LANES[numba.from_dtype(np.dtype(dtype))]


def draws(dtype: Any, rows: int, scale: float = 3.0) -> Any:
    rng = np.random.default_rng(SEED)
    return (rng.standard_normal((rows, lanes_of(dtype))) * scale).astype(dtype)


@compiled
def arithmetic(x: Any, y: Any, out: Any) -> None:
    a, b, o, n = (
        memory.numbers(x),
        memory.numbers(y),
        memory.numbers(out),
        x.size,
    )
    v, w = memory.load(a, 0), memory.load(b, 0)
    found = v + w, v - w, v * w, -v, fma(v, w, v), vectors.larger(v, w), vectors.smaller(v, w)
    for k in numba.literal_unroll(range(7)):
        memory.store(o, k * n, found[k])


@dtypes
def test_arithmetic_is_that_of_numbers(dtype: Any) -> None:
    x, y = draws(dtype, 2)
    out = np.empty((7, x.size), dtype)
    arithmetic(x, y, out.reshape(-1))
    true = [x + y, x - y, x * y, -x, None, np.maximum(x, y), np.minimum(x, y)]
    for k, expected in enumerate(true):
        if expected is not None:
            np.testing.assert_array_equal(out[k], expected)
    for a, b, got in zip(x, y, out[4], strict=True):
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(a))
        # one rounding: of float64 to float32 a second one would show in one of 2^29 cases only
        assert got == dtype(float(exact))


@compiled
def some_of(x: Any, out: Any, m: int) -> int:
    p, o = memory.numbers(x), memory.numbers(out)
    v = memory.load_some(p, 1, m)
    mask = memory.first(p, m)
    memory.store_some(o, 0, m, v)
    memory.store(o, vectors.width(p), vectors.choose(mask, v, -v * v - x.dtype.type(1.0)))
    memory.ask(p, 1 << 40, 0)
    memory.ask(o, -(1 << 40), 1)
    return vectors.count(mask)


@dtypes
def test_the_first_lanes(dtype: Any) -> None:
    n = lanes_of(dtype)
    x = draws(dtype, 2).reshape(-1)
    for m in range(n):
        out = np.full(2 * n, np.inf, dtype)
        assert some_of(x[: m + 1], out, m) == m
        np.testing.assert_array_equal(out[:m], x[1 : m + 1])
        assert np.all(out[m:n] == np.inf)
        np.testing.assert_array_equal(out[n : n + m], x[1 : m + 1])
        assert np.all(out[n + m :] == -1.0)


@compiled
def comparisons(x: Any, y: Any) -> Any:
    v, w = (
        memory.load(memory.numbers(x), 0),
        memory.load(memory.numbers(y), 0),
    )
    zero = x.dtype.type(0.0)
    return (
        vectors.count(v < w),
        vectors.count(v <= w),
        vectors.count(v > w),
        vectors.count(v >= w),
        vectors.count(v == w),
        vectors.count((v > zero) & (w > zero)),
        vectors.count((v > zero) | (w > zero)),
    )


@dtypes
def test_comparisons(dtype: Any) -> None:
    x, y = draws(dtype, 2)
    y[::3], x[1], y[4] = x[::3], np.nan, np.nan
    got = comparisons(x, y)
    masks = (x < y, x <= y, x > y, x >= y, x == y, (x > 0) & (y > 0), (x > 0) | (y > 0))
    assert got == tuple(int(mask.sum()) for mask in masks)


@compiled
def seen(x: Any, y: Any) -> Any:
    v, w = (
        memory.load(memory.numbers(x), 0),
        memory.load(memory.numbers(y), 0),
    )
    far = lanes.most(higher(magnitude(v), magnitude(w)))
    near = lanes.least(lower(pattern(v * v), pattern(w * w)))
    top = ordered(lanes.most(order(v)))
    return (
        positive(far),
        positive(near),
        top,
        lanes.largest(v),
        lanes.most(one_less(order(v))),
    )


@dtypes
def test_extremes(dtype: Any) -> None:
    x, y = draws(dtype, 2)
    far, near, top, largest, below = seen(x, y)
    assert far == max(abs(x).max(), abs(y).max())
    assert near == min((x * x).min(), (y * y).min())
    assert top == largest == x.max()
    assert below == seen(np.full_like(x, x.max()), y)[4]


@compiled
def exponentials(x: Any, one: Any, up: Any, down: Any) -> None:
    v = memory.load(memory.numbers(x), 0)
    shifted, q = one_sided(v)
    scale = power_of_two(shifted)
    memory.store(memory.numbers(one), 0, fma(scale, q, scale))
    shifted, _, c, s = exponential(v)
    two, half = two_powers(shifted)
    memory.store(memory.numbers(up), 0, fma(two, c + s, two))
    memory.store(memory.numbers(down), 0, fma(half, c - s, half))


@compiled
def scalar_exponentials(x: Any, one: Any, up: Any, down: Any) -> None:
    for i in range(x.size):
        shifted, q = one_sided(x[i])
        scale = power_of_two(shifted)
        one[i] = fma(scale, q, scale)
        shifted, _, c, s = exponential(x[i])
        two, half = two_powers(shifted)
        up[i], down[i] = fma(two, c + s, two), fma(half, c - s, half)


@dtypes
def test_a_lane_has_the_bits_of_a_number(dtype: Any) -> None:
    x = draws(dtype, 1, 15.0)[0]
    got, true = np.empty((3, x.size), dtype), np.empty((3, x.size), dtype)
    exponentials(x, *got)
    scalar_exponentials(x, *true)
    np.testing.assert_array_equal(got, true)
    np.testing.assert_allclose(got[0], np.exp(x.astype(np.float64)), rtol=2 * np.finfo(dtype).eps)


@compiled
def two_sums(x: Any, y: Any) -> Any:
    p, q, like = memory.numbers(x), memory.numbers(y), x.dtype.type(0.0)
    a, b = vector_sums.nothing(like), vector_sums.nothing(like)
    for i in range(0, x.size, vectors.width(p)):
        a, b = (
            vector_sums.added(a, memory.load(p, i)),
            vector_sums.added(b, memory.load(q, i)),
        )
    return vector_sums.total_of_two(a, b), vector_sums.total_of_three(b, a, b)


@dtypes
@pytest.mark.parametrize("rows", (1, 2, 63))
def test_sums(dtype: Any, rows: int) -> None:
    rng = np.random.default_rng(SEED + rows)
    # terms of one sign, as those of a loss, of very different sizes
    x, y = np.exp(rng.normal(0, 8, (2, rows * lanes_of(dtype)))).astype(dtype)
    two, three = two_sums(x, y)
    # half an ulp of a pair of float32 terms; of float64 pairs all but n^2 2^-106
    bound = Fraction(2) ** -24 if dtype is np.float32 else Fraction(x.size**2, 2**106)
    for terms, (high, low) in zip((x, y, y, x, y), two + three, strict=True):
        true = sum(map(Fraction, map(float, terms)))
        assert abs(Fraction(high) + Fraction(low) - true) <= bound * true
        assert abs(low) <= math.ulp(high) / 2
