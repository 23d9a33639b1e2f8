"""Multi-class hinge loss: each class that comes within the margin costs."""

from torch import nn


class MultiClassHinge(nn.Module):
    def forward(self, scores, target):
        own = scores.gather(-1, target.unsqueeze(-1))
        leads = (scores - own + 1.0).scatter(-1, target.unsqueeze(-1), 0.0)
        return leads.clamp(min=0.0).max(dim=-1).values
