# Emitted by lossproof from the derived formula, target numba. Rests on the claims
# grid_mirrored.value_and_grad, grid_mirrored.value, grid_mirrored.gradient.

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
def sum_of_others(x, others):
    """others_j = sum_{k != j} x_k, from both ends."""
    total, low = 0.0, 0.0
    for j in range(x.size):
        others[j] = total + low
        total, low = add_exactly(total, low, x[j])
    total, low = 0.0, 0.0
    for j in range(x.size - 1, -1, -1):
        others[j] += total + low
        total, low = add_exactly(total, low, x[j])


@njit(**EXACT)
def one_row(n, m, s, t, value, gradient):
    peak_1 = np.empty(n)
    for i in range(n):
        best = -np.inf
        for j in range(m):
            following = float64(s[i * m + j])
            best = larger(best, following)
        peak_1[i] = best
    exp_1 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            exp_1[i * m + j] = exp_float64(float64(s[i * m + j]) - peak_1[i])
    others_1 = np.empty(n * m)
    for i in range(n):
        first = (i) * m
        sum_of_others(exp_1[first : first + m], others_1[first : first + m])
    term_1 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            term_1[i * m + j] = (
                float64(t[i * m + j]) * others_1[i * m + j] if float64(t[i * m + j]) !=
                float64(0) else float64(0)
            )
    open_1 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            open_1[i * m + j] = (
                peak_1[i] - float64(s[i * m + j]) if term_1[i * m + j] != float64(0) else
                -float64(np.inf)
            )
    peak_2 = np.empty(m)
    for j in range(m):
        best = -np.inf
        for i in range(n):
            following = open_1[i * m + j]
            best = larger(best, following)
        peak_2[j] = best
    sum_1 = np.empty(m)
    for j in range(m):
        total, low = 0.0, 0.0
        for block in range(0, n, BLOCK):
            part = 0.0
            for i in range(block, min(n, block + BLOCK)):
                part = (
                    add_any_order(part, term_1[i * m + j] * exp_float64(open_1[i * m + j] -
                    larger(peak_2[j] - float64(60), float64(0))))
                )
            total, low = add_exactly(total, low, part)
        sum_1[j] = total + low
    term_2 = np.empty(m)
    for j in range(m):
        term_2[j] = sum_1[j] + exp_float64(-larger(peak_2[j] - float64(60), float64(0)))
    term_3 = np.empty(m)
    for j in range(m):
        term_3[j] = (
            larger(-larger(np.log(term_2[j]), -larger(peak_2[j] - float64(60), float64(0))),
            float64(0))
        )
    term_4 = np.empty(m)
    for j in range(m):
        term_4[j] = larger(peak_2[j] - float64(60), float64(0)) - term_3[j]
    total, low = 0.0, 0.0
    for block in range(0, m, BLOCK):
        part = 0.0
        for j in range(block, min(m, block + BLOCK)):
            part = (
                add_any_order(part, term_4[j] + log1p_float64(sum_1[j] *
                exp_float64(term_3[j]) + np.expm1(-term_4[j])))
            )
        total, low = add_exactly(total, low, part)
    sum_2 = total + low
    ratio_1 = sum_2 / 2.0
    open_2 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            open_2[i * m + j] = (
                -float64(s[i * m + j]) if float64(t[i * m + j]) != float64(0) else
                -float64(np.inf)
            )
    peak_3 = np.empty(n)
    for i in range(n):
        best = -np.inf
        for j in range(m):
            following = open_2[i * m + j]
            best = larger(best, following)
        peak_3[i] = best
    term_5 = np.empty(n)
    for i in range(n):
        term_5[i] = peak_3[i] if np.isfinite(peak_3[i]) else float64(0)
    term_6 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            term_6[i * m + j] = (
                float64(t[i * m + j]) * exp_float64(open_2[i * m + j] - term_5[i])
            )
    others_2 = np.empty(n * m)
    for i in range(n):
        first = (i) * m
        sum_of_others(term_6[first : first + m], others_2[first : first + m])
    open_3 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            open_3[i * m + j] = (
                peak_3[i] + float64(s[i * m + j]) if others_2[i * m + j] != float64(0) else
                -float64(np.inf)
            )
    peak_4 = np.empty(m)
    for j in range(m):
        best = -np.inf
        for i in range(n):
            following = open_3[i * m + j]
            best = larger(best, following)
        peak_4[j] = best
    sum_3 = np.empty(m)
    for j in range(m):
        total, low = 0.0, 0.0
        for block in range(0, n, BLOCK):
            part = 0.0
            for i in range(block, min(n, block + BLOCK)):
                part = (
                    add_any_order(part, others_2[i * m + j] * exp_float64(open_3[i * m + j] -
                    larger(peak_4[j] - float64(60), float64(0))))
                )
            total, low = add_exactly(total, low, part)
        sum_3[j] = total + low
    term_7 = np.empty(m)
    for j in range(m):
        term_7[j] = sum_3[j] + exp_float64(-larger(peak_4[j] - float64(60), float64(0)))
    term_8 = np.empty(m)
    for j in range(m):
        term_8[j] = (
            larger(-larger(np.log(term_7[j]), -larger(peak_4[j] - float64(60), float64(0))),
            float64(0))
        )
    term_9 = np.empty(m)
    for j in range(m):
        term_9[j] = larger(peak_4[j] - float64(60), float64(0)) - term_8[j]
    total, low = 0.0, 0.0
    for block in range(0, m, BLOCK):
        part = 0.0
        for j in range(block, min(m, block + BLOCK)):
            part = (
                add_any_order(part, term_9[j] + log1p_float64(sum_3[j] *
                exp_float64(term_8[j]) + np.expm1(-term_9[j])))
            )
        total, low = add_exactly(total, low, part)
    sum_4 = total + low
    ratio_2 = sum_4 / 2.0
    term_10 = ratio_1 + ratio_2
    value[0] = term_10
    ratio_3 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            ratio_3[i * m + j] = (
                float64(t[i * m + j]) * exp_float64((peak_1[i] - float64(s[i * m + j]) if
                float64(t[i * m + j]) != float64(0) else -float64(np.inf)) - larger(peak_2[j]
                - float64(60), float64(0))) / term_2[j]
            )
    others_3 = np.empty(n * m)
    for i in range(n):
        first = (i) * m
        sum_of_others(ratio_3[first : first + m], others_3[first : first + m])
    ratio_4 = np.empty(n * m)
    for i in range(n):
        for j in range(m):
            ratio_4[i * m + j] = (
                exp_float64((peak_3[i] + float64(s[i * m + j])) - larger(peak_4[j] -
                float64(60), float64(0))) / term_7[j]
            )
    others_4 = np.empty(n * m)
    for i in range(n):
        first = (i) * m
        sum_of_others(ratio_4[first : first + m], others_4[first : first + m])
    for i in range(n):
        for j in range(m):
            gradient[i * m + j] = (
                exp_1[i * m + j] * others_3[i * m + j] / float64(2) + ratio_4[i * m + j] *
                others_2[i * m + j] / float64(2) - ratio_3[i * m + j] * others_1[i * m + j] /
                float64(2) - others_4[i * m + j] * term_6[i * m + j] / float64(2)
            )


@njit(**EXACT)
def whole(rows, n, m, s, t, value, gradient):
    for row in range(rows):
        one_row(n, m, s[row], t[row], value[row : row + 1], gradient[row])


@njit(parallel=True, **EXACT)
def spread(rows, n, m, s, t, value, gradient):
    for row in prange(rows):
        one_row(n, m, s[row], t[row], value[row : row + 1], gradient[row])


def grid_mirrored_value_and_grad(s, t):
    """Value and gradient of grid_mirrored, grid by grid of samples and classes.

        value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)/2 + sum_k
            log(sum_p sum_h ((1 - delta_hk) e^(-s_ph + s_pk) t_ph) + 1)/2
        gradient_ij = -sum_k ((1 - delta_jk) (e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hk) e^(-s_ph + s_pk) t_ph) + 1)) + e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
            delta_hj) e^(s_ph - s_pj) t_pj) + 1)))) + sum_k ((1 - delta_jk) (e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1)) + e^(s_ij - s_ik)
            t_ik/(2 (sum_p sum_h ((1 - delta_hj) e^(-s_ph + s_pj) t_ph) + 1))))

    Shapes: arrays (*batch, n, m) of one dtype, float32 or float64. Compiled at the first call;
    results do not depend on the number of threads.
    """
    arrays = [np.ascontiguousarray(array) for array in (s, t,)]
    dtype, shape = arrays[0].dtype, arrays[0].shape
    dtypes, shapes = [array.dtype for array in arrays], [array.shape for array in arrays]
    if dtype not in (np.float32, np.float64) or any(other != dtype for other in dtypes):
        raise TypeError(f"expected arrays of float32, or of float64, got {dtypes}")
    if len(shape) < 2 or any(other != shape for other in shapes):
        raise ValueError(f"expected arrays of one shape (*batch, n, m), got {shapes}")
    n, m = shape[-2:]
    rows = int(np.prod(shape[:-2], dtype=np.int64))
    flat = [array.reshape(rows, n * m) for array in arrays]
    value = np.empty((rows), dtype)
    gradient = np.empty((rows, n * m), dtype)
    run = spread if rows * n * m >= SMALL else whole
    run(rows, n, m, *flat, value, gradient)
    return value.reshape(shape[:-2]), gradient.reshape((*shape[:-2], n, m))
