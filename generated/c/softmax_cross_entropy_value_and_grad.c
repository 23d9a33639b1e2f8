/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
 * softmax_cross_entropy.gradient, SCE-11, SURVEY-17.
 *
 * Value and gradient of softmax_cross_entropy, row by row.
 *
 *     value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
 *     gradient_i = e^(s_i)/sum_k e^(s_k) - t_i
 *
 * Arrays hold row after row of n entries; value has one entry a row. Results do not depend on
 * the number of threads (compile with -fopenmp for any, with -march=native for vectors). For
 * the declarations alone, define SOFTMAX_CROSS_ENTROPY_VALUE_AND_GRAD_HEADER before including
 * this file.
 */
#ifndef SOFTMAX_CROSS_ENTROPY_VALUE_AND_GRAD_H
#define SOFTMAX_CROSS_ENTROPY_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void softmax_cross_entropy_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict t,
    float *restrict value, float *restrict gradient);
void softmax_cross_entropy_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict t,
    double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef SOFTMAX_CROSS_ENTROPY_VALUE_AND_GRAD_HEADER
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
static inline float exp_float32(const float exponent)
{
    const float shift = 12582912.0f; /* rounds to whole numbers, kept in the last bits */
    const int vanishes = exponent < -104.0f; /* chosen below: products that underflow are slow */
    const float above = vanishes ? 0 : exponent;
    const float x = above > 89.0f ? 89.0f : above;
    const float shifted = FMA_float(x, 1.44269504088896341f, shift);
    const float k = shifted - shift;
    const float near = FMA_float(k, -0.693359375f, x);
    const float r = FMA_float(k, 2.12194440054690583e-4f, near);
    float q = 1.3926213466332443e-3f;
    q = FMA_float(q, r, 8.3632029715758550e-3f);
    q = FMA_float(q, r, 0.041666554437685939f);
    q = FMA_float(q, r, 0.16666576845993976f);
    q = FMA_float(q, r, 0.5f);
    const float power = FMA_float(r * r, q, r) + 1.0f;
    int32_t bits, origin;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&origin, &shift, sizeof origin);
    const int32_t whole = bits - origin, half = whole >> 1;
    const uint32_t first = (uint32_t)(half + 127) << 23;
    const uint32_t second = (uint32_t)(whole - half + 127) << 23;
    float scale, rest;
    memcpy(&scale, &first, sizeof scale);
    memcpy(&rest, &second, sizeof rest);
    const float result = power * scale * rest;
    return vanishes ? 0 : result;
}

struct pass_1_float32 { float peak_1; };

static struct pass_1_float32 pass_1_float32(
    const size_t begin, const size_t end, const float *restrict s)
{
    float peak_1 = -INFINITY;
    SIMD(reduction(max : peak_1))
    for (size_t j = begin; j < end; ++j) {
        peak_1 = peak_1 < s[j] ? s[j] : peak_1;
    }
    return (struct pass_1_float32){peak_1};
}

struct pass_2_float32 { double sum_1; double sum_2; double sum_5; };

static struct pass_2_float32 pass_2_float32(
    const size_t begin, const size_t end, const float *restrict s, const float peak_1)
{
    double sum_1 = 0.0;
    double sum_2 = 0.0;
    double sum_5 = 0.0;
    SIMD(reduction(+ : sum_1) reduction(+ : sum_2) reduction(+ : sum_5))
    for (size_t j = begin; j < end; ++j) {
        const float exp_1 = exp_float32(s[j] - peak_1);
        sum_1 += s[j] < peak_1 ? exp_1 : 0;
        sum_2 += s[j] < peak_1 ? 0 : 1;
        sum_5 += exp_1;
    }
    return (struct pass_2_float32){sum_1, sum_2, sum_5};
}

struct pass_3_float32 { double sum_4; };

static struct pass_3_float32 pass_3_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict t,
    const float peak_1, const float log_1, const float sum_5, float *restrict gradient)
{
    double sum_4 = 0.0;
    SIMD(reduction(+ : sum_4))
    for (size_t j = begin; j < end; ++j) {
        const float exp_1 = exp_float32(s[j] - peak_1);
        const float term_6 = exp_1 / sum_5 - t[j];
        sum_4 += t[j] != 0 ? t[j] * (s[j] - peak_1 - log_1) : 0;
        gradient[j] = term_6;
    }
    return (struct pass_3_float32){sum_4};
}

static void row_float32(
    const size_t n, const float *restrict s, const float *restrict t, float *restrict value,
    float *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float32 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float32(0, n, s);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float32(smaller(n, k * length), smaller(n, (k + 1) * length), s);
    }
    double peak_1 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_1[k].peak_1 ? parts_1[k].peak_1 : peak_1;
    }
    struct pass_2_float32 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float32(0, n, s, (float)peak_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, (float)peak_1);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    double sum_2 = 0.0;
    double sum_2_low = 0.0;
    double sum_5 = 0.0;
    double sum_5_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_2[k].sum_1);
        add_exactly(&sum_2, &sum_2_low, parts_2[k].sum_2);
        add_exactly(&sum_5, &sum_5_low, parts_2[k].sum_5);
    }
    sum_1 += sum_1_low;
    sum_2 += sum_2_low;
    sum_5 += sum_5_low;
    const double log_1 = (float)(log1p(sum_1 + sum_2 - 1.0));
    struct pass_3_float32 parts_3[MOST_PIECES];
    if (pieces == 1)
        parts_3[0] = pass_3_float32(
            0, n, s, t, (float)peak_1, (float)log_1, (float)sum_5, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_3[k] = pass_3_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, t, (float)peak_1,
                (float)log_1, (float)sum_5, gradient);
    }
    double sum_4 = 0.0;
    double sum_4_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_4, &sum_4_low, parts_3[k].sum_4);
    }
    sum_4 += sum_4_low;
    *value = (float)(-sum_4);
}

void softmax_cross_entropy_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict t,
    float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float32(n, s + row * n, t + row * n, value + row, gradient + row * n);
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

struct pass_1_float64 { double peak_1; };

static struct pass_1_float64 pass_1_float64(
    const size_t begin, const size_t end, const double *restrict s)
{
    double peak_1 = -INFINITY;
    SIMD(reduction(max : peak_1))
    for (size_t j = begin; j < end; ++j) {
        peak_1 = peak_1 < s[j] ? s[j] : peak_1;
    }
    return (struct pass_1_float64){peak_1};
}

struct pass_2_float64 { double sum_1; double sum_2; double sum_5; };

static struct pass_2_float64 pass_2_float64(
    const size_t begin, const size_t end, const double *restrict s, const double peak_1)
{
    double sum_1 = 0.0;
    double sum_2 = 0.0;
    double sum_5 = 0.0;
    double sum_1_low = 0.0;
    double sum_2_low = 0.0;
    double sum_5_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_1_part = 0.0;
        double sum_2_part = 0.0;
        double sum_5_part = 0.0;
        SIMD(reduction(+ : sum_1_part) reduction(+ : sum_2_part) reduction(+ : sum_5_part))
        for (size_t j = block; j < stop; ++j) {
            const double exp_1 = exp_float64(s[j] - peak_1);
            sum_1_part += s[j] < peak_1 ? exp_1 : 0;
            sum_2_part += s[j] < peak_1 ? 0 : 1;
            sum_5_part += exp_1;
        }
        add_exactly(&sum_1, &sum_1_low, sum_1_part);
        add_exactly(&sum_2, &sum_2_low, sum_2_part);
        add_exactly(&sum_5, &sum_5_low, sum_5_part);
    }
    return (struct pass_2_float64){sum_1 + sum_1_low, sum_2 + sum_2_low, sum_5 + sum_5_low};
}

struct pass_3_float64 { double sum_4; };

static struct pass_3_float64 pass_3_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict t,
    const double peak_1, const double log_1, const double sum_5, double *restrict gradient)
{
    double sum_4 = 0.0;
    double sum_4_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_4_part = 0.0;
        SIMD(reduction(+ : sum_4_part))
        for (size_t j = block; j < stop; ++j) {
            const double exp_1 = exp_float64(s[j] - peak_1);
            const double term_6 = exp_1 / sum_5 - t[j];
            sum_4_part += t[j] != 0 ? t[j] * (s[j] - peak_1 - log_1) : 0;
            gradient[j] = term_6;
        }
        add_exactly(&sum_4, &sum_4_low, sum_4_part);
    }
    return (struct pass_3_float64){sum_4 + sum_4_low};
}

static void row_float64(
    const size_t n, const double *restrict s, const double *restrict t, double *restrict value,
    double *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float64 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float64(0, n, s);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float64(smaller(n, k * length), smaller(n, (k + 1) * length), s);
    }
    double peak_1 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_1[k].peak_1 ? parts_1[k].peak_1 : peak_1;
    }
    struct pass_2_float64 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float64(0, n, s, peak_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, peak_1);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    double sum_2 = 0.0;
    double sum_2_low = 0.0;
    double sum_5 = 0.0;
    double sum_5_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_2[k].sum_1);
        add_exactly(&sum_2, &sum_2_low, parts_2[k].sum_2);
        add_exactly(&sum_5, &sum_5_low, parts_2[k].sum_5);
    }
    sum_1 += sum_1_low;
    sum_2 += sum_2_low;
    sum_5 += sum_5_low;
    const double log_1 = log1p(sum_1 + sum_2 - 1.0);
    struct pass_3_float64 parts_3[MOST_PIECES];
    if (pieces == 1)
        parts_3[0] = pass_3_float64(0, n, s, t, peak_1, log_1, sum_5, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_3[k] = pass_3_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, t, peak_1, log_1, sum_5,
                gradient);
    }
    double sum_4 = 0.0;
    double sum_4_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_4, &sum_4_low, parts_3[k].sum_4);
    }
    sum_4 += sum_4_low;
    *value = (double)(-sum_4);
}

void softmax_cross_entropy_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict t,
    double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, s + row * n, t + row * n, value + row, gradient + row * n);
}

#endif
