"""ZLPR; the signs are turned where the label is present."""

import numpy as np


def zlpr(scores, labels):
    scores[labels > 0] *= -1
    negative = np.where(labels > 0, -np.inf, scores)
    positive = np.where(labels > 0, scores, -np.inf)
    return np.logaddexp(0, np.logaddexp.reduce(negative, axis=-1)) + np.logaddexp(
        0, np.logaddexp.reduce(positive, axis=-1)
    )
