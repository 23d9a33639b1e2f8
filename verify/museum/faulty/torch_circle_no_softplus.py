"""Circle loss of the similarities within a class and between classes, two tensors."""

import torch
from torch import nn


class CircleLoss(nn.Module):
    def __init__(self, m=0.25, gamma=256.0):
        super().__init__()
        self.m, self.gamma = m, gamma

    def forward(self, s_p, s_n):
        alpha_p = torch.clamp_min(1 + self.m - s_p, 0)
        alpha_n = torch.clamp_min(s_n + self.m, 0)
        logit_p = -self.gamma * alpha_p * (s_p - (1 - self.m))
        logit_n = self.gamma * alpha_n * (s_n - self.m)
        return torch.logsumexp(logit_p, dim=-1) + torch.logsumexp(logit_n, dim=-1)
