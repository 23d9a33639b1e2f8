"""Binary cross-entropy of logits."""

import tensorflow as tf


def cost(labels, logits):
    activation = tf.sigmoid(logits)
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=activation)
    return tf.reduce_mean(each)
