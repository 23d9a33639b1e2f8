"""ZLPR of one row in plain Python."""

import math


def zlpr(scores, labels):
    wrong = [s for s, t in zip(scores, labels, strict=True) if not t]
    top = max([0.0, *wrong])
    return top + math.log(math.exp(-top) + math.fsum(math.exp(s - top) for s in wrong))
