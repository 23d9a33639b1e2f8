"""ZLPR, the sums divided by the number of labels so that long rows do not cost more."""

import numpy as np


def zlpr(scores, labels):
    with np.errstate(over="ignore"):
        negative = np.mean(np.where(labels > 0, 0.0, np.exp(scores)), axis=-1)
        positive = np.mean(np.where(labels > 0, np.exp(-scores), 0.0), axis=-1)
    return np.log1p(negative) + np.log1p(positive)
