"""Softmax cross-entropy of one row and the index of its class, from differences of scores."""

import math


def softmax_cross_entropy(scores, label):
    own = scores[label]
    leads = [s - own for i, s in enumerate(scores) if i != label]
    top = max([0.0, *leads])
    return top + math.log(math.exp(-top) + math.fsum(math.exp(x - top) for x in leads))
