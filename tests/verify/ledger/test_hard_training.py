"""The enclosed best scores against a plain minimisation of this library's loss over all labels.

Claims own-prob-hard, own-prob-sums, own-prob-range, own-prob-between, own-threshold-*.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from flint import arb, fmpq

from numeric_core import zlpr
from verify.ledger.formulas.hard_training import alike, best_scores, independent, parent

optimize = pytest.importorskip("scipy.optimize")

SEED = 7359


def minimised(labels: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """The minimiser of the mean loss over outcomes (w, n), by Newton from 0."""

    def mean_loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
        rows = np.broadcast_to(scores, labels.shape)
        value, gradient = zlpr.value_and_grad(rows, labels)
        return float(chances @ value), chances @ gradient

    def curvature(scores: np.ndarray) -> np.ndarray:
        rows = np.broadcast_to(scores, labels.shape)
        return np.einsum("w,wij->ij", chances, zlpr.hessian(rows, labels))

    start = np.zeros(labels.shape[1])
    found = optimize.minimize(mean_loss, start, jac=True, hess=curvature, method="trust-exact")
    scores = np.asarray(found.x)
    for _ in range(3):
        scores = scores - np.linalg.solve(curvature(scores), mean_loss(scores)[1])
    return scores


def all_labels(n: int) -> np.ndarray:
    return np.array(list(product((0.0, 1.0), repeat=n)))


def chances_of(labels: np.ndarray, each: np.ndarray) -> np.ndarray:
    return np.prod(np.where(labels > 0, each, 1 - each), axis=1)


def floats(found: list[arb]) -> list[float]:
    return [float(x) for x in found]


@pytest.mark.parametrize(("first", "second"), [("1/2", "1/5"), ("99/200", "4/5"), ("1/10", "1/3")])
def test_two_independent_labels(first: str, second: str) -> None:
    chances = [fmpq(*map(int, c.split("/"))) for c in (first, second)]
    labels = all_labels(2)
    weights = chances_of(labels, np.array([float(c.p) / float(c.q) for c in chances]))
    expected = minimised(labels, weights)
    np.testing.assert_allclose(floats(best_scores(independent(*chances), expected)), expected)


def test_many_labels_alike() -> None:
    labels = all_labels(7)
    expected = minimised(labels, chances_of(labels, np.full(7, 0.1)))
    np.testing.assert_allclose(expected, expected[0])
    np.testing.assert_allclose(
        floats(best_scores(alike(7, fmpq(1, 10)), expected[:1])), expected[0]
    )


@pytest.mark.parametrize(("children", "chance"), [(2, fmpq(59, 100)), (10, fmpq(7, 10))])
def test_a_probable_parent_has_a_negative_score(children: int, chance: fmpq) -> None:
    """With a score for every child by itself: that they are equal is found, not assumed."""
    present = np.hstack([np.ones((children, 1)), np.eye(children)])
    labels = np.vstack([present, np.zeros(children + 1)])
    share = float(chance.p) / float(chance.q)
    chances = np.append(np.full(children, share / children), 1 - share)
    expected = minimised(labels, chances)
    assert expected[0] < 0 < share - 0.5
    enclosed = floats(best_scores(parent(children, chance), expected[:2]))
    np.testing.assert_allclose(enclosed, expected[:2], rtol=1e-9)
    np.testing.assert_allclose(expected[1:], enclosed[1], rtol=1e-9)


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All outcomes with chances that have nothing to do with independence."""
    labels = all_labels(n)
    return labels, np.random.default_rng(seed).dirichlet(np.ones(len(labels)))


@pytest.mark.parametrize("seed", range(5))
def test_the_relation_of_score_and_probability(seed: int) -> None:
    labels, chances = drawn(4, SEED + seed)
    scores = minimised(labels, chances)
    a = 1 + labels @ np.exp(-scores)
    b = 1 + (1 - labels) @ np.exp(scores)
    eta = chances @ labels
    present = (chances / a) @ labels / eta
    absent = (chances / b) @ (1 - labels) / (1 - eta)
    odds = eta / (1 - eta)
    np.testing.assert_allclose(odds, np.exp(2 * scores) * absent / present, rtol=1e-9)
    np.testing.assert_allclose(chances @ (1 / a), chances @ (1 / b), rtol=1e-9)
    up, down = np.exp(scores), np.exp(-scores)
    assert np.all(odds >= up * (1 + up) / (1 + up.sum()))
    assert np.all(odds <= up**2 * (1 + down.sum()) / (1 + up))


def test_a_start_far_off_proves_nothing() -> None:
    with pytest.raises(ArithmeticError):
        best_scores(parent(1000, fmpq(9, 10)), (40.0, 40.0))
