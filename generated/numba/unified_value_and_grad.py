# Emitted by lossproof from the derived formula, target numba. Rests on the claims
# unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.

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


@njit(**FUSED)
def exp_float32(exponent):
    """e^x without a branch: x = k log 2 + r, e^r by a polynomial, 2^k by its bits."""
    vanishes = exponent < float32(-104.0)
    above = float32(0) if vanishes else exponent
    x = float32(89.0) if above > float32(89.0) else above
    # Rounds to whole numbers, which the last bits hold.
    shifted = x * float32(1.44269504088896341) + float32(12582912.0)
    k = shifted - float32(12582912.0)
    near = k * float32(-0.693359375) + x
    r = k * float32(2.12194440054690583e-4) + near
    q = float32(1.3926213466332443e-3)
    q = q * r + float32(8.3632029715758550e-3)
    q = q * r + float32(0.041666554437685939)
    q = q * r + float32(0.16666576845993976)
    q = q * r + float32(0.5)
    power = (r * r) * q + r + float32(1)
    bits, origin = np.float32(shifted).view(np.int32), np.float32(12582912.0).view(np.int32)
    whole = int32(bits - origin)
    half = int32(whole >> 1)
    first = np.int32(int32(half + 127) << 23).view(np.float32)
    second = np.int32(int32(whole - half + 127) << 23).view(np.float32)
    result = power * first * second
    return float32(0) if vanishes else result


@njit(**EXACT)
def pass_1_float32(begin, s, y, gamma):
    peak_1 = float32(-np.inf)
    peak_2 = float32(-np.inf)
    for j in range(s.size):
        term_2 = float32(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float32(0) else -float32(np.inf)
        open_2 = -term_3 if y[j] != float32(0) else -float32(np.inf)
        peak_1 = larger(peak_1, open_1)
        peak_2 = larger(peak_2, open_2)
    return peak_1, peak_2


@njit(**EXACT)
def pass_2_float32(begin, s, y, gamma, term_7, term_10):
    sum_1 = 0.0
    sum_2 = 0.0
    for j in range(s.size):
        term_2 = float32(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float32(0) else -float32(np.inf)
        open_2 = -term_3 if y[j] != float32(0) else -float32(np.inf)
        term_9 = term_2 * exp_float32(open_1 - term_7)
        term_12 = y[j] * exp_float32(open_2 - term_10)
        sum_1 = add_any_order(sum_1, float64(term_9))
        sum_2 = add_any_order(sum_2, float64(term_12))
    return sum_1, sum_2


@njit(**EXACT)
def pass_3_float32(begin, s, y, gamma, term_7, term_10, term_27, term_29, gradient):
    for j in range(s.size):
        term_2 = float32(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float32(0) else -float32(np.inf)
        open_2 = -term_3 if y[j] != float32(0) else -float32(np.inf)
        term_9 = term_2 * exp_float32(open_1 - term_7)
        term_12 = y[j] * exp_float32(open_2 - term_10)
        term_32 = gamma * (term_27 * term_9 - term_29 * term_12)
        gradient[j] = term_32


def row_float32(n, s, y, gamma, m, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    term_1 = m * gamma
    if pieces == 1:
        peak_1, peak_2 = pass_1_float32(0, s, y, float32(gamma))
    else:
        parts_1 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0], parts_1[k, 1] = pass_1_float32(
                begin, s[begin:end], y[begin:end], float32(gamma),
            )
        peak_1 = float32(-np.inf)
        peak_2 = float32(-np.inf)
        for k in range(pieces):
            peak_1 = larger(peak_1, float32(parts_1[k, 0]))
            peak_2 = larger(peak_2, float32(parts_1[k, 1]))
    term_6 = larger(term_1 + peak_1 + peak_2 - 60.0, 0.0)
    term_7 = float64(float32(peak_1 if np.isfinite(peak_1) else 0.0))
    term_10 = float64(float32(peak_2 if np.isfinite(peak_2) else 0.0))
    exp_3 = np.exp((term_1 + peak_1 + peak_2) - term_6)
    term_16 = -term_6
    if pieces == 1:
        sum_1, sum_2 = pass_2_float32(0, s, y, float32(gamma), float32(term_7), float32(term_10))
    else:
        parts_2 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_2[k, 0], parts_2[k, 1] = pass_2_float32(
                begin, s[begin:end], y[begin:end], float32(gamma), float32(term_7),
                float32(term_10),
            )
        sum_1 = 0.0
        sum_2 = 0.0
        sum_1_low = 0.0
        sum_2_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_2[k, 0])
            sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, parts_2[k, 1])
        sum_1 += sum_1_low
        sum_2 += sum_2_low
    term_17 = sum_1 * sum_2 * exp_3 + np.exp(term_16)
    term_20 = larger(-larger(np.log(term_17), term_16), 0.0)
    term_21 = term_6 - term_20
    term_25 = sum_1 * sum_2 * exp_3 * np.exp(term_20) + np.expm1(-term_21)
    ratio_1 = exp_3 / term_17
    term_27 = sum_2 * ratio_1
    term_29 = sum_1 * ratio_1
    if pieces == 1:
        pass_3_float32(
            0, s, y, float32(gamma), float32(term_7), float32(term_10), float32(term_27),
            float32(term_29), gradient,
        )
    else:
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            pass_3_float32(
                begin, s[begin:end], y[begin:end], float32(gamma), float32(term_7),
                float32(term_10), float32(term_27), float32(term_29), gradient[begin:end],
            )
    value[0] = term_21 + np.log1p(term_25)


whole_float32 = njit(**EXACT)(row_float32)
cut_float32 = njit(parallel=True, **EXACT)(row_float32)


@njit(parallel=True, **EXACT)
def all_float32(s, y, gamma, m, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float32(n, s[row], y[row], gamma, m, value[row : row + 1], gradient[row])


def run_float32(s, y, gamma, m, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float32(s, y, gamma, m, value, gradient)
        return
    one = whole_float32 if n <= PIECE else cut_float32
    for row in range(rows):
        one(n, s[row], y[row], gamma, m, value[row : row + 1], gradient[row])


@njit(**FUSED)
def exp_float64(exponent):
    """e^x without a branch: x = k log 2 + r, e^r by a polynomial, 2^k by its bits."""
    vanishes = exponent < float64(-746.0)
    above = float64(0) if vanishes else exponent
    x = float64(710.0) if above > float64(710.0) else above
    # Rounds to whole numbers, which the last bits hold.
    shifted = x * float64(1.44269504088896341) + float64(6755399441055744.0)
    k = shifted - float64(6755399441055744.0)
    near = k * float64(-0.693147180369123816490) + x
    r = k * float64(-1.90821492927058770002e-10) + near
    q = float64(2.5100424157005066788e-8)
    q = q * r + float64(2.7620138719973995569e-7)
    q = q * r + float64(2.7557268378684192873e-6)
    q = q * r + float64(2.4801521190217727651e-5)
    q = q * r + float64(1.9841269863105968749e-4)
    q = q * r + float64(1.3888888917281793308e-3)
    q = q * r + float64(8.3333333333300513464e-3)
    q = q * r + float64(0.041666666666623991516)
    q = q * r + float64(0.16666666666666667456)
    q = q * r + float64(0.50000000000000010262)
    power = (r * r) * q + r + float64(1)
    bits, origin = np.float64(shifted).view(np.int64), np.float64(6755399441055744.0).view(np.int64)
    whole = int64(bits - origin)
    half = int64(whole >> 1)
    first = np.int64(int64(half + 1023) << 52).view(np.float64)
    second = np.int64(int64(whole - half + 1023) << 52).view(np.float64)
    result = power * first * second
    return float64(0) if vanishes else result


@njit(**EXACT)
def pass_1_float64(begin, s, y, gamma):
    peak_1 = float64(-np.inf)
    peak_2 = float64(-np.inf)
    for j in range(s.size):
        term_2 = float64(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float64(0) else -float64(np.inf)
        open_2 = -term_3 if y[j] != float64(0) else -float64(np.inf)
        peak_1 = larger(peak_1, open_1)
        peak_2 = larger(peak_2, open_2)
    return peak_1, peak_2


@njit(**EXACT)
def block_2_float64(begin, s, y, gamma, term_7, term_10):
    sum_1 = 0.0
    sum_2 = 0.0
    for j in range(s.size):
        term_2 = float64(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float64(0) else -float64(np.inf)
        open_2 = -term_3 if y[j] != float64(0) else -float64(np.inf)
        term_9 = term_2 * exp_float64(open_1 - term_7)
        term_12 = y[j] * exp_float64(open_2 - term_10)
        sum_1 = add_any_order(sum_1, float64(term_9))
        sum_2 = add_any_order(sum_2, float64(term_12))
    return sum_1, sum_2


@njit(**EXACT)
def pass_2_float64(begin, s, y, gamma, term_7, term_10):
    sum_1 = 0.0
    sum_2 = 0.0
    sum_1_low = 0.0
    sum_2_low = 0.0
    for first in range(0, s.size, BLOCK):
        last = min(first + BLOCK, s.size)
        sum_1_part, sum_2_part = block_2_float64(
            begin + first, s[first:last], y[first:last], gamma, term_7, term_10,
        )
        sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, sum_1_part)
        sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, sum_2_part)
    return sum_1 + sum_1_low, sum_2 + sum_2_low


@njit(**EXACT)
def pass_3_float64(begin, s, y, gamma, term_7, term_10, term_27, term_29, gradient):
    for j in range(s.size):
        term_2 = float64(1) - y[j]
        term_3 = gamma * s[j]
        open_1 = term_3 if term_2 != float64(0) else -float64(np.inf)
        open_2 = -term_3 if y[j] != float64(0) else -float64(np.inf)
        term_9 = term_2 * exp_float64(open_1 - term_7)
        term_12 = y[j] * exp_float64(open_2 - term_10)
        term_32 = gamma * (term_27 * term_9 - term_29 * term_12)
        gradient[j] = term_32


def row_float64(n, s, y, gamma, m, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    term_1 = m * gamma
    if pieces == 1:
        peak_1, peak_2 = pass_1_float64(0, s, y, float64(gamma))
    else:
        parts_1 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0], parts_1[k, 1] = pass_1_float64(
                begin, s[begin:end], y[begin:end], float64(gamma),
            )
        peak_1 = float64(-np.inf)
        peak_2 = float64(-np.inf)
        for k in range(pieces):
            peak_1 = larger(peak_1, float64(parts_1[k, 0]))
            peak_2 = larger(peak_2, float64(parts_1[k, 1]))
    term_6 = larger(term_1 + peak_1 + peak_2 - 60.0, 0.0)
    term_7 = peak_1 if np.isfinite(peak_1) else 0.0
    term_10 = peak_2 if np.isfinite(peak_2) else 0.0
    exp_3 = np.exp((term_1 + peak_1 + peak_2) - term_6)
    term_16 = -term_6
    if pieces == 1:
        sum_1, sum_2 = pass_2_float64(0, s, y, float64(gamma), float64(term_7), float64(term_10))
    else:
        parts_2 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_2[k, 0], parts_2[k, 1] = pass_2_float64(
                begin, s[begin:end], y[begin:end], float64(gamma), float64(term_7),
                float64(term_10),
            )
        sum_1 = 0.0
        sum_2 = 0.0
        sum_1_low = 0.0
        sum_2_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_2[k, 0])
            sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, parts_2[k, 1])
        sum_1 += sum_1_low
        sum_2 += sum_2_low
    term_17 = sum_1 * sum_2 * exp_3 + np.exp(term_16)
    term_20 = larger(-larger(np.log(term_17), term_16), 0.0)
    term_21 = term_6 - term_20
    term_25 = sum_1 * sum_2 * exp_3 * np.exp(term_20) + np.expm1(-term_21)
    ratio_1 = exp_3 / term_17
    term_27 = sum_2 * ratio_1
    term_29 = sum_1 * ratio_1
    if pieces == 1:
        pass_3_float64(
            0, s, y, float64(gamma), float64(term_7), float64(term_10), float64(term_27),
            float64(term_29), gradient,
        )
    else:
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            pass_3_float64(
                begin, s[begin:end], y[begin:end], float64(gamma), float64(term_7),
                float64(term_10), float64(term_27), float64(term_29), gradient[begin:end],
            )
    value[0] = term_21 + np.log1p(term_25)


whole_float64 = njit(**EXACT)(row_float64)
cut_float64 = njit(parallel=True, **EXACT)(row_float64)


@njit(parallel=True, **EXACT)
def all_float64(s, y, gamma, m, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float64(n, s[row], y[row], gamma, m, value[row : row + 1], gradient[row])


def run_float64(s, y, gamma, m, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float64(s, y, gamma, m, value, gradient)
        return
    one = whole_float64 if n <= PIECE else cut_float64
    for row in range(rows):
        one(n, s[row], y[row], gamma, m, value[row : row + 1], gradient[row])


def unified_value_and_grad(s, y, gamma=1.0, m=0.0):
    """Value and gradient of unified, row by row.

        value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
        gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
            y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
            e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
            ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))

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
    run(*flat, float(dtype.type(gamma)), float(dtype.type(m)), value, gradient)
    return value.reshape(shape[:-1]), gradient.reshape(shape)
