"""Values, gradients and Hessian-vector products in ulps of the truth, at inputs made to hurt."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import mpmath
import numpy as np
import pytest
from core_reference import (
    COMMON_SHAPE,
    LOSSES,
    Arrays,
    Backend,
    Exact,
    Reference,
    exact_rows,
    to_numpy,
    ulps,
    worst_ulps,
)

import numeric_core as nc

LIMIT = 4.0
ROWS = 24


@pytest.mark.parametrize(("name", "loss"), [(n, loss) for n, loss, _ in LOSSES], ids=lambda x: x)
def test_within_four_ulp(arrays: Arrays, name: str, loss: Any) -> None:
    sizes = (COMMON_SHAPE[1],) if arrays.backend is Backend.JAX else ()
    for dtype in arrays.dtypes:
        worst = worst_ulps(loss, exact_rows(name, dtype, ROWS, sizes), dtype, arrays)
        for quantity, (error, row) in worst.items():
            assert error <= LIMIT, f"{quantity} {np.dtype(dtype)}: {error:.2f} ulp at {row}"


def test_two_sides_have_two_maxima(arrays: Arrays) -> None:
    value = nc.zlpr(arrays([110, -3, -2], np.float32), arrays([0, 1, 0], np.float32))
    # log(1 + e^110 + e^-2) + log(1 + e^3) = 110 + 3.0485873515737...
    assert float(value) == np.float32(113.04858735157374)


def test_tiny_loss_keeps_its_digits(arrays: Arrays) -> None:
    value, gradient = nc.zlpr.value_and_grad(
        arrays([20, -20, -20], np.float32), arrays([1, 0, 0], np.float32)
    )
    # log(1 + e^-20) + log(1 + 2 e^-20) = 3 e^-20 - ...
    assert ulps(to_numpy(value), _exact(3 * math.exp(-20)), np.float32) <= 2
    assert np.allclose(to_numpy(gradient), np.exp(-20.0) * np.array([-1, 1, 1]), rtol=3e-7)


def test_loss_of_1e_minus_300() -> None:
    for loss in (nc.zlpr, nc.soft_zlpr, nc.unified, nc.softmax_cross_entropy):
        s, t = np.array([690.0, 0.0]), np.array([1.0, 0.0])
        s = s if loss in (nc.unified, nc.softmax_cross_entropy) else s - np.array([0.0, 690.0])
        count = 1 if loss in (nc.unified, nc.softmax_cross_entropy) else 2
        with mpmath.workdps(40):
            true = _exact(count * mpmath.exp(-690))
        assert ulps(loss(s, t), true, np.float64) <= LIMIT


def test_softmax_gradient_of_the_dominant_class(arrays: Arrays) -> None:
    gradient = nc.softmax_cross_entropy.value_and_grad(
        arrays([40, 0, 0], np.float32), arrays([1, 0, 0], np.float32)
    )[1]
    with mpmath.workdps(40):
        e = mpmath.exp(-40)
        true = [-2 * e / (1 + 2 * e), e / (1 + 2 * e), e / (1 + 2 * e)]
    for got, exact in zip(to_numpy(gradient), true, strict=True):
        assert ulps(got, _exact(exact), np.float32) <= LIMIT


@pytest.mark.parametrize("n", [10**3 + 1, 10**6])
@pytest.mark.parametrize("score", [0.1, -30.0, -85.0, 100.3])
def test_long_rows_of_equal_scores(arrays: Arrays, n: int, score: float) -> None:
    if arrays.backend is Backend.JAX and n != 10**6:
        pytest.skip("JAX compiles every shape: one length is enough")
    for dtype in arrays.dtypes:
        s = np.full(n, score, dtype=dtype)
        value, gradient = nc.soft_zlpr.value_and_grad(arrays(s), arrays(np.zeros_like(s)))
        with mpmath.workdps(60):
            x = mpmath.mpf(float(s[0]))
            true = _exact(mpmath.log1p(n * mpmath.exp(x)))
            q = _exact(mpmath.exp(x) / (1 + n * mpmath.exp(x)))
        flushes = arrays.backend is Backend.JAX
        assert ulps(to_numpy(value), true, dtype, flushes) <= LIMIT
        assert ulps(to_numpy(gradient)[n // 2], q, dtype, flushes) <= LIMIT


def test_long_columns(arrays: Arrays) -> None:
    """The label axis first: no library may fall back to adding in sequence."""
    # for JAX the length of the long rows, whose shapes are compiled already
    n = 10**6 if arrays.backend is Backend.JAX else 200_000
    s = np.repeat(np.linspace(-1, 1, n)[:, None], 2, axis=1)
    for dtype in arrays.dtypes:
        column = np.ascontiguousarray(s.astype(dtype))
        value = nc.soft_zlpr(arrays(column), arrays(np.zeros_like(column)), axis=0)
        true = math.log1p(math.fsum(np.exp(column[:, 0].astype(np.float64))))
        assert ulps(to_numpy(value)[1], _exact(true), dtype) <= LIMIT + 1


def test_terms_lost_to_underflow_one_by_one_count_together() -> None:
    n = 1 << 20
    s = np.full(n, -105.0, dtype=np.float32)
    value = nc.zlpr(s, np.zeros_like(s))
    with mpmath.workdps(40):
        true = _exact(n * mpmath.exp(-105))
    assert ulps(value, true, np.float32) <= LIMIT


def test_tiny_weight_under_a_huge_exponent(arrays: Arrays) -> None:
    """w e^{-s} with w = 2^-120 and e^{-s} beyond float32."""
    s, t = np.array([-100.0, 1.0], np.float32), np.array([2.0**-120, 0.5], np.float32)
    value, gradient = nc.soft_zlpr.value_and_grad(arrays(s), arrays(t))
    with mpmath.workdps(60):
        a, b = mpmath.ldexp(1, -120) * mpmath.exp(100), mpmath.exp(-1) / 2
        e = mpmath.exp(1) / 2
        # 1 - t rounds to 1, and (1 - t) e^{-100} is nothing beside e / 2
        true = _exact(mpmath.log1p(a + b) + mpmath.log1p(e + mpmath.exp(-100)))
        p = _exact(a / (1 + a + b))
    assert ulps(to_numpy(value), true, np.float32) <= LIMIT
    assert ulps(-to_numpy(gradient)[0], p, np.float32) <= LIMIT


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_is_rounded_once(arrays: Arrays, name: str) -> None:
    if arrays.backend is Backend.STRICT:
        pytest.skip("array-api-strict has no halves")
    rng = np.random.default_rng(5)
    library = ml_dtypes if arrays.backend is Backend.NUMPY and name == "bfloat16" else arrays.xp
    half = getattr(library, name)
    s = _cast(arrays, rng.normal(size=(50, 7)) * 8, half)
    t = _cast(arrays, rng.random((50, 7)), half)
    value, gradient = nc.soft_zlpr.value_and_grad(s, t)
    wide = nc.soft_zlpr.value_and_grad(_cast(arrays, s, "float32"), _cast(arrays, t, "float32"))
    assert value.dtype == half and gradient.dtype == half
    for got, reference in zip((value, gradient), wide, strict=True):
        expected = _cast(arrays, reference, half)
        assert bool(arrays.xp.all(got == expected))


def _cast(arrays: Arrays, x: Any, dtype: Any) -> Any:
    dtype = getattr(arrays.xp, dtype) if isinstance(dtype, str) else dtype
    x = arrays(x, np.float32) if isinstance(x, np.ndarray) else x
    return x.to(dtype) if hasattr(x, "to") and arrays.backend is Backend.TORCH else x.astype(dtype)


def _exact(x: Any) -> Exact:
    return Exact(mpmath.mpf(x), abs(mpmath.mpf(x)))


def test_hvp_under_jit_has_one_center() -> None:
    """XLA once evaluated a computed mean anew in each use, an ulp apart: 420 ulp on this row."""
    arrays = Arrays(Backend.JAX)
    import jax

    loss = nc.ZLPR(threshold=0.3)
    s = np.array([-16.371635, 5.601045, -16.371635, 5.601045, 5.601045], np.float32)
    v = np.array([1.0000006, 1.0000002, 0.99999934, 0.9999998, 1.0000037], np.float32)
    t = np.zeros_like(s)
    batch = [arrays(np.tile(x, (COMMON_SHAPE[0], 1))) for x in (s, t, v)]
    got = to_numpy(jax.jit(loss.hvp)(*batch))[0]
    for component, exact in zip(got, Reference(loss, s, t).hvp(v), strict=True):
        assert ulps(component, exact, np.float32) <= LIMIT
