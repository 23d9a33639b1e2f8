"""ZLPR as softplus of a log-sum-exp on each side."""

import torch
from torch.nn import functional as F


def zlpr(y_pred, y_true):
    negative = torch.logsumexp(y_pred.masked_fill(y_true > 0, -torch.inf), dim=-1)
    positive = torch.logsumexp((-y_pred).masked_fill(y_true == 0, -torch.inf), dim=-1)
    return F.softplus(negative) + F.softplus(positive)
