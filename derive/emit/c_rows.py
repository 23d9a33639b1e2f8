"""Functions of whole rows as C and CUDA have them: coefficients by elements, sums of all others.

With ``x_j`` the logs of the elements and ``e_m = [z^m] prod_j (1 + e^(x_j) z)``, one element more::

    log e_m  <-  log(e^(log e_m) + e^(x + log e_(m-1)))
    mean_m   <-  mean_m + p (mean_(m-1) + u - mean_m),     p = e^x e_(m-1) / (new e_m)

where ``mean_m`` is the mean of ``sum u`` over the subsets of m elements. An element is left out by
the product of what is before it and what is after it, ``sum_j before_j after_(m-j)``: nothing is
subtracted. A table of n rows of m + 1 numbers holds what is before each.

One text serves both languages. ``EACH(m, first, count)`` is a loop in vectors, or the threads of a
block, which wait for one another at ``WAIT``; ``ALL_SUM`` and ``ALL_MAX`` merge what threads have.
"""

from __future__ import annotations

from dataclasses import dataclass

from derive.emit.recursions import OTHERS

__all__ = ["ROW_FUNCTIONS", "TABLES", "called", "row_functions"]


@dataclass(frozen=True)
class RowFunction:
    """A function, and those that it calls."""

    text: str
    calls: tuple[str, ...] = ()


# The logs of e_0 .. e_order before any element: those of 1, or of 1/(1 - e^base z) where `base` is
# a number. TABLES: how many times order + 1 numbers a table has room for, and n more.
TABLES = {
    "log_coefficient": "2",
    "log_coefficient_without": "n + 3",
    "log_coefficient_without_two": "n + 3",
    "subset_mean": "4",
    "subset_mean_without": "2 * (n + 3)",
}
ROW_FUNCTIONS = {
    OTHERS: RowFunction("""\
/* others_j = sum_{k != j} x_k, from both ends, by one thread. */
FUNCTION void sum_of_others(const size_t n, const double *x, double *others)
{
    double total = 0.0, low = 0.0;
    for (size_t j = 0; j < n; ++j) {
        others[j] = total + low;
        add_exactly(&total, &low, x[j]);
    }
    total = low = 0.0;
    for (size_t j = n; j-- > 0;) {
        others[j] += total + low;
        add_exactly(&total, &low, x[j]);
    }
}
"""),
    "log_sum": RowFunction("""\
/* log(e^a + e^b) */
FUNCTION double log_sum(const double a, const double b)
{
    const double high = a < b ? b : a, low = a < b ? a : b;
    const double apart = high > -INFINITY ? low - high : 0.0;
    return high + LOG1P(EXP(apart));
}
"""),
    "log_start": RowFunction("""\
FUNCTION void log_start(const size_t count, const double base, double *e)
{
    EACH(m, 0, count)
        e[m] = m == 0 ? 0.0 : isnan(base) ? -INFINITY : (double)m * base;
    WAIT
}
"""),
    "log_step": RowFunction(
        """\
/* One element more. */
FUNCTION void log_step(const size_t count, const double x, const double *e, double *next)
{
    ONE_THREAD
        next[0] = e[0];
    EACH(m, 1, count)
        next[m] = log_sum(e[m], x + e[m - 1]);
    WAIT
}
""",
        ("log_sum",),
    ),
    "mean_step": RowFunction(
        """\
/* One element more, and the mean of the sum of u over the elements chosen, which follows e. */
FUNCTION void mean_step(
    const size_t count, const double x, const double u, const double *e, double *next)
{
    const double *mean = e + count;
    double *next_mean = next + count;
    ONE_THREAD
    {
        next[0] = e[0];
        next_mean[0] = mean[0];
    }
    EACH(m, 1, count) {
        const double taken = x + e[m - 1], log_e = log_sum(e[m], taken);
        const double scale = log_e > -INFINITY ? log_e : 0.0;
        next[m] = log_e;
        next_mean[m] = mean[m] + EXP(taken - scale) * ((mean[m - 1] + u) - mean[m]);
    }
    WAIT
}
""",
        ("log_sum",),
    ),
    "peak_of_product": RowFunction("""\
/* The largest term of sum_j e^(a_j + b_(last - j)). */
FUNCTION double peak_of_product(const size_t count, const double *a, const double *b)
{
    double peak = -INFINITY;
    EACH_MAX(m, count, peak) {
        const double term = a[m] + b[count - 1 - m];
        peak = peak < term ? term : peak;
    }
    return ALL_MAX(peak);
}
"""),
    "log_product": RowFunction(
        """\
/* log sum_j e^(a_j + b_(last - j)) */
FUNCTION double log_product(const size_t count, const double *a, const double *b)
{
    const double peak = peak_of_product(count, a, b), shift = peak > -INFINITY ? peak : 0.0;
    double total = 0.0;
    EACH_SUM(m, count, total)
        total += EXP(a[m] + b[count - 1 - m] - shift);
    total = ALL_SUM(total);
    return peak > -INFINITY ? peak + log(total) : -INFINITY;
}
""",
        ("peak_of_product",),
    ),
    "mean_of_product": RowFunction(
        """\
/* The mean of the sums of both sides, weighed by the terms of that product. */
FUNCTION double mean_of_product(const size_t count, const double *a, const double *b)
{
    const double peak = peak_of_product(count, a, b), shift = peak > -INFINITY ? peak : 0.0;
    double total = 0.0, weighed = 0.0;
    EACH_SUM(m, count, total, weighed) {
        const double term = EXP(a[m] + b[count - 1 - m] - shift);
        total += term;
        weighed += term * (a[count + m] + b[2 * count - 1 - m]);
    }
    total = ALL_SUM(total);
    weighed = ALL_SUM(weighed);
    return peak > -INFINITY ? weighed / total : 0.0;
}
""",
        ("peak_of_product",),
    ),
    "log_coefficient": RowFunction(
        """\
/* log [z^order] prod_j (1 + e^(x_j) z), over 1 - e^base z if base is a number. */
FUNCTION double log_coefficient(
    const size_t n, const double *x, const double order, const double base, double *table)
{
    if (!is_order(order))
        return -INFINITY;
    const size_t count = (size_t)order + 1;
    log_start(count, base, table);
    for (size_t i = 0; i < n; ++i)
        log_step(count, x[i], table + i % 2 * count, table + (i + 1) % 2 * count);
    const double found = table[n % 2 * count + count - 1];
    WAIT
    return found;
}
""",
        ("log_start", "log_step"),
    ),
    "log_coefficient_without": RowFunction(
        """\
/* The same without element i, for each i: those before it times those after it. */
FUNCTION void log_coefficient_without(
    const size_t n, const double *x, const double order, const double base, double *table,
    double *result)
{
    if (!is_order(order)) {
        EACH(i, 0, n)
            result[i] = -INFINITY;
        WAIT
        return;
    }
    const size_t count = (size_t)order + 1;
    double *after = table + (n + 1) * count, *next = after + count;
    log_start(count, base, table);
    log_start(count, NAN, after);
    for (size_t i = 0; i < n; ++i)
        log_step(count, x[i], table + i * count, table + (i + 1) * count);
    for (size_t i = n; i-- > 0;) {
        const double product = log_product(count, table + i * count, after);
        ONE_THREAD
            result[i] = product;
        log_step(count, x[i], after, next);
        double *const last = after;
        after = next;
        next = last;
    }
    WAIT
}
""",
        ("log_start", "log_step", "log_product"),
    ),
    "log_coefficient_without_two": RowFunction(
        """\
/* The same without the elements i and j. */
FUNCTION void log_coefficient_without_two(
    const size_t n, const double *x, const double order, const double base, double *table,
    double *result)
{
    double *others = table;
    for (size_t i = 0; i < n; ++i) {
        EACH(j, 0, n)
            others[j] = j == i ? -INFINITY : x[j];
        WAIT
        log_coefficient_without(n, others, order, base, table + n, result + i * n);
    }
}
""",
        ("log_coefficient_without",),
    ),
    "subset_mean": RowFunction(
        """\
/* The mean of the sum of u over the chosen elements, of weight prod e^(x_j). */
FUNCTION double subset_mean(
    const size_t n, const double *x, const double *u, const double order, const double base,
    double *table)
{
    if (!is_order(order))
        return 0.0;
    const size_t count = (size_t)order + 1;
    log_start(count, base, table);
    EACH(m, 0, count)
        table[count + m] = 0.0;
    WAIT
    for (size_t i = 0; i < n; ++i)
        mean_step(count, x[i], u[i], table + i % 2 * 2 * count, table + (i + 1) % 2 * 2 * count);
    const double found = table[n % 2 * 2 * count + 2 * count - 1];
    WAIT
    return found;
}
""",
        ("log_start", "mean_step"),
    ),
    "subset_mean_without": RowFunction(
        """\
/* The same without element i, for each i. */
FUNCTION void subset_mean_without(
    const size_t n, const double *x, const double *u, const double order, const double base,
    double *table, double *result)
{
    if (!is_order(order)) {
        EACH(i, 0, n)
            result[i] = 0.0;
        WAIT
        return;
    }
    const size_t count = (size_t)order + 1, wide = 2 * count;
    double *after = table + (n + 1) * wide, *next = after + wide;
    log_start(count, base, table);
    log_start(count, NAN, after);
    EACH(m, 0, count)
        table[count + m] = after[count + m] = 0.0;
    WAIT
    for (size_t i = 0; i < n; ++i)
        mean_step(count, x[i], u[i], table + i * wide, table + (i + 1) * wide);
    for (size_t i = n; i-- > 0;) {
        const double mean = mean_of_product(count, table + i * wide, after);
        ONE_THREAD
            result[i] = mean;
        mean_step(count, x[i], u[i], after, next);
        double *const last = after;
        after = next;
        next = last;
    }
    WAIT
}
""",
        ("log_start", "mean_step", "mean_of_product"),
    ),
}
IS_ORDER = """\
/* Whole and not negative, and one of the numbers that doubles can count. */
FUNCTION int is_order(const double order)
{
    return order >= 0.0 && order < 9007199254740992.0 && order == floor(order);
}
"""


def called(names: list[str]) -> list[str]:
    """The functions of these names and those that they call, each after what it calls."""
    wanted, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += ROW_FUNCTIONS[name].calls
    return [name for name in ROW_FUNCTIONS if name in wanted]


def row_functions(names: list[str]) -> list[str]:
    """Their texts, for a file that says what the words in capitals mean."""
    wanted = called(names)
    ordered = [IS_ORDER] * any(name != OTHERS for name in wanted)
    return [*ordered, *(ROW_FUNCTIONS[name].text for name in wanted)]
