"""One row as the oracle sees it: exact numbers, checked, with the masked labels taken out.

A score of -inf is the limit of a score that falls without bound.  With weight 0 its label adds
exactly nothing to any loss here, so it is dropped before any arithmetic and its derivatives are 0.
With positive weight the loss itself is +inf and its derivatives are left undefined.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["LOSSES", "Row", "parameters_of", "read_row"]

# Parameters and their defaults; the names are those of the constructors in the numeric core.
LOSSES: Mapping[str, Mapping[str, float | None]] = {
    "softmax_cross_entropy": {},
    "hinge": {"margin": 0.0},
    "max_hinge": {"margin": 0.0},
    "lse_hinge": {"margin": 0.0},
    "binary_cross_entropy": {},
    "zlpr": {"threshold": 0.0},
    "soft_zlpr": {},
    "unified": {"scale": 1.0, "margin": 0.0},
    "combination_softmax": {},
    "padded_combination_softmax": {"max_labels": math.inf, "threshold": 0.0},
    "order_r": {"order": 2},
    "focal": {"gamma": 2.0, "alpha": None},
    "soft_focal": {"beta": 2.0},
    "asymmetric": {"gamma_positive": 0.0, "gamma_negative": 4.0, "margin": 0.05},
    "circle": {"scale": 256.0, "margin": 0.25},
}
# Losses of one class a row: there is no row without a class.
ONE_CLASS = ("softmax_cross_entropy", "hinge", "max_hinge", "lse_hinge")
# Losses of labels 0 and 1, and what to use for soft ones.
HARD: Mapping[str, str] = {
    **dict.fromkeys(ONE_CLASS[1:], "softmax_cross_entropy"),
    "zlpr": "soft_zlpr",
    "combination_softmax": "order_r",
    "padded_combination_softmax": "binary_cross_entropy",
    "focal": "soft_focal",
    "asymmetric": "soft_focal",
    "circle": "unified",
}
# Losses of pairs of a negative and a positive: 0 without a pair.
PAIRWISE = ("unified", "circle")
# Parameters that count labels, and the least they can be; inf means no limit.
COUNTS: Mapping[str, int] = {"max_labels": 0, "order": 1}


@dataclass(frozen=True)
class Row:
    """Finite scores with their labels and vector; `kept` are their places in the row given."""

    scores: Sequence[float]
    labels: Sequence[float]
    vector: Sequence[float] | None
    kept: Sequence[int]
    size: int
    infinite: bool = False


def parameters_of(loss: str, given: Mapping[str, float]) -> dict[str, float | None]:
    """The parameters of `loss` with its defaults filled in.

    ValueError for a loss or a parameter that does not exist, or one that is not finite.
    """
    if loss not in LOSSES:
        raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(LOSSES)}")
    unknown = set(given) - set(LOSSES[loss])
    if unknown:
        known = ", ".join(LOSSES[loss]) or "none"
        raise ValueError(f"{loss} has no parameter {sorted(unknown)}: it has {known}")
    filled = {**LOSSES[loss], **given}
    for name, value in filled.items():
        if value is None:
            continue  # left out
        if name not in COUNTS and not math.isfinite(value):
            raise ValueError(f"parameters of {loss} must be finite, got {filled}")
        if name in COUNTS and not (value >= COUNTS[name] and value in (math.inf, value // 1)):
            least = COUNTS[name]
            raise ValueError(f"{name} of {loss} is an integer from {least} up or inf, got {value}")
    return filled


def read_row(
    loss: str,
    scores: Sequence[float],
    labels: Sequence[float],
    vector: Sequence[float] | None = None,
) -> Row:
    """Check one row and take the labels with score -inf out of it.

    Scores are finite or -inf, labels in [0, 1] (in {0, 1} for zlpr), the vector finite; all of one
    length.  ValueError says which of these does not hold.
    """
    _check(loss, scores, labels, vector)
    size = len(scores)
    if not any(s == -math.inf for s in scores):
        return Row(scores, labels, vector, range(size), size)
    kept = [i for i in range(size) if scores[i] != -math.inf]
    masked_positive = any(labels[i] > 0 for i in range(size) if scores[i] == -math.inf)
    return Row(
        scores=[scores[i] for i in kept],
        labels=[labels[i] for i in kept],
        vector=None if vector is None else [vector[i] for i in kept],
        kept=kept,
        size=size,
        infinite=masked_positive and _positive_at_minus_inf_counts(loss, scores, labels),
    )


def _positive_at_minus_inf_counts(
    loss: str, scores: Sequence[float], labels: Sequence[float]
) -> bool:
    """Whether a positive at -inf makes the loss +inf; only losses that compare scores escape it.

    In the unified loss and in Circle loss there is no pair without a negative weight, hence 0.
    The combination softmax compares subsets of k labels, so k scores above -inf are needed.
    """
    if loss == "combination_softmax":
        k, present = sum(t == 1 for t in labels), sum(s != -math.inf for s in scores)
        if present < k:
            raise ValueError(
                f"combination_softmax: {k} positives but {present} scores above -inf: every subset "
                "of that size has weight 0 and the loss is a difference of two infinities"
            )
    if loss not in PAIRWISE:
        return True
    if all(t == 1 for t in labels):
        return False
    if any(t < 1 and s != -math.inf for s, t in zip(scores, labels, strict=True)):
        return True
    raise ValueError(
        f"{loss}: every score of weight below 1 is -inf and so is a positive; the difference "
        "of two infinite scores has no value: give finite scores on one side"
    )


def _check(
    loss: str,
    scores: Sequence[float],
    labels: Sequence[float],
    vector: Sequence[float] | None,
) -> None:
    others = (labels,) if vector is None else (labels, vector)
    if any(len(other) != len(scores) for other in others):
        lengths = ", ".join(str(len(x)) for x in (scores, *others))
        raise ValueError(f"scores, labels and vector must have one length, got {lengths}")
    for s in scores:
        if not s < math.inf:
            raise ValueError(f"scores must be finite or -inf, got {s}")
    for t in labels:
        if not 0 <= t <= 1:
            raise ValueError(f"labels must lie in [0, 1], got {t}")
    if loss in HARD and not all(t in (0, 1) for t in labels):
        soft = next(t for t in labels if t not in (0, 1))
        raise ValueError(
            f"{loss} takes labels 0 and 1, got {soft}: use {HARD[loss]} for soft labels"
        )
    if vector is not None and not all(math.isfinite(v) for v in vector):
        raise ValueError("the vector must be finite")
    if loss in ONE_CLASS and all(s == -math.inf for s in scores):
        raise ValueError(f"{loss} needs at least one score above -inf in a row")
    if loss in ONE_CLASS[1:] and sum(labels) != 1:
        raise ValueError(f"{loss} takes one label 1 a row, got {int(sum(labels))}")
