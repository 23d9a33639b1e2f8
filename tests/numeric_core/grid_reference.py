"""The losses of n samples x m classes in mpmath, pair of classes by pair, as they are defined.

Each loss is a sum of weight * log(1 + sum_e a_e).  With p_e = a_e / (1 + sum a) and d_e the slope
of the exponent of a_e along v, a component of gradient and Hessian-vector product is a sum of

    c_e p_e      and      c_e (p_e d_e - p_e sum_e' p_e' d_e'),

c_e the coefficient of that score in the exponent.  An error is measured against the larger of the
sum of the positive and the sum of the negative ones of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
from core_reference import Exact, ulps
from mpmath import mpf

import numeric_core as nc

LOSSES = {
    "truncated": nc.grid_truncated,
    "mirrored": nc.grid_mirrored,
    "pairwise": nc.grid_pairwise,
    "centered": nc.grid_centered,
}


class Term(NamedTuple):
    """a = label * e^{sum of coefficient * score}, the scores of one sample."""

    sample: int
    label: mpf
    form: dict[int, Fraction]

    def along(self, x: Any) -> mpf:
        """The exponent, or its slope."""
        row = x[self.sample]
        return mpmath.fsum(
            mpf(c.numerator) / c.denominator * mpf(float(row[b])) for b, c in self.form.items()
        )


Group = tuple[Fraction, list[Term]]


def groups(kind: str, scores: Any, labels: Any) -> Iterator[Group]:
    """(weight, terms) of each log; a class at -inf takes no part."""
    n, m = scores.shape
    kept = [[j for j in range(m) if scores[i, j] > -np.inf] for i in range(n)]
    if kind == "centered":
        for j in range(m):
            yield Fraction(1), [_centered(i, j, kept[i], labels) for i in range(n) if j in kept[i]]
        return
    terms = {
        (j, k): [
            Term(i, mpf(float(labels[i, j])), {k: Fraction(1), j: Fraction(-1)})
            for i in range(n)
            if j in kept[i] and k in kept[i]
        ]
        for j in range(m)
        for k in range(m)
        if j != k
    }
    own = [[t for jk, ts in terms.items() if jk[0] == j for t in ts] for j in range(m)]
    other = [[t for jk, ts in terms.items() if jk[1] == k for t in ts] for k in range(m)]
    if kind == "pairwise":
        yield from ((Fraction(1), ts) for ts in terms.values())
    elif kind == "truncated":
        yield from ((Fraction(1), ts) for ts in own)
    else:
        yield from ((Fraction(1, 2), ts) for ts in own + other)


def _centered(i: int, j: int, kept: list[int], labels: Any) -> Term:
    mean = {k: Fraction(1, len(kept)) for k in kept}
    return Term(i, mpf(float(labels[i, j])), mean | {j: mean[j] - 1})


class Grid(NamedTuple):
    """The true value, and (n, m) lists of the true gradient and Hessian-vector product."""

    value: Exact
    gradient: list[list[Exact]]
    hvp: list[list[Exact]]


def exact_grid(kind: str, scores: Any, labels: Any, v: Any) -> Grid:
    """Everything, in as many digits as the scores ask for."""
    n, m = scores.shape
    finite = np.abs(scores[np.isfinite(scores)], dtype=np.float64)
    with mpmath.workprec(400 + int(6 * max([0.0, *finite]))):
        value: list[mpf] = []
        gradient: Any = [[[] for _ in range(m)] for _ in range(n)]
        hvp: Any = [[[] for _ in range(m)] for _ in range(n)]
        for weight, terms in groups(kind, scores, labels):
            terms = [t for t in terms if t.label]
            a = [t.label * mpmath.exp(t.along(scores)) for t in terms]
            norm, w = 1 + mpmath.fsum(a), mpf(weight.numerator) / weight.denominator
            value.append(w * mpmath.log(norm))
            p, d = [x / norm for x in a], [t.along(v) for t in terms]
            up = mpmath.fsum(x * y for x, y in zip(p, d, strict=True) if y > 0)
            down = mpmath.fsum(x * y for x, y in zip(p, d, strict=True) if y < 0)
            for t, share, slope in zip(terms, p, d, strict=True):
                for b, c in t.form.items():
                    part = w * c.numerator / c.denominator * share
                    gradient[t.sample][b].append(part)
                    hvp[t.sample][b] += [part * slope, -part * up, -part * down]
        exact = [[[Exact.of(x) for x in row] for row in side] for side in (gradient, hvp)]
        return Grid(Exact.of(value), *exact)


def worst_ulps(kind: str, grid: tuple[Any, Any, Any], arrays: Any) -> tuple[float, float, float]:
    """The largest errors of value, gradient and hvp of one grid (scores, labels, v)."""
    s, t, v = grid
    loss, true = LOSSES[kind], exact_grid(kind, s, t, v)
    flushes = arrays.backend.name == "JAX"
    a, b, c = (arrays(x) for x in grid)
    value, gradient = (np.asarray(x) for x in loss.value_and_grad(a, b))
    hvp = np.asarray(loss.hvp(a, b, c))
    with mpmath.workprec(6000):
        parts = [
            max(
                ulps(g, e, s.dtype, flushes)
                for row, exact in zip(got, side, strict=True)
                for g, e in zip(row, exact, strict=True)
            )
            for got, side in ((gradient, true.gradient), (hvp, true.hvp))
        ]
        return ulps(value, true.value, s.dtype, flushes), parts[0], parts[1]


def draw_grid(rng: Any, dtype: Any, n: int, m: int) -> tuple[Any, Any, Any]:
    """Scores of every size, tied and masked; labels hard, soft, tiny, and none; vectors."""
    size = rng.choice([1e-3, 1.0, 10.0, 40.0, 100.0, 300.0])
    s = rng.normal(size=(n, m)) * size
    if rng.random() < 0.2:
        s = np.round(s / size) * size
    hard = np.eye(m)[rng.integers(0, m, n)]
    t = (
        hard,
        rng.random((n, m)),
        rng.random((n, m)) * 10.0 ** rng.uniform(-20, 0, (n, m)),
        hard + 1e-4,
        np.exp(2 * np.maximum(s - s.max(axis=1, keepdims=True), -30)),
    )[rng.integers(5)]
    if rng.random() < 0.3:
        hidden = rng.random((n, m)) < 0.3
        s, t = np.where(hidden, -np.inf, s), np.where(hidden, 0.0, t)
    total = t.sum(axis=1, keepdims=True)
    t = np.where(total > 0, t / np.where(total > 0, total, 1.0), 0.0)
    if rng.random() < 0.2:
        t[rng.integers(n)] = 0.0
    v = rng.normal(size=(n, m))
    v = (v, 1.0 + 1e-6 * v, 1e6 * rng.integers(-1, 2, (n, m)) + v)[rng.integers(3)]
    return s.astype(dtype), t.astype(dtype), v.astype(dtype)
