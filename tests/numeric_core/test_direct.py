"""NumPy rows without a shift: they are used, they are right, and no row sees another.

Their errors in ulps on adversarial rows are in test_accuracy.py, as those of any version.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import direct
from numeric_core.direct import given
from numeric_core.direct.blocks import LONG, PIECE, dot, exact_sum

LOSSES = {
    "softmax": nc.softmax_cross_entropy,
    "softmax, index": nc.softmax_cross_entropy,
    "bce": nc.binary_cross_entropy,
    "zlpr": nc.zlpr,
    "zlpr, threshold": nc.ZLPR(threshold=0.3),
    "soft_zlpr": nc.soft_zlpr,
    "unified": nc.unified,
    "unified, scale": nc.Unified(scale=2.0, margin=0.25),
}
DTYPES = (np.float16, np.float32, np.float64)
ALL = pytest.mark.parametrize("name", LOSSES)
ANY = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


@pytest.fixture(autouse=True)
def _no_kernels() -> Iterator[None]:
    nc.use_kernels(False)
    yield
    nc.use_kernels(True)


def batch(name: str, shape: tuple[int, int], dtype: Any, masked: bool = False) -> tuple[Any, Any]:
    rng = np.random.default_rng(shape[1])
    scores = rng.normal(0, 3, shape).astype(dtype)
    away = np.zeros(shape, bool)
    if masked:
        away[:, 1::3] = True
        scores[away] = -np.inf
    if name.startswith("zlpr"):
        return scores, (rng.random(shape) < 0.3) & ~away
    if name == "softmax, index":
        return scores, np.zeros(shape[0], int)
    labels = np.where(away, 0.0, rng.random(shape))
    if name == "softmax":
        labels /= labels.sum(axis=-1, keepdims=True)
    return scores, labels.astype(dtype)


def carefully(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    options = {"axis": -1, "masked_positives": "error", "check": True} | options
    return loss._plain_value_and_grad(*arrays, **options)


def assert_same(got: Any, true: Any) -> None:
    for x, y in zip(got, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@ANY
@ALL
def test_common_rows_go_this_way(
    name: str, dtype: Any, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (40, 50), dtype, masked)
    true_value, true_gradient = carefully(loss, scores, labels)

    def refused(*given: Any, **options: Any) -> None:
        raise AssertionError("a common row went the careful way")

    monkeypatch.setattr(type(loss), "_plain_value_and_grad", refused)
    monkeypatch.setattr(type(loss), "_plain_value", refused)
    value, gradient = loss.value_and_grad(scores, labels)
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(loss(scores, labels), value)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(value.astype(float), true_value.astype(float), rtol=8 * eps)
    difference = np.abs(gradient.astype(float) - true_gradient.astype(float))
    assert difference.max() <= 8 * eps * max(1.0, np.abs(true_gradient).max())
    if masked:
        assert not gradient[:, 1::3].any()


@ANY
@ALL
def test_no_row_sees_another(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (30, 70), dtype)
    scores[3], scores[7, 1:] = 60000.0, -1e4
    value, gradient = loss.value_and_grad(scores, labels)
    monkeypatch.setattr(given, "BLOCK", 1000)
    assert_same(loss.value_and_grad(scores, labels), (value, gradient))
    some = np.array([29, 3, 3, 0, 11, 7])
    assert_same(loss.value_and_grad(scores[some], labels[some]), (value[some], gradient[some]))
    one = loss.value_and_grad(scores[11], labels[11])
    assert_same(one, (value[11], gradient[11]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@ALL
def test_long_rows_in_parts(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same row in one part and in several: sums that differ in the last bit at most."""
    loss, (scores, labels) = LOSSES[name], batch(name, (3, 5000), dtype)
    scores[1, 7] = -np.inf
    if labels.ndim == 2:
        labels[1, 7] = 0
    if name == "softmax":
        labels[1] /= labels[1].sum()
    whole = loss.value_and_grad(scores, labels)
    monkeypatch.setattr(direct, "LONGEST", 1024)
    parts = loss.value_and_grad(scores, labels)
    np.testing.assert_array_equal(loss(scores, labels), parts[0])
    eps = 2 * float(np.finfo(dtype).eps)
    for got, true in zip(parts, whole, strict=True):
        np.testing.assert_allclose(got, true, rtol=eps, atol=eps * np.abs(true).max())
    # a mask, and an odd score in the last part
    assert parts[1][1, 7] == 0
    scores[2, -1] = -800.0 if labels.ndim == 2 and labels[2, -1] > 0 else 800.0
    value, gradient = loss.value_and_grad(scores, labels)
    expected = carefully(loss, scores[2:], labels[2:])
    assert_same((value[2:], gradient[2:]), expected)


@ANY
@ALL
def test_odd_rows_are_the_careful_ones(name: str, dtype: Any) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (30, 40), dtype)
    scores[[2, 5], :] = np.linspace(-900, 900, 40)
    scores[5] = -scores[5]
    value, gradient = loss.value_and_grad(scores, labels)
    odd = [2, 5]
    assert_same((value[odd], gradient[odd]), carefully(loss, scores[odd], labels[odd]))


@ALL
def test_a_masked_positive_has_its_true_loss(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (6, 9), np.float32)
    scores[4, 0] = -np.inf
    labels = labels.copy()
    labels[4, ...] = 0
    if labels.ndim == 2:
        labels[4, 0] = 1
    with pytest.raises(ValueError, match="marked positive"):
        loss.value_and_grad(scores, labels)
    value, gradient = loss.value_and_grad(scores, labels, masked_positives="value")
    assert value[4] == math.inf and np.isfinite(np.delete(value, 4)).all()
    expected = carefully(loss, scores[4:5], labels[4:5], masked_positives="value")
    assert_same((value[4:5], gradient[4:5]), expected)


SPOILT = {"nan": math.nan, "inf": math.inf}


@pytest.mark.parametrize("fault", SPOILT)
@ANY
@ALL
def test_bad_scores_are_errors(name: str, dtype: Any, fault: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (5, 8), dtype)
    labels = labels.copy()
    for label in (0, 1):
        scores[2, 3] = SPOILT[fault]
        if labels.ndim == 2 and name != "softmax":
            labels[2, 3] = label
        with pytest.raises(ValueError, match="scores must"):
            loss.value_and_grad(scores, labels)
        with pytest.raises(ValueError, match="scores must"):
            loss(scores, labels)


@pytest.mark.parametrize("label", [-0.5, 1.5, math.nan])
@pytest.mark.parametrize("name", ["softmax", "bce", "zlpr", "soft_zlpr", "unified"])
def test_bad_labels_are_errors(name: str, label: float) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (5, 8), np.float32)
    labels = labels.astype(np.float32)
    labels[2, 3] = label
    with pytest.raises(ValueError, match="labels"):
        loss.value_and_grad(scores, labels)


@pytest.mark.parametrize("gap", [1.0, 9.0, 20.0, 60.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_confident_row_keeps_its_digits(dtype: Any, gap: float) -> None:
    """-log p_k and 1 - p_k where p_k goes to 1: the second way in float32."""
    s, t = np.zeros((1, 5), dtype), np.zeros((1, 5), dtype)
    s[0, 2], t[0, 2] = gap, 1.0
    value, gradient = nc.softmax_cross_entropy.value_and_grad(s, t)
    rest = 4 * math.exp(-gap)
    eps = 4 * float(np.finfo(dtype).eps)
    assert value[0] == pytest.approx(math.log1p(rest), rel=eps)
    assert -gradient[0, 2] == pytest.approx(rest / (1 + rest), rel=eps)
    assert gradient[0, 0] == pytest.approx(math.exp(-gap) / (1 + rest), rel=eps)


@pytest.mark.parametrize("gap", [1.0, 9.0, 20.0, 60.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_confident_labels_keep_their_digits(dtype: Any, gap: float) -> None:
    """log(1 + e^s) - s where all labels are right: the second way in float32."""
    s = np.array([[gap, -gap, gap], [gap, -gap, -1.0]], dtype)
    t = np.array([[1, 0, 1], [1, 0, 1]], dtype)
    value = nc.binary_cross_entropy(s, t)
    small = math.log1p(math.exp(-gap))
    true = [3 * small, 2 * small + 1.0 + math.log1p(math.exp(-1.0))]
    np.testing.assert_allclose(value, true, rtol=2 * float(np.finfo(dtype).eps))


def test_labels_above_a_half() -> None:
    """T - t_k, the others, where t_k is nearly 1."""
    tiny = 2.0**-50
    s, t = np.array([[3.0, 3.0, -40.0]]), np.array([[1.0 - 2 * tiny, 2 * tiny, 0.0]])
    gradient = nc.softmax_cross_entropy.value_and_grad(s, t)[1]
    assert gradient[0, 0] == pytest.approx(-0.5 + 2 * tiny, rel=1e-15)
    s = np.array([[50.0, 0.0, -40.0]])
    gradient = nc.softmax_cross_entropy.value_and_grad(s, t)[1]
    assert gradient[0, 0] == pytest.approx(2 * tiny, rel=1e-4)


@pytest.mark.parametrize("n", [1, 2, 63, PIECE, PIECE + 1, LONG - 1])
def test_exact_sum_is_rounded_once(n: int) -> None:
    rng = np.random.default_rng(n)
    x = np.concatenate([rng.random((20, n)) ** 9, np.exp(rng.normal(0, 9, (20, n)))])
    x = np.concatenate([x, np.repeat(1.0 + rng.random((20, 1)), n, axis=1), np.zeros((1, n))])
    true = np.array([math.fsum(row) for row in x])
    np.testing.assert_array_equal(exact_sum(x, np.empty_like(x)), true)
    x[:-1] /= x[:-1].sum(axis=1, keepdims=True)
    true = np.array([math.fsum(row) for row in x])
    np.testing.assert_array_equal(exact_sum(x, np.empty_like(x), most=2.0), true)


@pytest.mark.parametrize("n", [LONG, LONG + 1, LONG + 7, 5 * LONG + 3])
def test_long_sums_are_within_a_rounding_more(n: int) -> None:
    rng = np.random.default_rng(n)
    x = np.concatenate([rng.random((4, n)) ** 9, np.exp(rng.normal(0, 9, (4, n)))])
    x = np.concatenate([x, np.repeat(1.0 + rng.random((4, 1)), n, axis=1), np.zeros((1, n))])
    x[0, : n // 2], x[0, n // 2 :] = 1.1, 1.7
    true = np.array([math.fsum(row) for row in x])
    np.testing.assert_allclose(exact_sum(x, np.empty_like(x)), true, rtol=2.0**-52)
    x[:-1] /= x[:-1].sum(axis=1, keepdims=True)
    true = np.array([math.fsum(row) for row in x])
    np.testing.assert_allclose(exact_sum(x, np.empty_like(x), most=2.0), true, rtol=2.0**-52)


@pytest.mark.parametrize("n", [3, PIECE, PIECE + 5, 4 * PIECE + 1])
def test_dot_in_pieces(n: int) -> None:
    a, b = np.arange(2.0 * n).reshape(2, n), np.arange(2.0 * n)[::-1].reshape(2, n)
    np.testing.assert_array_equal(dot(a, b), (a * b).sum(axis=1))
    np.testing.assert_array_equal(dot(a, np.ones(min(n, PIECE))), a.sum(axis=1))


def test_the_buffer_of_numpy_is_given_back() -> None:
    before = np.getbufsize()
    scores, labels = batch("soft_zlpr", (3, 2000), np.float64)
    nc.soft_zlpr(scores, labels)
    assert np.getbufsize() == before
    labels[0, 0] = 2.0
    with pytest.raises(ValueError, match="labels"):
        nc.soft_zlpr(scores, labels)
    assert np.getbufsize() == before


def test_threads_have_their_own_scratch() -> None:
    batches = [batch("soft_zlpr", (200, 64 + k), np.float32) for k in range(8)]
    expected = [nc.soft_zlpr.value_and_grad(*x) for x in batches]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: nc.soft_zlpr.value_and_grad(*x), batches * 5))
    for k, result in enumerate(results):
        assert_same(result, expected[k % 8])


def test_what_is_taken() -> None:
    way = nc.unified.direct()
    s = np.zeros((2, 3), np.float32)
    assert direct.takes(way, s, s, -1) and direct.takes(way, s, s > 0, 0)
    assert not direct.takes(None, s, s, -1)
    assert not direct.takes(way, s.tolist(), s, -1)
    assert not direct.takes(way, s, s.astype(np.float64), -1)
    assert not direct.takes(way, s, s[:1], -1)
    assert not direct.takes(way, s.astype(">f4"), s, -1)
    assert not direct.takes(way, s, s, 2)
    # 3 s is rounded in float64, and nothing is seen of it in float32
    thrice = nc.Unified(scale=3.0).direct()
    assert direct.takes(thrice, s, s, -1)
    assert not direct.takes(thrice, s.astype(np.float64), s.astype(np.float64), -1)
    assert nc.Unified(scale=1e-3).direct() is None and nc.ZLPR(threshold=40.0).direct() is None


def vector_for(scores: Any) -> Any:
    """Entries of size 1 around 5: their mean is not 0."""
    rng = np.random.default_rng(scores.shape)
    return (5.0 + rng.normal(0, 1, scores.shape)).astype(scores.dtype)


def careful_product(loss: nc.Loss, *arrays: Any, **options: Any) -> Any:
    options = {"axis": -1, "masked_positives": "error", "check": True} | options
    return loss._plain_hvp(*arrays, **options)


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@ANY
@ALL
def test_common_products_go_this_way(
    name: str, dtype: Any, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (40, 50), dtype, masked)
    scores[:, 0] = 0.25 * scores[:, 0]
    vector = vector_for(scores)
    true = careful_product(loss, scores, labels, vector)

    def refused(*given: Any, **options: Any) -> None:
        raise AssertionError("a common row went the careful way")

    # in float64 rows lose more than 4 ulp this way
    if dtype != np.float64:
        monkeypatch.setattr(type(loss), "_plain_hvp", refused)
    got = loss.hvp(scores, labels, vector)
    assert got.dtype == dtype
    difference = np.abs(got.astype(float) - true.astype(float))
    assert difference.max() <= 8 * float(np.finfo(dtype).eps) * np.abs(true).max()
    if masked:
        assert not got[:, 1::3].any()


@ANY
@ALL
def test_no_row_sees_another_in_products(
    name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (30, 70), dtype)
    vector = vector_for(scores)
    scores[3], scores[7, 1:] = 60000.0, -1e4
    product = loss.hvp(scores, labels, vector)
    odd = [3, 7]
    expected = careful_product(loss, scores[odd], labels[odd], vector[odd])
    np.testing.assert_array_equal(product[odd], expected)
    monkeypatch.setattr(given, "BLOCK", 1000)
    np.testing.assert_array_equal(loss.hvp(scores, labels, vector), product)
    some = np.array([29, 3, 3, 0, 11, 7])
    part = loss.hvp(scores[some], labels[some], vector[some])
    np.testing.assert_array_equal(part, product[some])
    one = loss.hvp(scores[11], labels[11], vector[11])
    np.testing.assert_array_equal(one, product[11], strict=True)


@pytest.mark.parametrize("name", ["softmax", "bce", "zlpr", "soft_zlpr", "unified"])
def test_products_along_the_first_axis(name: str) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (12, 30), np.float64)
    vector = vector_for(scores)
    turned = loss.hvp(scores.T, labels.T, vector.T, axis=0)
    np.testing.assert_array_equal(turned.T, loss.hvp(scores, labels, vector))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["softmax", "zlpr", "soft_zlpr", "unified"])
def test_products_with_equal_entries(name: str, dtype: Any) -> None:
    """H 1 = 0 for losses of score differences, p p_0 of each side beside a null class."""
    loss, (scores, labels) = LOSSES[name], batch(name, (20, 30), dtype)
    got = loss.hvp(scores, labels, np.full_like(scores, 0.1))
    if name in ("softmax", "unified"):
        np.testing.assert_array_equal(got, np.zeros_like(scores))
        return
    s, t = scores.astype(float), labels.astype(float)
    u, d = (1 - t) * np.exp(s), t * np.exp(-s)
    true = sum(x / (1 + x.sum(axis=-1, keepdims=True)) ** 2 for x in (u, d)) * float(dtype(0.1))
    np.testing.assert_allclose(got, true, rtol=8 * float(np.finfo(dtype).eps))


@ANY
@ALL
def test_bad_vectors_and_scores_of_products_are_errors(name: str, dtype: Any) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (5, 8), dtype)
    vector = vector_for(scores)
    for bad in (math.nan, math.inf):
        vector[2, 3] = bad
        with pytest.raises(ValueError, match="vector must"):
            loss.hvp(scores, labels, vector)
    vector[2, 3], scores[1, 1] = 0.0, math.nan
    with pytest.raises(ValueError, match="scores must"):
        loss.hvp(scores, labels, vector)
    scores[1, 1] = 0.0
    with pytest.raises(ValueError, match="shape"):
        loss.hvp(scores, labels, vector[:4])
