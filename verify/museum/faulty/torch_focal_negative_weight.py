"""Focal loss, sum over the labels."""

import torch
from torch.nn import functional as F


def focal_loss(logits, targets, gamma=2.0):
    p = torch.sigmoid(logits)
    positive = targets * (1 - p) ** gamma * F.logsigmoid(logits)
    negative = (1 - targets) * (1 - p) ** gamma * F.logsigmoid(-logits)
    return -(positive + negative).sum(dim=-1)
