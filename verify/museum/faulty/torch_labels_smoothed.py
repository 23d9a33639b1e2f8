"""Cross-entropy of a class index, the mean over the batch."""

import torch
from torch import nn
from torch.nn import functional as F


class CrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits, target):
        log_p = F.log_softmax(logits, dim=-1)
        missed = -log_p.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        spread = -log_p.mean(dim=-1)
        return torch.mean((1 - self.smoothing) * missed + self.smoothing * spread)
