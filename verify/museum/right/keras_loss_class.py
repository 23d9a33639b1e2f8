"""ZLPR as a loss of Keras: it computes in the dtype that Keras is set to."""

import keras
from keras import ops


class ZLPR(keras.losses.Loss):
    def __init__(self, name="zlpr", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        present = y_true > 0
        low = ops.full_like(y_pred, -float("inf"))
        return _log_one_plus(ops.where(present, low, y_pred)) + _log_one_plus(
            ops.where(present, -y_pred, low)
        )


def _log_one_plus(x):
    zeros = ops.zeros_like(x[..., :1])
    return ops.logsumexp(ops.concatenate([x, zeros], axis=-1), axis=-1)
