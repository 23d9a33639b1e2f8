"""ZLPR over span scores, flattened to rows first."""

import torch


def global_pointer_crossentropy(y_pred, y_true):
    rows = y_pred.shape[0] * y_pred.shape[1]
    y_pred, y_true = y_pred.reshape(rows, -1), y_true.reshape(rows, -1)
    zeros = torch.zeros_like(y_pred[..., :1])
    negative = torch.cat([y_pred.masked_fill(y_true > 0, -float("inf")), zeros], dim=-1)
    positive = torch.cat([(-y_pred).masked_fill(y_true == 0, -float("inf")), zeros], dim=-1)
    return torch.logsumexp(negative, dim=-1).sum() + torch.logsumexp(positive, dim=-1).sum()
