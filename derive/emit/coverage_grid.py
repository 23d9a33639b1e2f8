"""Losses of n samples and m classes: the part of the coverage set that has two axes in each array.

Sums over the other classes, a log for each class or each pair of classes, and samples that are
summed inside the log: with scores ``s_ij`` and labels ``t_ij``::

    truncated   sum_j log D_j      D_j = 1 + sum_i t_ij e^{-s_ij} sum_{k != j} e^{s_ik}
    mirrored    1/2 sum_j log D_j + 1/2 sum_k log E_k, E_k the same sum, over j for each k
    pairwise    sum_{j != k} log P_jk      P_jk = 1 + sum_i t_ij e^{s_ik - s_ij}
    centered    sum_j log C_j      C_j = 1 + sum_i t_ij e^{mean_k s_ik - s_ij}
"""

from __future__ import annotations

from sympy import Expr, KroneckerDelta, Symbol, exp, log

from derive.axis import Axis, Index, array, total
from derive.emit.formula import Formula

SAMPLES = Axis("samples", Symbol("n", integer=True, positive=True), "ipqr")
CLASSES = Axis("classes", Symbol("m", integer=True, positive=True), "jkhl")
i, p, q = SAMPLES.indices("i p q")
j, k, h, l = CLASSES.indices("j k h l")
s, t, v = array("s"), array("t"), array("v")
m = CLASSES.size


def _other(one: Index, other: Index) -> Expr:
    return 1 - KroneckerDelta(one, other)


def _a(row: Index, own: Index, other: Index) -> Expr:
    return t[row, own] * exp(s[row, other] - s[row, own])


def _d(own: Index) -> Expr:
    """``D`` of a class."""
    return 1 + total(total(_other(own, l) * _a(q, own, l), l), q)


def _e(other: Index) -> Expr:
    """``E`` of a class."""
    return 1 + total(total(_other(other, l) * _a(q, l, other), l), q)


def _p(own: Index, other: Index) -> Expr:
    """``P`` of a pair of classes."""
    return 1 + total(_a(q, own, other), q)


def _slope(row: Index, own: Index, other: Index) -> Expr:
    return v[row, other] - v[row, own]


def _moved(row: Index, own: Index) -> Expr:
    return total(s[row, l], l) / m - s[row, own]


def _c(own: Index) -> Expr:
    """``C`` of a class."""
    return 1 + total(t[q, own] * exp(_moved(q, own)), q)


def _between(lost: Expr, gained: Expr) -> Expr:
    """``sum_{k != j} (lost - gained)`` at ``i, j``."""
    return total(_other(j, k) * lost, k) - total(_other(j, k) * gained, k)


# Means of the slopes under each log.
_MEAN_D = {
    c: total(total(_other(c, l) * _a(q, c, l) * _slope(q, c, l), l), q) / _d(c) for c in (j, k)
}
_MEAN_P = {(b, c): total(_a(q, b, c) * _slope(q, b, c), q) / _p(b, c) for b, c in ((j, k), (k, j))}

TRUNCATED = total(log(_d(j)), j)
TRUNCATED_GRADIENT = _between(_a(i, k, j) / _d(k), _a(i, j, k) / _d(j))
TRUNCATED_HVP = _between(
    _a(i, k, j) / _d(k) * (_slope(i, k, j) - _MEAN_D[k]),
    _a(i, j, k) / _d(j) * (_slope(i, j, k) - _MEAN_D[j]),
)
MIRRORED = (total(log(_d(j)), j) + total(log(_e(j)), j)) / 2
MIRRORED_GRADIENT = (TRUNCATED_GRADIENT + _between(_a(i, k, j) / _e(j), _a(i, j, k) / _e(k))) / 2
PAIRWISE = total(total(_other(j, k) * log(_p(j, k)), k), j)
PAIRWISE_GRADIENT = _between(_a(i, k, j) / _p(k, j), _a(i, j, k) / _p(j, k))
PAIRWISE_HVP = _between(
    _a(i, k, j) / _p(k, j) * (_slope(i, k, j) - _MEAN_P[k, j]),
    _a(i, j, k) / _p(j, k) * (_slope(i, j, k) - _MEAN_P[j, k]),
)


def _weight(row: Index, own: Index) -> Expr:
    return t[row, own] * exp(_moved(row, own)) / _c(own)


def _bend(row: Index, own: Index) -> Expr:
    """``w (mean v - v - mean over the samples)``."""
    drift = total(v[row, h], h) / m - v[row, own]
    mean = total(_weight(p, own) * (total(v[p, h], h) / m - v[p, own]), p)
    return _weight(row, own) * (drift - mean)


CENTERED = total(log(_c(j)), j)
CENTERED_GRADIENT = total(_weight(i, k), k) / m - _weight(i, j)
CENTERED_HVP = total(_bend(i, k), k) / m - _bend(i, j)


def _grid(name: str, expression: Expr, outputs: tuple[Index, ...] = ()) -> Formula:
    arrays = (s, t, v) if name.endswith("hvp") else (s, t)
    return Formula(f"grid_{name}", expression, outputs, arrays, {}, ("9064-k",))


GRID: tuple[Formula, ...] = (
    _grid("truncated", TRUNCATED),
    _grid("truncated_gradient", TRUNCATED_GRADIENT, (i, j)),
    _grid("truncated_hvp", TRUNCATED_HVP, (i, j)),
    _grid("mirrored", MIRRORED),
    _grid("mirrored_gradient", MIRRORED_GRADIENT, (i, j)),
    _grid("pairwise", PAIRWISE),
    _grid("pairwise_gradient", PAIRWISE_GRADIENT, (i, j)),
    _grid("pairwise_hvp", PAIRWISE_HVP, (i, j)),
    _grid("centered", CENTERED),
    _grid("centered_gradient", CENTERED_GRADIENT, (i, j)),
    _grid("centered_hvp", CENTERED_HVP, (i, j)),
)
