r"""The hinge family as document 004 writes it, for any kind of number.

hinge      sum_{i != c} max(s_i - s_c + margin, 0)                   SURVEY-22
max_hinge  max(max_{i != c} s_i - s_c + margin, 0)                   SURVEY-25
lse_hinge  max(log sum_{i != c} e^{s_i} - s_c + margin, 0)           SURVEY-29
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.oracle.arithmetic import Arithmetic

__all__ = ["hinge", "lse_hinge", "max_hinge"]

Number = Any


def hinge(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    margin: float = 0.0,
) -> Number:
    """sum_{i != c} max(s_i - s_c + margin, 0)."""
    target, others = _classes(scores, labels)
    m = arithmetic.number(margin)
    return sum((_ramp(s - target + m, arithmetic) for s in others), arithmetic.number(0.0))


def max_hinge(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    margin: float = 0.0,
) -> Number:
    """max(max_{i != c} s_i - s_c + margin, 0)."""
    target, others = _classes(scores, labels)
    if not others:
        return arithmetic.number(0.0)
    largest = others[0]
    for s in others[1:]:
        largest = largest + _ramp(s - largest, arithmetic)
    return _ramp(largest - target + arithmetic.number(margin), arithmetic)


def lse_hinge(
    scores: Sequence[Number],
    labels: Sequence[float],
    arithmetic: Arithmetic,
    *,
    margin: float = 0.0,
) -> Number:
    """max(log sum_{i != c} e^{s_i} - s_c + margin, 0)."""
    target, others = _classes(scores, labels)
    number, exp, log = arithmetic[:3]
    if not others:
        return number(0.0)
    powers = sum((exp(s) for s in others), number(0.0))
    return _ramp(log(powers) - target + number(margin), arithmetic)


def _classes(scores: Sequence[Number], labels: Sequence[float]) -> tuple[Number, list[Number]]:
    """The score of the class with label 1, and those of the others."""
    pairs = list(zip(scores, labels, strict=True))
    return next(s for s, t in pairs if t == 1), [s for s, t in pairs if t != 1]


def _ramp(x: Number, arithmetic: Arithmetic) -> Number:
    """max(x, 0); a ball that leaves the sign open stays as it is, too wide to be an answer."""
    return arithmetic.number(0.0) if arithmetic.positive(-x) else x
