"""ZLPR with -inf for the other side."""

import tensorflow as tf


def multilabel_crossentropy(y_true, y_pred):
    low = tf.constant(float("-inf"), y_pred.dtype)
    zeros = tf.zeros_like(y_pred[..., :1])
    negative = tf.concat([tf.where(y_true > 0, low, y_pred), zeros], axis=-1)
    positive = tf.concat([tf.where(y_true > 0, -y_pred, low), zeros], axis=-1)
    return tf.reduce_logsumexp(negative, axis=-1) + tf.reduce_logsumexp(positive, axis=-1)
