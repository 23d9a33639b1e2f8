"""The experiments of the ledger: what they draw, how they judge, and that they repeat."""

from __future__ import annotations

import numpy as np
import pytest

from numeric_core import binary_cross_entropy
from verify.ledger import experiments


def test_f1_counts() -> None:
    true = np.asarray([[True, True, False], [True, False, False]])
    told = np.asarray([[True, False, True], [True, False, False]])
    assert experiments._f1(told, true) == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert experiments._f1(told & ~told, true) == 0


def test_rare_labels_are_rare() -> None:
    points, labels = experiments._with_rare_labels(np.random.default_rng(1))
    assert points.shape == (1000, experiments.FEATURES + 1)
    assert 0.015 < labels.mean() < 0.025
    assert set(np.unique(labels)) == {0.0, 1.0}


def test_the_weight_one_is_binary_cross_entropy() -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=(5, 7)), (rng.random((5, 7)) < 0.3).astype(float)
    plain = experiments._weighted_slopes(1.0)(scores, labels)
    assert plain == pytest.approx(binary_cross_entropy.value_and_grad(scores, labels)[1])
    heavy = experiments._weighted_slopes(3.0)(scores, labels)
    assert heavy == pytest.approx(np.where(labels == 1, 3 * plain, plain))


def test_adam_goes_to_the_minimum_of_a_square() -> None:
    points, target = np.eye(2), np.asarray([[1.0], [-2.0]])
    (found,) = experiments._adam(points, target, lambda s, y: s - y, (3000,))
    assert found == pytest.approx(target, abs=1e-3)


@pytest.mark.parametrize("name", ["rare_labels", "weighted"])
def test_an_experiment_repeats(name: str) -> None:
    experiment = getattr(experiments, name)
    first = experiment()
    experiment.cache_clear()
    assert experiment() == first


def test_other_seeds_support_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in (1, 2):
        monkeypatch.setattr(experiments, "SEED", seed)
        assert experiments.rare_labels.__wrapped__().supports
        assert experiments.weighted.__wrapped__().supports
