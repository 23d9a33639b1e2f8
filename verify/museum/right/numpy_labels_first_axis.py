"""ZLPR of scores that lie label by label: (labels, batch)."""

import numpy as np


def zlpr(scores, labels):
    low = np.asarray(-np.inf, dtype=scores.dtype)
    sides = np.where(labels > 0, low, scores), np.where(labels > 0, -scores, low)
    return sum(np.logaddexp.reduce(x, axis=0, initial=0.0) for x in sides)
