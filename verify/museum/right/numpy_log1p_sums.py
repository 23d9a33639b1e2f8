"""ZLPR of a batch: each sum shifted by its own largest term, log1p of the rest."""

import numpy as np


def zlpr(scores, labels):
    absent = np.asarray(-np.inf, dtype=scores.dtype)
    negative = np.where(labels > 0, absent, scores)
    positive = np.where(labels > 0, -scores, absent)
    return _log_one_plus(negative) + _log_one_plus(positive)


def _log_one_plus(x):
    x = np.concatenate([np.zeros_like(x[..., :1]), x], axis=-1)
    place = np.argmax(x, axis=-1, keepdims=True)
    top = np.take_along_axis(x, place, axis=-1)
    powers = np.exp(x - top)
    np.put_along_axis(powers, place, 0, axis=-1)
    return top[..., 0] + np.log1p(powers.sum(axis=-1))
