"""Functions of whole rows for numba: coefficients by elements, sums of all others.

The mathematics, and what a table holds, is told in :mod:`derive.emit.c_rows`; a table has here a
row for each number of elements.
"""

from __future__ import annotations

from derive.emit.c_rows import called
from derive.emit.recursions import OTHERS

__all__ = ["numba_row_functions"]

IS_ORDER = '''\
@njit(**EXACT)
def is_order(order):
    """Whole and not negative, and one of the numbers that doubles can count."""
    return 0.0 <= order < 9007199254740992.0 and order == np.floor(order)
'''
TEXTS = {
    OTHERS: '''\
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
''',
    "log_sum": '''\
@njit(**EXACT)
def log_sum(a, b):
    """log(e^a + e^b)"""
    high, low = (b, a) if a < b else (a, b)
    apart = low - high if high > -np.inf else 0.0
    return high + log1p_float64(exp_float64(apart))
''',
    "log_start": '''\
@njit(**EXACT)
def log_start(base, e):
    """The logs before any element: of 1, or of 1/(1 - e^base z) where base is a number."""
    for m in range(e.size):
        e[m] = 0.0 if m == 0 else (-np.inf if np.isnan(base) else m * base)
''',
    "log_step": '''\
@njit(**EXACT)
def log_step(x, e, following):
    """One element more."""
    following[0] = e[0]
    for m in range(1, e.size):
        following[m] = log_sum(e[m], x + e[m - 1])
''',
    "mean_step": '''\
@njit(**EXACT)
def mean_step(x, u, e, mean, following, following_mean):
    """One element more, and the mean of the sum of u over the elements chosen."""
    following[0], following_mean[0] = e[0], mean[0]
    for m in range(1, e.size):
        taken = x + e[m - 1]
        log_e = log_sum(e[m], taken)
        scale = log_e if log_e > -np.inf else 0.0
        following[m] = log_e
        share = exp_float64(taken - scale)
        following_mean[m] = mean[m] + share * ((mean[m - 1] + u) - mean[m])
''',
    "peak_of_product": '''\
@njit(**EXACT)
def peak_of_product(a, b):
    """The largest term of sum_j e^(a_j + b_(last - j))."""
    peak = -np.inf
    for m in range(a.size):
        peak = larger(peak, a[m] + b[a.size - 1 - m])
    return peak
''',
    "log_product": '''\
@njit(**EXACT)
def log_product(a, b):
    """log sum_j e^(a_j + b_(last - j))"""
    peak, total = peak_of_product(a, b), 0.0
    if peak == -np.inf:
        return peak
    for m in range(a.size):
        total = add_any_order(total, exp_float64(a[m] + b[a.size - 1 - m] - peak))
    return peak + np.log(total)
''',
    "mean_of_product": '''\
@njit(**EXACT)
def mean_of_product(a, mean_a, b, mean_b):
    """The mean of the sums of both sides, weighed by the terms of that product."""
    peak, total, weighed, last = peak_of_product(a, b), 0.0, 0.0, a.size - 1
    if peak == -np.inf:
        return 0.0
    for m in range(a.size):
        term = exp_float64(a[m] + b[last - m] - peak)
        total = add_any_order(total, term)
        weighed = add_any_order(weighed, term * (mean_a[m] + mean_b[last - m]))
    return weighed / total
''',
    "log_coefficient": '''\
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
''',
    "log_coefficient_without": '''\
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
''',
    "log_coefficient_without_two": '''\
@njit(**EXACT)
def log_coefficient_without_two(x, order, base, result):
    """The same without the elements i and j."""
    n = x.size
    for i in range(n):
        others = x.copy()
        others[i] = -np.inf
        log_coefficient_without(others, order, base, result[i * n : (i + 1) * n])
''',
    "subset_mean": '''\
@njit(**EXACT)
def subset_mean(x, u, order, base):
    """The mean of the sum of u over the chosen elements, of weight prod e^(x_j)."""
    if not is_order(order):
        return 0.0
    table, mean = np.empty((2, int64(order) + 1)), np.zeros((2, int64(order) + 1))
    log_start(base, table[0])
    for i in range(x.size):
        now, then = i % 2, (i + 1) % 2
        mean_step(x[i], u[i], table[now], mean[now], table[then], mean[then])
    return mean[x.size % 2, -1]
''',
    "subset_mean_without": '''\
@njit(**EXACT)
def subset_mean_without(x, u, order, base, result):
    """The same without element i, for each i."""
    result[:] = 0.0
    if not is_order(order):
        return
    n, count = x.size, int64(order) + 1
    table, mean = np.empty((n + 1, count)), np.zeros((n + 1, count))
    after, mean_after = np.empty((2, count)), np.zeros((2, count))
    log_start(base, table[0])
    log_start(np.nan, after[n % 2])
    for i in range(n):
        mean_step(x[i], u[i], table[i], mean[i], table[i + 1], mean[i + 1])
    for i in range(n - 1, -1, -1):
        now, then = (i + 1) % 2, i % 2
        result[i] = mean_of_product(table[i], mean[i], after[now], mean_after[now])
        mean_step(x[i], u[i], after[now], mean_after[now], after[then], mean_after[then])
''',
}


def numba_row_functions(names: list[str]) -> list[str]:
    """The functions of these names and those that they call."""
    wanted = called(names)
    ordered = [IS_ORDER] * any(name != OTHERS for name in wanted)
    return [*ordered, *(TEXTS[name] for name in wanted)]
