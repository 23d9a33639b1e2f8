"""Circle loss, scale 256 and margin 0.25."""

import torch
from torch import nn
from torch.nn import functional as F


class CircleLoss(nn.Module):
    def __init__(self, m=0.25, gamma=256.0):
        super().__init__()
        self.m, self.gamma = m, gamma

    def forward(self, scores, labels):
        alpha_p = torch.clamp_min(1 + self.m - scores.detach(), 0.0)
        alpha_n = torch.clamp_min(scores.detach() + self.m, 0.0)
        logit_p = -self.gamma * alpha_p * (scores - (1 - self.m))
        logit_n = self.gamma * alpha_n * (scores - self.m)
        logit_p = logit_p.masked_fill(labels == 0, -1e30)
        logit_n = logit_n.masked_fill(labels > 0, -1e30)
        return F.softplus(torch.logsumexp(logit_p, dim=-1) + torch.logsumexp(logit_n, dim=-1))
