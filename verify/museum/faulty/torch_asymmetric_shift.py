"""Asymmetric loss, gamma- = 4, gamma+ = 0, shifted by 0.05."""

import torch


def asymmetric_loss(x, y, gamma_neg=4, clip=0.05, eps=1e-12):
    p = torch.sigmoid(x)
    shifted = (p + clip).clamp(max=1)
    positive = y * torch.log(p.clamp(min=eps))
    negative = (1 - y) * shifted**gamma_neg * torch.log((1 - shifted).clamp(min=eps))
    return -(positive + negative).sum(dim=-1)
