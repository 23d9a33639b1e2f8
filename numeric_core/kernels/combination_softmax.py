"""Value and gradient of the combination softmax, a row at a time in compiled code.

    l = log1p(rest),   rest = sum_{a >= 1} e_a(v) e_a(w),   v = e^{s} / c of the negatives,
    w = c e^{-s} of the positives

with the c that gives both sides one sum.  The labels of a side are dealt to LANES lanes; a lane
multiplies its labels one after the other, all lanes at once, the lanes are multiplied together, and
the derivatives come back the same way.  Every number is a sum of products of non-negative ones.

A chain has at most STEPS labels and n / STEPS lanes follow each other: the error grows as the root
of n / STEPS, hence LONGEST.  Rows are independent, so that the threads change no bit.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

__all__ = ["LONGEST", "values_and_gradients"]

# Two AVX-512 registers of float64, four of AVX2. Longer chains merge fewer lanes, shorter ones keep
# the tables of a block in the first cache: measured at orders 5 and 50 among 8 to 32 lanes.
LANES = 16
STEPS = 64
# 2^17 / 64 = 2048 lanes in sequence: a few 1e-15, within the 1e-14 of the family.
LONGEST = 1 << 17
# On the way back no number is larger than the largest coefficient of one side times that of the
# other, times n: kept well below the largest float64, 1.8e308.
LARGEST = 1e300
# Fewer labels than this are done before a second thread has begun (0.1 ms).
WORTH_A_THREAD = 1 << 15

Array = np.ndarray[Any, np.dtype[Any]]

# Sums of non-negative numbers may be taken in any order, and multiplied and added in one rounding.
compiled = njit(
    cache=True, nogil=True, fastmath={"contract", "reassoc"}, error_model="numpy", boundscheck=False
)


def values_and_gradients(scores: Array, labels: Array, masked: Array | None) -> tuple[Array, ...]:
    """Losses (rows,), gradients (rows, n), and which rows were computed; float64 rows.

    masked: labels that count as absent.  A row is left alone, and its results are undefined, where
    its coefficients could leave the range of float64.
    """
    powers = np.exp(scores)
    if masked is not None:
        powers[masked] = 0.0
    count, n = scores.shape
    value, gradient = np.empty(count), np.empty((count, n))
    done = np.empty(count, dtype=np.bool_)
    arrays = (powers, labels != 0, value, gradient, done)
    threads = min(_threads(), count, 1 + powers.size // WORTH_A_THREAD)
    bounds = [count * part // threads for part in range(threads + 1)]
    parts = [tuple(x[a:b] for x in arrays) for a, b in pairwise(bounds)]
    if threads == 1:
        _rows(*arrays)
    else:
        list(_pool().map(lambda part: _rows(*part), parts))
    return value, gradient, done


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_threads(), thread_name_prefix="lossproof")


@compiled
def _rows(powers, labels, value, gradient, done):  # type: ignore[no-untyped-def]
    for row in range(powers.shape[0]):
        positives, negatives, missed, taken = _sums(powers[row], labels[row])
        order = min(positives, negatives)
        if order == 0:
            value[row], gradient[row], done[row] = 0.0, 0.0, True
            continue
        scale = math.sqrt(taken / missed)
        value[row] = _row(powers[row], labels[row], positives, order, scale, gradient[row])
        done[row] = value[row] >= 0.0


@compiled
def _sums(powers, labels):  # type: ignore[no-untyped-def]
    """How many labels either side has, sum of e^{-s} of the positives, of e^{s} of the others."""
    positives, negatives, missed, taken = 0, 0, 0.0, 0.0
    for i in range(powers.shape[0]):
        if labels[i]:
            positives += 1
            missed += 1.0 / powers[i]
        elif powers[i] > 0.0:
            negatives += 1
            taken += powers[i]
    return positives, negatives, missed, taken


@compiled
def _row(powers, labels, positives, order, scale, gradient):  # type: ignore[no-untyped-def]
    """The loss, and its gradient into `gradient`; nan where a number could leave the range."""
    v, w, places = _sides(powers, labels, positives, scale)
    table_v, states_v, lanes_v = _product(v, order)
    table_w, states_w, lanes_w = _product(w, order)
    root_v, root_w = states_v[-1].copy(), states_w[-1].copy()
    if not root_v.max() * root_w.max() < LARGEST / powers.shape[0]:
        return math.nan
    rest = 0.0
    for a in range(order, 0, -1):
        rest += root_v[a] * root_w[a]
    root_v[0] = root_w[0] = 0.0
    norm = 1.0 / (1.0 + rest)
    q = _shares(v, table_v, states_v, lanes_v, root_w, norm)
    p = _shares(w, table_w, states_w, lanes_w, root_v, norm)
    for i in range(powers.shape[0]):
        gradient[i] = q[i]
    for j in range(positives):
        gradient[places[j]] = -p[j]
    return math.log1p(rest)


@compiled
def _sides(powers, labels, positives, scale):  # type: ignore[no-untyped-def]
    """v over all labels, 0 where positive; w over the positives, and where they are."""
    n = powers.shape[0]
    v, w = _dealt(n), _dealt(positives)
    all_v, all_w = v.reshape(v.size), w.reshape(w.size)
    places, found, narrow = np.empty(positives, np.int64), 0, 1.0 / scale
    for i in range(n):
        if labels[i]:
            all_w[found], places[found] = scale / powers[i], i
            found += 1
        else:
            all_v[i] = powers[i] * narrow
    return v, w, places


@compiled
def _dealt(n):  # type: ignore[no-untyped-def]
    """Room for n labels in blocks: (blocks, steps, LANES), 0 where there is no label."""
    steps = max(1, min(STEPS, (n + LANES - 1) // LANES))
    block = LANES * steps
    return np.zeros(((n + block - 1) // block, steps, LANES))


@compiled
def _chains(x, table):  # type: ignore[no-untyped-def]
    """table[i, j, lane] = e_j of the first i labels of a lane."""
    steps, lanes = x.shape
    for i in range(steps):
        for j in range(1, table.shape[1]):
            for lane in range(lanes):
                table[i + 1, j, lane] = table[i, j, lane] + x[i, lane] * table[i, j - 1, lane]


@compiled
def _product(x, order):  # type: ignore[no-untyped-def]
    """The table of the last block, products of the first lanes (lanes + 1, order + 1), lanes."""
    blocks, steps, width = x.shape
    table = np.zeros((steps + 1, order + 1, width))
    table[:, 0] = 1.0
    states = np.zeros((blocks * width + 1, order + 1))
    lanes = np.empty((blocks * width, order + 1))
    states[0, 0] = 1.0
    for at in range(blocks * width):
        if at % width == 0:
            _chains(x[at // width], table)
        for j in range(order + 1):
            lanes[at, j] = table[steps, j, at % width]
        for i in range(order + 1):
            factor = states[at, i]
            for j in range(order + 1 - i):
                states[at + 1, i + j] += factor * lanes[at, j]
    return table, states, lanes


@compiled
def _correlate(a, root, out):  # type: ignore[no-untyped-def]
    """out_j = sum_i a_i root_{i + j}: a derivative through a product with a."""
    order = root.shape[0] - 1
    for j in range(order + 1):
        out[j] = 0.0
    for i in range(order + 1):
        factor = a[i]
        for j in range(order + 1 - i):
            out[j] += factor * root[i + j]


@compiled
def _shares(x, table, states, lanes, root, norm):  # type: ignore[no-untyped-def]
    """norm x_i dQ/dx_i of all labels, given dQ/de_j as root, which is used up."""
    blocks, _, width = x.shape
    out, spare = np.empty(x.shape), np.empty(root.shape[0])
    slopes = np.zeros(table.shape)
    for block in range(blocks - 1, -1, -1):
        if block < blocks - 1:
            _chains(x[block], table)
        for lane in range(width - 1, -1, -1):
            at = block * width + lane
            _correlate(states[at], root, spare)
            slopes[-1, :, lane] = spare
            _correlate(lanes[at], root, spare)
            root[:] = spare
        _down(x[block], table, slopes, norm, out[block])
    return out.reshape(out.size)


@compiled
def _down(x, table, slopes, norm, out):  # type: ignore[no-untyped-def]
    """slopes[i, j, lane] = dQ/d(table[i, j, lane]), the last label first; out = norm x dQ/dx."""
    steps, lanes = x.shape
    order = table.shape[1] - 1
    for i in range(steps - 1, -1, -1):
        for j in range(order):
            for lane in range(lanes):
                slopes[i, j, lane] = (
                    slopes[i + 1, j, lane] + x[i, lane] * slopes[i + 1, j + 1, lane]
                )
        for lane in range(lanes):
            slopes[i, order, lane] = slopes[i + 1, order, lane]
            out[i, lane] = 0.0
        for j in range(order):
            for lane in range(lanes):
                out[i, lane] += table[i, j, lane] * slopes[i + 1, j + 1, lane]
        for lane in range(lanes):
            out[i, lane] *= norm * x[i, lane]
