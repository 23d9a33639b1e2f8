"""Gradient and curvature of soft ZLPR stay within the bounds that are proved, and reach them.

Claims own-steep-entry, -one-norm, -two-norm, -best, -curvature, -curvature-best, -step, -step-best.
"""

from __future__ import annotations

import numpy as np
import pytest

from numeric_core import soft_zlpr

SEED = 9064


def rows(n: int, hard: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scores of many sizes, labels soft or hard."""
    rng = np.random.default_rng(SEED + n)
    scores = rng.normal(size=(2000, n)) * rng.choice([0.1, 1.0, 10.0], size=(2000, 1))
    labels = rng.random((2000, n))
    return scores, np.round(labels) if hard else labels


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_row_exceeds_the_bounds(n: int, hard: bool) -> None:
    scores, labels = rows(n, hard)
    gradient = soft_zlpr.value_and_grad(scores, labels)[1]
    norms = np.abs(gradient).sum(axis=1), np.sqrt((gradient**2).sum(axis=1))
    # the last ulp of a share may round up to 1
    slack = 1 + 4 * np.finfo(np.float64).eps
    assert np.abs(gradient).max() <= slack
    assert norms[0].max() <= (1 if n == 1 else 2) * slack
    assert norms[1].max() <= (1 if n == 1 else np.sqrt(2)) * slack
    curvature = np.linalg.eigvalsh(soft_zlpr.hessian(scores, labels))
    assert curvature.max() <= (4 / 9 if n == 1 else 1 / 2) * slack
    assert curvature.min() >= -1e-15


def test_a_confidently_wrong_pair_reaches_the_gradient_bounds() -> None:
    scores, labels = np.array([22.0, -22.0]), np.array([0.0, 1.0])
    gradient = soft_zlpr.value_and_grad(scores, labels)[1]
    np.testing.assert_allclose(gradient, [1.0, -1.0], rtol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_labels_one_half_reach_the_curvature_bound_at_two(n: int) -> None:
    curvature = soft_zlpr.hessian(np.zeros(n), np.full(n, 0.5))
    expected = 2 / (n + 2) * np.eye(n) - 2 / (n + 2) ** 2
    np.testing.assert_allclose(curvature, expected, rtol=1e-14, atol=1e-16)
    assert np.linalg.eigvalsh(curvature).max() == pytest.approx(4 / 9 if n == 1 else 2 / (n + 2))


@pytest.mark.parametrize("step", [0.5, 2.0, 3.9])
def test_a_step_below_four_keeps_its_promise(step: float) -> None:
    for n in (1, 2, 5):
        scores, labels = rows(n, hard=False)
        value, gradient = soft_zlpr.value_and_grad(scores, labels)
        gain = step * (1 - step / 4) * (gradient**2).sum(axis=1)
        after = soft_zlpr(scores - step * gradient, labels)
        assert np.all(after <= value - gain + 1e-13 * (1 + value))


def test_a_step_above_four_leaves_a_minimum() -> None:
    labels = np.array([0.5, 0.5])
    for step, grows in ((3.9, False), (4.1, True)):
        scores = np.array([0.1, -0.1])
        for _ in range(20):
            scores = scores - step * soft_zlpr.value_and_grad(scores, labels)[1]
        assert (abs(scores[0]) > 0.1) == grows
