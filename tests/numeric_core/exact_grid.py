"""The minimum of the truncated loss in mpmath at 50 digits, by mpmath's own Newton method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

DIGITS = 50


@dataclass
class ExactMinimum:
    """scores (n, m), row means 0 over the labels > 0, None for -inf; log D_j; the minimum."""

    scores: list[list[mpf | None]]
    log_constants: list[mpf]
    minimum: mpf


def exact_minimum(labels: Any) -> ExactMinimum:
    """By Newton's method on z = log y, with steps of at most 1, until it stands."""
    with mpmath.workdps(DIGITS + 10):
        t = [[mpf(float(x)) for x in row] for row in labels]
        m = len(t[0])
        gram = [
            [mpmath.fsum(mpmath.sqrt(row[j] * row[k]) for row in t) for k in range(m)]
            for j in range(m)
        ]
        z = _balanced(gram, m)
        logs = [
            mpmath.log1p(
                mpmath.fsum(gram[j][k] * mpmath.exp(z[k] - z[j]) for k in range(m) if k != j)
            )
            for j in range(m)
        ]
        return ExactMinimum([_row(row, z) for row in t], logs, mpmath.fsum(logs))


def _balanced(gram: list[list[mpf]], m: int) -> list[mpf]:
    z = [-mpmath.log(mpmath.fsum(row) + 1) / 2 for row in gram]
    for _ in range(300):
        y = [mpmath.exp(x) for x in z]
        weights = mpmath.matrix(m, m)
        for j in range(m):
            for k in range(m):
                weights[j, k] = y[j] * y[k] * (gram[j][k] if j != k else 1)
        sums = [mpmath.fsum(weights[j, k] for k in range(m)) for j in range(m)]
        hessian = weights + mpmath.diag(sums)
        v = mpmath.lu_solve(hessian, mpmath.matrix([1 - x for x in sums]))
        size = max(abs(x) for x in v)
        z = [x + step / max(size, 1) for x, step in zip(z, v, strict=True)]
        if size < mpf(10) ** -DIGITS:
            return z
    raise ArithmeticError("no minimum found")


def _row(row: list[mpf], z: list[mpf]) -> list[mpf | None]:
    raw = [mpmath.log(x) / 2 + y if x else None for x, y in zip(row, z, strict=True)]
    kept = [x for x in raw if x is not None]
    mean = mpmath.fsum(kept) / len(kept) if kept else mpf(0)
    return [None if x is None else x - mean for x in raw]
