"""Focal loss from logs of sigmoids alone."""

import tensorflow as tf


def sigmoid_focal_loss(y_true, y_pred, gamma=2.0):
    own = tf.where(y_true > 0, y_pred, -y_pred)
    weight = tf.exp(gamma * tf.math.log_sigmoid(-own))
    return tf.reduce_sum(-weight * tf.math.log_sigmoid(own), axis=-1)
