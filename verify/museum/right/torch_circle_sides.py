"""Circle loss of the similarities within a class and between classes, two tensors."""

from torch import nn
from torch.nn import functional as F


class CircleLoss(nn.Module):
    def __init__(self, m=0.25, gamma=256.0):
        super().__init__()
        self.m, self.gamma = m, gamma

    def forward(self, sp, sn):
        within = -self.gamma * F.relu(1 + self.m - sp) * (sp - 1 + self.m)
        between = self.gamma * F.relu(sn + self.m) * (sn - self.m)
        return -F.logsigmoid(-within.logsumexp(dim=-1) - between.logsumexp(dim=-1))
