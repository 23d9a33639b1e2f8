"""ZLPR of label indices, rows filled up with -1."""

from keras import ops


def zlpr_of_indices(y_true, y_pred):
    places = ops.arange(y_pred.shape[-1], dtype=y_true.dtype)
    present = ops.any(ops.expand_dims(y_true, -1) == places, axis=-2)
    return _side(y_pred, ops.logical_not(present)) + _side(-y_pred, present)


def _side(scores, chosen):
    low = ops.full_like(scores, -float("inf"))
    kept = ops.where(chosen, scores, low)
    return ops.logsumexp(ops.concatenate([kept, ops.zeros_like(kept[:, :1])], axis=-1), axis=-1)
