"""Rows of scores and labels on which the printed code is run, each with what it is to show."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """A row; ``loss`` is the kind of loss that it is for."""

    name: str
    scores: tuple[float, ...]
    labels: tuple[float, ...]
    loss: str = "soft_zlpr"


def _fitted(score: float) -> Case:
    return Case(f"fitted by {score:g}", (score, -score, -score), (1, 0, 0))


def _masked(name: str, mask: float, *labels: float) -> Case:
    return Case(name, (2.0, -1.0, mask), labels)


def _leader(score: float) -> Case:
    return Case(f"k = 3 of 4, one leads by {score:g}", (score, 0, 0, 0), (1, 1, 1, 0), _SUBSETS)


_SUBSETS = "combination_softmax"
_OF_LABELS = (
    Case("ordinary", (1.5, -0.5, -2.0), (1, 0, 0)),
    Case("wrong", (-30.0, 20.0, 5.0), (1, 0, 0)),
    *(_fitted(score) for score in (6.0, 12.0, 20.0, 40.0)),
    Case("100 labels fitted by 10", (10.0,) + (-10.0,) * 99, (1,) + (0,) * 99),
    _masked("negative masked by -inf", -inf, 1, 0, 0),
    _masked("negative masked by -1e7", -1e7, 1, 0, 0),
    _masked("negative masked by -1e12", -1e12, 1, 0, 0),
    _masked("positive masked by -1e7", -1e7, 1, 0, 1),
    _masked("positive masked by -inf", -inf, 1, 0, 1),
    Case("soft", (0.4, -0.7, -1.1), (0.7, 0.2, 0.1)),
    Case("labels 1/2", (1.0, -1.0, 0.25), (0.5, 0.5, 0.5)),
    Case("soft, one masked by -inf", (0.4, -0.7, -inf), (0.7, 0.2, 0)),
    Case("a label 1e-9 at -30", (3.0, -30.0), (1, 1e-9)),
)
_OF_SUBSETS = (
    Case("k = 2 of 3", (1.0, 0.0, -1.0), (1, 1, 0), _SUBSETS),
    *(_leader(score) for score in (4.0, 8.0, 20.0)),
    Case("k = 6 of 12, tied", (0,) * 12, (1,) * 6 + (0,) * 6, _SUBSETS),
    Case("k = 2 of 3, scores 70 to 90", (90, 80, 70), (1, 1, 0), _SUBSETS),
    Case("k = 2 of 3, scores -70 to -90", (-70, -80, -90), (1, 1, 0), _SUBSETS),
    Case("k = 2 of 4, one masked by -inf", (2, 1, 0.5, -inf), (1, 1, 0, 0), _SUBSETS),
)
CASES: dict[str, Case] = {case.name: case for case in (*_OF_LABELS, *_OF_SUBSETS)}
