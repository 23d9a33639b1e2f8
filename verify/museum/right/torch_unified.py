"""Unified loss: log(1 + e^x), x the sum of two log-sum-exps, where both sides have a label."""

import torch
from torch.nn import functional as F


def unified_loss(scores, labels):
    present = labels > 0
    negative = torch.logsumexp(scores.masked_fill(present, -torch.inf), dim=-1)
    positive = torch.logsumexp((-scores).masked_fill(~present, -torch.inf), dim=-1)
    both = present.any(dim=-1) & ~present.all(dim=-1)
    lead = torch.where(both, negative, 0) + torch.where(both, positive, 0)
    return torch.where(both, -F.logsigmoid(-lead), 0)
