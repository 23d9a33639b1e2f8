"""Binary cross-entropy of one row of logits in plain Python, in its stable form."""

import math


def sigmoid_cross_entropy(logits, labels):
    return sum(
        max(x, 0.0) - x * z + math.log1p(math.exp(min(abs(x), 700.0)))
        for x, z in zip(logits, labels, strict=True)
    )
