# Emitted by lossproof from the derived formula, target numba. Rests on the claims
# padded_combination_softmax.value_and_grad, padded_combination_softmax.value, 7359-4, 7359-j,
# padded_combination_softmax.gradient.

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
def is_order(order):
    """Whole and not negative, and one of the numbers that doubles can count."""
    return 0.0 <= order < 9007199254740992.0 and order == np.floor(order)


@njit(**EXACT)
def log_sum(a, b):
    """log(e^a + e^b)"""
    high, low = (b, a) if a < b else (a, b)
    apart = low - high if high > -np.inf else 0.0
    return high + log1p_float64(exp_float64(apart))


@njit(**EXACT)
def log_start(base, e):
    """The logs before any element: of 1, or of 1/(1 - e^base z) where base is a number."""
    for m in range(e.size):
        e[m] = 0.0 if m == 0 else (-np.inf if np.isnan(base) else m * base)


@njit(**EXACT)
def log_step(x, e, following):
    """One element more."""
    following[0] = e[0]
    for m in range(1, e.size):
        following[m] = log_sum(e[m], x + e[m - 1])


@njit(**EXACT)
def peak_of_product(a, b):
    """The largest term of sum_j e^(a_j + b_(last - j))."""
    peak = -np.inf
    for m in range(a.size):
        peak = larger(peak, a[m] + b[a.size - 1 - m])
    return peak


@njit(**EXACT)
def log_product(a, b):
    """log sum_j e^(a_j + b_(last - j))"""
    peak, total = peak_of_product(a, b), 0.0
    if peak == -np.inf:
        return peak
    for m in range(a.size):
        total = add_any_order(total, exp_float64(a[m] + b[a.size - 1 - m] - peak))
    return peak + np.log(total)


@njit(**EXACT)
def log_coefficient(x, order, base):
    """log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if base is a number."""
    if not is_order(order):
        return -np.inf
    table = np.empty((2, int64(order) + 1))
    log_start(base, table[0])
    for i in range(x.size):
        log_step(x[i], table[i % 2], table[(i + 1) % 2])
    return table[x.size % 2, -1]


@njit(**EXACT)
def log_coefficient_without(x, order, base, result):
    """The same without element i, for each i: those before it times those after it."""
    result[:] = -np.inf
    if not is_order(order):
        return
    n = x.size
    table, after = np.empty((n + 1, int64(order) + 1)), np.empty((2, int64(order) + 1))
    log_start(base, table[0])
    log_start(np.nan, after[n % 2])
    for i in range(n):
        log_step(x[i], table[i], table[i + 1])
    for i in range(n - 1, -1, -1):
        result[i] = log_product(table[i], after[(i + 1) % 2])
        log_step(x[i], after[(i + 1) % 2], after[i % 2])


@njit(**EXACT)
def one_row(n, s, y, K, s_0, value, gradient):
    by_elements_1_of_1 = np.empty(n)
    for i in range(n):
        by_elements_1_of_1[i] = float64(s[i])
    by_elements_1 = log_coefficient(by_elements_1_of_1, K, s_0)
    total, low = 0.0, 0.0
    for block in range(0, n, BLOCK):
        part = 0.0
        for i in range(block, min(n, block + BLOCK)):
            part = (
                add_any_order(part, float64(y[i]) * by_elements_1_of_1[i] if float64(y[i]) !=
                float64(0) else float64(0))
            )
        total, low = add_exactly(total, low, part)
    sum_1 = total + low
    total, low = 0.0, 0.0
    for block in range(0, n, BLOCK):
        part = 0.0
        for i in range(block, min(n, block + BLOCK)):
            part = add_any_order(part, float64(y[i]))
        total, low = add_exactly(total, low, part)
    sum_2 = total + low
    term_1 = K - sum_2
    term_2 = s_0 * term_1
    term_3 = by_elements_1 - sum_1 - term_2
    value[0] = term_3
    term_4 = K - 1.0
    by_elements_2 = np.empty(n)
    log_coefficient_without(by_elements_1_of_1, term_4, s_0, by_elements_2)
    for i in range(n):
        gradient[i] = (
            exp_float64(by_elements_1_of_1[i] + by_elements_2[i] - by_elements_1) -
            float64(y[i])
        )


@njit(**EXACT)
def whole(rows, n, s, y, K, s_0, value, gradient):
    for row in range(rows):
        one_row(n, s[row], y[row], K, s_0, value[row : row + 1], gradient[row])


@njit(parallel=True, **EXACT)
def spread(rows, n, s, y, K, s_0, value, gradient):
    for row in prange(rows):
        one_row(n, s[row], y[row], K, s_0, value[row : row + 1], gradient[row])


def padded_combination_softmax_value_and_grad(s, y, K=None, s_0=0.0):
    """Value and gradient of padded_combination_softmax, row by row.

        value = -s_0 (K - sum_l y_l) + log([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) -
            sum_l (s_l y_l)
        gradient_i = e^(s_i) ([z^(K - 1)] (prod_l (z (1 - delta_il) e^(s_l) + 1)/(-z e^(s_0) +
            1)))/([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) - y_i

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
    K = shape[-1] if K is None else K
    value = np.empty((rows), dtype)
    gradient = np.empty((rows, n), dtype)
    run = spread if rows * n >= SMALL else whole
    run(rows, n, *flat, float(dtype.type(K)), float(dtype.type(s_0)), value, gradient)
    return value.reshape(shape[:-1]), gradient.reshape((*shape[:-1], n))
