"""Small NumPy grids of float32, where a call of NumPy costs more than its arithmetic.

The formulas are those of `numeric_core.grid_totals` and of `sweeps`, on whole arrays of float64:

    e = e^s,   w = t / e,   r_i = sum_k e_ik,   u_i = sum_k w_ik,   T_j = sum_i t_ij

    truncated   D_j = 1 + sum_i r_i w_ij - T_j
    mirrored    and E_j = 1 + sum_i u_i e_ij - T_j
    pairwise    P_jk = 1 + sum_i w_ij e_ik   (j != k)
    centered    C_j = 1 + sum_i c_ij,   c_ij = t_ij e^{mean_k s_ik - s_ij}

A grid with anything uncommon in it, or whose own terms T take digits that would be seen, has no
answer here and goes the way of all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from numeric_core.direct.few import DOUBLE, MOST, SINGLE, least, most
from numeric_core.grid_totals import SEEN
from numeric_core.lanes import Floats, logs

__all__ = ["LOSSES", "answer"]

REACH = 32.0
"""Of |s|: all terms and their products are between 2^-149 e^-128 and 2^13 e^128, normal numbers."""

TOLERANCE = 0.5 * math.sqrt(float(np.finfo(np.float32).eps))
"""How far from 1 the sum of a sample's labels may be, half of what the checks allow."""

Few: TypeAlias = Callable[[Floats, Floats, bool], tuple[float, Floats | None] | None]
"""(s, t, whether a gradient is asked for), float64 -> value, gradient (n, m); None: no answer."""


def answer(name: str, scores: Any, labels: Any, slopes: bool) -> Any:
    """Value () and gradient (n, m) in float32; None: by the ways of all grids."""
    if type(scores) is not np.ndarray or type(labels) is not np.ndarray or scores.ndim != 2:
        return None
    if scores.dtype is not SINGLE or labels.dtype is not SINGLE or labels.shape != scores.shape:
        return None
    if not 0 < scores.size <= MOST or not most(labels.view(np.uint32)) <= ONE:
        return None
    x, t = np.ascontiguousarray(scores, DOUBLE), np.ascontiguousarray(labels, DOUBLE)
    off = t @ np.ones(t.shape[1]) - 1.0
    # a sum of squares is above each; not >: a nan goes the same way
    if not (most(np.abs(x)) <= REACH and off.dot(off) <= TOLERANCE**2):
        return None
    try:
        found = LOSSES[name](x, t, slopes)
        if found is None:
            return None
        value, gradient = found
        return SINGLE.type(value), None if gradient is None else gradient.astype(SINGLE)
    except (FloatingPointError, RuntimeWarning):
        # the caller wants underflow to be told: other ways ignore it, for a share of the time
        return None


ONE = 0x3F800000
"""The bits of 1: as unsigned integers those of labels in [0, 1] are at most these."""


def _truncated(x: Floats, t: Floats, slopes: bool) -> tuple[float, Floats | None] | None:
    e, w, r, mass = _factors(x, t)
    own = r @ w - mass
    if least(own - SEEN * mass) < 0.0 or _least_rest(e, r) < SEEN:
        return None
    if not slopes:
        return logs(own), None
    shares = 1.0 / (1.0 + own)
    np.multiply(e, (w @ shares)[:, None], out=e)
    np.multiply(np.multiply(w, shares, out=w), r[:, None], out=w)
    return logs(own), np.subtract(e, w, out=e)


def _mirrored(x: Floats, t: Floats, slopes: bool) -> tuple[float, Floats | None] | None:
    e, w, r, mass = _factors(x, t)
    u = w @ np.ones(w.shape[1])
    own, other = r @ w - mass, u @ e - mass
    lost = SEEN * mass
    if least(own - lost) < 0.0 or least(other - lost) < 0.0:
        return None
    # an own term e_ij / E_j is seen beside the others, whose E may be larger
    if _least_rest(e, r) * (1.0 + least(other)) < SEEN * (1.0 + most(other)):
        return None
    value = 0.5 * (logs(own) + logs(other))
    if not slopes:
        return value, None
    d, f = 0.5 / (1.0 + own), 0.5 / (1.0 + other)
    up = u[:, None] * f
    up += (w @ d)[:, None]
    up *= e
    down = r[:, None] * d
    down += (e @ f)[:, None]
    down *= w
    return value, np.subtract(up, down, out=up)


def _pairwise(x: Floats, t: Floats, slopes: bool) -> tuple[float, Floats | None] | None:
    e = np.exp(x)
    w = t / e
    excess = w.T @ e
    diagonal = excess.reshape(-1)[:: x.shape[1] + 1]
    diagonal[:] = 0.0
    value = float(np.add.reduce(np.log1p(excess), axis=None))
    if not slopes:
        return value, None
    q = 1.0 / (1.0 + excess)
    q.reshape(-1)[:: x.shape[1] + 1] = 0.0
    up, down = w @ q, e @ q.T
    up *= e
    down *= w
    return value, np.subtract(up, down, out=up)


def _centered(x: Floats, t: Floats, slopes: bool) -> tuple[float, Floats | None] | None:
    n, m = x.shape
    mean = (x @ np.ones(m))[:, None] / m
    c = np.exp(np.subtract(mean, x))
    c *= t
    excess = np.ones(n) @ c
    if not slopes:
        return logs(excess), None
    c *= 1.0 / (1.0 + excess)
    return logs(excess), np.subtract((c @ np.ones(m))[:, None] / m, c)


LOSSES: dict[str, Few] = {
    "truncated": _truncated,
    "mirrored": _mirrored,
    "pairwise": _pairwise,
    "centered": _centered,
}


def _factors(x: Floats, t: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """e, w, r, T."""
    n, m = x.shape
    e = np.exp(x)
    return e, t / e, e @ np.ones(m), np.ones(n) @ t


def _least_rest(e: Floats, r: Floats) -> float:
    """At most 1 - p of the largest share p = e / r of all samples: (1 - sum p^2) / 2 <= 1 - p."""
    squares = np.vecdot(e, e)
    np.divide(squares, r, out=squares)
    np.divide(squares, r, out=squares)
    return 0.5 * (1.0 - most(squares))
