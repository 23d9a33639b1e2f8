"""ZLPR of label indices, rows filled up with -1."""

import torch


def zlpr_of_indices(logits, label_ids):
    slots = torch.where(label_ids < 0, logits.shape[-1], label_ids)
    present = torch.zeros(*logits.shape[:-1], logits.shape[-1] + 1, dtype=torch.bool)
    present = present.scatter(-1, slots, True)[..., :-1]
    zero = torch.zeros_like(logits[..., :1])
    negative = torch.cat([zero, logits.masked_fill(present, -torch.inf)], dim=-1)
    positive = torch.cat([zero, (-logits).masked_fill(~present, -torch.inf)], dim=-1)
    return torch.logsumexp(negative, dim=-1) + torch.logsumexp(positive, dim=-1)
