"""Hessian-vector products by the CUDA kernels: their threads on the host, and on a GPU."""

from __future__ import annotations

import math
from typing import Any

import cupy_stand_in
import ml_dtypes
import mpmath
import numpy as np
import pytest
from covariances import scale
from cuda_cases import APART, DTYPES, LOSSES, back, batch, not_to_be_called, ulp

import numeric_core as nc
from numeric_core.kernels.cuda import plan
from verify.compare import family_of
from verify.measure import References, measure

NAMES = ("zlpr", "soft_zlpr", "softmax", "softmax, index", "bce")
MEASURED = ("zlpr", "soft_zlpr", "softmax_cross_entropy", "binary_cross_entropy")


def on_device(cupy: Any, loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    return back(loss.hvp(*map(cupy.asarray, arrays), **options))


def plainly(cupy: Any, loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    nc.use_kernels(False)
    result = on_device(cupy, loss, *arrays, **options)
    nc.use_kernels(True)
    return result


def case(name: str, n: int, dtype: Any, rows: int = 3) -> tuple[Any, Any, Any]:
    scores, labels = batch(name, n, dtype, rows)
    return scores, labels, np.random.default_rng(n).normal(0, 1, scores.shape).astype(dtype)


def truth(loss: nc.Loss, scores: Any, labels: Any, vector: Any) -> Any:
    """Of what is stored, by the plain version in float64."""
    s, v, mass = scores.astype(np.float64), vector.astype(np.float64), 1.0
    t = np.arange(s.shape[1]) == labels[:, None] if labels.ndim == 1 else labels
    t = t.astype(np.float64)
    if isinstance(loss, nc.SoftmaxCrossEntropy):
        # the labels sum to what they sum to, once rounded
        mass = t.sum(axis=-1, keepdims=True)
    with nc.kernels.left_out():
        return mass * loss.hvp(s, t / mass, v)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [8, 64, 1000, 40_000])
@pytest.mark.parametrize("name", NAMES)
def test_against_the_plain_version(cupy: Any, name: str, n: int, dtype: Any) -> None:
    loss, arrays = LOSSES[name], case(name, n, dtype)
    got, true = on_device(cupy, loss, *arrays), truth(loss, *arrays)
    assert got.dtype == dtype and got.shape == true.shape
    difference = np.abs(got.astype(np.float64) - true)
    assert np.all(difference <= APART[dtype] * ulp(scale(loss, *dense(*arrays)), dtype))
    assert np.any(got.astype(np.float64) != 0.0)


def dense(scores: Any, labels: Any, vector: Any) -> tuple[Any, Any, Any]:
    """In float64: ml_dtypes has no exp that NumPy would use."""
    return scores.astype(np.float64), labels.astype(np.float64), vector.astype(np.float64)


@pytest.mark.parametrize("n", [1, 7, 33, 1023, 16_385])
@pytest.mark.parametrize("name", NAMES)
def test_lengths_that_are_read_one_by_one(cupy: Any, name: str, n: int) -> None:
    loss, arrays = LOSSES[name], case(name, n, np.float32, rows=5)
    got, true = on_device(cupy, loss, *arrays), truth(loss, *arrays)
    assert np.all(np.abs(got - true) <= 4 * ulp(scale(loss, *dense(*arrays)), np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("loss", MEASURED)
def test_against_the_oracle(cupy: Any, loss: str, dtype: Any) -> None:
    family = family_of(loss)
    few = [x for x in family.quick(loss) if x.dtype == np.dtype(dtype).name and 0 < x.n <= 3000]
    # one width each: what is compiled is compiled above
    wide = [x for x in few if x.n % (plan.LOAD // np.dtype(dtype).itemsize) == 0][::2]
    assert len(wide) >= 8

    class Route:
        name = "core, compiled"

        def hvp(self, *arrays: Any) -> Any:
            return on_device(cupy, getattr(nc, loss), *(x[None] for x in arrays))[0]

    table = measure(loss, Route(), wide, References(family.oracle(loss)), quantities=("hvp",))
    assert table.passed, [line.cells() for line in table.beyond()] or table.failures[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_of_a_constant_it_is_the_part_of_the_null_class(cupy: Any, name: str, dtype: Any) -> None:
    loss, (scores, labels, vector) = LOSSES[name], case(name, 200, dtype)
    got = on_device(cupy, loss, scores, labels, np.full_like(vector, 3.0))
    if name.startswith("softmax"):
        np.testing.assert_array_equal(got, 0.0)
        return
    s, t, _ = dense(scores, labels, vector)
    if name == "bce":
        true = 1.0 / (1.0 + np.exp(-s)) / (1.0 + np.exp(s))
    else:
        s0 = loss.threshold
        u, d = (1.0 - t) * np.exp(s - s0), t * np.exp(s0 - np.where(t > 0, s, 0.0))
        true = sum(x / (1.0 + x.sum(axis=-1, keepdims=True)) ** 2 for x in (u, d))
    np.testing.assert_allclose(got, 3.0 * true, rtol=2e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("height", [40.0, 130.0, 172.5, 345.0])
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax"])
def test_scores_far_apart_in_float64(cupy: Any, name: str, height: float) -> None:
    loss = {**LOSSES, "zlpr": nc.zlpr}[name]
    scores = np.array([[height, -height, -height - 0.25, -height - 1.5]])
    labels = np.full((1, 4), 0.25 if name == "softmax" else 0.0)
    vector = np.random.default_rng(4).normal(0, 1, (1, 4))
    got = on_device(cupy, loss, scores, labels, vector)[0]
    with mpmath.workdps(400):
        s, v = ([mpmath.mpf(float(x)) for x in row[0]] for row in (scores, vector))
        e = [mpmath.exp(x) for x in s] + ([] if name == "softmax" else [mpmath.mpf(1)])
        w, norm = [*v, mpmath.mpf(0)], mpmath.fsum(e)
        for i in range(4):
            terms = [e[i] * e[j] * (w[i] - w[j]) / norm**2 for j in range(len(e))]
            true, size = mpmath.fsum(terms), mpmath.fsum(abs(x) for x in terms)
            assert abs(mpmath.mpf(float(got[i])) - true) <= 4 * np.spacing(float(size))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", NAMES)
def test_masked_labels_have_an_answer(
    cupy: Any, name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(LOSSES[name]), "_plain_hvp", not_to_be_called)
    scores, labels, vector = case(name, 1000, dtype)
    product = on_device(cupy, LOSSES[name], scores, labels, vector)
    assert np.all(product[np.isneginf(scores)] == 0.0)


def test_which_kernel_is_launched(cupy: Any) -> None:
    if not isinstance(cupy.asarray(np.zeros(1)), np.ndarray):
        pytest.skip("the launches are seen on the host")
    for n, expected in ((64, ("products", 1, 128)), (4096, ("products", 3, 256))):
        cupy_stand_in.LAUNCHED.clear()
        on_device(cupy, nc.soft_zlpr, *case("soft_zlpr", n, np.float32))
        assert [expected] == cupy_stand_in.LAUNCHED
    cupy_stand_in.LAUNCHED.clear()
    scores, labels, vector = case("soft_zlpr", plan.LONGEST_PRODUCT + 1, np.float32, rows=1)
    on_device(cupy, nc.soft_zlpr, scores, labels, vector)
    scores, labels, vector = case("soft_zlpr", 64, np.float32)
    on_device(cupy, nc.soft_zlpr, scores, labels, vector.astype(np.float64))
    on_device(cupy, nc.focal, scores, labels > 0.5, vector)
    assert cupy_stand_in.LAUNCHED == []


@pytest.mark.parametrize("n", [64, 1000, 8192])
@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_the_batch(cupy: Any, name: str, n: int) -> None:
    loss, arrays = LOSSES[name], case(name, n, np.float32, rows=4)
    some = [3, 1, 0, 0, 2, 3, 1]
    part = on_device(cupy, loss, *(x[some] for x in arrays))
    np.testing.assert_array_equal(part, on_device(cupy, loss, *arrays)[some])


@pytest.mark.parametrize("name", ["zlpr", "softmax, index", "bce"])
def test_any_axis(cupy: Any, name: str) -> None:
    loss, (scores, labels, vector) = LOSSES[name], case(name, 64, np.float32)
    turned = on_device(
        cupy, loss, scores.T, labels if labels.ndim == 1 else labels.T, vector.T, axis=0
    )
    np.testing.assert_array_equal(turned.T, on_device(cupy, loss, scores, labels, vector))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax", "bce"])
def test_odd_rows_are_the_plain_versions(cupy: Any, name: str, dtype: Any) -> None:
    loss, (scores, labels, vector) = LOSSES[name], case(name, 104, dtype, rows=5)
    reach = 720.0 if dtype == np.float64 else 100.0
    scores[1], scores[3, 1:] = np.linspace(-3.0 * reach, 3.0 * reach, 104), -reach
    odd = [1, 3]
    if dtype == ml_dtypes.bfloat16:
        # differences of v, or of v and a mean, overflow
        vector[4, :2], odd = [3e38, -3e38], [1, 3, 4]
    if dtype == np.float64 and name != "bce":
        vector[4], odd = vector[4] * 1e-300, [1, 3, 4]
    got = on_device(cupy, loss, scores, labels, vector)
    true = plainly(cupy, loss, scores[odd], labels[odd], vector[odd])
    np.testing.assert_array_equal(got[odd], true)
    assert np.isfinite(got.astype(np.float64)).all()


SPOILT = {
    "nan": (math.nan, None, None, "must not be nan"),
    "inf": (math.inf, None, None, r"got \+inf"),
    "label": (None, 1.5, None, "labels must lie in|must be 0 or 1"),
    "negative label": (None, -0.5, None, "labels must lie in|must be 0 or 1"),
    "masked positive": (-math.inf, 1.0, None, "marked positive"),
    "vector": (None, None, math.inf, "vector must be finite"),
    "vector nan": (None, None, math.nan, "vector must be finite"),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("name", ["zlpr", "soft_zlpr", "softmax", "bce"])
def test_errors_are_the_plain_versions(cupy: Any, name: str, fault: str, dtype: Any) -> None:
    loss, (scores, labels, vector) = LOSSES[name], case(name, 104, dtype)
    labels = labels.astype(dtype)
    score, label, component, message = SPOILT[fault]
    scores[1, 7] = scores[1, 7] if score is None else score
    labels[1, 7] = labels[1, 7] if label is None else label
    vector[1, 7] = vector[1, 7] if component is None else component
    with pytest.raises(ValueError, match=message):
        on_device(cupy, loss, scores, labels, vector)


def test_a_class_that_does_not_exist(cupy: Any) -> None:
    scores, index, vector = case("softmax, index", 104, np.float32)
    index[1] = 104
    with pytest.raises(ValueError, match=r"class index must lie in 0\.\.103"):
        on_device(cupy, nc.softmax_cross_entropy, scores, index, vector)
