"""Softmax cross-entropy of class indices, the mean over the batch."""

from torch import nn


class Criterion(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss = nn.CrossEntropyLoss()

    def forward(self, outputs, classes):
        return self.loss(outputs, classes)
