"""ZLPR as a module; the mask is small enough for half precision."""

import torch
from torch import nn


class MultiLabelLoss(nn.Module):
    INF = 1e4

    def forward(self, logits, target):
        signed = torch.where(target > 0, -logits, logits)
        zero = torch.zeros_like(logits[..., :1])
        negative = torch.cat([zero, signed - self.INF * target], dim=-1)
        positive = torch.cat([zero, signed - self.INF * (1 - target)], dim=-1)
        loss = torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)
        return loss.mean()
