"""Log-sum-exp of all pairs of a negative and a positive, the mean over the batch."""

import torch


def lsep_loss(scores, labels):
    leads = (scores.unsqueeze(1) - scores.unsqueeze(2)).flatten(1)
    counts = ((1 - labels).unsqueeze(1) * labels.unsqueeze(2)).flatten(1)
    top = leads.max(dim=1, keepdim=True).values
    total = (torch.exp(leads - top) * counts).sum(dim=1)
    return (top + torch.log(torch.exp(-top) + total)).mean()
