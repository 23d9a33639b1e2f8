# Emitted by lossproof from the derived formula, target numba. Rests on the claims
# max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.

import numpy as np
from numba import float32, float64, int32, int64, njit, prange, uint32, uint64
from numba.extending import intrinsic

PIECE, MOST_PIECES, BLOCK, SMALL, MANY_ROWS = 16384, 128, 64, 32768, 64
# What is written is what is rounded, but for the fused products of the exponential.
EXACT = {"nogil": True, "error_model": "numpy"}
FUSED = {**EXACT, "fastmath": {"contract"}}


@intrinsic
def add_any_order(typing, a, b):
    """a + b, which LLVM may reorder within a loop: so it runs in vectors."""
    return a(a, a), lambda context, builder, signature, args: builder.fadd(*args, flags=["reassoc"])


@njit(**EXACT)
def larger(a, b):
    return b if a < b else a


@njit(**EXACT)
def pieces_of(n):
    """In how many pieces a row is cut: by its length alone."""
    return 1 if n <= PIECE else min(MOST_PIECES, (n + PIECE - 1) // PIECE)


@njit(**EXACT)
def add_exactly(total, low, term):
    """total + term, and low with what this addition rounds away."""
    added = total + term
    part = added - total
    error = (total - (added - part)) + (term - part)
    return added, low + (error if np.isfinite(added) else 0.0)


@njit(**EXACT)
def pass_1_float32(begin, s, y):
    sum_1 = 0.0
    for j in range(s.size):
        term_2 = y[j] * s[j] if y[j] != float32(0) else float32(0)
        sum_1 = add_any_order(sum_1, float64(term_2))
    return sum_1


@njit(**EXACT)
def pass_2_float32(begin, s, y, m, sum_1):
    peak_1 = float32(-np.inf)
    for j in range(s.size):
        term_1 = float32(1) - y[j]
        term_3 = term_1 * (m + s[j] - sum_1) if term_1 != float32(0) else float32(0)
        peak_1 = larger(peak_1, term_3)
    return peak_1


@njit(**EXACT)
def pass_3_float32(begin, s, y, m, sum_1, peak_1):
    top_1 = int64(2**62)
    for j in range(s.size):
        term_1 = float32(1) - y[j]
        term_3 = term_1 * (m + s[j] - sum_1) if term_1 != float32(0) else float32(0)
        top_1 = top_1 if term_3 < peak_1 else min(top_1, begin + j)
    return top_1


@njit(**EXACT)
def pass_4_float32(begin, y, top_1):
    sum_3 = 0.0
    for j in range(y.size):
        term_1 = float32(1) - y[j]
        term_4 = float32(1) if (begin + j) == top_1 else float32(0)
        term_5 = term_1 * term_4 if term_1 != float32(0) else float32(0)
        sum_3 = add_any_order(sum_3, float64(term_5))
    return sum_3


@njit(**EXACT)
def pass_5_float32(begin, y, top_1, sum_3, gradient):
    for j in range(y.size):
        term_1 = float32(1) - y[j]
        term_4 = float32(1) if (begin + j) == top_1 else float32(0)
        term_5 = term_1 * term_4 if term_1 != float32(0) else float32(0)
        term_7 = term_5 - sum_3 * y[j]
        gradient[j] = term_7


def row_float32(n, s, y, m, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    if pieces == 1:
        sum_1 = pass_1_float32(0, s, y)
    else:
        parts_1 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0] = pass_1_float32(begin, s[begin:end], y[begin:end])
        sum_1 = 0.0
        sum_1_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_1[k, 0])
        sum_1 += sum_1_low
    if pieces == 1:
        peak_1 = pass_2_float32(0, s, y, float32(m), float32(sum_1))
    else:
        parts_2 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_2[k, 0] = pass_2_float32(
                begin, s[begin:end], y[begin:end], float32(m), float32(sum_1),
            )
        peak_1 = float32(-np.inf)
        for k in range(pieces):
            peak_1 = larger(peak_1, float32(parts_2[k, 0]))
    if pieces == 1:
        top_1 = pass_3_float32(0, s, y, float32(m), float32(sum_1), float32(peak_1))
    else:
        parts_3 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_3[k, 0] = pass_3_float32(
                begin, s[begin:end], y[begin:end], float32(m), float32(sum_1), float32(peak_1),
            )
        top_1 = int64(2**62)
        for k in range(pieces):
            top_1 = min(top_1, int64(parts_3[k, 0]))
    if pieces == 1:
        sum_3 = pass_4_float32(0, y, top_1)
    else:
        parts_4 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_4[k, 0] = pass_4_float32(begin, y[begin:end], top_1)
        sum_3 = 0.0
        sum_3_low = 0.0
        for k in range(pieces):
            sum_3, sum_3_low = add_exactly(sum_3, sum_3_low, parts_4[k, 0])
        sum_3 += sum_3_low
    if pieces == 1:
        pass_5_float32(0, y, top_1, float32(sum_3), gradient)
    else:
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            pass_5_float32(begin, y[begin:end], top_1, float32(sum_3), gradient[begin:end])
    value[0] = peak_1


whole_float32 = njit(**EXACT)(row_float32)
cut_float32 = njit(parallel=True, **EXACT)(row_float32)


@njit(parallel=True, **EXACT)
def all_float32(s, y, m, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float32(n, s[row], y[row], m, value[row : row + 1], gradient[row])


def run_float32(s, y, m, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float32(s, y, m, value, gradient)
        return
    one = whole_float32 if n <= PIECE else cut_float32
    for row in range(rows):
        one(n, s[row], y[row], m, value[row : row + 1], gradient[row])


@njit(**EXACT)
def block_1_float64(begin, s, y):
    sum_1 = 0.0
    for j in range(s.size):
        term_2 = y[j] * s[j] if y[j] != float64(0) else float64(0)
        sum_1 = add_any_order(sum_1, float64(term_2))
    return sum_1


@njit(**EXACT)
def pass_1_float64(begin, s, y):
    sum_1 = 0.0
    sum_1_low = 0.0
    for first in range(0, s.size, BLOCK):
        last = min(first + BLOCK, s.size)
        sum_1_part = block_1_float64(begin + first, s[first:last], y[first:last])
        sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, sum_1_part)
    return sum_1 + sum_1_low


@njit(**EXACT)
def pass_2_float64(begin, s, y, m, sum_1):
    peak_1 = float64(-np.inf)
    for j in range(s.size):
        term_1 = float64(1) - y[j]
        term_3 = term_1 * (m + s[j] - sum_1) if term_1 != float64(0) else float64(0)
        peak_1 = larger(peak_1, term_3)
    return peak_1


@njit(**EXACT)
def pass_3_float64(begin, s, y, m, sum_1, peak_1):
    top_1 = int64(2**62)
    for j in range(s.size):
        term_1 = float64(1) - y[j]
        term_3 = term_1 * (m + s[j] - sum_1) if term_1 != float64(0) else float64(0)
        top_1 = top_1 if term_3 < peak_1 else min(top_1, begin + j)
    return top_1


@njit(**EXACT)
def block_4_float64(begin, y, top_1):
    sum_3 = 0.0
    for j in range(y.size):
        term_1 = float64(1) - y[j]
        term_4 = float64(1) if (begin + j) == top_1 else float64(0)
        term_5 = term_1 * term_4 if term_1 != float64(0) else float64(0)
        sum_3 = add_any_order(sum_3, float64(term_5))
    return sum_3


@njit(**EXACT)
def pass_4_float64(begin, y, top_1):
    sum_3 = 0.0
    sum_3_low = 0.0
    for first in range(0, y.size, BLOCK):
        last = min(first + BLOCK, y.size)
        sum_3_part = block_4_float64(begin + first, y[first:last], top_1)
        sum_3, sum_3_low = add_exactly(sum_3, sum_3_low, sum_3_part)
    return sum_3 + sum_3_low


@njit(**EXACT)
def pass_5_float64(begin, y, top_1, sum_3, gradient):
    for j in range(y.size):
        term_1 = float64(1) - y[j]
        term_4 = float64(1) if (begin + j) == top_1 else float64(0)
        term_5 = term_1 * term_4 if term_1 != float64(0) else float64(0)
        term_7 = term_5 - sum_3 * y[j]
        gradient[j] = term_7


def row_float64(n, s, y, m, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    if pieces == 1:
        sum_1 = pass_1_float64(0, s, y)
    else:
        parts_1 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0] = pass_1_float64(begin, s[begin:end], y[begin:end])
        sum_1 = 0.0
        sum_1_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_1[k, 0])
        sum_1 += sum_1_low
    if pieces == 1:
        peak_1 = pass_2_float64(0, s, y, float64(m), float64(sum_1))
    else:
        parts_2 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_2[k, 0] = pass_2_float64(
                begin, s[begin:end], y[begin:end], float64(m), float64(sum_1),
            )
        peak_1 = float64(-np.inf)
        for k in range(pieces):
            peak_1 = larger(peak_1, float64(parts_2[k, 0]))
    if pieces == 1:
        top_1 = pass_3_float64(0, s, y, float64(m), float64(sum_1), float64(peak_1))
    else:
        parts_3 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_3[k, 0] = pass_3_float64(
                begin, s[begin:end], y[begin:end], float64(m), float64(sum_1), float64(peak_1),
            )
        top_1 = int64(2**62)
        for k in range(pieces):
            top_1 = min(top_1, int64(parts_3[k, 0]))
    if pieces == 1:
        sum_3 = pass_4_float64(0, y, top_1)
    else:
        parts_4 = np.empty((pieces, 1))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_4[k, 0] = pass_4_float64(begin, y[begin:end], top_1)
        sum_3 = 0.0
        sum_3_low = 0.0
        for k in range(pieces):
            sum_3, sum_3_low = add_exactly(sum_3, sum_3_low, parts_4[k, 0])
        sum_3 += sum_3_low
    if pieces == 1:
        pass_5_float64(0, y, top_1, float64(sum_3), gradient)
    else:
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            pass_5_float64(begin, y[begin:end], top_1, float64(sum_3), gradient[begin:end])
    value[0] = peak_1


whole_float64 = njit(**EXACT)(row_float64)
cut_float64 = njit(parallel=True, **EXACT)(row_float64)


@njit(parallel=True, **EXACT)
def all_float64(s, y, m, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float64(n, s[row], y[row], m, value[row : row + 1], gradient[row])


def run_float64(s, y, m, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float64(s, y, m, value, gradient)
        return
    one = whole_float64 if n <= PIECE else cut_float64
    for row in range(rows):
        one(n, s[row], y[row], m, value[row : row + 1], gradient[row])


def max_hinge_value_and_grad(s, y, m=0.0):
    """Value and gradient of max_hinge, row by row.

        value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
        gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
            sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])

    Shapes: arrays (*batch, n) of one dtype, float32 or float64. Compiled at the first call;
    results do not depend on the number of threads.
    """
    arrays = [np.ascontiguousarray(array) for array in (s, y,)]
    dtype, shape = arrays[0].dtype, arrays[0].shape
    dtypes, shapes = [array.dtype for array in arrays], [array.shape for array in arrays]
    if dtype not in (np.float32, np.float64) or any(other != dtype for other in dtypes):
        raise TypeError(f"expected arrays of float32, or of float64, got {dtypes}")
    if not shape or any(other != shape for other in shapes):
        raise ValueError(f"expected arrays of one shape (*batch, n), got {shapes}")
    n = shape[-1]
    rows = int(np.prod(shape[:-1], dtype=np.int64))
    flat = [array.reshape(rows, n) for array in arrays]
    value = np.empty((rows), dtype)
    gradient = np.empty((rows, n), dtype)
    run = run_float32 if dtype == np.float32 else run_float64
    run(*flat, float(dtype.type(m)), value, gradient)
    return value.reshape(shape[:-1]), gradient.reshape(shape)
