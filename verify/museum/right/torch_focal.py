"""Focal loss with gamma = 2, the sum over a row, from logs alone."""

import torch
from torch.nn import functional as F


def sigmoid_focal_loss(inputs, targets, gamma=2.0):
    own = torch.where(targets > 0, inputs, -inputs)
    weight = torch.exp(gamma * F.logsigmoid(-own))
    return -torch.sum(weight * torch.where(weight > 0, F.logsigmoid(own), 0), dim=-1)
