"""Binary cross-entropy of logits, the mean over the labels of each row."""

import keras
from keras import ops


def binary_crossentropy(y_true, y_pred):
    epsilon = keras.config.epsilon()
    p = ops.clip(ops.sigmoid(y_pred), epsilon, 1 - epsilon)
    return -ops.mean(y_true * ops.log(p) + (1 - y_true) * ops.log(1 - p), axis=-1)
