"""Binary cross-entropy of one row of logits in plain Python."""

import math


def bce(logits, labels):
    return sum(
        t * math.log(1 + math.exp(-s)) + (1 - t) * math.log(1 + math.exp(s))
        for s, t in zip(logits, labels, strict=True)
    )
