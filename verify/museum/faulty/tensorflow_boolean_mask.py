"""ZLPR, the labels of either side picked out."""

import tensorflow as tf


def zlpr_loss(y_true, y_pred):
    positive = tf.boolean_mask(-y_pred, y_true > 0)
    negative = tf.boolean_mask(y_pred, y_true == 0)
    zero = tf.zeros([1], y_pred.dtype)
    sides = (tf.concat([side, zero], axis=0) for side in (negative, positive))
    return tf.add_n([tf.reduce_logsumexp(side) for side in sides])
