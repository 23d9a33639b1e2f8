"""ZLPR with the largest term taken out before the exponential."""

import tensorflow as tf


def zlpr(y_true, y_pred):
    low = tf.constant(float("-inf"), y_pred.dtype)
    negative = tf.where(y_true > 0, low, y_pred)
    positive = tf.where(y_true > 0, -y_pred, low)
    return _log_one_plus(negative) + _log_one_plus(positive)


def _log_one_plus(x):
    top = tf.maximum(tf.reduce_max(x, axis=-1, keepdims=True), 0)
    total = tf.exp(-top) + tf.reduce_sum(tf.exp(x - top), axis=-1, keepdims=True)
    return tf.squeeze(tf.stop_gradient(top) + tf.math.log(total), axis=-1)
