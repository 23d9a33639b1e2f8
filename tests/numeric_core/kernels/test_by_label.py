"""Binary cross-entropy compiled: its polynomial, and the kernel against the plain version.

Errors in ulps of the true value on adversarial rows: `lossproof verify`, route "core, compiled".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import mpmath
import numpy as np
import pytest

import numeric_core as nc
from numeric_core import kernels
from numeric_core.kernels import threads

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")

DTYPES = (np.float16, np.float32, np.float64)
# Plain version and kernel are each within 4 ulp of the truth.
APART = 8


@pytest.fixture(autouse=True)
def _kernels_used() -> Iterator[None]:
    nc.use_kernels(True)
    yield
    nc.use_kernels(True)


def batch(n: int, dtype: Any, *, hard: bool = False) -> tuple[Any, Any]:
    """Rows of n labels, enough for a kernel, a tenth of them masked."""
    rng = np.random.default_rng(n)
    m = max(2, -(-kernels.LEAST // n))
    scores = rng.normal(0, 4, (m, n)).astype(dtype)
    masked = rng.random((m, n)) < 0.1
    scores[masked] = -np.inf
    if hard:
        return scores, (rng.random((m, n)) < 0.3) & ~masked
    return scores, np.where(masked, 0.0, rng.random((m, n))).astype(dtype)


def plainly(*arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = nc.binary_cross_entropy.value_and_grad(*arrays, **options)
    nc.use_kernels(True)
    return result


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


def interpolated(function: Any, middle: Any, radius: Any, count: int) -> list[float]:
    """The polynomial in x - middle through function(x) at the Chebyshev points of |x - middle| <=
    radius."""
    nodes = [radius * mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    powers = mpmath.matrix([[x**k for k in range(count)] for x in nodes])
    values = mpmath.matrix([function(middle + x) for x in nodes])
    return [float(c) for c in mpmath.lu_solve(powers, values)]


def test_the_polynomials_are_what_they_are_said_to_be() -> None:
    from numeric_core.kernels.by_label import Q
    from numeric_core.kernels.elementary import P

    with mpmath.workdps(60):
        half, reach = mpmath.mpf(1) / 2, mpmath.log(2) / 2
        for c in Q.values():
            made = interpolated(lambda e: (mpmath.log1p(e) - e) / e**2, half, half, len(c))
            assert list(c) == made
        for c in P.values():
            # r = 0 is one of the points of an odd number
            made = interpolated(_rest_of_exp, mpmath.mpf(0), reach, len(c))
            assert list(c) == made


def _rest_of_exp(r: Any) -> Any:
    """(e^r - 1 - r) / r^2, near 0 by its series."""
    if abs(r) < mpmath.mpf(10) ** -30:
        return mpmath.mpf(1) / 2 + r / 6
    return (mpmath.expm1(r) - r) / r**2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_to_an_ulp(dtype: Any) -> None:
    import numba

    from numeric_core.kernels.by_label import tail

    compiled = numba.njit(lambda x: tail(x))
    rng = np.random.default_rng(0)
    widest = 87.0 if dtype == np.float32 else 700.0
    ends = np.array([0.0, widest])
    spread = [rng.uniform(-1, 1, 2000), rng.uniform(-widest, widest, 2000), ends]
    with mpmath.workdps(40):
        for x in np.concatenate(spread).astype(dtype):
            true = mpmath.exp(-abs(mpmath.mpf(float(x))))
            assert abs(mpmath.mpf(float(compiled(x))) - true) <= np.spacing(dtype(true))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log1p_to_one_and_a_half_ulp(dtype: Any) -> None:
    import numba

    from numeric_core.kernels.by_label import log1p_of

    compiled = numba.njit(lambda e: log1p_of(e))
    rng = np.random.default_rng(0)
    spread = [rng.random(2000), 1.0 - 0.1 * rng.random(2000), 2.0 ** -rng.uniform(0, 90, 1000)]
    with mpmath.workdps(40):
        for e in np.concatenate([*spread, [0.0, 1.0]]).astype(dtype):
            true = mpmath.log1p(mpmath.mpf(float(e)))
            error = abs(mpmath.mpf(float(compiled(e))) - true)
            assert error <= 1.5 * np.spacing(dtype(true))


@pytest.mark.parametrize("hard", [True, False], ids=["hard", "soft"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [1, 2, 15, 64, 1000, 1025, 65_537, 140_001])
def test_as_the_plain_version(n: int, dtype: Any, hard: bool) -> None:
    scores, labels = batch(n, dtype, hard=hard)
    value, gradient = nc.binary_cross_entropy.value_and_grad(scores, labels)
    true_value, true_gradient = plainly(scores, labels)
    assert value.dtype == gradient.dtype == dtype and gradient.shape == scores.shape
    # float16 ends at 65504
    finite = np.isfinite(true_value)
    np.testing.assert_array_equal(np.isfinite(value), finite)
    apart = np.abs(value[finite] - true_value[finite])
    assert np.all(apart <= APART * np.spacing(true_value[finite]))
    p = 1.0 / (1.0 + np.exp(-scores.astype(np.float64)))
    larger = np.maximum((1.0 - labels) * p, labels * (1.0 - p)).astype(dtype)
    assert np.all(np.abs(gradient - true_gradient) <= APART * np.spacing(larger))
    np.testing.assert_array_equal(nc.binary_cross_entropy(scores, labels), value)


def test_the_kernel_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(*given: Any, **options: Any) -> None:
        raise AssertionError("the plain version was called")

    monkeypatch.setattr(type(nc.binary_cross_entropy), "_plain_value_and_grad", plain)
    value, gradient = nc.binary_cross_entropy.value_and_grad(*batch(64, np.float32))
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("n", [64, 3000, 140_001])
def test_bits_do_not_depend_on_threads(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = batch(n, np.float32)
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("LOSSPROOF_THREADS", count)
        threads._pool.cache_clear()
        results.append(nc.binary_cross_entropy.value_and_grad(scores, labels))
    threads._pool.cache_clear()
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_batch(dtype: Any) -> None:
    scores, labels = batch(96, dtype)
    value, gradient = nc.binary_cross_entropy.value_and_grad(scores, labels)
    some = np.arange(len(scores))[::-1].repeat(3)[: len(scores) * 2]
    part = nc.binary_cross_entropy.value_and_grad(scores[some], labels[some])
    assert_same(part, (value[some], gradient[some]))


def test_any_axis() -> None:
    scores, labels = batch(64, np.float32)
    value, gradient = nc.binary_cross_entropy.value_and_grad(scores.T, labels.T, axis=0)
    assert_same((value, gradient.T), nc.binary_cross_entropy.value_and_grad(scores, labels))


def test_odd_rows_are_the_plain_versions() -> None:
    scores, labels = batch(100, np.float32)
    scores[3], labels[3] = np.linspace(-300.0, 300.0, 100), 0.25
    scores[7, 5], labels[7, 5] = -100.0, 0.0
    odd = [3, 7]
    value, gradient = nc.binary_cross_entropy.value_and_grad(scores, labels)
    assert_same((value[odd], gradient[odd]), plainly(scores[odd], labels[odd]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiny_and_huge_losses(dtype: Any) -> None:
    scores, labels = batch(64, dtype, hard=True)
    gap = dtype(80.0 if dtype == np.float32 else 690.0)
    scores[:] = np.where(labels, gap, -gap)
    scores[1], labels[1] = -gap * dtype(1e4), False
    scores[2], labels[2] = gap * dtype(1e4), False
    value = nc.binary_cross_entropy(scores, labels)
    with mpmath.workdps(30):
        tiny = 64 * mpmath.log1p(mpmath.exp(-mpmath.mpf(float(gap))))
        assert abs(mpmath.mpf(float(value[0])) - tiny) <= 4 * np.spacing(dtype(tiny))
    assert value[1] == 0.0 and value[2] == dtype(64) * scores[2, 0]


SPOILT = {
    "nan": (math.nan, None, "must not be nan"),
    "inf": (math.inf, None, r"got \+inf"),
    "label": (None, 1.5, "labels must lie in"),
    "negative label": (None, -0.5, "labels must lie in"),
    "nan label": (None, math.nan, "labels must lie in"),
    "masked positive": (-math.inf, 1.0, "marked positive"),
    "masked half positive": (-1e7, 0.5, "marked positive"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_errors_are_the_plain_versions(fault: str) -> None:
    scores, labels = batch(100, np.float32)
    score, label, message = SPOILT[fault]
    scores[5, 7] = scores[5, 7] if score is None else score
    labels[5, 7] = labels[5, 7] if label is None else label
    with pytest.raises(ValueError, match=message) as seen:
        nc.binary_cross_entropy.value_and_grad(scores, labels)
    with pytest.raises(ValueError, match=message) as plain:
        plainly(scores, labels)
    assert str(seen.value) == str(plain.value)


def test_a_masked_positive_at_its_value() -> None:
    scores, labels = batch(100, np.float32)
    scores[5, 7], labels[5, 7] = -math.inf, 0.5
    value = nc.binary_cross_entropy(scores, labels, masked_positives="value")
    assert value[5] == math.inf and np.isfinite(np.delete(value, 5)).all()
