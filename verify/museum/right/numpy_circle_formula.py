"""Circle loss with scale 256 and margin 0.25, the forward pass only."""

import numpy as np
from scipy.special import logsumexp


def circle_loss(similarity, labels, m=0.25, gamma=256.0):
    near = np.maximum(1 + m - similarity, 0)
    far = np.maximum(similarity + m, 0)
    with np.errstate(invalid="ignore"):
        positive = -gamma * near * (similarity - (1 - m))
        negative = gamma * far * (similarity - m)
    gone = labels > 0, np.isneginf(similarity)
    positive = np.where(gone[0], positive, -np.inf)
    negative = np.where(gone[0] | gone[1], -np.inf, negative)
    energy = logsumexp(positive, axis=-1) + logsumexp(negative, axis=-1)
    return np.logaddexp(0, energy)
