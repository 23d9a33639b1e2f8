"""Hard ZLPR, a value for each row."""

import torch


def zlpr(logits, labels):
    scores = logits.float()
    positive = labels > 0
    low = torch.full_like(scores, -torch.inf)
    zero = torch.zeros_like(scores[..., :1])
    missed = torch.cat([zero, torch.where(positive, -scores, low)], dim=-1)
    invented = torch.cat([zero, torch.where(positive, low, scores)], dim=-1)
    return (missed.logsumexp(-1) + invented.logsumexp(-1)).to(logits.dtype)
