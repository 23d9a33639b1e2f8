"""Binary cross-entropy of logits."""

import numpy as np


def binary_cross_entropy(logits, targets, eps=1e-7):
    p = np.clip(1 / (1 + np.exp(-logits)), eps, 1 - eps)
    return -np.sum(targets * np.log(p) + (1 - targets) * np.log(1 - p), axis=-1)
