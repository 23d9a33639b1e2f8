"""Soft ZLPR; the labels are kept away from 0 and 1 so that their logs exist."""

import torch


def soft_multilabel_crossentropy(y_pred, y_true, epsilon=1e-5):
    y_true = y_true.clamp(epsilon, 1 - epsilon)
    zeros = torch.zeros_like(y_pred[..., :1])
    negative = torch.cat([y_pred + torch.log(1 - y_true), zeros], dim=-1)
    positive = torch.cat([-y_pred + torch.log(y_true), zeros], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)
