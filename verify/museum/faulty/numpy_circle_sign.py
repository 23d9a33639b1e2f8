"""Circle loss, scale 256 and margin 0.25."""

import numpy as np
from scipy.special import logsumexp


def circle_loss(similarity, labels, m=0.25, gamma=256.0):
    alpha_p = np.maximum(1 + m - similarity, 0)
    alpha_n = np.maximum(similarity + m, 0)
    logit_p = -gamma * alpha_p * (similarity - (1 + m))
    logit_n = gamma * alpha_n * (similarity + m)
    logit_p = np.where(labels > 0, logit_p, -np.inf)
    logit_n = np.where(labels > 0, -np.inf, logit_n)
    return np.logaddexp(0, logsumexp(logit_p, axis=-1) + logsumexp(logit_n, axis=-1))
