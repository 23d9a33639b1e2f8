"""Binary cross-entropy, a label either way, the sum over the batch."""

from keras import ops


def binary_crossentropy(y_true, y_pred):
    missed = ops.where(y_true > 0, -y_true * ops.log_sigmoid(_kept(y_pred, y_true)), 0)
    invented = ops.where(y_true < 1, (y_true - 1) * ops.log_sigmoid(-_kept(y_pred, 1 - y_true)), 0)
    return ops.sum(missed + invented)


def _kept(scores, weights):
    return ops.where(weights > 0, scores, ops.zeros_like(scores))
