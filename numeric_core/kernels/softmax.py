"""Softmax cross-entropy, value and gradient, with the labels as rows.

With e_j = 2^-K e^{s_j} (`exponentials`), m = max_j s_j and a class k at the maximum,

    R = sum_{j != k} e_j,   T = sum_j t_j,   L = sum_j t_j (m - s_j)
    l   = L + T log1p(R / e_k)
    g_i = p_i (T - t_i) - t_i (1 - p_i),   p_i = e_i / (e_k + R),   1 - p_k = R / (e_k + R)

The largest term is left out of R, and a label above 1/2 out of the sum of the others, so that
nothing is lost as p_k goes to 1 and t becomes one-hot.  Terms that round to e_k are ties with it.

Rows with a score that `exponentials` has no term for, a label > 0 that is masked, labels outside of
[0, 1] or of another sum than 1, and nan get the value nan: `numeric_core.kernels` has them done by
the plain version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import COMPILED, INLINE
from numeric_core.kernels.elementary import log1p_near, log1p_pair, two_sum
from numeric_core.kernels.exponentials import (
    LARGEST,
    LINEAR,
    MAIN,
    OTHERS,
    POWER,
    REACH,
    REST,
    STATE,
    TIES,
    TOP,
    add,
    easy_limit,
    fill,
    fill_rows,
    fill_with_care,
    refer,
    top_of,
)
from numeric_core.kernels.intrinsics import (
    Scalar,
    add_any_order,
    constant,
    fma,
    higher,
    magnitude,
    pattern,
)
from numeric_core.kernels.sums import LENGTH
from numeric_core.kernels.vectors import choose

__all__ = [
    "ARRAYS",
    "STATE",
    "Distribution",
    "component",
    "cut_sums",
    "extent",
    "factors",
    "gradient_part",
    "loss",
    "merge",
    "part",
    "part_of",
    "rows",
    "values",
]


class Distribution(NamedTuple):
    """Labels that are rows.  tolerance: by how much their sums may miss 1."""

    tolerance: float


ARRAYS = 1
"""Terms of a row: e."""


def cut_sums(kind: Any) -> bool:
    """Whether sums need a second pass (`sums`), as in float64; Numba takes it from `_cut_sums`."""
    return kind.dtype == np.float64


@overload(cut_sums, jit_options={"forceinline": True})
def _cut_sums(like: Any) -> Any:
    cut = like == types.float64

    def code(like: Any) -> Any:
        return cut

    return code


@INLINE
def part_of(x: Scalar, large: Scalar) -> Scalar:
    """(high, low), x = high + low cut at the last bit of `large`."""
    high = (x + large) - large
    return high, x - high


@INLINE
def _shares(s: Scalar, t: Scalar, e: Scalar, top: Scalar, largest: Scalar) -> Scalar:
    """What one label adds to the sums: e below the largest, t up to 1/2, t (m - s)."""
    zero = constant(top, 0.0)
    rest = zero if e == largest else e
    small = t if t <= constant(top, 0.5) else zero
    gap = zero if t == zero else t * (top - s)
    return np.float64(rest), np.float64(small), np.float64(gap)


@INLINE
def _add_sums(s: Scalar, t: Scalar, e: Scalar, state: Scalar) -> None:
    """Adds what a chunk of a row sums up to; labels that are not in [0, 1] make it nan."""
    top, largest = constant(s[0], state[TOP]), constant(s[0], state[LARGEST])
    zero, half, most = constant(top, 0.0), constant(top, 0.5), pattern(constant(top, 0.0))
    rest, others, linear, ties, main = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        a, b, c = _shares(s[i], t[i], e[i], top, largest)
        rest, others = add_any_order(rest, a), add_any_order(others, b)
        linear = add_any_order(linear, c)
        ties = add_any_order(ties, 1.0 if e[i] == largest else 0.0)
        main = add_any_order(main, np.float64(t[i] if t[i] > half else zero))
        most = higher(most, pattern(t[i]))
    state[TIES] += ties
    state[MAIN] += main
    if most > pattern(constant(top, 1.0)):
        _check(t, state)
    if cut_sums(top):
        _add_cut(s, t, e, state, (2.0 * rest, 2.0 * others, 2.0 * linear))
        return
    add(state, REST, rest, 0.0)
    add(state, OTHERS, others, 0.0)
    add(state, LINEAR, linear, 0.0)


@INLINE
def _add_cut(s: Scalar, t: Scalar, e: Scalar, state: Scalar, large: Scalar) -> None:
    """Adds the three sums, twice an estimate of which is known, without an error."""
    top, largest = constant(s[0], state[TOP]), constant(s[0], state[LARGEST])
    a_high, a_low, b_high, b_low, c_high, c_low = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(s.size):
        a, b, c = _shares(s[i], t[i], e[i], top, largest)
        high, low = part_of(a, large[0])
        a_high, a_low = add_any_order(a_high, high), add_any_order(a_low, low)
        high, low = part_of(b, large[1])
        b_high, b_low = add_any_order(b_high, high), add_any_order(b_low, low)
        high, low = part_of(c, large[2])
        c_high, c_low = add_any_order(c_high, high), add_any_order(c_low, low)
    add(state, REST, *two_sum(a_high, a_low))
    add(state, OTHERS, *two_sum(b_high, b_low))
    add(state, LINEAR, *two_sum(c_high, c_low))


@INLINE
def _check(t: Scalar, state: Scalar) -> None:
    """nan for labels outside of [0, 1]; -0.0 is one inside."""
    for i in range(t.size):
        if not ((t[i] >= 0.0) & (t[i] <= 1.0)):
            state[MAIN] = np.nan


@INLINE
def _check_masked(s: Scalar, t: Scalar, states: Scalar) -> None:
    """nan for a label > 0 of a class that is masked."""
    n = s.size // states.shape[0]
    for i in range(s.size):
        if (t[i] > 0.0) & (s[i] <= -REACH):
            states[i // n, MAIN] = np.nan


@INLINE
def _rest(state: Scalar) -> Scalar:
    """(R, what it lacks): a tie at the maximum is a term e_k of R."""
    rest, error = two_sum(state[REST], (state[TIES] - 1.0) * state[LARGEST])
    return rest, error + state[REST + 1]


def loss(like: Any, state: Any, tolerance: float) -> Any:
    """L + T log1p(R / e_k) of a row; Numba takes it from `_loss`.

    For float32 rows float64 alone has digits enough.
    """
    rest = state[REST] + (state[TIES] - 1.0) * state[LARGEST]
    mass = state[MAIN] + state[OTHERS]
    result = state[LINEAR] + mass * np.log1p(rest / state[LARGEST])
    return result if abs(mass - 1.0) <= tolerance else np.nan


@overload(loss, jit_options={"forceinline": True, "error_model": "numpy"})
def _loss(like: Any, state: Any, tolerance: Any) -> Any:
    def wide(like: Any, state: Any, tolerance: Any) -> Any:
        rest = state[REST] + (state[TIES] - 1.0) * state[LARGEST]
        ratio, mass = rest / state[LARGEST], state[MAIN] + state[OTHERS]
        result = state[LINEAR] + mass * log1p_near(ratio)
        # of nan, log1p_near takes the bits for a number
        return result if (abs(mass - 1.0) <= tolerance) & (ratio < np.inf) else np.nan

    def paired(like: Any, state: Any, tolerance: Any) -> Any:
        rest, low = _rest(state)
        ratio = rest / state[LARGEST]
        lack = (fma(-ratio, state[LARGEST], rest) + low) / state[LARGEST]
        mass = state[MAIN] + (state[OTHERS] + state[OTHERS + 1])
        linear = state[LINEAR] + state[LINEAR + 1]
        result = linear + mass * log1p_pair(ratio, lack)
        return result if abs(mass - 1.0) <= tolerance else np.nan

    return wide if like == types.float32 else paired


def factors(like: Any, state: Any) -> Any:
    """What the gradient of a row needs, in the dtype of `like`; Numba takes it from `_factors`.

    1 / (e_k + R), what that lacks, 1 - p_k, T, and the sum of the labels up to 1/2.
    """
    rest = state[REST] + (state[TIES] - 1.0) * state[LARGEST]
    share, others = 1.0 / (state[LARGEST] + rest), state[OTHERS]
    return share, 0.0, rest * share, state[MAIN] + others, others


@overload(factors, jit_options={"forceinline": True, "error_model": "numpy"})
def _factors(like: Any, state: Any) -> Any:
    def wide(like: Any, state: Any) -> Any:
        rest = state[REST] + (state[TIES] - 1.0) * state[LARGEST]
        share, others = 1.0 / (state[LARGEST] + rest), np.float32(state[OTHERS])
        high = np.float32(share)
        low, complement = np.float32(share - np.float64(high)), np.float32(rest * share)
        return high, low, complement, np.float32(state[MAIN] + state[OTHERS]), others

    def paired(like: Any, state: Any) -> Any:
        rest, low = _rest(state)
        norm, error = two_sum(state[LARGEST], rest)
        share = 1.0 / norm
        lack = (fma(-share, norm, 1.0) - share * (error + low)) / norm
        others = state[OTHERS] + state[OTHERS + 1]
        return share, lack, (rest + low) * share, state[MAIN] + others, others

    return wide if like == types.float32 else paired


@INLINE
def values(states: Scalar, tolerance: Scalar, value: Scalar) -> None:
    """The losses of some rows."""
    for i in range(value.size):
        value[i] = loss(value[0], states[i], tolerance)


@INLINE
def component(e: Scalar, t: Scalar, f: Scalar) -> Scalar:
    """p (T - t) - t (1 - p), no difference of which loses digits: p > 1/2 only of the largest."""
    high, low, complement, mass, others = f
    half = constant(t, 0.5)
    p = fma(e, high, e * low)
    q = choose(p > half, complement, constant(p, 1.0) - p)
    apart = choose(t > half, others, mass - t)
    return fma(p, apart, -(t * q))


@INLINE
def _gradient(e: Scalar, t: Scalar, f: Scalar) -> None:
    """The gradient in the place of the terms."""
    for i in range(e.size):
        e[i] = component(e[i], t[i], f)


@INLINE
def _short(s: Scalar, t: Scalar, e: Scalar, states: Scalar) -> None:
    """The states of some rows of up to LENGTH labels: the terms of all in one loop."""
    n = s.size // states.shape[0]
    if not fill_rows(s, e, states):
        _check_masked(s, t, states)
    for i in range(states.shape[0]):
        row = slice(i * n, (i + 1) * n)
        _add_sums(s[row], t[row], e[row], states[i])


@INLINE
def _extent(s: Scalar) -> Scalar:
    """The maximum, and whether no score is out of reach without a shift."""
    far = pattern(constant(s[0], 0.0))
    for i in range(s.size):
        far = higher(far, magnitude(s[i]))
    return float(top_of(s)), far <= easy_limit(s[0])


@INLINE
def _chunks(s: Scalar, t: Scalar, e: Scalar, easy: bool, state: Scalar) -> None:
    """The state of a row, or of a part of one, whose maximum is known, a chunk at a time.

    Terms for which there is no room are overwritten.
    """
    refer(state.reshape(1, STATE), s[0], easy)
    for start in range(0, s.size, LENGTH):
        here = slice(start, min(start + LENGTH, s.size))
        terms = e[here] if e.size == s.size else e[: here.stop - start]
        if easy:
            fill(s[here], terms)
        else:
            fill_with_care(s[here], terms, state)
        _add_sums(s[here], t[here], terms, state)
    if not easy:
        _check_masked(s, t, state.reshape(1, STATE))


@COMPILED
def rows(kind: Any, scores: Any, labels: Any, value: Any, gradient: Any, scratch: Any) -> None:
    """Values of the rows (m n,) and, unless it has the size 0, the gradient (m n,).

    The gradient is where e is kept until the sums are known.
    """
    m = value.size
    n = scores.size // m
    step = max(1, LENGTH // n)
    states = np.zeros((m, STATE))
    for start in range(0, m, step):
        stop = min(start + step, m)
        some, here = states[start:stop], slice(start * n, stop * n)
        e = gradient[here] if gradient.size else scratch[0, : (stop - start) * n]
        if n > LENGTH:
            states[start, TOP], easy = _extent(scores[here])
            _chunks(scores[here], labels[here], e, easy, states[start])
        else:
            _short(scores[here], labels[here], e, some)
        if gradient.size:
            for i in range(start, stop):
                row = slice(i * n, (i + 1) * n)
                _gradient(gradient[row], labels[row], factors(scores[0], states[i]))
    values(states, kind.tolerance, value)


@COMPILED
def extent(scores: Any) -> Any:
    """The maximum of a part (n,) of a row, and whether all of it is in reach without a shift."""
    return _extent(scores)


@COMPILED
def part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any, scratch: Any) -> None:
    """The state of a part (n,) of a row; TOP, and POWER = 0 where it is easy, are the row's."""
    e = gradient if gradient.size else scratch[0, :LENGTH]
    _chunks(scores, labels, e, state[POWER] == 0.0, state)


@COMPILED
def merge(kind: Any, parts: Any, state: Any, value: Any) -> None:
    """The states (parts, STATE) of one row as one state (1, STATE), and the row's value (1,)."""
    row = state[0]
    row[: TIES + 1] = parts[0, : TIES + 1]
    row[MAIN], row[TIES] = 0.0, 0.0
    for i in range(parts.shape[0]):
        row[TIES] += parts[i, TIES]
        row[MAIN] += parts[i, MAIN]
        for place in (REST, OTHERS, LINEAR):
            add(row, place, parts[i, place], parts[i, place + 1])
    values(state, kind.tolerance, value)


@COMPILED
def gradient_part(kind: Any, scores: Any, labels: Any, state: Any, gradient: Any) -> None:
    """The gradient of a part (n,) of a row whose state (1, STATE) is known, from its terms."""
    _gradient(gradient, labels, factors(scores[0], state[0]))
