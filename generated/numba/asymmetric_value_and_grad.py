# Emitted by lossproof from the derived formula, target numba. Rests on the claims
# asymmetric.value_and_grad, asymmetric.value, 9064-58, asymmetric.gradient.

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


@njit(**FUSED)
def log1p_float32(x):
    """log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away."""
    one = float32(1)
    u = one + x
    part = u - one
    c = (one - (u - part)) + (x - part)
    bits = uint32(np.float32(u).view(np.uint32) + uint32(0x4afb0d))
    raised = uint32(bits >> uint32(23))  # k + 127
    f_bits = uint32((bits & uint32(0x7fffff)) + uint32(0x3f3504f3))
    f = np.uint32(f_bits).view(np.float32)
    down = uint32(uint32(uint32(255) - raised) << uint32(23))
    lost = c * (float32(0.5) * np.uint32(down).view(np.float32))
    g = (f - one) + lost
    low = ((f - one) - g) + lost
    whole = uint32(raised | uint32(0x4b000000))
    k = np.uint32(whole).view(np.float32) - float32(8388735.0)
    s = g / (float32(2) + g)
    z = s * s
    half = float32(0.5) * g * g
    q = float32(0.233316144718)
    q = q * z + float32(0.285507786332)
    q = q * z + float32(0.400001222118)
    q = q * z + float32(0.66666666554)
    rest = k * float32(-2.12194440054690583e-4) + (s * (z * q + half) + low)
    result = k * float32(0.693359375) + (g - (half - rest))
    least = float32(np.nan) if x < -one else float32(-np.inf)
    inside = result if x < float32(np.inf) else x
    return inside if x > -one else (least if x <= -one else x)


@njit(**EXACT)
def pass_1_float32(begin, s, y, gamma_positive, margin, gamma_negative, term_21, gradient):
    sum_1 = 0.0
    sum_2 = 0.0
    for j in range(s.size):
        exp_1 = exp_float32(-np.abs(s[j]))
        term_4 = float32(1) + exp_1
        ratio_1 = (float32(1) if s[j] <= float32(0) else exp_1) / term_4
        term_5 = float32((ratio_1) ** (gamma_positive))
        term_8 = larger(-s[j], float32(0)) + log1p_float32(exp_1)
        term_10 = y[j] * (term_5 * term_8) if y[j] != float32(0) else float32(0)
        ratio_2 = (float32(1) if s[j] >= float32(0) else exp_1) / term_4
        term_13 = np.abs(margin - ratio_2)
        term_15 = float32(1) - y[j]
        term_16 = margin + ratio_1
        log_2 = np.log(term_16)
        term_17 = ratio_2 - margin
        term_18 = float32(1) if term_17 > float32(0) else float32(0)
        term_19 = float32((term_13) ** (gamma_negative)) * log_2 * term_18
        term_20 = term_15 * term_19 if term_15 != float32(0) else float32(0)
        term_25 = float32((term_13) ** (term_21)) * term_17 * (term_17 / term_16 - gamma_negative * log_2) * ratio_1 * ratio_2 * term_18
        term_26 = term_15 * term_25 if term_15 != float32(0) else float32(0)
        term_30 = term_5 * (gamma_positive * (ratio_2 * term_8) + ratio_1)
        term_31 = y[j] * term_30 if y[j] != float32(0) else float32(0)
        term_32 = term_26 - term_31
        sum_1 = add_any_order(sum_1, float64(term_10))
        sum_2 = add_any_order(sum_2, float64(term_20))
        gradient[j] = term_32
    return sum_1, sum_2


def row_float32(n, s, y, gamma_positive, gamma_negative, margin, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    term_21 = gamma_negative - 2.0
    if pieces == 1:
        sum_1, sum_2 = pass_1_float32(
            0, s, y, float32(gamma_positive), float32(margin), float32(gamma_negative),
            float32(term_21), gradient,
        )
    else:
        parts_1 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0], parts_1[k, 1] = pass_1_float32(
                begin, s[begin:end], y[begin:end], float32(gamma_positive), float32(margin),
                float32(gamma_negative), float32(term_21), gradient[begin:end],
            )
        sum_1 = 0.0
        sum_2 = 0.0
        sum_1_low = 0.0
        sum_2_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_1[k, 0])
            sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, parts_1[k, 1])
        sum_1 += sum_1_low
        sum_2 += sum_2_low
    value[0] = sum_1 - sum_2


whole_float32 = njit(**EXACT)(row_float32)
cut_float32 = njit(parallel=True, **EXACT)(row_float32)


@njit(parallel=True, **EXACT)
def all_float32(s, y, gamma_positive, gamma_negative, margin, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float32(n, s[row], y[row], gamma_positive, gamma_negative, margin, value[row : row + 1], gradient[row])


def run_float32(s, y, gamma_positive, gamma_negative, margin, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float32(s, y, gamma_positive, gamma_negative, margin, value, gradient)
        return
    one = whole_float32 if n <= PIECE else cut_float32
    for row in range(rows):
        one(n, s[row], y[row], gamma_positive, gamma_negative, margin, value[row : row + 1], gradient[row])


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


@njit(**FUSED)
def log1p_float64(x):
    """log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away."""
    one = float64(1)
    u = one + x
    part = u - one
    c = (one - (u - part)) + (x - part)
    bits = uint64(np.float64(u).view(np.uint64) + uint64(0x95f619980c433))
    raised = uint64(bits >> uint64(52))  # k + 1023
    f_bits = uint64((bits & uint64(0xfffffffffffff)) + uint64(0x3fe6a09e667f3bcd))
    f = np.uint64(f_bits).view(np.float64)
    down = uint64(uint64(uint64(2047) - raised) << uint64(52))
    lost = c * (float64(0.5) * np.uint64(down).view(np.float64))
    g = (f - one) + lost
    low = ((f - one) - g) + lost
    whole = uint64(raised | uint64(0x4330000000000000))
    k = np.uint64(whole).view(np.float64) - float64(4503599627371519.0)
    s = g / (float64(2) + g)
    z = s * s
    half = float64(0.5) * g * g
    q = float64(0.14617807153417324964)
    q = q * z + float64(0.15331611722055007885)
    q = q * z + float64(0.18182892432536871201)
    q = q * z + float64(0.22222211089379496214)
    q = q * z + float64(0.28571428626253837606)
    q = q * z + float64(0.39999999999898890514)
    q = q * z + float64(0.66666666666666697077)
    rest = k * float64(1.90821492927058770002e-10) + (s * (z * q + half) + low)
    result = k * float64(0.693147180369123816490) + (g - (half - rest))
    least = float64(np.nan) if x < -one else float64(-np.inf)
    inside = result if x < float64(np.inf) else x
    return inside if x > -one else (least if x <= -one else x)


@njit(**EXACT)
def block_1_float64(begin, s, y, gamma_positive, margin, gamma_negative, term_21, gradient):
    sum_1 = 0.0
    sum_2 = 0.0
    for j in range(s.size):
        exp_1 = exp_float64(-np.abs(s[j]))
        term_4 = float64(1) + exp_1
        ratio_1 = (float64(1) if s[j] <= float64(0) else exp_1) / term_4
        term_5 = float64((ratio_1) ** (gamma_positive))
        term_8 = larger(-s[j], float64(0)) + log1p_float64(exp_1)
        term_10 = y[j] * (term_5 * term_8) if y[j] != float64(0) else float64(0)
        ratio_2 = (float64(1) if s[j] >= float64(0) else exp_1) / term_4
        term_13 = np.abs(margin - ratio_2)
        term_15 = float64(1) - y[j]
        term_16 = margin + ratio_1
        log_2 = np.log(term_16)
        term_17 = ratio_2 - margin
        term_18 = float64(1) if term_17 > float64(0) else float64(0)
        term_19 = float64((term_13) ** (gamma_negative)) * log_2 * term_18
        term_20 = term_15 * term_19 if term_15 != float64(0) else float64(0)
        term_25 = float64((term_13) ** (term_21)) * term_17 * (term_17 / term_16 - gamma_negative * log_2) * ratio_1 * ratio_2 * term_18
        term_26 = term_15 * term_25 if term_15 != float64(0) else float64(0)
        term_30 = term_5 * (gamma_positive * (ratio_2 * term_8) + ratio_1)
        term_31 = y[j] * term_30 if y[j] != float64(0) else float64(0)
        term_32 = term_26 - term_31
        sum_1 = add_any_order(sum_1, float64(term_10))
        sum_2 = add_any_order(sum_2, float64(term_20))
        gradient[j] = term_32
    return sum_1, sum_2


@njit(**EXACT)
def pass_1_float64(begin, s, y, gamma_positive, margin, gamma_negative, term_21, gradient):
    sum_1 = 0.0
    sum_2 = 0.0
    sum_1_low = 0.0
    sum_2_low = 0.0
    for first in range(0, s.size, BLOCK):
        last = min(first + BLOCK, s.size)
        sum_1_part, sum_2_part = block_1_float64(
            begin + first, s[first:last], y[first:last], gamma_positive, margin, gamma_negative,
            term_21, gradient[first:last],
        )
        sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, sum_1_part)
        sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, sum_2_part)
    return sum_1 + sum_1_low, sum_2 + sum_2_low


def row_float64(n, s, y, gamma_positive, gamma_negative, margin, value, gradient):
    pieces = pieces_of(n)
    length = (n + pieces - 1) // pieces
    term_21 = gamma_negative - 2.0
    if pieces == 1:
        sum_1, sum_2 = pass_1_float64(
            0, s, y, float64(gamma_positive), float64(margin), float64(gamma_negative),
            float64(term_21), gradient,
        )
    else:
        parts_1 = np.empty((pieces, 2))
        for k in prange(pieces):
            begin, end = k * length, min(n, (k + 1) * length)
            parts_1[k, 0], parts_1[k, 1] = pass_1_float64(
                begin, s[begin:end], y[begin:end], float64(gamma_positive), float64(margin),
                float64(gamma_negative), float64(term_21), gradient[begin:end],
            )
        sum_1 = 0.0
        sum_2 = 0.0
        sum_1_low = 0.0
        sum_2_low = 0.0
        for k in range(pieces):
            sum_1, sum_1_low = add_exactly(sum_1, sum_1_low, parts_1[k, 0])
            sum_2, sum_2_low = add_exactly(sum_2, sum_2_low, parts_1[k, 1])
        sum_1 += sum_1_low
        sum_2 += sum_2_low
    value[0] = sum_1 - sum_2


whole_float64 = njit(**EXACT)(row_float64)
cut_float64 = njit(parallel=True, **EXACT)(row_float64)


@njit(parallel=True, **EXACT)
def all_float64(s, y, gamma_positive, gamma_negative, margin, value, gradient):
    n = s.shape[1]
    for row in prange(s.shape[0]):
        whole_float64(n, s[row], y[row], gamma_positive, gamma_negative, margin, value[row : row + 1], gradient[row])


def run_float64(s, y, gamma_positive, gamma_negative, margin, value, gradient):
    rows, n = s.shape
    if rows * n >= SMALL and (n <= PIECE or rows >= MANY_ROWS):
        all_float64(s, y, gamma_positive, gamma_negative, margin, value, gradient)
        return
    one = whole_float64 if n <= PIECE else cut_float64
    for row in range(rows):
        one(n, s[row], y[row], gamma_positive, gamma_negative, margin, value[row : row + 1], gradient[row])


def asymmetric_value_and_grad(s, y, gamma_positive=0.0, gamma_negative=4.0, margin=0.05):
    """Value and gradient of asymmetric, row by row.

        value = sum_k (-(1 - y_k) log(margin + 1/(e^(s_k) + 1)) (Abs(margin - 1/(1 +
            e^(-s_k))))^gamma_negative [-margin + 1/(1 + e^(-s_k)) > 0] + log(1 + e^(-s_k))
            y_k/(e^(s_k) + 1)^gamma_positive)
        gradient_i = -(gamma_positive log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1))
            y_i/(e^(s_i) + 1)^gamma_positive + (1 - y_i) (-margin + 1/(1 + e^(-s_i)))
            (-gamma_negative log(margin + 1/(e^(s_i) + 1)) + (-margin + 1/(1 +
            e^(-s_i)))/(margin + 1/(e^(s_i) + 1))) (Abs(margin - 1/(1 +
            e^(-s_i))))^(gamma_negative - 2) [-margin + 1/(1 + e^(-s_i)) > 0]/((1 + e^(-s_i))
            (e^(s_i) + 1))

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
    run(*flat, float(dtype.type(gamma_positive)), float(dtype.type(gamma_negative)), float(dtype.type(margin)), value, gradient)
    return value.reshape(shape[:-1]), gradient.reshape(shape)
