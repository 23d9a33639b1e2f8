"""Exponentials of a row of scores, as softmax needs them, and which of them is the largest.

    e_j = 2^-K e^{s_j},   m = max_j s_j,   e_k = 2^-K e^m

K is 0 where all |s| <= EASY, else 2^K is the power of two next to e^m.  Either way K changes
exponents, not digits: no argument of exp is rounded.

A class with s_j < m - GONE counts as absent, its e as 0; a score between that and m - LIMIT, and
any score of a row with |m| > REACH, has the term nan: the kernels have no answer for such a row.

Most chunks hold scores below EASY alone: their terms are done without a look at each, while an
integer keeps the largest |s|; only if that is out of range, the chunk is done again with care.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from numeric_core.kernels.compiling import INLINE
from numeric_core.kernels.elementary import one_sided, two_sum
from numeric_core.kernels.intrinsics import (
    MAGIC,
    Scalar,
    constant,
    fma,
    higher,
    magnitude,
    order,
    ordered,
    pattern,
    positive,
    power_of_two,
)
from numeric_core.kernels.sums import GONE, LENGTH, LIMIT

__all__ = [
    "LARGEST",
    "LINEAR",
    "MAIN",
    "OTHERS",
    "POWER",
    "REACH",
    "REST",
    "STATE",
    "TIES",
    "TOP",
    "add",
    "easy_limit",
    "fill",
    "fill_rows",
    "fill_with_care",
    "power_in",
    "refer",
    "term",
    "top_of",
]

REACH = 65504.0
"""finfo(float16).max: a mask in any dtype is at or below -REACH, and k < 2^17 is exact."""

EASY = {types.float32: 43.0, types.float64: 350.0}
"""LIMIT / 2: no two scores are further apart than LIMIT."""

STATE = 11
"""Numbers in a state: m, K, e_k, the labels above 1/2, how often m occurs, and the sums of e_j
below it, of labels up to 1/2, and L, each followed by what it lacks."""
TOP, POWER, LARGEST, MAIN, TIES, REST, _, OTHERS, _, LINEAR, _ = range(STATE)


@INLINE
def easy_term(x: Scalar) -> Scalar:
    """e^x of one class in reach."""
    shifted, q = one_sided(x)
    scale = power_of_two(shifted)
    return fma(scale, q, scale)


def term(x: Any, top: Any, power: Any) -> Any:
    """e of any class, nan where the kernel has no answer; Numba takes it from `_term`."""
    return np.exp(x) / 2.0**power


@overload(term, jit_options={"forceinline": True, "error_model": "numpy"})
def _term(x: Any, top: Any, power: Any) -> Any:
    dtype = np.float32 if x == types.float32 else np.float64
    limit, gone = dtype(LIMIT[x]), dtype(GONE[x])
    zero, nan = dtype(0.0), dtype(np.nan)

    def code(x: Any, top: Any, power: Any) -> Any:
        shifted, q = one_sided(max(x, top - limit))
        scale = power_of_two(shifted - power)
        e = fma(scale, q, scale)
        return e if x >= top - limit else (zero if x < top - gone else nan)

    return code


def power_in(shifted: Any) -> Any:
    """k of shifted = k + MAGIC; Numba takes it from `_power_in`."""
    return shifted - MAGIC[types.float64]


@overload(power_in, jit_options={"forceinline": True})
def _power_in(shifted: Any) -> Any:
    magic = (np.float32 if shifted == types.float32 else np.float64)(MAGIC[shifted])

    def code(shifted: Any) -> Any:
        return shifted - magic

    return code


def easy_limit(like: Any) -> Any:
    """The bits of EASY for the dtype of a score; Numba takes it from `_easy_limit`."""
    return np.asarray(EASY[types.float32 if like.dtype == np.float32 else types.float64])


@overload(easy_limit, jit_options={"forceinline": True})
def _easy_limit(like: Any) -> Any:
    easy = (np.float32 if like == types.float32 else np.float64)(EASY[like])

    def code(like: Any) -> Any:
        return pattern(easy)

    return code


@INLINE
def top_of(s: Scalar) -> Scalar:
    top = order(s[0])
    for i in range(s.size):
        top = higher(top, order(s[i]))
    return ordered(top)


@INLINE
def refer(states: Scalar, like: Scalar, easy: Scalar) -> None:
    """K and e_k of some rows whose maximum is known; nan for a maximum that is out of reach."""
    for i in range(states.shape[0]):
        top = states[i, TOP]
        inside = abs(top) <= REACH
        shifted, q = one_sided(constant(like, top if inside else 0.0))
        scale = power_of_two(shifted) if easy else constant(like, 1.0)
        states[i, POWER] = 0.0 if easy else power_in(shifted)
        states[i, LARGEST] = fma(scale, q, scale) if inside else np.nan


@INLINE
def fill(s: Scalar, e: Scalar) -> bool:
    """e^s of a chunk; whether all scores are in reach."""
    far = pattern(constant(s[0], 0.0))
    for i in range(s.size):
        e[i] = easy_term(s[i])
        far = higher(far, magnitude(s[i]))
    return far <= easy_limit(s[0])


@INLINE
def fill_with_care(s: Scalar, e: Scalar, state: Scalar) -> None:
    """The terms of a row, or of a chunk of one."""
    top, power = constant(s[0], state[TOP]), constant(s[0], state[POWER])
    for i in range(s.size):
        e[i] = term(s[i], top, power)


@INLINE
def add(state: Scalar, place: Scalar, high: Scalar, low: Scalar) -> None:
    state[place], error = two_sum(state[place], high)
    state[place + 1] += error + low


@INLINE
def _extremes(s: Scalar, e: Scalar, state: Scalar) -> None:
    """m, and the largest of the terms of a row: that of m, but for rounding."""
    top, largest = order(s[0]), pattern(e[0])
    for i in range(s.size):
        top, largest = higher(top, order(s[i])), higher(largest, pattern(e[i]))
    state[TOP], state[LARGEST] = ordered(top), positive(largest)


@INLINE
def fill_rows(s: Scalar, e: Scalar, states: Scalar) -> bool:
    """The terms of some rows; whether no score needed care."""
    m = states.shape[0]
    n = s.size // m
    easy = True
    for start in range(0, s.size, LENGTH):
        here = slice(start, min(start + LENGTH, s.size))
        easy &= fill(s[here], e[here])
    for i in range(m):
        row = slice(i * n, (i + 1) * n)
        _extremes(s[row], e[row], states[i])
    if not easy:
        refer(states, s[0], False)
        for i in range(m):
            row = slice(i * n, (i + 1) * n)
            fill_with_care(s[row], e[row], states[i])
            reached = states[i, LARGEST] > 0.0
            _extremes(s[row], e[row], states[i])
            states[i, LARGEST] = states[i, LARGEST] if reached else np.nan
    return easy
