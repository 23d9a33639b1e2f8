"""Soft ZLPR by log-sum-exp of s + log(1 - t), with nothing in place of -inf - inf."""

import torch


def soft_zlpr(logits, targets):
    return _side(logits, 1 - targets) + _side(-logits, targets)


def _side(x, weights):
    counts = weights > 0
    shifted = torch.where(counts, x, 0) + torch.where(counts, weights, 1).log()
    terms = torch.where(counts, shifted, -torch.inf)
    return torch.cat([torch.zeros_like(terms[..., :1]), terms], dim=-1).logsumexp(dim=-1)
