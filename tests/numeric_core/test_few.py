"""Small NumPy batches in few calls: they are taken, with the bits that all other batches have."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import direct
from numeric_core.direct import few

LOSSES = {
    "softmax": nc.softmax_cross_entropy,
    "bce": nc.binary_cross_entropy,
    "zlpr": nc.zlpr,
    "soft_zlpr": nc.soft_zlpr,
    "unified": nc.unified,
}
ALL = pytest.mark.parametrize("name", LOSSES)
ANY = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)


@pytest.fixture(autouse=True)
def _no_kernels() -> Iterator[None]:
    nc.use_kernels(False)
    yield
    nc.use_kernels(True)


def batch(name: str, shape: tuple[int, ...], dtype: Any, spread: float = 3.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(shape)
    scores, labels = rng.normal(0, spread, shape).astype(dtype), rng.random(shape)
    if name == "zlpr":
        labels = labels < 0.2
    if name == "softmax":
        labels = labels / labels.sum(axis=-1, keepdims=True)
    return scores, labels.astype(dtype)


def both_ways(name: str, arrays: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits of value and gradient, and of the value alone, with and without the short way."""
    loss = LOSSES[name]
    found = (loss(*arrays), *loss.value_and_grad(*arrays))
    with monkeypatch.context() as patch:
        patch.setattr(few, "MOST", 0)
        true = (loss(*arrays), *loss.value_and_grad(*arrays))
    for x, y in zip(found, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


@pytest.mark.parametrize("shape", [(16, 64), (1, 1024), (70,), (3, 2, 9), (50, 1)], ids=str)
@ANY
@ALL
def test_they_are_taken(
    name: str, dtype: Any, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = batch(name, shape, dtype)
    if name == "softmax" and shape[-1] == 1:
        return  # a loss of 0 has no digits to lose
    both_ways(name, arrays, monkeypatch)

    def refused(*given: Any, **options: Any) -> None:
        raise AssertionError("a common small batch went the way of the large ones")

    monkeypatch.setattr(direct, "value", refused)
    monkeypatch.setattr(direct, "value_and_grad", refused)
    value, gradient = LOSSES[name].value_and_grad(*arrays)
    assert value.shape == shape[:-1]
    assert gradient.shape == shape
    assert value.dtype == gradient.dtype == dtype


@ANY
@ALL
def test_hard_labels_of_every_kind(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, _ = batch(name, (40, 12), dtype)
    labels = np.arange(12) == np.arange(40)[:, None] % 12
    for kind in (np.bool_, np.int64, dtype):
        both_ways(name, (scores, labels.astype(kind)), monkeypatch)
    none = np.zeros_like(labels)
    if name != "softmax":
        both_ways(name, (scores, none), monkeypatch)
        both_ways(name, (scores, ~none), monkeypatch)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.uint64])
@pytest.mark.parametrize("shape", [(30, 7), (3, 5, 7)], ids=str)
@ANY
def test_indices_of_classes(
    dtype: Any, shape: tuple[int, ...], kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, _ = batch("softmax", shape, dtype)
    index = np.random.default_rng(1).integers(0, 7, shape[:-1]).astype(kind)
    both_ways("softmax", (scores, index), monkeypatch)
    loss = LOSSES["softmax"]
    one_hot = (index[..., None] == np.arange(7)).astype(dtype)
    rows = zip(
        loss.value_and_grad(scores, index), loss.value_and_grad(scores, one_hot), strict=True
    )
    for x, y in rows:
        np.testing.assert_array_equal(x, y, strict=True)
    index[0] = 7
    with pytest.raises(ValueError, match="class index"):
        loss(scores, index)


@pytest.mark.parametrize("spread", [30.0, 100.0, 400.0])
@ANY
@ALL
def test_far_scores(name: str, dtype: Any, spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    both_ways(name, batch(name, (60, 20), dtype, spread), monkeypatch)


@ANY
@ALL
def test_masks_and_tiny_labels(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = batch(name, (20, 16), dtype)
    if name not in ("zlpr", "softmax"):
        labels[::2] = np.finfo(dtype).smallest_subnormal
        labels[1, 3] = 1e-30
        both_ways(name, (scores, labels), monkeypatch)
    scores[:, 5], scores[3, 2] = -np.inf, -1e7
    labels[:, 5] = labels[3, 2] = 0
    if name == "softmax":
        labels /= labels.sum(axis=-1, keepdims=True)
    both_ways(name, (scores, labels), monkeypatch)


@pytest.mark.parametrize("axis", [0, 1])
@ANY
@ALL
def test_other_layouts(name: str, dtype: Any, axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (12, 30), dtype)
    value, gradient = loss.value_and_grad(scores, labels)
    turned = (scores, labels) if axis else (scores.T.copy(), labels.T.copy())
    out = np.empty_like(turned[0])
    other, slopes = loss.value_and_grad(*turned, axis=axis, out=out)
    assert slopes is out
    np.testing.assert_array_equal(other, value)
    np.testing.assert_array_equal(slopes if axis else slopes.T, gradient)
    wide = np.repeat(scores, 2, axis=-1)[:, ::2], np.repeat(labels, 2, axis=-1)[:, ::2]
    both_ways(name, wide, monkeypatch)


@ANY
@ALL
def test_errors_are_those_of_all_batches(name: str, dtype: Any) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (4, 5), dtype)
    for wrong in (-0.5, 1.5, np.nan, np.inf):
        bad = labels.copy()
        bad[2, 1] = wrong
        with pytest.raises(ValueError, match="labels"):
            loss.value_and_grad(scores, bad)
    for wrong in (np.nan, np.inf):
        bad = scores.copy()
        bad[2, 1] = wrong
        with pytest.raises(ValueError, match="scores must"):
            loss.value_and_grad(bad, labels)
    with pytest.raises(TypeError, match="axis"):
        loss(scores, labels, axis=-1.0)
    with pytest.raises(ValueError, match="masked_positives"):
        loss(scores, labels, masked_positives="no")
    with pytest.raises(ValueError, match="shape of scores"):
        loss(scores, labels[:2])


@pytest.mark.parametrize("wish", ["raise", "warn"])
@ANY
@ALL
def test_underflow_is_nothing_to_tell(name: str, dtype: Any, wish: Any) -> None:
    loss, (scores, labels) = LOSSES[name], batch(name, (6, 10), dtype)
    scores[1], labels[1] = -120.0, np.arange(10) == 0
    scores[1, 0] = 60.0
    true = loss.value_and_grad(scores, labels)
    with np.errstate(all=wish):
        found = loss.value_and_grad(scores, labels)
    for x, y in zip(found, true, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


@ANY
@ALL
def test_a_result_is_the_callers(name: str, dtype: Any) -> None:
    """The arrays that a thread keeps are written again by the next call: no result is in them."""
    loss, arrays = LOSSES[name], batch(name, (8, 9), dtype)
    found = loss.value_and_grad(*arrays)
    before = [x.copy() for x in found]
    for seed in (1.0, 2.0):
        loss.value_and_grad(arrays[0] * dtype(seed), arrays[1])
        loss.value_and_grad(arrays[0][:5] * dtype(seed), arrays[1][:5])
    for x, y in zip(found, before, strict=True):
        np.testing.assert_array_equal(x, y)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: loss.value_and_grad(*arrays), range(40)):
            for x, y in zip(other, before, strict=True):
                np.testing.assert_array_equal(x, y)
