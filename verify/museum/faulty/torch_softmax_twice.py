"""Softmax cross-entropy of a classifier's logits."""

import torch
from torch import nn


class ClassificationLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, logits, target):
        probabilities = torch.softmax(logits, dim=-1)
        return self.criterion(probabilities, target)
