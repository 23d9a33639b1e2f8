"""Power sums against the lattice engine, which shares no step with them but the tree."""

from __future__ import annotations

import math

import array_api_compat.numpy as xp
import numpy as np
import pytest

from numeric_core import CombinationSoftmax, combination_softmax, light
from numeric_core.rows import Rows

# 45 ulp of the contract; both sides may use it.
BOUND = 1e-14


def rows_of(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Six rows of scores."""
    normal = rng.normal(size=(6, n))
    return {
        "normal": 3 * normal,
        "ties": np.zeros((6, n)),
        "few above": normal + 40.0 * (np.arange(n) < 3),
        "levels": 20.0 * rng.integers(0, 3, size=(6, n)),
        "even": np.linspace(-120, 120, n) + np.zeros((6, 1)),
        "heavy tail": -2 * np.log(np.arange(1, n + 1)) + 0.1 * normal,
    }[kind]


def labels_for(scores: np.ndarray, k: int, which: str, rng: np.random.Generator) -> np.ndarray:
    """k positives a row: any, the best or the worst."""
    keys = {"any": rng.random(scores.shape), "best": -scores, "worst": scores}[which]
    labels = np.zeros_like(scores)
    np.put_along_axis(labels, np.argsort(keys, axis=1, kind="stable")[:, :k], 1.0, axis=1)
    return labels


def by_lattice(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and gradient by the general engine."""
    bound = float(np.abs(scores).max())
    rows = Rows(xp, scores, labels, scores.ndim - 1, scores.dtype, bound)
    value, gradient = combination_softmax._generally(rows, gradient=True)
    return value, gradient


@pytest.mark.parametrize("which", ["any", "best", "worst"])
@pytest.mark.parametrize("k", [1, 2, 5, 16, 50])
@pytest.mark.parametrize("kind", ["normal", "ties", "few above", "levels", "even", "heavy tail"])
def test_both_engines_agree(kind: str, k: int, which: str) -> None:
    rng = np.random.default_rng([k, len(kind), len(which)])
    scores = rows_of(kind, 300, rng)
    labels = labels_for(scores, k, which, rng)
    value, gradient = combination_softmax.value_and_grad(scores, labels)
    true_value, true_gradient = by_lattice(scores, labels)
    np.testing.assert_allclose(value, true_value, rtol=BOUND)
    np.testing.assert_allclose(gradient, true_gradient, rtol=2 * BOUND, atol=1e-300)
    np.testing.assert_array_equal(combination_softmax(scores, labels), value)


def test_ordinary_rows_are_done_and_lost_ones_refused() -> None:
    rng = np.random.default_rng(1)
    scores = 3 * rng.normal(size=(2, 400))
    scores[1] = -300.0
    scores[1, :5] = 300.0
    labels = np.zeros_like(scores)
    labels[:, :5] = 1.0  # in the second row right by 600: e_5(w) is e^-3000
    found = light.losses(scores, np.flatnonzero(labels), 5, 300.0, gradient=True)
    assert found.done.tolist() == [True, False]
    whole = combination_softmax(scores, labels)
    assert math.isclose(whole[1], 5 * 395 * math.exp(-600.0), rel_tol=BOUND)


def test_a_row_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(40, 200)) * np.linspace(0.1, 20, 40)[:, None]
    labels = np.zeros_like(scores)
    for row, count in zip(labels, rng.integers(0, 9, 40), strict=True):
        row[rng.choice(200, count, replace=False)] = 1.0
    value, gradient = combination_softmax.value_and_grad(scores, labels)
    again = [combination_softmax.value_and_grad(s, t) for s, t in zip(scores, labels, strict=True)]
    np.testing.assert_allclose(value, [v for v, _ in again], rtol=BOUND)
    np.testing.assert_allclose(gradient, [g for _, g in again], rtol=BOUND, atol=1e-300)


def test_rows_with_different_counts_axes_and_dtypes() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(3, 50, 4)).astype(np.float32)
    labels = (rng.random((3, 50, 4)) < 0.1).astype(np.float32)
    value, gradient = combination_softmax.value_and_grad(scores, labels, axis=1)
    wide, slope = combination_softmax.value_and_grad(
        scores.astype(np.float64), labels.astype(np.float64), axis=1
    )
    assert value.dtype == gradient.dtype == np.float32 and gradient.shape == scores.shape
    np.testing.assert_allclose(value, wide, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-37)


def test_more_rows_than_a_block() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(2 * light.BLOCK // 1000 + 7, 1000))
    labels = labels_for(scores, 3, "any", rng)
    value, gradient = CombinationSoftmax(3).value_and_grad(scores, labels)
    last, slope = CombinationSoftmax(3).value_and_grad(scores[-5:], labels[-5:])
    np.testing.assert_allclose(value[-5:], last, rtol=BOUND)
    np.testing.assert_allclose(gradient[-5:], slope, rtol=BOUND, atol=0)


@pytest.mark.parametrize("k", [1, 2, 5, 16, 50])
@pytest.mark.parametrize("kind", ["normal", "ties", "few above", "levels", "even", "heavy tail"])
def test_float32_keeps_its_contract(kind: str, k: int) -> None:
    """8 ulp, the 1e-6 of the contract, within the reach of float32 and beyond it."""
    rng = np.random.default_rng([k, len(kind), 32])
    scores = rows_of(kind, 3000, rng)
    near = np.clip(scores, -light.NEAR, light.NEAR)
    for s in (near.astype(np.float32), scores.astype(np.float32)):
        labels = labels_for(s, k, "any", rng)
        value, gradient = combination_softmax.value_and_grad(s, labels)
        true_value, true_gradient = by_lattice(s.astype(np.float64), labels.astype(np.float64))
        np.testing.assert_allclose(value, true_value, rtol=8 * 2.0**-23)
        np.testing.assert_allclose(gradient, true_gradient, rtol=8 * 2.0**-23, atol=1e-38)


def test_float32_rows_that_cancel_are_done_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    scores = (3 * rng.normal(size=(9, 400))).astype(np.float32)
    labels = labels_for(scores, 5, "any", rng)
    expected = combination_softmax.value_and_grad(scores.astype(np.float64), labels)
    strict = {np.float32: 1.1, np.float64: 64.0}  # some rows are above, some below
    monkeypatch.setattr(light, "GROWTH", strict)
    narrow = light._losses(scores, np.flatnonzero(labels), 5, np.float32, True)
    assert 0 < narrow.done.sum() < 9
    found = light.losses(scores, np.flatnonzero(labels), 5, light.NEAR, gradient=True)
    assert found.done.all()
    np.testing.assert_allclose(found.value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(found.gradient, expected[1], rtol=1e-6, atol=1e-38)
