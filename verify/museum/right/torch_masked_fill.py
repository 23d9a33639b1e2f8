"""ZLPR with the other side filled with -inf."""

import torch


def zlpr(logits, targets):
    present = targets > 0
    zero = torch.zeros_like(logits[..., :1])
    negative = torch.cat([zero, logits.masked_fill(present, -torch.inf)], dim=-1)
    positive = torch.cat([zero, (-logits).masked_fill(~present, -torch.inf)], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)
