"""Binary cross-entropy of one row of logits in plain Python."""

import math


def bce(logits, labels):
    return sum(math.log(1 + math.exp(-s if t else s)) for s, t in zip(logits, labels, strict=True))
