"""The combination softmax of small batches by running sums, against exact sums over all subsets."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import numeric_core as nc
from numeric_core.direct import few, subsets

LOSS = nc.combination_softmax


def batch(m: int, n: int, k: int, dtype: Any, spread: float = 3.0) -> tuple[Any, Any]:
    rng = np.random.default_rng([m, n, k])
    labels = np.zeros((m, n), dtype)
    np.put_along_axis(labels, np.argsort(rng.random((m, n)), axis=1)[:, :k], 1, axis=1)
    return rng.normal(0, spread, (m, n)).astype(dtype), labels


def short_way(scores: Any, labels: Any, slopes: bool = True) -> Any:
    return few.answer(subsets.few, True, scores, labels, slopes)


def exact(scores: Any, labels: Any) -> tuple[float, list[float]]:
    """Value and gradient of a row, e^s as the fraction that its float64 is."""
    x = [Fraction(math.exp(s)) for s in scores.astype(float)]
    on = {int(i) for i in np.flatnonzero(labels)}
    weights = {
        frozenset(subset): math.prod((x[i] for i in subset), start=Fraction(1))
        for subset in combinations(range(len(x)), len(on))
    }
    total, own = sum(weights.values()), weights[frozenset(on)]
    gradient = []
    for i in range(len(x)):
        wrong = sum(w for subset, w in weights.items() if (i in subset) != (i in on))
        gradient.append(float(wrong / total) * (-1 if i in on else 1))
    return math.log1p(float((total - own) / own)), gradient


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("n", [2, 5, 9])
@pytest.mark.parametrize("k", [1, 2, 4, 8])
@pytest.mark.parametrize("spread", [0.0, 3.0, 10.0])
def test_against_all_subsets(n: int, k: int, spread: float, dtype: Any) -> None:
    if k >= n:
        return
    scores, labels = batch(3, n, k, dtype, spread)
    found = short_way(scores, labels)
    assert found is not None
    # e^s is within an ulp, of each of at most 2 k factors
    tolerance = 1.5e-7 if dtype is np.float32 else 4e-16 * (2 * k + 2)
    for i in range(3):
        value, gradient = exact(scores[i], labels[i])
        np.testing.assert_allclose(found[0][i], value, rtol=tolerance)
        np.testing.assert_allclose(found[1][i], gradient, rtol=tolerance)
    value, gradient = LOSS.value_and_grad(scores, labels)
    np.testing.assert_array_equal(value, found[0], strict=True)
    np.testing.assert_array_equal(gradient, found[1], strict=True)
    np.testing.assert_array_equal(LOSS(scores, labels), value, strict=True)
    assert short_way(scores, labels, slopes=False)[1] is None


def test_tiny_losses_keep_their_digits() -> None:
    scores, labels = batch(4, 12, 3, np.float32)
    for gap in (20.0, 40.0):
        arrays = scores + np.float32(gap) * labels, labels
        value, gradient = short_way(*arrays)
        true_value, true_gradient = LOSS.value_and_grad(*(x.astype(float) for x in arrays))
        assert value.max() < 1e-3
        np.testing.assert_allclose(value, true_value, rtol=1e-7)
        np.testing.assert_allclose(gradient, true_gradient, rtol=1e-7)


def test_what_is_left_to_others() -> None:
    scores, labels = batch(6, 10, 2, np.float32)
    fewer, none, masked = labels.copy(), np.zeros_like(labels), scores.copy()
    fewer[2], masked[0, np.flatnonzero(labels[0] == 0)[0]] = 0, -np.inf
    fewer[2, :3] = 1
    fewer[3], fewer[3, 0] = 0, 1
    assert short_way(scores, fewer) is short_way(scores, none) is None
    assert short_way(scores, np.ones_like(labels)) is short_way(masked, labels) is None
    assert short_way(*batch(2, 40, 9, np.float32)) is None
    assert short_way(*batch(20, 40, 6, np.float64)) is None
    assert short_way(*batch(600, 10, 4, np.float32)) is None
    assert np.isfinite(LOSS(scores, fewer)).all()
    assert not LOSS(scores, none).any()
    with pytest.raises(ValueError, match="masked"):
        LOSS(masked, 1 - labels)
    with pytest.raises(ValueError, match="must be 0 or 1"):
        LOSS(scores, labels / 2)
    with pytest.raises(ValueError, match="3"):
        nc.CombinationSoftmax(3)(scores, labels)


def test_the_number_of_labels_may_be_given() -> None:
    scores, labels = batch(5, 8, 3, np.float32)
    found = nc.CombinationSoftmax(3).value_and_grad(scores, labels)
    for x, y in zip(found, LOSS.value_and_grad(scores, labels), strict=True):
        np.testing.assert_array_equal(x, y, strict=True)
