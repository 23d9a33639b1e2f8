"""ZLPR of one row before it is factorised: every pair, every label, and 1."""

import math
from itertools import product


def zlpr(scores, labels):
    negative = [s for s, t in zip(scores, labels, strict=True) if t == 0]
    positive = [-s for s, t in zip(scores, labels, strict=True) if t == 1]
    terms = [0.0, *negative, *positive]
    terms += [a + b for a, b in product(negative, positive)]
    top = max(terms)
    return top + math.log(math.fsum(math.exp(x - top) for x in terms))
