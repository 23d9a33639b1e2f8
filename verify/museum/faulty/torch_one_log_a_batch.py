"""ZLPR by boolean masks over the batch."""

import torch


def zlpr_loss(outputs, labels):
    negatives = torch.exp(outputs[labels == 0]).sum()
    positives = torch.exp(-outputs[labels == 1]).sum()
    return torch.log1p(negatives) + torch.log1p(positives)
