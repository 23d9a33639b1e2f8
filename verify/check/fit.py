r"""How the numbers that came out relate to the truth.

A way of calling is tried on batches of hard and of soft labels.  The best relation that holds on
all of them, under any reduction, is what the way is worth, in this order:

    exact > off by what depends on the labels alone > exact for hard labels > for lists of one
    length > for batches of one row > a positive multiple > another known loss > none
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verify.check.convention import ONLY_HARD, PER_ROW, REDUCTIONS, Convention
from verify.check.frameworks import Numbers
from verify.check.probes import Probe, truths
from verify.check.specification import Specification

__all__ = ["CLOSENESS", "NEAR", "Answer", "Fit", "fit_of", "is_close"]

# float32 inside a target leaves 1e-7 of relative error on these batches.
CLOSENESS = 1e-5
# A label or a probability kept away from its ends by 1e-5 leaves 1e-4: still this loss, though not
# to the last digit, which is weighed later.  Another formula is off by far more.
NEAR = 1e-3
RANKS = ("exact", "constant", "hard", "lists", "one row", "scale", "other", "unknown")


@dataclass(frozen=True)
class Fit:
    """How the numbers of a convention relate to the truth.

    figure: the multiple, or the largest difference, if that is what it is.  soft: whether labels
    between 0 and 1 were right as well.  swapped: with the arguments the other way round it fits.
    kept: what was compiled of it.
    """

    convention: Convention
    rank: str
    figure: float = 1.0
    nearest: str = ""
    soft: bool = True
    swapped: bool = False
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def order(self) -> int:
        """0 is best."""
        return RANKS.index(self.rank)


@dataclass(frozen=True)
class Answer:
    """What came out of a probe."""

    probe: Probe
    raw: Numbers


def fit_of(
    convention: Convention,
    answers: Sequence[Answer],
    specification: Specification,
    given: Mapping[str, Any],
) -> Fit:
    """The best that any reduction makes of the answers."""
    fits = []
    for reduction in (given["reduction"],) if "reduction" in given else REDUCTIONS:
        pairs = [_pair(answer, reduction, convention, specification) for answer in answers]
        if any(pair is None for pair in pairs):
            continue
        known = [pair for pair in pairs if pair is not None]
        rank, figure = _relate(answers, known)
        if rank == "exact" and specification.soft and _only_hard(convention, answers):
            rank = "hard"
        soft = rank != "hard"
        if rank == "hard" and specification.extended:
            rank = "exact"
        fits.append(Fit(replace(convention, reduction=reduction), rank, figure, soft=soft))
    return min(fits, key=lambda fit: fit.order, default=Fit(convention, "unknown"))


def _only_hard(convention: Convention, answers: Sequence[Answer]) -> bool:
    """Whether no soft label was taken in a form that has room for them."""
    return convention.labels not in ONLY_HARD and not any(answer.probe.soft for answer in answers)


def _pair(
    answer: Answer, reduction: str, convention: Convention, specification: Specification
) -> tuple[Numbers, Numbers] | None:
    """Got and truth, row by row or for the batch; None where the shape does not fit."""
    rows, n = answer.probe.scores.shape
    exact = truths(specification, answer.probe)
    raw = answer.raw
    if reduction == "elements":
        if raw.size != rows * n:
            return None
        turned = raw.T if convention.layout == "columns" else raw
        return turned.reshape(rows, n).sum(axis=-1), exact
    count = REDUCTIONS[reduction](rows, n)
    if reduction in PER_ROW:
        # numbers by row have an axis for it, else one row would pass for a batch
        return (raw.reshape(-1) * count, exact) if raw.size == rows and raw.ndim else None
    return (raw.reshape(1) * count, exact.sum(keepdims=True)) if raw.size == 1 else None


def _relate(
    answers: Sequence[Answer], pairs: Sequence[tuple[Numbers, Numbers]]
) -> tuple[str, float]:
    """The relation of all numbers to their truths."""

    def exact(chosen: Callable[[Probe], bool]) -> bool:
        fits = [
            is_close(g, x, NEAR)
            for a, (g, x) in zip(answers, pairs, strict=True)
            if chosen(a.probe)
        ]
        return bool(fits) and all(fits)

    if exact(lambda probe: True):
        return "exact", 1.0
    gaps: dict[int, list[Numbers]] = {}
    for answer, (g, x) in zip(answers, pairs, strict=True):
        gaps.setdefault(answer.probe.twin, []).append(g - x)
    # not relative to the gap: 1e12 less 1e12 and a bit is no constant
    size = max(1.0, *(float(np.abs(x).max()) for _, x in pairs)) * CLOSENESS
    if all(len(p) == 2 and bool((np.abs(p[0] - p[1]) <= size).all()) for p in gaps.values()):
        every = np.concatenate([gap for pair in gaps.values() for gap in pair])
        return "constant", float(every[np.abs(every).argmax()])
    if exact(lambda probe: not probe.soft):
        return "hard", 1.0
    if exact(lambda probe: probe.rows == 1) or exact(lambda p: p.rows == 1 and not p.soft):
        return "one row", 1.0
    got, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        ratio = float(np.median(got / truth))
    if ratio > 0 and np.isfinite(ratio) and is_close(got, ratio * truth):
        return "scale", ratio
    return "unknown", 1.0


def is_close(got: Numbers, truth: Numbers, within: float = CLOSENESS) -> bool:
    """Whether they agree, relatively or absolutely."""
    return bool(np.allclose(got, truth, rtol=within, atol=within))
