"""ZLPR as a module, the mean over the batch."""

import torch
from torch import nn


class ZLPRLoss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input, target):
        low = torch.finfo(input.dtype).min
        negative = torch.where(target > 0, low, input).clamp(min=low)
        positive = torch.where(target > 0, -input, low)
        loss = self._side(negative) + self._side(positive)
        return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[self.reduction]()

    @staticmethod
    def _side(x):
        return torch.logsumexp(nn.functional.pad(x, (0, 1)), dim=-1)
