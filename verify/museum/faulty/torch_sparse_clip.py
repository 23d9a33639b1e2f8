"""ZLPR of label indices: the negatives are all classes less the positives."""

import torch


def sparse_multilabel_crossentropy(y_pred, y_true, epsilon=1e-7):
    zeros = torch.zeros_like(y_pred[..., :1])
    with_zero = torch.cat([y_pred, zeros], dim=-1)
    chosen = torch.gather(with_zero, -1, y_true)
    positive = torch.logsumexp(torch.cat([-chosen, zeros], dim=-1), dim=-1)
    everything = torch.logsumexp(with_zero, dim=-1)
    share = torch.exp(torch.logsumexp(chosen, dim=-1) - everything)
    rest = torch.clamp(1 - share, epsilon, 1)
    return positive + everything + torch.log(rest)
