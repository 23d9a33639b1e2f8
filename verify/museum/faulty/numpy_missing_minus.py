"""ZLPR by log-sum-exp with the zero appended."""

import numpy as np
from scipy.special import logsumexp


def zlpr_loss(y_pred, y_true):
    zeros = np.zeros_like(y_pred[..., :1])
    negative = np.where(y_true > 0, -np.inf, y_pred)
    positive = np.where(y_true > 0, y_pred, -np.inf)
    negative = logsumexp(np.concatenate([zeros, negative], axis=-1), axis=-1)
    positive = logsumexp(np.concatenate([zeros, positive], axis=-1), axis=-1)
    return negative + positive
