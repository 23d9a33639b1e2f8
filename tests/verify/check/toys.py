"""Small losses to check, right and wrong; each has the fault in its name."""

from __future__ import annotations

import math
import os
import time

import numpy as np


def _softplus_sums(s, w):
    return np.logaddexp.reduce(np.where(w > 0, s, -np.inf), axis=-1, initial=0.0)


def zlpr(scores, labels):
    return _softplus_sums(scores, 1 - labels) + _softplus_sums(-scores, labels)


def zlpr_labels_first(y_true, y_pred):
    return zlpr(y_pred, y_true)


def zlpr_mean(logits, targets):
    return zlpr(logits, targets).mean()


def zlpr_of_columns(scores, labels):
    return zlpr(scores.T, labels.T)


def zlpr_of_lists(scores, indices):
    labels = np.zeros(scores.shape)
    for row, chosen in enumerate(indices):
        labels[row, [k for k in chosen if k >= 0]] = 1.0
    return zlpr(scores, labels)


def zlpr_of_spans(y_true, y_pred):
    """Scores (batch, heads, n), flattened; 1e12 for a mask, as it is commonly written."""
    rows = y_pred.shape[0] * y_pred.shape[1]
    y_true, y_pred = y_true.reshape(rows, -1), y_pred.reshape(rows, -1)
    turned = (1 - 2 * y_true) * y_pred
    sides = (turned - 1e12 * y_true, turned - 1e12 * (1 - y_true))
    return sum(np.logaddexp.reduce(x, axis=-1, initial=0.0) for x in sides).mean()


def zlpr_swapped(y_true, y_pred):
    return zlpr(y_true, y_pred)


def soft_zlpr(scores, labels):
    with np.errstate(divide="ignore"):
        up, down = scores + np.log(1 - labels), np.log(labels) - scores
    up, down = (np.where(labels == end, -np.inf, x) for end, x in ((1, up), (0, down)))
    both = (np.logaddexp.reduce(x, axis=-1, initial=0.0) for x in (up, down))
    return sum(both)


def zlpr_of_exp(scores, labels):
    up, down = (np.exp(scores) * (1 - labels)).sum(-1), (np.exp(-scores) * labels).sum(-1)
    return np.log1p(up) + np.log1p(down)


def zlpr_of_the_batch(scores, labels):
    return np.log1p(np.exp(scores[labels == 0]).sum()) + np.log1p(
        np.exp(-scores[labels == 1]).sum()
    )


def half_zlpr(scores, labels):
    return 0.5 * zlpr(scores, labels)


def zlpr_and_count(scores, labels):
    return zlpr(scores, labels) + labels.sum(-1)


def warm_zlpr(scores, labels):
    return zlpr(3.0 * scores, labels)


def only_negatives(scores, labels):
    return _softplus_sums(scores, 1 - labels)


def binary(scores, labels):
    return (labels * np.logaddexp(0, -scores) + (1 - labels) * np.logaddexp(0, scores)).sum(-1)


def binary_in_single(scores, labels):
    """float32 inside, and nan where a score is -inf: 0 times it."""
    s, t = scores.astype(np.float32), labels.astype(np.float32)
    terms = np.maximum(s, 0) - s * t + np.log1p(np.exp(-np.abs(s)))
    return terms.sum(-1).astype(scores.dtype)


def binary_of_probabilities(probabilities, labels):
    return -(labels * np.log(probabilities) + (1 - labels) * np.log(1 - probabilities)).sum(-1)


def binary_mean(scores, labels):
    return binary(scores, labels).mean() / scores.shape[-1]


def binary_over_boxes(inputs, targets, num_boxes):
    cost = targets * np.logaddexp(0, -inputs) + (1 - targets) * np.logaddexp(0, inputs)
    return cost.mean(1).sum() / num_boxes


def random_binary(scores, labels):
    return binary(scores, labels) * (1 + 1e-7 * np.random.default_rng().random())


def binary_in_place(scores, labels):
    value = binary(scores, labels)
    scores *= 0.0
    return value


def one_row(scores, labels):
    """Lists of floats."""
    return sum(
        float(np.logaddexp(0, s if t == 0 else -s)) for s, t in zip(scores, labels, strict=True)
    )


class Weighted:
    """A class that is to be told its weight."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, scores, labels):
        return self.weight * binary(scores, labels)


class WithGradient:
    """An object with a gradient of its own; wrong by its sign."""

    def __call__(self, scores, labels):
        return binary(scores, labels)

    def value_and_grad(self, scores, labels):
        return binary(scores, labels), labels - 1 / (1 + np.exp(-scores))


def never_ends(scores, labels):
    while True:
        pass


def sleeps(scores, labels):
    time.sleep(1000)


def leaves(scores, labels):
    os._exit(3)


def takes_memory(scores, labels):
    return np.ones(10**10).sum()


def talks(scores, labels):
    print("x" * 100_000)
    return binary(scores, labels)


not_callable = 7


def zlpr_of_sides(positive_scores, negative_scores):
    """A loss for each row, of two arrays (batch, k) and (batch, n - k)."""
    pair = (-positive_scores, negative_scores)
    return sum(np.logaddexp.reduce(x, axis=-1, initial=0.0) for x in pair)


def unified_of_lists(neg, pos):
    """One row as two lists of numbers."""
    return math.log1p(sum(math.exp(n - p) for n in neg for p in pos))


class Sides:
    """ZLPR of two sides, with a gradient by each; that by the negatives times a factor."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, sp, sn):
        return zlpr_of_sides(sp, sn)

    def value_and_grad(self, sp, sn):
        up, down = np.exp(sn), np.exp(-sp)
        by_positives = -down / (1 + down.sum(-1, keepdims=True))
        by_negatives = self.factor * up / (1 + up.sum(-1, keepdims=True))
        return self(sp, sn), (by_positives, by_negatives)


def binary_of_single(scores, labels):
    """As code with constants of float32 on a library that mixes no dtypes."""
    if scores.dtype != np.float32:
        raise TypeError(f"expected a float tensor, got {scores.dtype}")
    return binary(scores, labels)


def clipped_probabilities(probabilities, labels):
    p = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(axis=-1)


def energy_of_sides(pos, neg, scale=16.0, margin=0.0):
    pairs = np.logaddexp.reduce(scale * neg, axis=-1)
    pairs = pairs + np.logaddexp.reduce(-scale * (pos - margin), axis=-1)
    return np.logaddexp(0, pairs)


def sides_of_one_row(s_p, s_n):
    """It reduces over all axes: right for two rows of numbers, and mixes batches."""
    return np.log1p(np.exp(s_n).sum()) + np.log1p(np.exp(-s_p).sum())
