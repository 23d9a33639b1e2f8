"""ZLPR over span scores, flattened to rows first."""

import torch


def global_pointer_crossentropy(y_pred, y_true):
    y_pred, y_true = y_pred.reshape(-1, 1), y_true.reshape(-1, 1)
    zeros = torch.zeros_like(y_pred)
    negative = torch.cat([y_pred.masked_fill(y_true > 0, -torch.inf), zeros], dim=-1)
    positive = torch.cat([(-y_pred).masked_fill(y_true == 0, -torch.inf), zeros], dim=-1)
    return torch.logsumexp(negative, dim=-1).sum() + torch.logsumexp(positive, dim=-1).sum()
