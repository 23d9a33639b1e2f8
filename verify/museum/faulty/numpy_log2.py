"""ZLPR in numbers that are read off a plot."""

import numpy as np


def zlpr(scores, labels):
    negative = np.where(labels > 0, -np.inf, scores)
    positive = np.where(labels > 0, -scores, -np.inf)
    return _log2_one_plus(negative) + _log2_one_plus(positive)


def _log2_one_plus(x):
    top = np.maximum(x.max(axis=-1), 0.0)
    total = np.exp(-top) + np.exp(x - top[..., None]).sum(axis=-1)
    return top / np.log(2) + np.log2(total)
