"""Focal loss with gamma = 1/2."""

import torch
from torch.nn import functional as F


def focal_loss(logits, targets):
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p = torch.sigmoid(logits)
    p_t = p * targets + (1 - p) * (1 - targets)
    return ((1 - p_t) ** 0.5 * cross_entropy).sum(dim=-1)
