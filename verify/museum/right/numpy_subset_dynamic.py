"""Combination softmax: log Z_k by a table over the scores, each entry in logs."""

import numpy as np


def combination_softmax(scores, labels):
    rows = [_row(s, t) for s, t in zip(scores, labels, strict=True)]
    return np.array(rows, dtype=scores.dtype)


def _row(scores, labels):
    k = int(np.sum(labels > 0))
    wide = scores.astype(np.float64)
    table = np.full(k + 1, -np.inf)
    table[0] = 0.0
    for s in wide:
        table[1:] = np.logaddexp(table[1:], table[:-1] + s)
    return table[k] - wide[labels > 0].sum()
