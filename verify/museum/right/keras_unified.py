"""The pairwise loss from two log-sum-exps, where both sides have labels."""

from keras import ops


def unified_loss(y_true, y_pred):
    lead = _log_sum(y_pred, y_true == 0) + _log_sum(-y_pred, y_true > 0)
    return ops.logsumexp(ops.stack([lead, ops.zeros_like(lead)], axis=-1), axis=-1)


def _log_sum(scores, chosen):
    low = ops.full_like(scores, -float("inf"))
    there = ops.any(chosen & (scores > low), axis=-1, keepdims=True)
    safe = ops.where(there, ops.where(chosen, scores, low), ops.zeros_like(scores))
    return ops.where(there[:, 0], ops.logsumexp(safe, axis=-1), low[:, 0])
