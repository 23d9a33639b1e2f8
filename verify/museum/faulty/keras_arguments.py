"""Softmax cross-entropy with a weight of 1."""

from keras import ops


def categorical_crossentropy(target, output):
    log_p = output - ops.logsumexp(output, axis=-1, keepdims=True)
    return -ops.sum(target * log_p, axis=-1)


def weighted_loss(y_true, y_pred):
    return 1.0 * categorical_crossentropy(y_pred, y_true)
