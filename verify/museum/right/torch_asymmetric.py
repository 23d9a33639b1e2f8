"""Asymmetric loss: gamma- = 4, gamma+ = 0, probabilities of negatives shifted by 0.05."""

import torch
from torch.nn import functional as F


def asymmetric_loss(x, y, gamma_neg=4, clip=0.05):
    positive = -F.logsigmoid(x)
    shifted = (torch.sigmoid(x) - clip).clamp(min=0)
    negative = -(shifted**gamma_neg) * torch.log1p(-shifted)
    return torch.where(y > 0, positive, negative).sum(dim=-1)
