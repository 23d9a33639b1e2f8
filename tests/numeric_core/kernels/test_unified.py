"""The unified loss compiled, against the plain version.

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

LOSSES = {
    "plain": nc.unified,
    "margin": nc.Unified(margin=-0.7),
    "scale": nc.Unified(scale=1.3, margin=0.2),
    "power": nc.Unified(scale=4.0, margin=0.25),
}
DTYPES = (np.float16, np.float32, np.float64)
# Plain version and kernel are each within 4 ulp of the truth.
APART = 8


@pytest.fixture(autouse=True)
def _kernels_used() -> Iterator[None]:
    nc.use_kernels(True)
    yield
    nc.use_kernels(True)


def batch(n: int, dtype: Any, *, soft: bool = False) -> tuple[Any, Any]:
    """Rows of n labels, enough for a kernel, a tenth of them masked."""
    rng = np.random.default_rng(n)
    m = max(2, -(-kernels.LEAST // n))
    scores = rng.normal(0, 3, (m, n)).astype(dtype)
    masked = (rng.random((m, n)) < 0.1) & (np.arange(n) > 0)
    scores[masked] = -np.inf
    if soft:
        return scores, np.where(masked, 0.0, rng.random((m, n))).astype(dtype)
    return scores, (rng.random((m, n)) < 0.2) & ~masked


def plainly(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = loss.value_and_grad(*arrays, **options)
    nc.use_kernels(True)
    return result


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


def larger_side(loss: nc.Unified, scores: Any, labels: Any) -> Any:
    """A component is a difference of two shares; this is the larger one."""
    x, t = loss.scale * scores.astype(np.float64), np.asarray(labels, dtype=np.float64)
    u, d = (1.0 - t) * np.exp(x), t * np.exp(-np.where(t > 0, x, 0.0))
    up, down = u.sum(axis=-1, keepdims=True), d.sum(axis=-1, keepdims=True)
    r = math.exp(loss.scale * loss.margin) * up * down
    sides = (e / np.where(total > 0, total, 1.0) for e, total in ((u, up), (d, down)))
    return loss.scale * r / (1.0 + r) * np.maximum(*sides)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [1, 2, 64, 1025, 70_000])
@pytest.mark.parametrize("name", LOSSES)
def test_as_the_plain_version(name: str, n: int, dtype: Any, soft: bool) -> None:
    loss, (scores, labels) = LOSSES[name], batch(n, dtype, soft=soft)
    value, gradient = loss.value_and_grad(scores, labels)
    true_value, true_gradient = plainly(loss, scores, labels)
    assert value.dtype == gradient.dtype == dtype and gradient.shape == scores.shape
    apart = np.abs(value.astype(np.float64) - true_value)
    assert np.all(apart <= APART * np.spacing(true_value))
    larger = larger_side(loss, scores, labels).astype(dtype)
    apart = np.abs(gradient.astype(np.float64) - true_gradient)
    assert np.all(apart <= APART * np.spacing(larger))
    np.testing.assert_array_equal(loss(scores, labels), value)


@pytest.mark.parametrize("name", LOSSES)
def test_the_kernel_was_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(64, np.float32)

    def plain(*given: Any, **options: Any) -> None:
        raise AssertionError("the plain version was called")

    monkeypatch.setattr(type(loss), "_plain_value_and_grad", plain)
    value, gradient = loss.value_and_grad(scores, labels)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("n", [64, 3000, 140_001])
def test_bits_do_not_depend_on_threads(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = batch(n, np.float32)
    results = []
    for count in ("1", "2", "7"):
        monkeypatch.setenv("LOSSPROOF_THREADS", count)
        threads._pool.cache_clear()
        results.append(LOSSES["scale"].value_and_grad(scores, labels))
    threads._pool.cache_clear()
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_batch(dtype: Any) -> None:
    scores, labels = batch(96, dtype)
    value, gradient = nc.unified.value_and_grad(scores, labels)
    some = np.arange(len(scores))[::-1].repeat(3)[: len(scores) * 2]
    part = nc.unified.value_and_grad(scores[some], labels[some])
    assert_same(part, (value[some], gradient[some]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [100, 70_000])
def test_rows_without_pairs(n: int, dtype: Any) -> None:
    scores, labels = batch(n, dtype)
    labels[0], labels[1] = False, True
    scores[1] = 1.0
    value, gradient = nc.unified.value_and_grad(scores, labels)
    assert np.all(value[:2] == 0.0) and np.all(gradient[:2] == 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [100, 70_000])
def test_no_term_counts_as_0_where_it_is_all_there_is(n: int, dtype: Any) -> None:
    scores, labels = batch(n, dtype)
    # the exponentials of the negatives are 0 in the dtype, but not their products
    far = dtype(135.0 if dtype == np.float32 else 780.0)
    labels[0] = np.arange(n) == 0
    scores[0] = np.where(labels[0], -far + dtype(40.0), -far)
    value, gradient = nc.unified.value_and_grad(scores, labels)
    with mpmath.workdps(30):
        true = float(mpmath.log1p((n - 1) * mpmath.exp(-40)))
    assert abs(value[0] - true) <= 4 * np.spacing(dtype(true))
    np.testing.assert_allclose(gradient[0, 0], -true, rtol=1e-6)


def test_any_axis() -> None:
    scores, labels = batch(64, np.float32)
    value, gradient = nc.unified.value_and_grad(scores.T, labels.T, axis=0)
    assert_same((value, gradient.T), nc.unified.value_and_grad(scores, labels))


@pytest.mark.parametrize("name", ["plain", "scale"])
def test_rows_of_large_scores_are_the_plain_versions(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(100, np.float32)
    true = plainly(loss, scores, labels)
    shifted, near = scores + np.float32(512.0), np.isfinite(true[0])
    value, _ = loss.value_and_grad(shifted, labels)
    # the loss sees differences of scores only; those of rounded sums are off by 2^-15
    np.testing.assert_allclose(value[near], true[0][near], rtol=1e-3)


SPOILT = {
    "nan": (math.nan, None, "must not be nan"),
    "inf": (math.inf, None, r"got \+inf"),
    "label": (None, 1.5, "labels must lie in"),
    "negative label": (None, -0.5, "labels must lie in"),
    "masked positive": (-math.inf, 1.0, "marked positive"),
}


@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("name", ["plain", "scale"])
def test_errors_are_the_plain_versions(name: str, fault: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(100, np.float32, soft=True)
    score, label, message = SPOILT[fault]
    scores[5, 7] = scores[5, 7] if score is None else score
    labels[5, 7] = labels[5, 7] if label is None else label
    with pytest.raises(ValueError, match=message) as seen:
        loss.value_and_grad(scores, labels)
    with pytest.raises(ValueError, match=message) as plain:
        plainly(loss, scores, labels)
    assert str(seen.value) == str(plain.value)
