"""Cross-entropy of class indices."""

import tensorflow as tf


def cross_entropy(labels, logits):
    log_p = tf.nn.log_softmax(logits, axis=0)
    return -tf.reduce_mean(tf.gather(log_p, labels, axis=1, batch_dims=1))
