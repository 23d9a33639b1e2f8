"""float32 grids in plain float64 have the digits of the careful float64 route, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core import moderate
from numeric_core.grids import prepared

LOSSES = ("truncated", "mirrored", "centered")


def grids(seed: int, count: int) -> Any:
    """Scores and labels of float32: soft, nearly hard, hard; gaps up to 300; some masked."""
    rng = np.random.default_rng(seed)
    for place in range(count):
        n, m = int(np.exp(rng.uniform(0, 4.5))), int(rng.integers(1, 12))
        scores = rng.normal(0, 1, (n, m)) * np.exp(rng.uniform(-3, 3.8))
        labels = rng.dirichlet(np.full(m, np.exp(rng.uniform(-5, 1))), n)
        if place % 3 == 0:
            labels = np.eye(m)[rng.integers(0, m, n)]
        scores = np.clip(scores, -150, 150)
        if place % 4 == 0:
            masked = rng.random((n, m)) < 0.3
            scores[masked], labels[masked] = -np.inf, 0
            total = labels.sum(axis=1, keepdims=True)
            labels = np.where(total > 1e-30, labels / np.maximum(total, 1e-30), 0)
        yield scores.astype(np.float32), labels.astype(np.float32)


@pytest.mark.parametrize("loss", LOSSES)
def test_as_the_float64_route_rounded(loss: str) -> None:
    public = getattr(nc, f"grid_{loss}")
    for scores, labels in grids(21, 60):
        rows = prepared(scores, labels, True)
        assert moderate.fits(rows)
        value, gradient = getattr(moderate, loss)(rows)
        doubles = scores.astype(np.float64), labels.astype(np.float64)
        wide = public.value_and_grad(*doubles, check=False)  # float32 rows sum to 1 +- 1e-7
        np.testing.assert_allclose(value, wide[0], rtol=1e-13)
        # a difference of two sides below 1 (below m for the first two) is as exact as these
        sides = np.abs(wide[1]) + (1.0 if loss == "centered" else labels.shape[1])
        assert np.max(np.abs(gradient() - wide[1]) / sides) < 1e-14


@pytest.mark.parametrize("loss", LOSSES)
def test_a_component_of_one_side_keeps_its_digits(loss: str) -> None:
    """One sample with a hard label, right by 60: what is left is e^{-60} and smaller."""
    scores, labels = np.array([[60.0, 0.0, -5.0]], np.float32), np.array([[1.0, 0, 0]], np.float32)
    value, gradient = getattr(moderate, loss)(prepared(scores, labels, True))
    wide = getattr(nc, f"grid_{loss}").value_and_grad(scores.astype(float), labels.astype(float))
    assert 0 < value < 1e-15
    np.testing.assert_allclose(value, wide[0], rtol=1e-13)
    np.testing.assert_allclose(gradient(), wide[1], rtol=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(50, 4), (3, 50, 4)])
def test_blocks_change_nothing_but_roundings(
    loss: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(22)
    scores = rng.normal(0, 3, shape).astype(np.float32)
    labels = rng.dirichlet(np.ones(4), shape[:-1]).astype(np.float32)
    rows = prepared(scores, labels, True)
    whole = getattr(moderate, loss)(rows)
    monkeypatch.setattr(moderate, "BLOCK", 28)
    parts = getattr(moderate, loss)(rows)
    assert whole[0].shape == shape[:-2]
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-14)
    np.testing.assert_allclose(parts[1](), whole[1](), rtol=1e-12, atol=1e-15)


def test_the_sum_without_the_own_does_not_cancel() -> None:
    x = np.array([[1e100, 1e-100, 3e-100], [1.0, 2.0, 3.0], [5.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = [[4e-100, 1e100, 1e100], [5.0, 4.0, 3.0], [0.0, 5.0, 5.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(moderate.others(np, x), expected, rtol=3e-16)


def test_what_does_not_fit_is_left_to_the_careful_route() -> None:
    labels = np.array([[0.5, 0.5]], np.float32)
    fits = {
        top: moderate.fits(prepared(np.array([[top, 0.0]], np.float32), labels, True))
        for top in (150.0, 151.0, -151.0)
    }
    assert fits == {150.0: True, 151.0: False, -151.0: False}
    assert not moderate.fits(prepared(np.array([[1.0, 0.0]]), labels.astype(np.float64), True))
