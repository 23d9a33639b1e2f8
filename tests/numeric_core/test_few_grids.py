"""Small float32 grids in few calls: they are taken, and are what float64 says, rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import few_grids
from numeric_core.lanes import logs

LOSSES = {name: getattr(nc, f"grid_{name}") for name in few_grids.LOSSES}
ALL = pytest.mark.parametrize("name", LOSSES)


def grid(n: int, m: int, spread: float = 2.0) -> tuple[Any, Any]:
    rng = np.random.default_rng([n, m])
    labels = rng.random((n, m)) ** 2
    labels /= labels.sum(axis=1, keepdims=True)
    return rng.normal(0, spread, (n, m)).astype(np.float32), labels.astype(np.float32)


def ulps_apart(found: Any, true: Any, size: Any) -> float:
    return float(np.max(np.abs(found - true) / np.spacing(np.asarray(size, np.float32))))


@pytest.mark.parametrize(("n", "m"), [(64, 10), (5, 3), (700, 2), (2, 300), (1, 7)])
@ALL
def test_they_are_taken_and_right(name: str, n: int, m: int) -> None:
    loss, (scores, labels) = LOSSES[name], grid(n, m)
    found = few_grids.answer(name, scores, labels, True)
    assert found is not None
    value, gradient = loss.value_and_grad(scores, labels)
    assert found[0] == value == loss(scores, labels)
    np.testing.assert_array_equal(found[1], gradient)
    assert value.dtype == gradient.dtype == np.float32
    wide = scores.astype(float), labels.astype(float)
    true_value, true_gradient = loss.value_and_grad(*wide, check=False)
    assert ulps_apart(value.astype(float), true_value, true_value) <= 0.51
    # a difference: its terms are at most the largest component or so
    assert ulps_apart(gradient.astype(float), true_gradient, np.abs(gradient).max()) <= 0.51


@ALL
def test_hard_labels_and_tiny_losses(name: str) -> None:
    scores, _ = grid(30, 4)
    labels = np.eye(4, dtype=np.float32)[np.arange(30) % 4]
    for gap in (0.0, 5.0, 25.0):
        arrays = scores + gap * labels, labels
        value, gradient = LOSSES[name].value_and_grad(*arrays)
        wide = [x.astype(float) for x in arrays]
        true_value, true_gradient = LOSSES[name].value_and_grad(*wide)
        np.testing.assert_allclose(value, true_value, rtol=1e-6)
        np.testing.assert_allclose(gradient, true_gradient, rtol=1e-6, atol=1e-44)


@ALL
def test_uncommon_grids_are_left_to_others(name: str) -> None:
    scores, labels = grid(20, 5)
    masked, far, nan = scores.copy(), scores.copy(), scores.copy()
    masked[0, 0], far[0, 0], nan[0, 0] = -np.inf, 100.0, np.nan
    empty, wrong = labels.copy(), labels.copy()
    empty[0], wrong[0, 0] = 0.0, -0.1
    for s in (masked, far, nan, scores.astype(float), np.stack([scores, scores])):
        assert few_grids.answer(name, s, labels, True) is None
    for t in (empty, wrong, labels.astype(float), 2 * labels, labels[:3]):
        assert few_grids.answer(name, scores, t, True) is None
    LOSSES[name].value_and_grad(scores, empty)
    with pytest.raises(ValueError, match="labels must lie"):
        LOSSES[name](scores, wrong)
    with pytest.raises(ValueError, match="scores must not be nan"):
        LOSSES[name](nan, labels)


@pytest.mark.parametrize("wish", ["raise", "warn"])
@ALL
def test_underflow_is_nothing_to_tell(name: str, wish: Any) -> None:
    scores, labels = grid(12, 3)
    labels[:] = np.arange(3) == 0
    scores[:, 0] = 29.0
    scores[3, 1:] = -31.9
    true = LOSSES[name].value_and_grad(scores, labels)
    with np.errstate(all=wish):
        found = LOSSES[name].value_and_grad(scores, labels)
    for x, y in zip(found, true, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-7)


@pytest.mark.parametrize("size", [3, 511, 512, 4000])
@pytest.mark.parametrize("spread", [1.0, 20.0])
def test_sums_of_logs_are_rounded_once(size: int, spread: float) -> None:
    excess = np.exp(np.random.default_rng(size).normal(0, spread, size))
    terms = np.log1p(excess).tolist()
    assert logs(excess) == math.fsum(terms)
