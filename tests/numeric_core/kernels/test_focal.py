"""Focal and asymmetric loss compiled, against the plain version in float64.

Errors in ulps of the true value on adversarial rows: `lossproof verify`, route "core, compiled".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import kernels
from numeric_core.kernels import threads

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")

LOSSES = {
    "focal": nc.focal,
    "weights": nc.Focal(gamma=1.3, alpha=0.25),
    "gamma 0": nc.Focal(gamma=0.0),
    "two exponents": nc.Asymmetric(gamma_positive=1.0, gamma_negative=2.5, margin=0.0),
    "margin": nc.asymmetric,
    "margin, powers": nc.Asymmetric(gamma_positive=0.7, gamma_negative=7.0, margin=0.3),
}


@pytest.fixture(autouse=True)
def _kernels_used() -> Iterator[None]:
    nc.use_kernels(True)
    yield
    nc.use_kernels(True)


def batch(n: int, dtype: Any = np.float32) -> tuple[Any, Any]:
    """Rows of n labels, enough for a kernel, a tenth of them masked."""
    rng = np.random.default_rng(n)
    m = max(2, -(-kernels.LEAST // n))
    scores = rng.normal(0, 6, (m, n)).astype(dtype)
    masked = rng.random((m, n)) < 0.1
    scores[masked] = -np.inf
    return scores, (rng.random((m, n)) < 0.3) & ~masked


def plainly(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = loss.value_and_grad(*arrays, **options)
    nc.use_kernels(True)
    return result


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [1, 64, 1025, 140_001])
@pytest.mark.parametrize("name", LOSSES)
def test_rounded_from_float64(name: str, n: int, dtype: Any) -> None:
    loss, (scores, labels) = LOSSES[name], batch(n, dtype)
    got = loss.value_and_grad(scores, labels)
    true = plainly(loss, scores.astype(np.float64), labels)
    for x, y in zip(got, true, strict=True):
        assert x.dtype == dtype and x.shape == y.shape
        # float16 ends at 65504; its subnormals are rounded twice
        finite = np.abs(y) < np.finfo(dtype).max
        np.testing.assert_array_equal(np.isfinite(x), finite)
        ulp = np.spacing(np.abs(y[finite]).astype(dtype))
        assert np.all(np.abs(x[finite].astype(np.float64) - y[finite]) <= 0.51 * ulp)
    np.testing.assert_array_equal(loss(scores, labels), got[0])


@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_was_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(64)

    def plain(*given: Any, **options: Any) -> None:
        raise AssertionError("the plain version was called")

    monkeypatch.setattr(type(loss), "_plain_value_and_grad", plain)
    value, gradient = loss.value_and_grad(scores, labels)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("loss", "dtype"),
    [(nc.focal, np.float64), (nc.Asymmetric(gamma_negative=2.5), np.float32)],
    ids=["float64", "power 2.5"],
)
def test_what_has_no_kernel_is_the_plain_versions(loss: nc.Loss, dtype: Any) -> None:
    scores, labels = batch(64, dtype)
    assert_same(loss.value_and_grad(scores, labels), plainly(loss, scores, labels))


def test_gamma_0_is_binary_cross_entropy() -> None:
    scores, labels = batch(200)
    value, gradient = nc.Focal(gamma=0.0).value_and_grad(scores, labels)
    true_value, true_gradient = plainly(nc.binary_cross_entropy, scores, labels)
    np.testing.assert_allclose(value, true_value, rtol=4e-7)
    np.testing.assert_allclose(gradient, true_gradient, rtol=6e-7, atol=1e-44)


@pytest.mark.parametrize("n", [64, 140_001])
@pytest.mark.parametrize("name", ["focal", "margin"])
def test_bits_do_not_depend_on_threads(name: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("LOSSPROOF_THREADS", count)
        threads._pool.cache_clear()
        results.append(LOSSES[name].value_and_grad(*batch(n)))
    threads._pool.cache_clear()
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


@pytest.mark.parametrize("name", ["focal", "margin"])
def test_bits_do_not_depend_on_the_batch(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(96)
    value, gradient = loss.value_and_grad(scores, labels)
    some = np.arange(len(scores))[::-1].repeat(3)[: len(scores) * 2]
    part = loss.value_and_grad(scores[some], labels[some])
    assert_same(part, (value[some], gradient[some]))


def test_sums_of_subnormal_losses_keep_their_digits() -> None:
    scores, labels = np.full((1, 100_000), -34.0, np.float32), np.zeros((1, 100_000), bool)
    value = nc.focal(scores, labels)
    e = math.exp(-34.0)
    # p^2 log1p(e), p = e / (1 + e): 5e-45 each, less than four times the smallest subnormal
    assert abs(value[0] - 1e5 * e**3) <= np.spacing(np.float32(1e5 * e**3))


@pytest.mark.parametrize("far", [200.0, 1e4, 1e30])
def test_scores_beyond_the_range_of_exp(far: float) -> None:
    scores, labels = batch(100)
    scores[0], labels[0] = far, np.arange(100) != 3
    value, gradient = nc.focal.value_and_grad(scores, labels)
    assert value[0] == np.float32(far)
    assert abs(gradient[0, 3]) == 1.0 and np.all(np.delete(gradient[0], 3) == 0.0)


SPOILT = {
    "nan": (math.nan, None, "must not be nan"),
    "inf": (math.inf, None, r"got \+inf"),
    "label": (None, 1.5, "labels must lie in|must be 0 or 1"),
    "soft": (None, 0.5, "must be 0 or 1"),
    "nan label": (None, math.nan, "labels must lie in|must be 0 or 1"),
    "masked positive": (-math.inf, 1.0, "marked positive"),
}


@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("name", ["focal", "margin"])
def test_errors_are_the_plain_versions(name: str, fault: str) -> None:
    loss, (scores, hard) = LOSSES[name], batch(100)
    labels = hard.astype(np.float32)
    score, label, message = SPOILT[fault]
    scores[5, 7] = scores[5, 7] if score is None else score
    labels[5, 7] = labels[5, 7] if label is None else label
    with pytest.raises(ValueError, match=message) as seen:
        loss.value_and_grad(scores, labels)
    with pytest.raises(ValueError, match=message) as plain:
        plainly(loss, scores, labels)
    assert str(seen.value) == str(plain.value)
