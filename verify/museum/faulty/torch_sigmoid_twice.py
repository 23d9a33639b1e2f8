"""Binary cross-entropy of logits."""

import torch
from torch.nn import functional as F


def bce(logits, targets):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(logits), targets)
