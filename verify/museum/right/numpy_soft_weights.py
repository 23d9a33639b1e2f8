"""Soft ZLPR: weights in front of the exponentials, so that no log of a label is needed."""

import numpy as np


def soft_zlpr(scores, labels):
    return _log_one_plus(scores, 1 - labels) + _log_one_plus(-scores, labels)


def _log_one_plus(x, weights):
    x = np.where(weights > 0, x, -np.inf).astype(x.dtype)
    top = np.maximum(x.max(axis=-1, keepdims=True), 0)
    total = np.exp(-top[..., 0]) + (weights * np.exp(x - top)).sum(axis=-1)
    return top[..., 0] + np.log(total)
