"""Binary cross-entropy; a label 0 takes nothing away, be the other factor infinite."""

import tensorflow as tf


def binary_cross_entropy(labels, logits):
    missed = tf.math.multiply_no_nan(-tf.math.log_sigmoid(logits), labels)
    invented = tf.math.multiply_no_nan(-tf.math.log_sigmoid(-logits), 1 - labels)
    return tf.reduce_mean(missed + invented)
