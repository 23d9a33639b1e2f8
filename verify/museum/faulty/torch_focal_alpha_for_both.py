"""Focal loss with alpha, sum over the labels."""

import torch
from torch import nn
from torch.nn import functional as F


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, logits, targets):
        p = torch.sigmoid(logits)
        positive = targets * (1 - p) ** self.gamma * F.logsigmoid(logits)
        negative = (1 - targets) * p**self.gamma * F.logsigmoid(-logits)
        return -self.alpha * (positive + negative).sum(dim=-1)
