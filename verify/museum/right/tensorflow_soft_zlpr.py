"""ZLPR of soft labels: logs of the labels beside the scores, where they are not 0."""

import tensorflow as tf


def soft_zlpr(y_true, y_pred):
    return _side(y_pred, 1 - y_true) + _side(-y_pred, y_true)


def _side(scores, weights):
    low = tf.constant(float("-inf"), scores.dtype)
    logs = tf.math.log(tf.where(weights > 0, weights, tf.ones_like(weights)))
    terms = tf.where(weights > 0, scores + logs, low)
    return tf.reduce_logsumexp(tf.pad(terms, [[0, 0], [1, 0]]), axis=-1)
