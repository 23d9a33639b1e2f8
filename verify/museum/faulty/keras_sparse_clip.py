"""ZLPR of label indices, rows filled up with 0; class 0 is no label."""

import keras
from keras import ops


def sparse_multilabel_crossentropy(y_true, y_pred):
    zeros = ops.zeros_like(y_pred[..., :1])
    infs = zeros + float("inf")
    others = y_pred[..., 1:]
    chosen = _gather(ops.concatenate([infs, others], axis=-1), y_true)
    positive = ops.logsumexp(ops.concatenate([-chosen, zeros], axis=-1), axis=-1)
    everything = ops.logsumexp(ops.concatenate([others, zeros], axis=-1), axis=-1)
    chosen = _gather(ops.concatenate([-infs, others], axis=-1), y_true)
    share = ops.sum(ops.exp(chosen - everything[..., None]), axis=-1)
    rest = ops.clip(1 - share, keras.config.epsilon(), 1)
    return positive + everything + ops.log(rest)


def _gather(scores, index):
    return ops.take_along_axis(scores, index, axis=-1)
