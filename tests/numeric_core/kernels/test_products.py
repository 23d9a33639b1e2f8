"""Hessian-vector products compiled, against the plain version.

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
from covariances import scale

import numeric_core as nc
from numeric_core import kernels
from numeric_core.kernels import threads

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")

LOSSES = {
    "zlpr": nc.zlpr,
    "zlpr, threshold": nc.ZLPR(threshold=0.3),
    "soft_zlpr": nc.soft_zlpr,
    "softmax": nc.softmax_cross_entropy,
    "softmax, index": nc.softmax_cross_entropy,
    "bce": nc.binary_cross_entropy,
}
DTYPES = (np.float16, np.float32, np.float64)
# Plain version and kernel are each within 4 ulp of the truth.
APART = 8


@pytest.fixture(autouse=True)
def _kernels_used() -> Iterator[None]:
    nc.use_kernels(True)
    yield
    nc.use_kernels(True)


def batch(name: str, n: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Rows of n labels, enough for a kernel, a tenth of them masked; and a vector."""
    rng = np.random.default_rng(n)
    m = max(2, -(-kernels.LEAST // n))
    scores = rng.normal(0, 4, (m, n)).astype(dtype)
    vector = rng.normal(0, 1, (m, n)).astype(dtype)
    masked = (rng.random((m, n)) < 0.1) & (np.arange(n) > 0)
    scores[masked] = -np.inf
    if name.startswith("zlpr"):
        return scores, (rng.random((m, n)) < 0.2) & ~masked, vector
    weights = np.where(masked, 0.0, rng.random((m, n)))
    if name == "softmax":
        weights = weights / weights.sum(axis=-1, keepdims=True)
    if name == "softmax, index":
        return scores, np.argmax(weights, axis=-1), vector
    return scores, weights.astype(dtype), vector


def plainly(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = loss.hvp(*arrays, **options)
    nc.use_kernels(True)
    return result


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [1, 2, 64, 1025, 70_000])
@pytest.mark.parametrize("name", LOSSES)
def test_as_the_plain_version(name: str, n: int, dtype: Any) -> None:
    loss, arrays = LOSSES[name], batch(name, n, dtype)
    got, true = loss.hvp(*arrays), plainly(loss, *arrays)
    assert got.dtype == dtype and got.shape == true.shape
    apart = np.abs(got.astype(np.float64) - true)
    size = scale(loss, *arrays)
    assert np.all(apart <= APART * np.spacing(np.abs(size).astype(dtype)))
    if n > 1:
        assert np.any(got != 0.0)


@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_was_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, arrays = LOSSES[name], batch(name, 64, np.float32)

    def plain(*given: Any, **options: Any) -> None:
        raise AssertionError("the plain version was called")

    monkeypatch.setattr(type(loss), "_plain_hvp", plain)
    assert np.isfinite(loss.hvp(*arrays)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_of_a_constant_it_is_the_part_of_the_null_class(name: str, dtype: Any) -> None:
    loss, (scores, labels, _) = LOSSES[name], batch(name, 200, dtype)
    got = loss.hvp(scores, labels, np.full_like(scores, 3.0))
    if name.startswith("softmax"):
        np.testing.assert_array_equal(got, 0.0)
        return
    if name == "bce":
        p = 1.0 / (1.0 + np.exp(-scores.astype(np.float64)))
        np.testing.assert_allclose(got, 3.0 * p * (1.0 - p), rtol=1e-5)
        return
    s, t = scores.astype(np.float64), np.asarray(labels, dtype=np.float64)
    threshold = 0.3 if name == "zlpr, threshold" else 0.0
    u, d = (1.0 - t) * np.exp(s - threshold), t * np.exp(threshold - np.where(t > 0, s, 0.0))
    true = sum(x / (1.0 + x.sum(axis=-1, keepdims=True)) ** 2 for x in (u, d))
    np.testing.assert_allclose(got, 3.0 * true, rtol=2e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax"])
def test_symmetric(name: str, dtype: Any) -> None:
    loss, (scores, labels, v) = LOSSES[name], batch(name, 300, dtype)
    w = np.roll(v, 7, axis=-1)
    one = (loss.hvp(scores, labels, v).astype(np.float64) * w).sum(axis=-1)
    other = (loss.hvp(scores, labels, w).astype(np.float64) * v).sum(axis=-1)
    np.testing.assert_allclose(one, other, atol=1e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("n", [64, 3000, 70_000])
@pytest.mark.parametrize("name", LOSSES)
def test_bits_do_not_depend_on_threads(name: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, arrays = LOSSES[name], batch(name, n, np.float32)
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("LOSSPROOF_THREADS", count)
        threads._pool.cache_clear()
        results.append(loss.hvp(*arrays))
    threads._pool.cache_clear()
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_bits_do_not_depend_on_the_batch(name: str, dtype: Any) -> None:
    loss, arrays = LOSSES[name], batch(name, 96, dtype)
    some = np.arange(len(arrays[0]))[::-1].repeat(3)[: len(arrays[0]) * 2]
    part = loss.hvp(*(x[some] for x in arrays))
    np.testing.assert_array_equal(part, loss.hvp(*arrays)[some])


@pytest.mark.parametrize("name", LOSSES)
def test_any_axis(name: str) -> None:
    loss, (scores, labels, vector) = LOSSES[name], batch(name, 64, np.float32)
    turned = loss.hvp(scores.T, labels if labels.ndim == 1 else labels.T, vector.T, axis=0)
    np.testing.assert_array_equal(turned.T, loss.hvp(scores, labels, vector))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax", "bce"])
def test_odd_rows_are_the_plain_versions(name: str, dtype: Any) -> None:
    loss, (scores, labels, vector) = LOSSES[name], batch(name, 100, dtype)
    reach = 100.0 if dtype == np.float32 else 720.0
    scores[3], scores[7, 1:] = np.linspace(-3.0 * reach, 3.0 * reach, 100), -reach
    vector[9] = vector[9] * dtype(1e-38 if dtype == np.float32 else 1e-300)
    odd = [3, 7] if dtype == np.float32 or name == "bce" else [3, 7, 9]
    got = loss.hvp(scores, labels, vector)
    true = plainly(loss, scores[odd], labels[odd], vector[odd])
    np.testing.assert_array_equal(got[odd], true)
    np.testing.assert_allclose(
        got[9].astype(np.float64) / np.abs(vector[9]).max(),
        plainly(loss, scores[9], labels[9], vector[9]) / np.abs(vector[9]).max(),
        atol=1e-5,
    )


@pytest.mark.parametrize("height", [40.0, 130.0, 172.5, 345.0])
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax"])
def test_scores_far_apart_in_float64(name: str, height: float) -> None:
    loss, (scores, labels, vector) = LOSSES[name], batch(name, 4, np.float64)
    scores[0] = [height, -height, -height - 0.25, -height - 1.5]
    labels[0] = 0.0 if name != "softmax" else 0.25
    got = loss.hvp(scores, labels, vector)[0]
    with mpmath.workdps(400):
        s, v = ([mpmath.mpf(float(x)) for x in row] for row in (scores[0], vector[0]))
        e = [mpmath.exp(x) for x in s] + ([] if name == "softmax" else [mpmath.mpf(1)])
        w, norm = [*v, mpmath.mpf(0)], mpmath.fsum(e)
        for i in range(4):
            terms = [e[i] * e[j] * (w[i] - w[j]) / norm**2 for j in range(len(e))]
            true, size = mpmath.fsum(terms), mpmath.fsum(abs(x) for x in terms)
            assert abs(mpmath.mpf(float(got[i])) - true) <= 4 * np.spacing(float(size))


SPOILT = {
    "nan": (math.nan, None, None, "must not be nan"),
    "inf": (math.inf, None, None, r"got \+inf"),
    "label": (None, 1.5, None, "labels must lie in|must be 0 or 1"),
    "negative label": (None, -0.5, None, "labels must lie in|must be 0 or 1"),
    "masked positive": (-math.inf, 1.0, None, "marked positive"),
    "vector": (None, None, math.inf, "vector must be finite"),
    "vector nan": (None, None, math.nan, "vector must be finite"),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax", "bce"])
def test_errors_are_the_plain_versions(name: str, fault: str, dtype: Any) -> None:
    loss, (scores, labels, vector) = LOSSES[name], batch(name, 100, dtype)
    labels = labels.astype(dtype)
    score, label, component, message = SPOILT[fault]
    scores[5, 7] = scores[5, 7] if score is None else score
    labels[5, 7] = labels[5, 7] if label is None else label
    vector[5, 7] = vector[5, 7] if component is None else component
    with pytest.raises(ValueError, match=message) as seen:
        loss.hvp(scores, labels, vector)
    with pytest.raises(ValueError, match=message) as plain:
        plainly(loss, scores, labels, vector)
    assert str(seen.value) == str(plain.value)


def test_a_class_that_does_not_exist() -> None:
    scores, index, vector = batch("softmax, index", 100, np.float32)
    index[5] = 100
    with pytest.raises(ValueError, match=r"class index must lie in 0\.\.99"):
        nc.softmax_cross_entropy.hvp(scores, index, vector)


def test_a_vector_of_another_kind() -> None:
    scores, labels, vector = batch("bce", 100, np.float32)
    with pytest.raises(ValueError, match="vector must have the shape"):
        nc.binary_cross_entropy.hvp(scores, labels, vector[:, :50])
    with pytest.raises(TypeError, match="vector must be float"):
        nc.binary_cross_entropy.hvp(scores, labels, np.ones(scores.shape, int))
    wide = nc.binary_cross_entropy.hvp(scores, labels, vector.astype(np.float64))
    np.testing.assert_allclose(wide, nc.binary_cross_entropy.hvp(scores, labels, vector), rtol=1e-6)
    with pytest.raises(ValueError, match="masked_positives"):
        nc.binary_cross_entropy.hvp(scores, labels, vector, masked_positives="drop")
