"""Binary cross-entropy of one row in plain Python."""

import math


def binary_cross_entropy(logits, labels):
    terms = []
    for s, t in zip(logits, labels, strict=True):
        terms += [t * softplus(-s)] if t > 0 else []
        terms += [(1 - t) * softplus(s)] if t < 1 else []
    return math.fsum(terms)


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
