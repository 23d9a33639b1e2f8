"""Logistic loss of labels -1 and +1, the sum over a row."""

import numpy as np


def logistic_loss(scores, signs):
    return np.sum(np.logaddexp(0, -signs * scores), axis=-1)
