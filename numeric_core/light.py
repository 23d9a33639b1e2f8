"""The combination softmax by power sums, where they do not cancel.  NumPy, a batch of rows at once.

    rest = sum_{a=1..k} e_a(v) e_a(w),    l = log1p(rest),    v = e^s / tau of the n - k negatives,
                                                              w = tau e^-s of the k positives

A negative is light where v <= 1 for tau = THETA T / k, T at most the sum of all e^s of negatives
but the k - 1 largest: extending a set of j - 1 negatives gives j e_j >= e_{j-1} T, so that
v e_{j-1} / e_j is at most THETA for each j <= k.  The others are heavy, few of them where T is
near that sum.

*   On the light ones Newton's identities are harmless: in j Z_j = S_1 Z_{j-1} - S_2 Z_{j-2} + ...
    each term is at most THETA times the one before.  What is left of cancellation is measured by
    the same sum with all signs +, relative to the true one: rows beyond GROWTH are refused.
*   With the heavy ones multiplied in (`numeric_core.symmetric`), e = light * heavy, the share of a
    light negative is a short alternating series without its own product:

        v_i sum_a e_a(w) [e_{a-1} without i] / Q = v_i (c_0 - c_1 v_i + c_2 v_i^2 - ...),
        c_m = sum_a e_a(w) e_{a-1-m}(v) / Q,    c_m v_i^m <= THETA^m c_0

    by log-concavity of c, taken by Horner's rule until THETA^m is below the last digit.
*   Heavy labels and positives get their shares from their products, without any subtraction.

So a row costs some 2 min(k, TERMS) operations a label, whole rows at a time, and not the 10 k of
a tree; in float32, where that has the range, they are float32 operations.

Source: 7359 eqs. 2 and 3; that Newton's recursion fails elsewhere: `subset.log_partition`.
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numeric_core.symmetric import Leaves, Product

__all__ = ["Result", "fitting", "losses"]

Floats = NDArray[np.floating[Any]]

LARGEST = 300.0
"""e^300: a score less another is at most 600, and e^600 is still a float64."""

BLOCK = 1 << 18
"""Labels at a time: two arrays of 2 MiB, which are written again for each block.  Smaller ones are
faster in the passes, and lose more in the small tables that each block has."""

LONGEST = 1 << 17
"""Labels of a row, so that the memory beside the result stays at that of a block."""

MOST = 64
"""Orders up to which the small tables, k^2 a row, cost less than the passes over the labels."""

PIECE = 1 << 10
"""Terms of a dot product at a time, for BLAS to start no threads and to make few roundings."""

GROUP = 8
"""Labels of a group, whose sum bounds each of them from above."""

MANY = 8
"""Groups for each of the k that may be left out; for fewer the labels themselves are taken."""

THETA = 0.25
"""Of 1/16, 1/8, 1/4 and 1/2 the fastest at orders 5 and 50."""

GROWTH = {np.float64: 64.0, np.float32: 4.0}
"""Refused beyond.  The rounding errors of one step in float64, 1e-16, would come out as more than
1e-14; in float32 those of S_2, S_3, ..., 1e-7 of a quarter of the sum, as more than 1e-7."""

NEAR = 40.0
"""Scores up to which float32 is wide enough: e^40 n and its inverse are floats, and a label whose
e^s / tau is not has a share below 1e-38."""

TINIEST, HUGEST = 1e-280, 1e60
"""A coefficient below, or a leaf above, is so near the ends of float64 that a product of the tree
could leave it: such rows are refused."""


class _Scratch(threading.local):
    """Room for two arrays of a block, kept by each thread: fresh pages cost as much as the sums."""

    def __init__(self) -> None:
        self._room = np.empty(0)

    def of(self, rows: int, n: int, dtype: Any) -> Floats:
        """(2, rows, n), undefined."""
        size = 2 * rows * n
        if self._room.size < size:
            self._room = np.empty(size)
        room: Floats = self._room.view(dtype)
        return room[:size].reshape(2, rows, n)


_scratch = _Scratch()


class Result(NamedTuple):
    """Losses (rows,), gradients (rows, n) or None, and which rows are done."""

    value: Floats
    gradient: Floats | None
    done: NDArray[np.bool_]


class _Split(NamedTuple):
    """Light negatives (rows, n), with zeros for all other labels, and the leaves of two products.

    leaves: (slots, 2 rows), the heavy negatives of each row, then the positives of each row; where:
    the places of both in the flat batch; slot: the slot and the column of each.
    """

    light: Floats
    leaves: Floats
    where: NDArray[np.intp]
    slot: tuple[NDArray[np.intp], NDArray[np.intp]]


def fitting(scores: Floats, bound: float, counts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which rows (rows, n) it is made for; counts: their labels that are not 0; |s| <= bound."""
    n = scores.shape[1]
    fits = (counts >= 1) & (counts <= min(MOST, n // 2)) & (n <= LONGEST)
    if bound > LARGEST:
        fits &= np.max(np.abs(scores), axis=1) <= LARGEST
    return fits


def losses(scores: Floats, on: NDArray[np.intp], k: int, bound: float, *, gradient: bool) -> Result:
    """The losses of `fitting` rows with k positives each, whose places in the flat batch are `on`.

    scores: (rows, n), float32 or float64, which is the dtype of the gradient; |s| <= bound.
    """
    if scores.dtype == np.float64 or bound > NEAR:
        return _losses(scores, on, k, np.float64, gradient)
    found = _losses(scores, on, k, np.float32, gradient)
    left = ~found.done
    if left.any():
        n = scores.shape[1]
        places = (on.reshape(-1, k)[left] % n + n * np.arange(left.sum())[:, None]).reshape(-1)
        wide = _losses(scores[left], places, k, np.float64, gradient)
        for whole, part in zip(found, wide, strict=True):
            if whole is not None:
                whole[left] = part
    return found


def _losses(
    scores: Floats, on: NDArray[np.intp], k: int, dtype: type[np.floating[Any]], gradient: bool
) -> Result:
    """The same, with what is done label by label in the dtype."""
    rows, n = scores.shape
    step = min(rows, max(1, BLOCK // n))
    scratch = _scratch.of(step, n, dtype)
    value, done = np.empty(rows), np.empty(rows, dtype=np.bool_)
    out = np.empty(scores.shape, scores.dtype) if gradient else None
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        for start in range(0, rows, step):
            part = slice(start, min(start + step, rows))
            places = on[part.start * k : part.stop * k] - start * n
            room = scratch[:, : part.stop - start]
            shares = None if out is None else out[part]
            value[part], done[part] = _block(scores[part], places, k, room, shares)
    return Result(value, out, done)


def _block(
    scores: Floats, on: NDArray[np.intp], k: int, scratch: Floats, out: Floats | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """The losses of some rows, and which are done; gradients into out."""
    x, other = scratch
    split = _split(scores, on, k, x, other)
    light = _newton(_power_sums(split.light, _terms(k, x.dtype), other), k)
    product = Product(np, Leaves(None, split.leaves), k)
    rows, both = x.shape[0], product.coefficients
    w = both[:, rows:]
    e, plain = _convolved(both[:, :rows], light)
    rest = np.add.reduce(w[1:] * e[1:], axis=0)
    growth = np.add.reduce(w * plain, axis=0) / (1.0 + rest)
    done = (growth <= GROWTH[x.dtype.type]) & (np.minimum(e[k], w[k]) > TINIEST)
    done &= np.maximum.reduce(split.leaves.reshape(-1, rows), axis=0) < HUGEST
    if out is not None:
        root = np.concatenate([_correlated(w, light[0], k + 1), -e], axis=1)
        shares = product.adjoint(root).take * split.leaves
        by_row = shares.reshape(-1, rows)
        by_row /= 1.0 + rest
        done &= np.isfinite(np.add.reduce(by_row, axis=0))
        _light_shares(split.light, w, e, 1.0 + rest, other, out)
        out.reshape(-1)[split.where] = shares[split.slot]
    return np.log1p(rest), done


def _split(scores: Floats, on: NDArray[np.intp], k: int, x: Floats, other: Floats) -> _Split:
    """e^s / tau into x, taken apart; `other` is scratch of the same shape."""
    rows, n = scores.shape
    np.copyto(x, scores)
    np.exp(x, out=x)
    flat, flat_scores = x.reshape(-1), scores.reshape(-1)
    flat[on] = 0.0
    tau = THETA / k * _tail(x, k, other)
    x /= tau[:, None]
    (heavy,) = (flat > 1.0).nonzero()
    flat[heavy] = 0.0
    where = np.concatenate([heavy, on])
    row = where // n
    values = np.exp(flat_scores[where].astype(np.float64)) / tau[row]
    values[heavy.size :] **= -1
    row[heavy.size :] += rows
    leaves, slot = _slots(values, row, 2 * rows)
    return _Split(x, leaves, where, (slot, row))


def _slots(
    values: Floats, column: NDArray[np.intp], columns: int
) -> tuple[Floats, NDArray[np.intp]]:
    """The values, ordered by their columns, as (slots, columns), and the slot of each."""
    counts = np.bincount(column, minlength=columns)
    rank = np.arange(column.size) - (counts.cumsum() - counts)[column]
    order = _tree_order(int(counts.max() - 1).bit_length())
    slot = order[rank]
    leaves = np.zeros((order.size, columns))
    leaves[slot, column] = values
    return leaves, slot


@lru_cache
def _tree_order(height: int) -> NDArray[np.intp]:
    """A slot for each rank, bits reversed: a tree that pairs halves then pairs neighbours in rank,

    however high it is, so that a row's product does not depend on the longest one.
    """
    order = np.zeros(1, dtype=np.intp)
    for _ in range(height):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _tail(x: Floats, k: int, other: Floats) -> Floats:
    """At most the sum of each row without its k - 1 largest, which are never added up.

    Of the sums over groups of labels the k - 1 largest are left out: those k - 1 labels are in
    groups whose sums are together no larger.
    """
    if k == 1:
        return np.add.reduce(x, axis=1)
    rows, n = x.shape
    width = n // GROUP if n >= GROUP * MANY * k else n
    groups = other.reshape(-1)[: rows * width].reshape(rows, width)
    whole = n // width * width
    np.add.reduce(x[:, :whole].reshape(rows, -1, width), axis=1, out=groups)
    groups[:, : n - whole] += x[:, whole:]
    cut = width - (k - 1)
    groups.partition(cut, axis=1)
    return np.add.reduce(groups[:, :cut], axis=1)


def _terms(k: int, dtype: Any) -> int:
    """How many terms reach the last digit: 5 k / THETA times THETA^m stands for all later ones."""
    digits = -math.log(float(np.finfo(dtype).eps) / 4)
    return min(k, math.ceil((digits + math.log(5 * k / THETA)) / -math.log(THETA)))


def _power_sums(x: Floats, terms: int, other: Floats) -> Floats:
    """S_1, ..., S_terms of each row: (terms, rows)."""
    sums, power = np.empty((terms, x.shape[0])), x
    np.add.reduce(x, axis=1, dtype=np.float64, out=sums[0])
    for m in range(1, terms):
        sums[m] = _dots(power, x)
        if m < terms - 1:
            power = np.multiply(power, x, out=other)
    return sums


def _dots(a: Floats, b: Floats) -> Floats:
    """sum_i a_i b_i of each row, in pieces."""
    rows, n = a.shape
    if n <= PIECE:
        return np.vecdot(a, b)
    whole = n // PIECE * PIECE
    pieces = [x[:, :whole].reshape(rows, -1, PIECE) for x in (a, b)]
    dots: Floats = np.add.reduce(np.vecdot(*pieces), axis=1)
    return dots + np.vecdot(a[:, whole:], b[:, whole:]) if whole < n else dots


def _newton(sums: Floats, k: int) -> Floats:
    """Z_0..Z_k, and the same with every sign +: (2, k + 1, rows)."""
    terms, rows = sums.shape
    steps = np.empty((2, terms, rows))
    steps[...] = sums
    steps[0, 1::2] *= -1.0
    z = np.zeros((2, k + 1, rows))
    z[:, 0] = 1.0
    for j in range(1, k + 1):
        t = min(j, terms)
        np.add.reduce(steps[:, :t] * z[:, j - t : j][:, ::-1], axis=1, out=z[:, j])
        z[:, j] /= j
    return z


def _convolved(a: Floats, b: Floats) -> Floats:
    """sum_i a_i b_{m-i}, as many m as each has: (2, k + 1, rows) for the two polynomials of b."""
    out = np.zeros_like(b)
    for i, factor in enumerate(a):
        out[:, i:] += factor * b[:, : b.shape[1] - i]
    return out


def _correlated(a: Floats, b: Floats, count: int) -> Floats:
    """sum_i a_{m+i} b_i for m < count: (count, rows)."""
    out = np.empty((count, b.shape[1]))
    for m in range(count):
        np.add.reduce(a[m:] * b[: len(a) - m], axis=0, out=out[m])
    return out


def _light_shares(x: Floats, w: Floats, e: Floats, q: Floats, other: Floats, out: Floats) -> None:
    """x (c_0 - c_1 x + c_2 x^2 - ...) into out; x <= 1, so that it may be as narrow as out is.

    In float32 an x that underflows stands for a share below 1e-38.
    """
    k, dtype = w.shape[0] - 1, out.dtype
    c: Floats = _correlated(w[1:], e[:k], _terms(k, dtype)) / q
    c[1::2] *= -1.0
    c = c.astype(dtype, copy=False)[:, :, None]
    if dtype != x.dtype:
        narrow = other.view(dtype)[:, : x.shape[1]]
        np.copyto(narrow, x, casting="same_kind")
        x = narrow
    np.multiply(x, c[-1], out=out)
    for factor in c[-2::-1]:
        out += factor
        out *= x
