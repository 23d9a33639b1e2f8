"""ZLPR behind a module whose forward hands its arguments on."""

import torch
from torch import nn


def multilabel_crossentropy(y_true, y_pred):
    far = torch.tensor(-float("inf"), dtype=y_pred.dtype)
    zero = torch.zeros_like(y_pred[..., :1])
    negative = torch.cat([torch.where(y_true > 0, far, y_pred), zero], dim=-1)
    positive = torch.cat([torch.where(y_true > 0, -y_pred, far), zero], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)


class Criterion(nn.Module):
    def forward(self, y_pred, y_true):
        return multilabel_crossentropy(y_pred, y_true)
