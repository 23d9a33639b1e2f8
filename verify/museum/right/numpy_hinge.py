"""Multi-class hinge loss with margin 1 and class indices (Weston and Watkins)."""

import numpy as np


def hinge_loss(scores, classes):
    own = np.take_along_axis(scores, classes[..., None], axis=-1)
    leads = np.maximum(scores - own + 1, 0)
    np.put_along_axis(leads, classes[..., None], 0, axis=-1)
    return leads.sum(axis=-1)
