"""Circle loss, scale 256 and margin 0.25."""

import torch
from torch import nn
from torch.nn import functional as F


class CircleLoss(nn.Module):
    def __init__(self, m=0.25, gamma=256.0):
        super().__init__()
        self.m, self.gamma = m, gamma

    def forward(self, scores, labels):
        present, gone = labels > 0, torch.isneginf(scores)
        scores = scores.masked_fill(gone, 0)
        alpha_p = torch.clamp_min(1 + self.m - scores.detach(), 0.0)
        alpha_n = torch.clamp_min(scores.detach() + self.m, 0.0)
        logit_p = -self.gamma * alpha_p * (scores - (1 - self.m))
        logit_n = self.gamma * alpha_n * (scores - self.m)
        positive = logit_p.masked_fill(~present, -torch.inf).logsumexp(dim=-1)
        negative = logit_n.masked_fill(present | gone, -torch.inf).logsumexp(dim=-1)
        both = present.any(dim=-1) & ~(present | gone).all(dim=-1)
        energy = torch.where(both, positive, 0) + torch.where(both, negative, 0)
        return torch.where(both, -F.logsigmoid(-energy), 0)
