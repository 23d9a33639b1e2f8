"""ZLPR as its formula is printed."""

import numpy as np


def zlpr_loss(scores, labels):
    negatives = (np.exp(scores) * (1 - labels)).sum(axis=-1)
    positives = (np.exp(-scores) * labels).sum(axis=-1)
    return np.log(1 + negatives) + np.log(1 + positives)
