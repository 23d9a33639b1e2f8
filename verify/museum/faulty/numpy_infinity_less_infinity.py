"""Soft ZLPR; the log of a label 0 is -inf, which exp takes back to 0."""

import numpy as np


def soft_zlpr(scores, labels):
    with np.errstate(divide="ignore"):
        negative = scores + np.log(1 - labels)
        positive = -scores + np.log(labels)
    return _log_one_plus(negative) + _log_one_plus(positive)


def _log_one_plus(x):
    top = np.maximum(x.max(axis=-1), 0)
    return top + np.log(np.exp(-top) + np.exp(x - top[..., None]).sum(axis=-1))
