r"""The losses over a grid as they are written down, for any kind of number.

    grid_truncated   sum_j log(1 + sum_i sum_{k != j} t_ij e^{-s_ij + s_ik})                9158-2
    grid_mirrored    1/2 sum_j log(1 + sum_i sum_{k != j} t_ij e^{s_ik - s_ij})
                       + 1/2 sum_k log(1 + sum_i sum_{j != k} t_ij e^{s_ik - s_ij})
    grid_pairwise    sum_{j != k} log(1 + sum_i t_ij e^{s_ik - s_ij})
    grid_centered    sum_j log(1 + sum_i t_ij e^{-s_ij + (1/m) sum_k s_ik})                 9158-8

A sample is a dictionary from the classes that take part in it to their scores.  The derivatives
come from these definitions alone, and judge the formulas of `verify.oracle.grid` on small grids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from flint import arb

from verify.oracle.definitions import Arithmetic, Number
from verify.oracle.differentiation import BlackBox, Derivatives, differences_of, series_of
from verify.oracle.grid import Entries, read_grid

__all__ = ["GRID_DEFINITIONS", "grid_by_differences", "grid_by_series"]

Samples = Sequence[Mapping[int, Number]]
Definition = Callable[[Samples, Entries, int, Arithmetic], Number]


def grid_truncated(samples: Samples, labels: Entries, m: int, arithmetic: Arithmetic) -> Number:
    """sum_j log(1 + sum_i sum_{k != j} t_ij e^{-s_ij + s_ik})."""
    number, exp, log = arithmetic[:3]
    total = number(0.0)
    for j in range(m):
        inside = number(1.0)
        for s, t in _positives(samples, labels, j):
            for k in s:
                if k != j:
                    inside = inside + number(t) * exp(-s[j] + s[k])
        total = total + log(inside)
    return total


def grid_mirrored(samples: Samples, labels: Entries, m: int, arithmetic: Arithmetic) -> Number:
    """Half of the truncated loss, and half of its mirror image: one log a class k."""
    number, exp, log = arithmetic[:3]
    total = grid_truncated(samples, labels, m, arithmetic)
    for k in range(m):
        inside = number(1.0)
        for j in range(m):
            for s, t in _positives(samples, labels, j):
                if k != j and k in s:
                    inside = inside + number(t) * exp(s[k] - s[j])
        total = total + log(inside)
    return total / 2


def grid_pairwise(samples: Samples, labels: Entries, m: int, arithmetic: Arithmetic) -> Number:
    """sum_{j != k} log(1 + sum_i t_ij e^{s_ik - s_ij})."""
    number, exp, log = arithmetic[:3]
    total = number(0.0)
    for j in range(m):
        for k in range(m):
            inside = number(1.0)
            for s, t in _positives(samples, labels, j):
                if k != j and k in s:
                    inside = inside + number(t) * exp(s[k] - s[j])
            total = total + log(inside)
    return total


def grid_centered(samples: Samples, labels: Entries, m: int, arithmetic: Arithmetic) -> Number:
    """sum_j log(1 + sum_i t_ij e^{-s_ij + (1/m) sum_k s_ik}), m the classes that take part."""
    number, exp, log = arithmetic[:3]
    total = number(0.0)
    for j in range(m):
        inside = number(1.0)
        for s, t in _positives(samples, labels, j):
            inside = inside + number(t) * exp(-s[j] + sum(s.values()) / len(s))
        total = total + log(inside)
    return total


GRID_DEFINITIONS: Mapping[str, Definition] = {
    "grid_truncated": grid_truncated,
    "grid_mirrored": grid_mirrored,
    "grid_pairwise": grid_pairwise,
    "grid_centered": grid_centered,
}


def _positives(
    samples: Samples, labels: Entries, j: int
) -> Iterator[tuple[Mapping[int, Number], float]]:
    """The samples with a positive label of class j, and that label."""
    return ((s, t[j]) for s, t in zip(samples, labels, strict=True) if t[j] > 0)


def grid_by_differences(
    loss: str, scores: Entries, labels: Entries, vector: Entries | None = None
) -> Derivatives:
    """Value, gradient and hvp (row-major) by difference quotients in mpmath."""
    return _derivatives(differences_of, loss, scores, labels, vector)


def grid_by_series(
    loss: str, scores: Entries, labels: Entries, vector: Entries | None = None
) -> Derivatives:
    """Value, gradient and hvp (row-major) as balls, by power series over Arb."""
    return _derivatives(series_of, loss, scores, labels, vector)


def _derivatives(
    method: Callable[..., list[arb]],
    loss: str,
    scores: Entries,
    labels: Entries,
    vector: Entries | None,
) -> Derivatives:
    """The variables are the scores above -inf; the other components are 0."""
    m = read_grid(scores, labels, vector).classes
    places = [(i, k) for i, row in enumerate(scores) for k, s in enumerate(row) if s != -math.inf]
    flat = [scores[i][k] for i, k in places]
    along = None if vector is None else [vector[i][k] for i, k in places]
    numbers = method(_black_box(loss, places, labels, m), flat, along)
    gradient, hvp = [arb(0)] * (len(scores) * m), [arb(0)] * (len(scores) * m)
    for at, (i, k) in enumerate(places, start=1):
        gradient[i * m + k] = numbers[at]
        if vector is not None:
            hvp[i * m + k] = numbers[at + len(places)]
    return Derivatives(numbers[0], gradient, [] if vector is None else hvp)


def _black_box(loss: str, places: Sequence[tuple[int, int]], labels: Entries, m: int) -> BlackBox:
    def evaluate(arithmetic: Arithmetic, flat: list[Any]) -> Any:
        samples: list[dict[int, Any]] = [{} for _ in labels]
        for (i, k), s in zip(places, flat, strict=True):
            samples[i][k] = s
        return GRID_DEFINITIONS[loss](samples, labels, m, arithmetic)

    return lambda arithmetic: partial(evaluate, arithmetic)
