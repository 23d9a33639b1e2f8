"""Experiments with fixed seeds, for statements that are about data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from numeric_core import binary_cross_entropy, grid_truncated, softmax_cross_entropy, zlpr
from numeric_core.loss import Loss
from verify.ledger.evidence import Outcome

__all__ = ["clouds", "rare_labels", "weighted"]

SEED = 9158
# Three clouds of unit variance around (0, 0), (2.5, 0), (0, 2.5): some points lie among others.
CENTRES = np.asarray([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])
COUNTS = (300, 100, 30)
# Gradient descent; the logs sum over samples, so that their gradient needs no mean.
STEPS, RATE = 400, 0.05
# The losses are called equally good within the spread of an accuracy over 1000 points, 0.013.
MARGIN = 0.03


def clouds() -> Outcome:
    """Mean accuracy over the classes of a linear model, trained on loss 1 and on cross-entropy."""
    rng = np.random.default_rng(SEED)
    train, held = _drawn(rng, COUNTS), _drawn(rng, (400, 400, 400))
    found = [_accuracy(_trained(*train, name), *held) for name in ("loss 1", "cross-entropy")]
    told = f"loss 1 {found[0]:.3f}, softmax cross-entropy {found[1]:.3f}"
    return Outcome(found[0] > found[1] - MARGIN, f"mean accuracy over the classes: {told}")


def _drawn(rng: np.random.Generator, counts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    classes = np.repeat(np.arange(len(counts)), counts)
    points = CENTRES[classes] + rng.normal(size=(len(classes), 2))
    return np.concatenate([points, np.ones((len(points), 1))], axis=1), classes


def _trained(points: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
    """The weights of a linear model."""
    labels = np.eye(len(CENTRES))[classes]
    weights = np.zeros((points.shape[1], len(CENTRES)))
    for _ in range(STEPS):
        weights -= RATE * points.T @ _gradient(points @ weights, labels, name)
    return weights


def _gradient(scores: np.ndarray, labels: np.ndarray, name: str) -> np.ndarray:
    if name == "loss 1":
        return np.asarray(grid_truncated.value_and_grad(scores, labels)[1])
    return np.asarray(softmax_cross_entropy.value_and_grad(scores, labels)[1]) / len(scores)


def _accuracy(weights: np.ndarray, points: np.ndarray, classes: np.ndarray) -> float:
    right = (points @ weights).argmax(axis=1) == classes
    return float(np.mean([right[classes == c].mean() for c in range(len(CENTRES))]))


Slopes = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Rare labels: 20 of them, each by a logistic model of 6 features, present once in 50 times on
# average; 500 samples to train on and 500 to judge by.
LABELS, FEATURES, SAMPLES, RATE_OF_LABELS = 20, 6, 500, 0.02
SLOPE = 4.0
# Adam with the constants of its paper (arXiv:1412.6980), but steps of 0.05 for a model so small.
MOMENTS, STEP, TINY = (0.9, 0.999), 0.05, 1e-8
BUDGETS = (100, 800)
# One label in 200 right or wrong is 0.005 of F1; what is closer than four of these is called equal.
F1_MARGIN = 0.02


@cache
def rare_labels() -> Outcome:
    """F1 on new samples of a linear model after few steps and after many, by ZLPR and by BCE."""
    rng = np.random.default_rng(SEED)
    points, labels = _with_rare_labels(rng)
    found = {}
    for name, loss in (("ZLPR", zlpr), ("binary cross-entropy", binary_cross_entropy)):
        found[name] = _f1_at_budgets(points, labels, loss)
    told = "; ".join(
        f"after {steps} steps {', '.join(f'{name} {f1[at]:.2f}' for name, f1 in found.items())}"
        for at, steps in enumerate(BUDGETS)
    )
    early = found["ZLPR"][0] - found["binary cross-entropy"][0]
    return Outcome(early > F1_MARGIN, f"F1 {told}")


def _with_rare_labels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points with a constant feature, labels at random with the chance ``sigma(w x + b)``."""
    points = rng.normal(size=(2 * SAMPLES, FEATURES))
    scores = points @ rng.normal(size=(FEATURES, LABELS)) * (SLOPE / FEATURES**0.5)
    low, high = -50.0, 50.0
    for _ in range(60):  # halves the interval of b to the last bit
        middle = (low + high) / 2
        often = _sigmoid(scores + middle).mean() > RATE_OF_LABELS
        low, high = (low, middle) if often else (middle, high)
    labels = rng.random(scores.shape) < _sigmoid(scores + low)
    return np.concatenate([points, np.ones((2 * SAMPLES, 1))], axis=1), labels.astype(float)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _f1_at_budgets(points: np.ndarray, labels: np.ndarray, loss: Loss) -> list[float]:
    """F1 on the samples that were not trained on, after each budget of steps."""

    def slopes(scores: np.ndarray, given: np.ndarray) -> np.ndarray:
        return np.asarray(loss.value_and_grad(scores, given)[1])

    models = _adam(points[:SAMPLES], labels[:SAMPLES], slopes, BUDGETS)
    return [_f1(points[SAMPLES:] @ model > 0, labels[SAMPLES:] > 0) for model in models]


def _adam(
    points: np.ndarray, labels: np.ndarray, slopes: Slopes, budgets: tuple[int, ...]
) -> list[np.ndarray]:
    """The weights of a linear model after each number of steps down the mean of the slopes."""
    weights = np.zeros((points.shape[1], labels.shape[1]))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    found = []
    for step in range(1, max(budgets) + 1):
        slope = points.T @ slopes(points @ weights, labels) / len(points)
        first = MOMENTS[0] * first + (1 - MOMENTS[0]) * slope
        second = MOMENTS[1] * second + (1 - MOMENTS[1]) * slope**2
        scale = np.sqrt(second / (1 - MOMENTS[1] ** step)) + TINY
        weights = weights - STEP * first / (1 - MOMENTS[0] ** step) / scale
        if step in budgets:
            found.append(weights)
    return found


def _f1(told: np.ndarray, true: np.ndarray) -> float:
    """``2 TP / (2 TP + FP + FN)`` over all labels."""
    return float(2 * (told & true).sum() / max(told.sum() + true.sum(), 1))


# What is tried as the weight of a positive label in binary cross-entropy.
WEIGHTS = (1.0, 3.0, 10.0, 30.0)
# Half of the new samples choose the weight, the other half, 100 labels present, judges: one of them
# is 0.01 of F1, and what is closer than ten of these is called equal.
CHOOSING, WEIGHTED_MARGIN = SAMPLES // 2, 0.1


@cache
def weighted() -> Outcome:
    """F1 by ZLPR and by binary cross-entropy with the best of some weights, rare labels again."""
    points, labels = _with_rare_labels(np.random.default_rng(SEED))
    seen, given = points[:SAMPLES], labels[:SAMPLES]
    steps = BUDGETS[-1:]
    (plain,) = _adam(seen, given, lambda s, y: np.asarray(zlpr.value_and_grad(s, y)[1]), steps)
    tried = {}
    for weight in WEIGHTS:
        (model,) = _adam(seen, given, _weighted_slopes(weight), steps)
        parts = [_f1(points[part] @ model > 0, labels[part] > 0) for part in _PARTS]
        tried[weight] = parts
    best = max(tried, key=lambda weight: tried[weight][0])
    own, other = _f1(points[_PARTS[1]] @ plain > 0, labels[_PARTS[1]] > 0), tried[best][1]
    told = f"F1 ZLPR {own:.2f}, binary cross-entropy with the weight {best:g} {other:.2f}"
    return Outcome(abs(own - other) < WEIGHTED_MARGIN, told)


#: The samples that choose, and those that judge.
_PARTS = slice(SAMPLES, SAMPLES + CHOOSING), slice(SAMPLES + CHOOSING, None)


def _weighted_slopes(weight: float) -> Slopes:
    """``(1 - y) sigma(s) - weight y sigma(-s)``."""
    return lambda s, y: (1 - y) * _sigmoid(s) - weight * y * _sigmoid(-s)
