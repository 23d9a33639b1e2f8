/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * padded_combination_softmax.value_and_grad, padded_combination_softmax.value, 7359-4, 7359-j,
 * padded_combination_softmax.gradient.
 *
 * Value and gradient of padded_combination_softmax, row by row.
 *
 *     value = -s_0 (K - sum_l y_l) + log([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) -
 *         sum_l (s_l y_l)
 *     gradient_i = e^(s_i) ([z^(K - 1)] (prod_l (z (1 - delta_il) e^(s_l) + 1)/(-z e^(s_0) +
 *         1)))/([z^K] (prod_l (z e^(s_l) + 1)/(-z e^(s_0) + 1))) - y_i
 *
 * Arrays hold row after row of n entries; value has one entry for each. Results do not depend
 * on the number of threads (compile with -fopenmp for any, with -march=native for vectors).
 * Results are nan where there is no memory for the table of a recursion, up to 2 (n + 3)
 * (order + 1) doubles. For the declarations alone, define
 * PADDED_COMBINATION_SOFTMAX_VALUE_AND_GRAD_HEADER before including this file.
 */
#ifndef PADDED_COMBINATION_SOFTMAX_VALUE_AND_GRAD_H
#define PADDED_COMBINATION_SOFTMAX_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void padded_combination_softmax_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double K, const double s_0, float *restrict value, float *restrict gradient);
void padded_combination_softmax_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double K, const double s_0, double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef PADDED_COMBINATION_SOFTMAX_VALUE_AND_GRAD_HEADER
#if defined(__GNUC__) && !defined(__clang__)
/* Nobody reads the flags of exceptions: choices between two results can then be vectors. An entry
   has the same bits in each pass: products are fused where it is written, and nowhere else. */
#pragma GCC optimize("no-trapping-math", "fp-contract=off")
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "compile without -ffast-math: sums are corrected by what it takes to be 0"
#endif

#define PRAGMA(...) _Pragma(#__VA_ARGS__)
#ifdef _OPENMP
#define PARALLEL(...) PRAGMA(omp parallel for schedule(static) __VA_ARGS__)
#define SIMD(...) PRAGMA(omp simd __VA_ARGS__)
#else
#define PARALLEL(...)
#define SIMD(...)
#endif

#ifdef FP_FAST_FMAF
#define FMA_float(a, b, c) fmaf((a), (b), (c))
#else
#define FMA_float(a, b, c) ((a) * (b) + (c))
#endif
#ifdef FP_FAST_FMA
#define FMA_double(a, b, c) fma((a), (b), (c))
#else
#define FMA_double(a, b, c) ((a) * (b) + (c))
#endif

enum { PIECE = 16384, MOST_PIECES = 128, BLOCK = 64, SMALL = 32768, MANY_ROWS = 64 };

static inline size_t smaller(const size_t a, const size_t b) { return a < b ? a : b; }
static inline float larger_float(const float a, const float b) { return a < b ? b : a; }
static inline double larger_double(const double a, const double b) { return a < b ? b : a; }

/* In how many pieces a row is cut: by its length alone. */
static inline size_t pieces_of(const size_t n)
{
    return n <= PIECE ? 1 : smaller(MOST_PIECES, (n + PIECE - 1) / PIECE);
}

/* total + low += term, where low is what the additions to total have rounded away. */
static inline void add_exactly(double *total, double *low, const double term)
{
    const double sum = *total + term, part = sum - *total;
    *low += isfinite(sum) ? (*total - (sum - part)) + (term - part) : 0.0;
    *total = sum;
}

/* e^x without a branch: x = k log 2 + r, e^r by a polynomial, 2^k by its bits, in two factors. */
static inline double exp_float64(const double exponent)
{
    const double shift = 6755399441055744.0; /* rounds to whole numbers, kept in the last bits */
    const int vanishes = exponent < -746.0; /* chosen below: products that underflow are slow */
    const double above = vanishes ? 0 : exponent;
    const double x = above > 710.0 ? 710.0 : above;
    const double shifted = FMA_double(x, 1.44269504088896341, shift);
    const double k = shifted - shift;
    const double near = FMA_double(k, -0.693147180369123816490, x);
    const double r = FMA_double(k, -1.90821492927058770002e-10, near);
    double q = 2.5100424157005066788e-8;
    q = FMA_double(q, r, 2.7620138719973995569e-7);
    q = FMA_double(q, r, 2.7557268378684192873e-6);
    q = FMA_double(q, r, 2.4801521190217727651e-5);
    q = FMA_double(q, r, 1.9841269863105968749e-4);
    q = FMA_double(q, r, 1.3888888917281793308e-3);
    q = FMA_double(q, r, 8.3333333333300513464e-3);
    q = FMA_double(q, r, 0.041666666666623991516);
    q = FMA_double(q, r, 0.16666666666666667456);
    q = FMA_double(q, r, 0.50000000000000010262);
    const double power = FMA_double(r * r, q, r) + 1.0;
    int64_t bits, origin;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&origin, &shift, sizeof origin);
    const int64_t whole = bits - origin, half = whole >> 1;
    const uint64_t first = (uint64_t)(half + 1023) << 52;
    const uint64_t second = (uint64_t)(whole - half + 1023) << 52;
    double scale, rest;
    memcpy(&scale, &first, sizeof scale);
    memcpy(&rest, &second, sizeof rest);
    const double result = power * scale * rest;
    return vanishes ? 0 : result;
}

/* log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away, g by a series. */
static inline double log1p_float64(const double x)
{
    const double u = 1 + x, part = u - 1, c = (1 - (u - part)) + (x - part);
    uint64_t bits;
    memcpy(&bits, &u, sizeof bits);
    bits += 0x95f619980c433;
    const uint64_t raised = bits >> 52; /* k + 1023 */
    const uint64_t f_bits = (bits & 0xfffffffffffff) + 0x3fe6a09e667f3bcd;
    const uint64_t down = (2047 - raised) << 52, whole = raised | 0x4330000000000000;
    double f, scale, k;
    memcpy(&f, &f_bits, sizeof f);
    memcpy(&scale, &down, sizeof scale);
    memcpy(&k, &whole, sizeof k);
    k -= 4503599627371519.0;
    const double lost = c * (0.5 * scale), g = (f - 1) + lost, low = ((f - 1) - g) + lost;
    const double s = g / (2 + g), z = s * s, half = 0.5 * g * g;
    double q = 0.14617807153417324964;
    q = FMA_double(q, z, 0.15331611722055007885);
    q = FMA_double(q, z, 0.18182892432536871201);
    q = FMA_double(q, z, 0.22222211089379496214);
    q = FMA_double(q, z, 0.28571428626253837606);
    q = FMA_double(q, z, 0.39999999999898890514);
    q = FMA_double(q, z, 0.66666666666666697077);
    const double curve = FMA_double(s, FMA_double(z, q, half), low), rest = FMA_double(k, 1.90821492927058770002e-10, curve);
    const double result = FMA_double(k, 0.693147180369123816490, g - (half - rest));
    const double least = x < -1 ? NAN : -INFINITY;
    return x > -1 ? (x < INFINITY ? result : x) : x <= -1 ? least : x;
}

#define FUNCTION static inline
#define EXP(x) exp_float64(x)
#define LOG1P(x) log1p_float64(x)
#define EACH(m, first, count) SIMD() for (size_t m = (first); m < (count); ++m)
#define EACH_SUM(m, count, ...) \
    SIMD(reduction(+ : __VA_ARGS__)) for (size_t m = 0; m < (count); ++m)
#define EACH_MAX(m, count, peak) \
    SIMD(reduction(max : peak)) for (size_t m = 0; m < (count); ++m)
#define ALL_SUM(x) (x)
#define ALL_MAX(x) (x)
#define ONE_THREAD
#define WAIT

/* Whole and not negative, and one of the numbers that doubles can count. */
FUNCTION int is_order(const double order)
{
    return order >= 0.0 && order < 9007199254740992.0 && order == floor(order);
}

/* log(e^a + e^b) */
FUNCTION double log_sum(const double a, const double b)
{
    const double high = a < b ? b : a, low = a < b ? a : b;
    const double apart = high > -INFINITY ? low - high : 0.0;
    return high + LOG1P(EXP(apart));
}

FUNCTION void log_start(const size_t count, const double base, double *e)
{
    EACH(m, 0, count)
        e[m] = m == 0 ? 0.0 : isnan(base) ? -INFINITY : (double)m * base;
    WAIT
}

/* One element more. */
FUNCTION void log_step(const size_t count, const double x, const double *e, double *next)
{
    ONE_THREAD
        next[0] = e[0];
    EACH(m, 1, count)
        next[m] = log_sum(e[m], x + e[m - 1]);
    WAIT
}

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

/* Room for so many times order + 1 numbers and for n more; NULL where there is no memory. */
static double *new_table(const size_t times, const double order, const size_t n)
{
    const double numbers = (is_order(order) ? order + 1.0 : 0.0) * (double)times + (double)n + 1.0;
    return numbers < (double)(SIZE_MAX / sizeof(double)) ? malloc((size_t)numbers * sizeof(double))
                                                         : NULL;
}

static void row_float32(
    const size_t n, const float *restrict s, const float *restrict y, const double K,
    const double s_0, float *restrict value, float *restrict gradient)
{
    double *const memory = malloc((n + n + 1) * sizeof(double));
    if (!memory) {
        value[0] = NAN;
        for (size_t at = 0; at < n; ++at)
            gradient[at] = NAN;
        return;
    }
    double *const by_elements_1_of_1 = memory;
    double *const by_elements_2 = by_elements_1_of_1 + n;
    SIMD()
    for (size_t i = 0; i < n; ++i)
        by_elements_1_of_1[i] = (double)s[i];
    double *const table_of_by_elements_1 = new_table(2, K, n);
    const double by_elements_1 = table_of_by_elements_1 ? log_coefficient(n, by_elements_1_of_1,
        K, s_0, table_of_by_elements_1) : NAN;
    free(table_of_by_elements_1);
    double sum_1;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += (double)y[i] != 0 ? (double)y[i] * by_elements_1_of_1[i] : 0;
            add_exactly(&total, &low, part);
        }
        sum_1 = total + low;
    }
    double sum_2;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += (double)y[i];
            add_exactly(&total, &low, part);
        }
        sum_2 = total + low;
    }
    const double term_1 = K - sum_2;
    const double term_2 = s_0 * term_1;
    const double term_3 = by_elements_1 - sum_1 - term_2;
    value[0] = (float)(term_3);
    const double term_4 = K - 1.0;
    double *const table_of_by_elements_2 = new_table(n + 3, term_4, n);
    if (table_of_by_elements_2)
        log_coefficient_without(n, by_elements_1_of_1, term_4, s_0, table_of_by_elements_2,
            by_elements_2);
    for (size_t at = 0; !table_of_by_elements_2 && at < n; ++at)
        by_elements_2[at] = NAN;
    free(table_of_by_elements_2);
    SIMD()
    for (size_t i = 0; i < n; ++i)
        gradient[i] = (float)(exp_float64(by_elements_1_of_1[i] + by_elements_2[i] -
            by_elements_1) - (double)y[i]);
    free(memory);
}

void padded_combination_softmax_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double K, const double s_0, float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL))
    for (size_t row = 0; row < rows; ++row)
        row_float32(
    n, s + row * n, y + row * n, (float)K, (float)s_0, value + row, gradient + row * n);
}

static void row_float64(
    const size_t n, const double *restrict s, const double *restrict y, const double K,
    const double s_0, double *restrict value, double *restrict gradient)
{
    double *const memory = malloc((n + n + 1) * sizeof(double));
    if (!memory) {
        value[0] = NAN;
        for (size_t at = 0; at < n; ++at)
            gradient[at] = NAN;
        return;
    }
    double *const by_elements_1_of_1 = memory;
    double *const by_elements_2 = by_elements_1_of_1 + n;
    SIMD()
    for (size_t i = 0; i < n; ++i)
        by_elements_1_of_1[i] = (double)s[i];
    double *const table_of_by_elements_1 = new_table(2, K, n);
    const double by_elements_1 = table_of_by_elements_1 ? log_coefficient(n, by_elements_1_of_1,
        K, s_0, table_of_by_elements_1) : NAN;
    free(table_of_by_elements_1);
    double sum_1;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += (double)y[i] != 0 ? (double)y[i] * by_elements_1_of_1[i] : 0;
            add_exactly(&total, &low, part);
        }
        sum_1 = total + low;
    }
    double sum_2;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += (double)y[i];
            add_exactly(&total, &low, part);
        }
        sum_2 = total + low;
    }
    const double term_1 = K - sum_2;
    const double term_2 = s_0 * term_1;
    const double term_3 = by_elements_1 - sum_1 - term_2;
    value[0] = (double)(term_3);
    const double term_4 = K - 1.0;
    double *const table_of_by_elements_2 = new_table(n + 3, term_4, n);
    if (table_of_by_elements_2)
        log_coefficient_without(n, by_elements_1_of_1, term_4, s_0, table_of_by_elements_2,
            by_elements_2);
    for (size_t at = 0; !table_of_by_elements_2 && at < n; ++at)
        by_elements_2[at] = NAN;
    free(table_of_by_elements_2);
    SIMD()
    for (size_t i = 0; i < n; ++i)
        gradient[i] = (double)(exp_float64(by_elements_1_of_1[i] + by_elements_2[i] -
            by_elements_1) - (double)y[i]);
    free(memory);
}

void padded_combination_softmax_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double K, const double s_0, double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, s + row * n, y + row * n, K, s_0, value + row, gradient + row * n);
}

#endif
