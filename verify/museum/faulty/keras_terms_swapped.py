"""Binary cross-entropy of logits as a loss of Keras."""

import keras
from keras import ops


class WeightedBinaryCrossentropy(keras.losses.Loss):
    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = weight

    def call(self, y_true, y_pred):
        positive = (1 - y_true) * ops.log_sigmoid(y_pred)
        negative = y_true * ops.log_sigmoid(-y_pred)
        return -ops.mean(self.weight * positive + negative, axis=-1)
