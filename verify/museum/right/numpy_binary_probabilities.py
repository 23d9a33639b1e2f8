"""Binary cross-entropy of probabilities, the mean over all labels of the batch."""

import numpy as np
from scipy.special import xlog1py, xlogy


def binary_cross_entropy(probabilities, targets):
    return -np.mean(xlogy(targets, probabilities) + xlog1py(1 - targets, -probabilities))
