"""Softmax cross-entropy of one-hot or soft labels."""

import numpy as np
from scipy.special import log_softmax


def softmax_cross_entropy(logits, labels):
    return -np.sum(labels * log_softmax(logits, axis=-1), axis=-1)
