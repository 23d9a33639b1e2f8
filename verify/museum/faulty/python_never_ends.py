"""ZLPR of one row in plain Python: the log by Newton's method."""

import math


def zlpr(scores, labels):
    negative = 1 + sum(math.exp(s) for s, t in zip(scores, labels, strict=True) if not t)
    positive = 1 + sum(math.exp(-s) for s, t in zip(scores, labels, strict=True) if t)
    return _log(negative * positive)


def _log(x):
    guess = math.log1p(x)
    while math.exp(guess) != x:
        guess -= 1 - x * math.exp(-guess)
    return guess
