"""ZLPR, the mean over the batch, computed in double precision and returned as it came."""

import numpy as np
from scipy.special import logsumexp


def zlpr_loss(logits, targets, reduction="mean"):
    wide = logits.astype(np.float64)
    zero = np.zeros_like(wide[..., :1])
    negative = np.concatenate([zero, np.where(targets > 0, -np.inf, wide)], axis=-1)
    positive = np.concatenate([zero, np.where(targets > 0, -wide, -np.inf)], axis=-1)
    loss = logsumexp(negative, axis=-1) + logsumexp(positive, axis=-1)
    loss = loss.astype(logits.dtype)
    return loss.mean() if reduction == "mean" else loss
