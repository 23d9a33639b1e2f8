"""ZLPR of one row in plain Python."""

import math


def zlpr(scores, labels):
    present = [-s for s, t in zip(scores, labels, strict=True) if t]
    absent = [s for s, t in zip(scores, labels, strict=True) if not t]
    return log_one_plus(absent) + log_one_plus(present)


def log_one_plus(x):
    top = max([0.0, *x])
    terms = [math.exp(v - top) for v in [0.0, *x]]
    return top + math.log(math.fsum(terms))
