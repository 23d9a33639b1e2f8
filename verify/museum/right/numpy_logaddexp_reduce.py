"""ZLPR by logaddexp along the row, labels first."""

import numpy as np


def multilabel_crossentropy(y_true, y_pred):
    x = np.where(y_true > 0, -y_pred, y_pred).astype(y_pred.dtype)
    sides = []
    for side in (y_true > 0, y_true <= 0):
        kept = np.where(side, x, np.asarray(-np.inf, dtype=x.dtype))
        sides.append(np.logaddexp.reduce(kept, axis=-1, initial=0.0))
    return sides[0] + sides[1]
