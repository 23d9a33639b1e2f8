"""Focal and asymmetric loss of hard labels in float32, value and gradient in one pass.

With z = s for a positive and -s for a negative, p = sigma(z), q = 1 - p, L = log(1 / p):

    F = w q^g L,   dF/dz = -w q^g (q + g p L),   q^g = e^{-g c},   c = log(1 / q)

A negative with a margin m, and d = max(sigma(s) - m, 0), a whole power g:

    G = d^g log(1 / (1 - d)),   dG/ds = p q d^(g - 1) (g log(1 / (1 - d)) + d / (1 - d))

All of it is computed in float64, whose roundings are not seen in float32; a sum is rounded once.
From EDGE on e^{-|s|} is 0 in float32, also times n, and |s| is cut there where it is an exponent.
A row with a label > 0 at a score of -REACH or less, soft labels or nan gets the value nan:
`numeric_core.kernels` has it done by the plain version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from numeric_core.kernels.by_label import easy_tail, log1p_of
from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_pair, one_sided, two_sum
from numeric_core.kernels.exponentials import REACH
from numeric_core.kernels.intrinsics import Scalar, add_any_order, fma, power_of_two
from numeric_core.kernels.sums import LENGTH

__all__ = ["ARRAYS", "MOST_POWERS", "STATE", "Powers", "Shifted"]
__all__ += ["gradient_part", "merge", "part", "rows"]


class Powers(NamedTuple):
    """Exponents and weights of positives and of negatives."""

    gamma_positive: float
    gamma_negative: float
    positive: float = 1.0
    negative: float = 1.0


class Shifted(NamedTuple):
    """Weights 1, and negatives with a margin; their exponent is whole, 1 to MOST_POWERS."""

    gamma_positive: float
    gamma_negative: int
    margin: float


MOST_POWERS = 8
"""d^(g - 1) takes three squarings."""

EDGE = 700.0
"""e^-700 is a normal number of float64."""

ARRAYS = 1
"""Nothing of a row is kept."""

STATE = 2
"""Numbers in a state: the sum, what it lacks."""


@INLINE
def _exponential(x: Scalar) -> Scalar:
    """e^-x, x >= 0, e^-EDGE beyond."""
    shifted, f = one_sided(-min(x, EDGE))
    scale = power_of_two(shifted)
    return fma(scale, f, scale)


@INLINE
def _focal(z: Scalar, e: Scalar, gamma: Scalar) -> Scalar:
    """F and dF/dz for w = 1."""
    above, soft, y = z > 0.0, log1p_of(e), 1.0 / (1.0 + e)
    p, q = (y if above else e * y), (e * y if above else y)
    cost = soft if above else soft - z
    weight = _exponential(gamma * (z + soft if above else soft))
    return weight * cost, -weight * (q + gamma * p * cost)


@INLINE
def _shifted(s: Scalar, e: Scalar, power: Scalar, margin: Scalar) -> Scalar:
    """G and dG/ds."""
    above, y = s > 0.0, 1.0 / (1.0 + e)
    p, q = (y if above else e * y), (e * y if above else y)
    inside, free = p > margin, q + margin
    d = p - margin if inside else 0.5
    odds = d / free
    cost = log1p_pair(odds, 0.0)
    square, g = d * d, power - 1
    lead = (d if g & 1 else 1.0) * (square if g & 2 else 1.0) * (square * square if g & 4 else 1.0)
    slope = p * q * lead * (power * cost + odds)
    return (lead * d * cost if inside else 0.0), (slope if inside else 0.0)


def loss_and_slope(kind: Any, s: Any, e: Any, positive: Any) -> Any:
    """Loss and slope of one label at a finite score; Numba takes it from `_loss_and_slope`."""
    raise NotImplementedError


@overload(loss_and_slope, jit_options={"forceinline": True, "error_model": "numpy"})
def _loss_and_slope(kind: Any, s: Any, e: Any, positive: Any) -> Any:
    def powers(kind: Any, s: Any, e: Any, positive: Any) -> Any:
        gamma = kind.gamma_positive if positive else kind.gamma_negative
        weight = kind.positive if positive else -kind.negative
        loss, slope = _focal(s if positive else -s, e, gamma)
        return abs(weight) * loss, weight * slope

    def shifted(kind: Any, s: Any, e: Any, positive: Any) -> Any:
        loss, slope = _focal(s, e, kind.gamma_positive)
        other, other_slope = _shifted(s, e, kind.gamma_negative, kind.margin)
        return (loss if positive else other), (slope if positive else other_slope)

    return powers if kind.instance_class is Powers else shifted


@INLINE
def _fill(kind: Scalar, s: Scalar, t: Scalar, g: Scalar, e: Scalar, losses: Scalar) -> None:
    """The losses of single labels, and their slopes unless g has the size 0."""
    for i in range(s.size):
        e[i] = easy_tail(min(abs(np.float64(s[i])), EDGE))
    for i in range(s.size):
        # 3.4e38 is the largest float32: the mask -inf, and nothing else, is cut
        x, positive = max(np.float64(s[i]), -3.5e38), t[i] > 0.0
        good = ((t[i] == 0.0) | ((t[i] == 1.0) & (x > -REACH))) & (x < np.inf)
        loss, slope = loss_and_slope(kind, x, e[i], positive)
        losses[i] = loss if good else np.nan
        e[i] = slope
    if g.size:
        for i in range(s.size):
            g[i] = e[i]


@INLINE
def _add(state: Scalar, losses: Scalar) -> None:
    total = 0.0
    for i in range(losses.size):
        total = add_any_order(total, losses[i])
    state[0], error = two_sum(state[0], total)
    state[1] += error


@INLINE
def _values(states: Scalar, value: Scalar) -> None:
    for i in range(value.size):
        total = states[i, 0] + states[i, 1]
        value[i] = total if total < np.inf else np.nan


@INLINE
def _sums(kind: Scalar, s: Scalar, t: Scalar, g: Scalar, room: Scalar, state: Scalar) -> None:
    """Adds the losses of a row longer than LENGTH, or of a part of one, to its state."""
    for start in range(0, s.size, LENGTH):
        here = slice(start, min(start + LENGTH, s.size))
        losses = room[1, : here.stop - here.start]
        _fill(kind, s[here], t[here], g[here], room[0], losses)
        _add(state, losses)


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,)."""
    m = value.size
    n = scores.size // m
    step = max(1, LENGTH // n)
    states, room = np.zeros((m, STATE)), np.empty((2, LENGTH))
    for start in range(0, m, step):
        stop = min(start + step, m)
        here = slice(start * n, stop * n)
        s, t, g = scores[here], labels[here], gradient[here]
        if n > LENGTH:
            _sums(kind, s, t, g, room, states[start])
            continue
        _fill(kind, s, t, g, room[0], room[1])
        for i in range(stop - start):
            _add(states[start + i], room[1, i * n : (i + 1) * n])
    _values(states, value)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row and, unless it has the size 0, its gradient."""
    _sums(kind, scores, labels, gradient, np.empty((2, LENGTH)), state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    for i in range(parts.shape[0]):
        state[0, 0], error = two_sum(state[0, 0], parts[i, 0])
        state[0, 1] += error + parts[i, 1]
    _values(state, value)


def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """Nothing is left to do: the slope of a label depends on no other, `part` wrote it."""
