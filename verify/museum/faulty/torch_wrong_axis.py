"""Softmax cross-entropy of one-hot labels."""

import torch
from torch.nn import functional as F


def cross_entropy(logits, one_hot):
    log_probabilities = F.log_softmax(logits, dim=0)
    return -torch.sum(one_hot * log_probabilities, dim=-1)
