"""log Z_k of one long row, CHUNK labels at a time: O(k + CHUNK) memory beside the row.

With T the sum of the k largest scores, log Z_k = T + R.  The row is read a few times:

1.  the k + 1 largest scores, hence T and the k-th largest score s_(k);
2.  how many scores lie where, in steps of 2^-6 around s_(k), hence a tilt c;
3.  the product F of the factors (1 + e^{d_i} z) for d_i <= 0 and (e^{-d_i} + z) for d_i > 0,
    d_i = s_i - c, each chunk's product multiplied to the one before:

        R = log [z^k] F + sum_{i among the k largest} max(-d_i, 0) + sum_{i not} max(d_i, 0);

4.  where that R is below 1, and so has lost digits, instead R = log1p(sum_{a >= 1} e_a(v) e_a(w)),
    v_i = e^{s_i - s_(k)} of the other labels, w_i = e^{s_(k) - s_i} of the k largest.  With
    e_1(v) e_1(w) < 2 the a-th term is below 2^a / (a!)^2: TERMS of them are all there is.

Source: 7359, the partition function of eq. 2; the recursion by elements, a chunk for an element.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numeric_core.doubled import log_partition_doubled
from numeric_core.symmetric import Leaves, coefficients
from numeric_core.tilt import factors, seen_from, threshold

__all__ = ["CHUNK", "Row", "row_log_partition"]

Floats = NDArray[np.float64]

CHUNK = 1 << 15
"""256 KiB of float64; some ten arrays of that size are alive at a time."""

TERMS = 16
"""2^17 / (17!)^2 < 1e-23."""

STEPS, WINDOW = 64, 64.0
"""The tilt is found from scores rounded to 1/64, cut off 64 from the k-th largest: e^-32 of them,
halfway, would have to be 10^12 to be seen."""


class Row(NamedTuple):
    """A row to be read in chunks of float64, masks left out."""

    scores: NDArray[Any]
    mask: float

    def chunks(self) -> Iterator[Floats]:
        """The unmasked scores."""
        for start in range(0, self.scores.shape[0], CHUNK):
            chunk = self.scores[start : start + CHUNK].astype(np.float64)
            yield chunk[chunk > self.mask]

    def labels(self) -> int:
        """How many there are."""
        return sum(chunk.shape[0] for chunk in self.chunks())


def row_log_partition(row: Row, k: int, cancelled: float) -> float:
    """log Z_k for 1 <= k <= the number of unmasked scores.

    Where |T + R| is below `cancelled` R, in pairs, and then in O(n) memory.
    """
    top, count = _largest(row, k + 1)
    high = math.fsum(top[:k])
    if count <= k:
        return high
    low, rest = math.fsum([*top[:k], -high]), _excess(row, k, top)
    total = math.fsum([high, low, rest])
    if abs(total) >= cancelled * rest:
        return total
    kept = np.concatenate(list(row.chunks()))
    return float(log_partition_doubled(kept[None, :], k)[0])


def _excess(row: Row, k: int, top: Floats) -> float:
    """R, by step 3 or 4."""
    tied = int(np.count_nonzero(top[:k] == top[k - 1]))
    c = _tilt(row, k, top[k - 1], float(top[k] - top[k - 1]))
    rest = _rest(row, k, top[:k], tied, c)
    return rest if rest >= 1.0 else _small_rest(row, top[:k], tied)


def _largest(row: Row, number: int) -> tuple[Floats, int]:
    """So many of the largest scores, descending, and how many there are in all."""
    top, count = np.zeros(0), 0
    for chunk in row.chunks():
        count += chunk.shape[0]
        top = np.concatenate([top, chunk])
        if top.shape[0] > number:
            top = np.partition(top, top.shape[0] - number)[-number:]
    return -np.sort(-top), count


def _tilt(row: Row, k: int, kth: float, gap: float) -> float:
    """c - s_(k) where k labels are expected."""
    counts = np.zeros(int(2 * WINDOW) * STEPS + 1)
    for chunk in row.chunks():
        place = np.rint((np.clip(chunk - kth, -WINDOW, WINDOW) + WINDOW) * STEPS)
        counts += np.bincount(place.astype(np.intp), minlength=counts.shape[0])
    d = np.arange(counts.shape[0]) / STEPS - WINDOW
    following = np.asarray([max(gap, -WINDOW)])
    return float(threshold(np, d, float(k), following, axis=-1, weights=counts)[0])


def _rest(row: Row, k: int, top: Floats, tied: int, c: float) -> float:
    """R by step 3, right to an ulp or two of max(R, 1)."""
    kth, product, exponent = top[-1], np.ones(1), 0.0
    moved, same = [float(np.maximum(c - (top - kth), 0.0).sum())], -tied
    for chunk in row.chunks():
        d, lack = seen_from(np, chunk, kth, c)
        factor, power = _multiplied(*factors(np, d, lack), k)
        product, exponent = _scaled(_product(product, factor, k), exponent + power)
        moved.append(float((d + lack)[(d > 0) & (chunk < kth)].sum()))
        same += int(np.count_nonzero(chunk == kth))
    moved.append(max(-c, 0.0) * same)
    return math.log(product[k]) + exponent * math.log(2.0) + math.fsum(moved)


def _small_rest(row: Row, top: Floats, tied: int) -> float:
    """log1p(sum_a e_a(v) e_a(w)) by step 4."""
    kth, order = top[-1], min(TERMS, top.shape[0])
    w, one = factors(np, *seen_from(np, top, kth, 0.0))
    w, _ = _multiplied(one, w, order)
    v, same = np.ones(1), -tied
    for chunk in row.chunks():
        stay, take = factors(np, *seen_from(np, chunk[chunk < kth], kth, 0.0))
        v = _product(v, _multiplied(stay, take, order)[0], order)
        same += int(np.count_nonzero(chunk == kth))
    for _ in range(same):  # at most one: two would make R at least log 3
        v = _product(v, np.ones(2), order)
    shared = min(v.shape[0], w.shape[0])
    return math.log1p(float(v[1:shared] @ w[1:shared]))


def _multiplied(stay: Floats, take: Floats, order: int) -> tuple[Floats, float]:
    """Coefficients of prod_i (stay_i + take_i z), and their power of two."""
    root, exponent = coefficients(np, Leaves(stay[:, None], take[:, None]), order)
    return np.trim_zeros(root[:, 0], "b"), float(exponent[0])


def _product(a: Floats, b: Floats, order: int) -> Floats:
    return np.convolve(a, b)[: order + 1]


def _scaled(product: Floats, exponent: float) -> tuple[Floats, float]:
    """The largest coefficient brought to [1/2, 1), and the power of two that it was."""
    power = int(np.frexp(product.max())[1])
    return np.ldexp(product, -power), exponent + power
