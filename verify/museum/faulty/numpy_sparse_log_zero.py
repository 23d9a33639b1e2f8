"""ZLPR of label indices: the negatives are all classes less the positives."""

import numpy as np
from scipy.special import logsumexp


def sparse_zlpr(y_pred, y_true):
    zeros = np.zeros_like(y_pred[..., :1])
    with_zero = np.concatenate([y_pred, zeros], axis=-1)
    chosen = np.take_along_axis(with_zero, y_true, axis=-1)
    positive = logsumexp(np.concatenate([-chosen, zeros], axis=-1), axis=-1)
    everything = logsumexp(with_zero, axis=-1)
    share = logsumexp(chosen, axis=-1) - everything
    return positive + everything + np.log(1 - np.exp(share))
