r"""Are the subsets drawn from the right distribution?  Chi-square tests, and one that must fail.

Some labels M of a row are watched, the heaviest and some lighter ones.  What a draw S has of them,
A = S cap M, falls into one of finitely many cells, whose probabilities the oracle knows exactly
(`verify.oracle.distribution.patterns`).  With N draws, f the relative frequencies of the cells and
p their probabilities, features F of a cell (which labels it has; which pairs) give

    X = N (f - p)^T F  C^+  F^T (f - p),    C = F^T (diag p - p p^T) F,

which is chi-square with rank C degrees of freedom: a test of all single inclusions at once, and of
all pairwise ones.  With the identity for F it is Pearson's test over the cells themselves.

Plackett-Luce (draw from the softmax, take the label out, repeat) is what a reader of document 002
is told to do.  It is another distribution unless all scores are equal, and the same test sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import mpmath
import numpy as np
from numpy.typing import NDArray

from numeric_core import subset
from verify.formats import Vector, format_of
from verify.oracle.distribution import patterns
from verify.patterns import SEED, Generator, generator

__all__ = ["DrawCheck", "check_draws", "chi_square", "plackett_luce"]

Integers = NDArray[np.int64]

# A right sampler is below this once in 10^4 tests; with fixed seeds it is or it is not.
LEAST_P = 1e-4
# A wrong one must be below this: no accident.
WRONG_P = 1e-9
# Cells and features that are rarer than this have no chi-square distribution yet.
LEAST_EXPECTED = 10.0
WATCHED = 6
# So many waiting times are held at once, and drawn for the control on one row.
WAITING_TIMES = 1 << 20
CONTROL_TIMES = 10**8


@dataclass(frozen=True)
class DrawCheck:
    """One sampler on one row: the p-values of singles, pairs and cells; and if it should pass."""

    sampler: str
    row: str
    n: int
    k: int
    draws: int
    p_values: dict[str, float]
    right: bool

    @property
    def problems(self) -> list[str]:
        """A right sampler that fails a test, or a wrong one that passes all."""
        if not self.right:
            passed = min(self.p_values.values()) > WRONG_P
            return [f"draws: {self.sampler} was not caught on {self.row}"] if passed else []
        return [
            f"draws: {self.sampler} on {self.row}: chi-square of {name} has p = {p:.1e}"
            for name, p in self.p_values.items()
            if p < LEAST_P
        ]

    def as_dict(self) -> dict[str, object]:
        """The check as plain data."""
        return {**vars(self), "passed": not self.problems}


def _rows() -> list[tuple[str, Vector, int]]:
    """Rows with a subset of some labels to draw: ordinary, trained, tied, half of all, long."""
    rng = generator(format_of("float64"), "draws")
    trained = np.concatenate([[40.0, 40.5, 41.0], rng.normal(0, 1, 9)])
    return [
        ("3 of 8", rng.normal(0, 1.5, 8), 3),
        ("10 of 20", rng.normal(0, 1.5, 20), 10),
        ("5 of 12, three 40 above", trained, 5),
        ("3 of 7 tied", np.zeros(7), 3),
        ("4 of 16384", rng.normal(0, 5, 16384), 4),
    ]


def check_draws(size: int) -> list[DrawCheck]:
    """`subset.sample` on every row, and Plackett-Luce where the scores differ."""
    checks = []
    for name, scores, k in _rows():
        rng = np.random.default_rng(SEED)
        drawn = subset.sample(scores, k, size, rng)
        checks.append(_check("exact", name, scores, drawn, right=True))
        if len(np.unique(scores)) > 1:
            few = min(size, CONTROL_TIMES // len(scores))
            other = plackett_luce(scores, k, few, rng)
            checks.append(_check("Plackett-Luce", name, scores, other, right=False))
    return checks


def _check(sampler: str, name: str, scores: Vector, drawn: Integers, *, right: bool) -> DrawCheck:
    size, k = drawn.shape
    values = chi_square(scores, drawn, _watched(scores))
    return DrawCheck(sampler, name, len(scores), k, size, values, right)


def _watched(scores: Vector) -> list[int]:
    """The heaviest labels, every second of the row's order: those that are drawn often."""
    order = np.argsort(-scores, kind="stable")
    return sorted(int(i) for i in order[: 2 * WATCHED : 2])


def chi_square(scores: Vector, drawn: Integers, watched: list[int]) -> dict[str, float]:
    """The p-values of single inclusion, pairwise inclusion, and the cells of the labels watched.

    drawn: (size, k) labels.  ValueError where a draw repeats a label or has one out of range.
    """
    size, k = drawn.shape
    ordered = np.sort(drawn, axis=-1)
    if (np.diff(ordered, axis=-1) <= 0).any() or drawn.min() < 0 or drawn.max() >= len(scores):
        raise ValueError(f"a draw must have {k} distinct labels in 0..{len(scores) - 1}")
    exact = patterns(scores.tolist(), k, watched)
    cells = list(exact)
    p = np.asarray([float(exact[cell]) for cell in cells])
    f = _frequencies(drawn, watched, cells)
    has = np.asarray([[float(i in cell) for i in watched] for cell in cells])
    both = np.stack([has[:, a] * has[:, b] for a, b in combinations(range(len(watched)), 2)], -1)
    features = {"single inclusion": has, "pairwise inclusion": both, "cells": np.eye(len(cells))}
    return {name: _p_value(f, p, feature, size) for name, feature in features.items()}


def _frequencies(drawn: Integers, watched: list[int], cells: list[tuple[int, ...]]) -> Vector:
    """The share of the draws that falls into each cell."""
    code = np.zeros(len(drawn), dtype=np.int64)
    for bit, label in enumerate(watched):
        code += (drawn == label).any(axis=-1).astype(np.int64) << bit
    counts = np.bincount(code, minlength=1 << len(watched))
    codes = [sum(1 << watched.index(i) for i in cell) for cell in cells]
    return np.asarray(counts[codes] / len(drawn))


def _p_value(f: Vector, p: Vector, features: Vector, size: int) -> float:
    """The chance of a larger X; features that are hardly ever seen (or missed) are left out."""
    mean = p @ features
    frequent = (size * mean >= LEAST_EXPECTED) & (size * (1 - mean) >= LEAST_EXPECTED)
    chosen = features[:, frequent]
    covariance = chosen.T @ (p[:, None] * chosen) - np.outer(mean[frequent], mean[frequent])
    values, vectors = np.linalg.eigh(covariance)
    # Sums that every draw has alike (k labels in all) are directions of no variance.
    kept = values > 1e-9 * values.max(initial=0.0)
    along = ((f - p) @ chosen) @ vectors[:, kept]
    statistic = size * float((along**2 / values[kept]).sum())
    freedom = int(kept.sum())
    if not freedom:
        return 1.0
    return float(mpmath.gammainc(freedom / 2, statistic / 2, mpmath.inf, regularized=True))


def plackett_luce(scores: Vector, k: int, size: int, rng: Generator) -> Integers:
    """Draw from the softmax, take the label out, repeat: another distribution over k-subsets.

    The k labels whose exponential waiting times at rates e^s are shortest, in one step.
    """
    rates = np.exp(scores - scores.max())
    drawn = np.empty((size, k), dtype=np.int64)
    step = max(1, WAITING_TIMES // len(scores))
    for at in range(0, size, step):
        part = drawn[at : at + step]
        waiting = rng.standard_exponential((len(part), len(scores))) / rates
        part[:] = np.argpartition(waiting, k - 1, axis=-1)[:, :k]
    return drawn
