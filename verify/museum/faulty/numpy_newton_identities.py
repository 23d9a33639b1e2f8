"""Combination softmax: the sum over k-subsets by Newton's identities."""

import numpy as np


def combination_softmax(scores, labels):
    return np.array(
        [
            _log_elementary(s, int(t.sum())) - s[t > 0].sum()
            for s, t in zip(scores, labels, strict=True)
        ]
    )


def _log_elementary(s, k):
    top = s.max()
    x = np.exp(s - top)
    e = [1.0]
    for j in range(1, k + 1):
        signs = ((-1) ** (i - 1) * e[j - i] * np.sum(x**i) for i in range(1, j + 1))
        e.append(sum(signs) / j)
    return np.log(e[k]) + k * top
