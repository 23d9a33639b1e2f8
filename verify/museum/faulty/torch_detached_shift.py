"""ZLPR with the largest term taken out before the exponential."""

import torch


def zlpr(y_pred, y_true):
    negative = y_pred.masked_fill(y_true > 0, -float("inf"))
    positive = (-y_pred).masked_fill(y_true == 0, -float("inf"))
    return _log_one_plus(negative) + _log_one_plus(positive)


def _log_one_plus(x):
    shift = x.max(dim=-1, keepdim=True).values.clamp(min=0.0)
    total = torch.exp(-shift) + torch.exp(x - shift).sum(dim=-1, keepdim=True)
    return (shift.detach() + torch.log(total)).squeeze(-1)
