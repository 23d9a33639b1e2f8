"""ZLPR of label indices, rows filled up with 0; class 0 is no label."""

import torch


def sparse_multilabel_crossentropy(y_pred, y_true):
    zeros = torch.zeros_like(y_pred[..., :1])
    infs = zeros + 1e-12
    with_infs = torch.cat([infs, y_pred[..., 1:]], dim=-1)
    chosen = torch.gather(with_infs, -1, y_true)
    positive = torch.logsumexp(torch.cat([zeros, -chosen], dim=-1), dim=-1)
    others = torch.cat([zeros - float("inf"), y_pred[..., 1:]], dim=-1)
    others = others.scatter(-1, y_true, -float("inf"))
    negative = torch.logsumexp(torch.cat([zeros, others], dim=-1), dim=-1)
    return positive + negative
