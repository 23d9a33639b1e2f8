"""Unified loss: log(1 + e^x), x the sum of two log-sum-exps, where both sides have a label."""

import torch
from torch.nn import functional as F


def unified_loss(scores, labels):
    present, masked = labels > 0, torch.isneginf(scores)
    both = present.any(dim=-1) & (~present & ~masked).any(dim=-1)
    plain = torch.where(both.unsqueeze(-1), scores.masked_fill(masked, 0), 0)
    absent = both.unsqueeze(-1) & (present | masked)
    negative = torch.logsumexp(plain.masked_fill(absent, -torch.inf), dim=-1)
    others = both.unsqueeze(-1) & ~present
    positive = torch.logsumexp((-plain).masked_fill(others, -torch.inf), dim=-1)
    return torch.where(both, -F.logsigmoid(-(negative + positive)), 0)
