/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * grid_truncated.value_and_grad, grid_truncated.value, grid_truncated.gradient, 9158-3.
 *
 * Value and gradient of grid_truncated, grid by grid of samples and classes.
 *
 *     value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)
 *     gradient_ij = -sum_k ((1 - delta_jk) e^(-s_ij + s_ik) t_ij/(sum_p sum_h ((1 - delta_hj)
 *         e^(s_ph - s_pj) t_pj) + 1)) + sum_k ((1 - delta_jk) e^(s_ij - s_ik) t_ik/(sum_p
 *         sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1))
 *
 * Arrays hold grid after grid of n rows of m entries; value has one entry for each. Results do
 * not depend on the number of threads (compile with -fopenmp for any, with -march=native for
 * vectors). Results are nan where there is no memory for arrays. For the declarations alone,
 * define GRID_TRUNCATED_VALUE_AND_GRAD_HEADER before including this file.
 */
#ifndef GRID_TRUNCATED_VALUE_AND_GRAD_H
#define GRID_TRUNCATED_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void grid_truncated_value_and_grad_float32(
    const size_t rows, const size_t n, const size_t m, const float *restrict s,
    const float *restrict t, float *restrict value, float *restrict gradient);
void grid_truncated_value_and_grad_float64(
    const size_t rows, const size_t n, const size_t m, const double *restrict s,
    const double *restrict t, double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef GRID_TRUNCATED_VALUE_AND_GRAD_HEADER
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

static void row_float32(
    const size_t n, const size_t m, const float *restrict s, const float *restrict t,
    float *restrict value, float *restrict gradient)
{
    double *const memory = malloc((n + n * m + n * m + n * m + n * m + m + m + m + m + n * m + n *
        m + 1) * sizeof(double));
    if (!memory) {
        value[0] = NAN;
        for (size_t at = 0; at < n * m; ++at)
            gradient[at] = NAN;
        return;
    }
    double *const peak_1 = memory;
    double *const exp_1 = peak_1 + n;
    double *const others_1 = exp_1 + n * m;
    double *const term_1 = others_1 + n * m;
    double *const open_1 = term_1 + n * m;
    double *const peak_2 = open_1 + n * m;
    double *const sum_1 = peak_2 + m;
    double *const term_2 = sum_1 + m;
    double *const term_3 = term_2 + m;
    double *const ratio_1 = term_3 + m;
    double *const others_2 = ratio_1 + n * m;
    for (size_t i = 0; i < n; ++i) {
        double best = -INFINITY;
        SIMD(reduction(max : best))
        for (size_t j = 0; j < m; ++j) {
            const double next = (double)s[i * m + j];
            best = best < next ? next : best;
        }
        peak_1[i] = best;
    }
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            exp_1[i * m + j] = exp_float64((double)s[i * m + j] - peak_1[i]);
    for (size_t i = 0; i < n; ++i)
        sum_of_others(m, exp_1 + (i) * m, others_1 + (i) * m);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            term_1[i * m + j] = (double)t[i * m + j] != 0 ? (double)t[i * m + j] * others_1[i * m
                + j] : 0;
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            open_1[i * m + j] = term_1[i * m + j] != 0 ? peak_1[i] - (double)s[i * m + j] :
                -INFINITY;
    for (size_t j = 0; j < m; ++j) {
        double best = -INFINITY;
        SIMD(reduction(max : best))
        for (size_t i = 0; i < n; ++i) {
            const double next = open_1[i * m + j];
            best = best < next ? next : best;
        }
        peak_2[j] = best;
    }
    for (size_t j = 0; j < m; ++j) {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += term_1[i * m + j] * exp_float64(open_1[i * m + j] -
                    larger_double(peak_2[j] - 60, 0));
            add_exactly(&total, &low, part);
        }
        sum_1[j] = total + low;
    }
    SIMD()
    for (size_t j = 0; j < m; ++j)
        term_2[j] = sum_1[j] + exp_float64(-larger_double(peak_2[j] - 60, 0));
    SIMD()
    for (size_t j = 0; j < m; ++j)
        term_3[j] = larger_double(-larger_double(log(term_2[j]), -larger_double(peak_2[j] - 60,
            0)), 0);
    double sum_2;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < m; block += BLOCK) {
            const size_t stop = smaller(m, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t j = block; j < stop; ++j)
                part += (larger_double(peak_2[j] - 60, 0) - term_3[j]) + log1p_float64(sum_1[j] *
                    exp_float64(term_3[j]) + expm1(-(larger_double(peak_2[j] - 60, 0) -
                    term_3[j])));
            add_exactly(&total, &low, part);
        }
        sum_2 = total + low;
    }
    value[0] = (float)(sum_2);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            ratio_1[i * m + j] = (double)t[i * m + j] * exp_float64(((double)t[i * m + j] != 0 ?
                peak_1[i] - (double)s[i * m + j] : -INFINITY) - larger_double(peak_2[j] - 60, 0))
                / term_2[j];
    for (size_t i = 0; i < n; ++i)
        sum_of_others(m, ratio_1 + (i) * m, others_2 + (i) * m);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            gradient[i * m + j] = (float)(exp_1[i * m + j] * others_2[i * m + j] - ratio_1[i * m +
                j] * others_1[i * m + j]);
    free(memory);
}

void grid_truncated_value_and_grad_float32(
    const size_t rows, const size_t n, const size_t m, const float *restrict s,
    const float *restrict t, float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n * m >= SMALL))
    for (size_t row = 0; row < rows; ++row)
        row_float32(n, m, s + row * n * m, t + row * n * m, value + row, gradient + row * n * m);
}

static void row_float64(
    const size_t n, const size_t m, const double *restrict s, const double *restrict t,
    double *restrict value, double *restrict gradient)
{
    double *const memory = malloc((n + n * m + n * m + n * m + n * m + m + m + m + m + n * m + n *
        m + 1) * sizeof(double));
    if (!memory) {
        value[0] = NAN;
        for (size_t at = 0; at < n * m; ++at)
            gradient[at] = NAN;
        return;
    }
    double *const peak_1 = memory;
    double *const exp_1 = peak_1 + n;
    double *const others_1 = exp_1 + n * m;
    double *const term_1 = others_1 + n * m;
    double *const open_1 = term_1 + n * m;
    double *const peak_2 = open_1 + n * m;
    double *const sum_1 = peak_2 + m;
    double *const term_2 = sum_1 + m;
    double *const term_3 = term_2 + m;
    double *const ratio_1 = term_3 + m;
    double *const others_2 = ratio_1 + n * m;
    for (size_t i = 0; i < n; ++i) {
        double best = -INFINITY;
        SIMD(reduction(max : best))
        for (size_t j = 0; j < m; ++j) {
            const double next = (double)s[i * m + j];
            best = best < next ? next : best;
        }
        peak_1[i] = best;
    }
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            exp_1[i * m + j] = exp_float64((double)s[i * m + j] - peak_1[i]);
    for (size_t i = 0; i < n; ++i)
        sum_of_others(m, exp_1 + (i) * m, others_1 + (i) * m);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            term_1[i * m + j] = (double)t[i * m + j] != 0 ? (double)t[i * m + j] * others_1[i * m
                + j] : 0;
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            open_1[i * m + j] = term_1[i * m + j] != 0 ? peak_1[i] - (double)s[i * m + j] :
                -INFINITY;
    for (size_t j = 0; j < m; ++j) {
        double best = -INFINITY;
        SIMD(reduction(max : best))
        for (size_t i = 0; i < n; ++i) {
            const double next = open_1[i * m + j];
            best = best < next ? next : best;
        }
        peak_2[j] = best;
    }
    for (size_t j = 0; j < m; ++j) {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < n; block += BLOCK) {
            const size_t stop = smaller(n, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t i = block; i < stop; ++i)
                part += term_1[i * m + j] * exp_float64(open_1[i * m + j] -
                    larger_double(peak_2[j] - 60, 0));
            add_exactly(&total, &low, part);
        }
        sum_1[j] = total + low;
    }
    SIMD()
    for (size_t j = 0; j < m; ++j)
        term_2[j] = sum_1[j] + exp_float64(-larger_double(peak_2[j] - 60, 0));
    SIMD()
    for (size_t j = 0; j < m; ++j)
        term_3[j] = larger_double(-larger_double(log(term_2[j]), -larger_double(peak_2[j] - 60,
            0)), 0);
    double sum_2;
    {
        double total = 0.0, low = 0.0;
        for (size_t block = 0; block < m; block += BLOCK) {
            const size_t stop = smaller(m, block + BLOCK);
            double part = 0.0;
            SIMD(reduction(+ : part))
            for (size_t j = block; j < stop; ++j)
                part += (larger_double(peak_2[j] - 60, 0) - term_3[j]) + log1p_float64(sum_1[j] *
                    exp_float64(term_3[j]) + expm1(-(larger_double(peak_2[j] - 60, 0) -
                    term_3[j])));
            add_exactly(&total, &low, part);
        }
        sum_2 = total + low;
    }
    value[0] = (double)(sum_2);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            ratio_1[i * m + j] = (double)t[i * m + j] * exp_float64(((double)t[i * m + j] != 0 ?
                peak_1[i] - (double)s[i * m + j] : -INFINITY) - larger_double(peak_2[j] - 60, 0))
                / term_2[j];
    for (size_t i = 0; i < n; ++i)
        sum_of_others(m, ratio_1 + (i) * m, others_2 + (i) * m);
    for (size_t i = 0; i < n; ++i)
        SIMD()
        for (size_t j = 0; j < m; ++j)
            gradient[i * m + j] = (double)(exp_1[i * m + j] * others_2[i * m + j] - ratio_1[i * m
                + j] * others_1[i * m + j]);
    free(memory);
}

void grid_truncated_value_and_grad_float64(
    const size_t rows, const size_t n, const size_t m, const double *restrict s,
    const double *restrict t, double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n * m >= SMALL))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, m, s + row * n * m, t + row * n * m, value + row, gradient + row * n * m);
}

#endif
