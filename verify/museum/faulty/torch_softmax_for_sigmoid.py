"""Binary cross-entropy of many labels."""

import torch
from torch.nn import functional as F


def multilabel_bce(logits, labels):
    log_p = F.log_softmax(logits, dim=-1)
    p = torch.exp(log_p)
    return -(labels * log_p + (1 - labels) * torch.log1p(-p)).sum(dim=-1)
