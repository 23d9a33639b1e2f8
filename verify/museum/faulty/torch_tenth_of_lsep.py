"""Log-sum-exp of all pairs of a negative and a positive."""

import torch
from torch import nn


class LogSumExpPairwiseLoss(nn.Module):
    def forward(self, scores, labels):
        differences = scores.unsqueeze(-1) - scores.unsqueeze(-2)
        pairs = (1 - labels).unsqueeze(-1) * labels.unsqueeze(-2)
        terms = differences.masked_fill(pairs == 0, -float("inf")).flatten(1)
        zero = torch.zeros_like(terms[:, :1])
        loss = torch.logsumexp(torch.cat([zero, terms], dim=-1), dim=-1)
        return 0.1 * loss
