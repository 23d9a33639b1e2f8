"""Rows that break formulas, a share of them, and the errors of a route on them."""

from __future__ import annotations

from functools import partial

import numpy as np

from verify.accuracy import AccuracyTable
from verify.compare import References, _is_printable, _size, family_of
from verify.measure import Route, measure
from verify.samples import Sample

#: Losses whose value, gradient and product with the Hessian are reductions of a row.
LOSSES = (
    "softmax_cross_entropy",
    "soft_zlpr",
    "zlpr",
    "unified",
    "binary_cross_entropy",
    "focal",
    "soft_focal",
    "asymmetric",
    "hinge",
    "max_hinge",
    "lse_hinge",
    "circle",
)
#: The largest score, and the longest row, on which emitted code is tried here.
LARGEST, LONGEST = 1e4, 3000


def chosen(loss: str, every: int, masked: bool = False) -> list[Sample]:
    """One of so many rows with finite scores of moderate size, or of those with labels masked."""
    samples = [
        sample
        for sample in family_of(loss).quick(loss)
        if sample.dtype in ("float32", "float64") and 0 < sample.n <= LONGEST
    ]
    if masked:
        kept = [x for x in samples if (x.scores == -np.inf).any() and _within(x, True)]
    else:
        kept = [x for x in samples if _within(x, False)]
    return kept[::every]


def _within(sample: Sample, masked: bool) -> bool:
    size = np.abs(sample.scores)
    return bool(((size <= LARGEST) | (masked & (sample.scores == -np.inf))).all())


def errors(loss: str, route: Route, samples: list[Sample], *, batch: bool = False) -> AccuracyTable:
    """The errors as `lossproof verify` states them for emitted code."""
    references = References(family_of(loss).oracle(loss))
    printed = [sample for sample in samples if _is_printable(loss, sample, references)]
    size = partial(_size, loss)
    return measure(loss, route, printed, references, batch=batch, size=size)


def worst(table: AccuracyTable) -> float:
    """The largest error in ulp; what failed raises, and so does a table without comparisons."""
    assert not table.failures, table.failures[0]
    return max(line.error for line in table)
