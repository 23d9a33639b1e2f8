"""ZLPR with the sums written as inner products."""

import torch
from torch import nn


class ZLPRLoss(nn.Module):
    def forward(self, y_pred, y):
        positive = torch.log(1 + torch.inner(y, torch.exp(-y_pred)))
        negative = torch.log(1 + torch.inner(1 - y, torch.exp(y_pred)))
        return torch.mean(positive + negative)
