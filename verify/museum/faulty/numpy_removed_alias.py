"""ZLPR of lists or arrays."""

import numpy as np


def zlpr(scores, labels):
    scores = np.asarray(scores, dtype=np.float)
    negative = np.where(labels > 0, -np.inf, scores)
    positive = np.where(labels > 0, -scores, -np.inf)
    return np.logaddexp(0, np.logaddexp.reduce(negative, axis=-1)) + np.logaddexp(
        0, np.logaddexp.reduce(positive, axis=-1)
    )
