/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * zlpr.value_and_grad, zlpr.value, zlpr.gradient.
 *
 * Value and gradient of zlpr, row by row.
 *
 *     value = log(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) + log(sum_k (e^(s_0 - s_k) y_k) + 1)
 *     gradient_i = (1 - y_i) e^(-s_0 + s_i)/(sum_k ((1 - y_k) e^(-s_0 + s_k)) + 1) - e^(s_0 -
 *         s_i) y_i/(sum_k (e^(s_0 - s_k) y_k) + 1)
 *
 * Arrays hold row after row of n entries; value has one entry a row. Results do not depend on
 * the number of threads (compile with -fopenmp for any, with -march=native for vectors). For
 * the declarations alone, define ZLPR_VALUE_AND_GRAD_HEADER before including this file.
 */
#ifndef ZLPR_VALUE_AND_GRAD_H
#define ZLPR_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void zlpr_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double s_0, float *restrict value, float *restrict gradient);
void zlpr_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double s_0, double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef ZLPR_VALUE_AND_GRAD_HEADER
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

struct pass_1_float32 { float peak_1; float peak_2; };

static struct pass_1_float32 pass_1_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float s_0)
{
    float peak_1 = -INFINITY;
    float peak_2 = -INFINITY;
    SIMD(reduction(max : peak_1) reduction(max : peak_2))
    for (size_t j = begin; j < end; ++j) {
        const float open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
        const float term_11 = 1 - y[j];
        const float open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
        peak_1 = peak_1 < open_1 ? open_1 : peak_1;
        peak_2 = peak_2 < open_2 ? open_2 : peak_2;
    }
    return (struct pass_1_float32){peak_1, peak_2};
}

struct pass_2_float32 { double sum_1; double sum_3; };

static struct pass_2_float32 pass_2_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float s_0, const float term_3, const float term_14)
{
    double sum_1 = 0.0;
    double sum_3 = 0.0;
    SIMD(reduction(+ : sum_1) reduction(+ : sum_3))
    for (size_t j = begin; j < end; ++j) {
        const float open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
        const float term_5 = y[j] * exp_float32(open_1 - term_3);
        const float term_11 = 1 - y[j];
        const float open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
        const float term_16 = term_11 * exp_float32(open_2 - term_14);
        sum_1 += term_5;
        sum_3 += term_16;
    }
    return (struct pass_2_float32){sum_1, sum_3};
}

static void pass_3_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float s_0, const float term_3, const float sum_2, const float term_14, const float sum_4,
    float *restrict gradient)
{
    SIMD()
    for (size_t j = begin; j < end; ++j) {
        const float open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
        const float term_5 = y[j] * exp_float32(open_1 - term_3);
        const float term_11 = 1 - y[j];
        const float open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
        const float term_16 = term_11 * exp_float32(open_2 - term_14);
        const float term_31 = term_16 / sum_4 - term_5 / sum_2;
        gradient[j] = term_31;
    }
}

static void row_float32(
    const size_t n, const float *restrict s, const float *restrict y, const double s_0,
    float *restrict value, float *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float32 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float32(0, n, s, y, (float)s_0);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)s_0);
    }
    double peak_1 = -INFINITY;
    double peak_2 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_1[k].peak_1 ? parts_1[k].peak_1 : peak_1;
        peak_2 = peak_2 < parts_1[k].peak_2 ? parts_1[k].peak_2 : peak_2;
    }
    const double term_3 = (float)(larger_double(peak_1 - 60.0, 0.0));
    const double term_6 = -term_3;
    const double term_14 = (float)(larger_double(peak_2 - 60.0, 0.0));
    const double term_17 = -term_14;
    struct pass_2_float32 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float32(0, n, s, y, (float)s_0, (float)term_3, (float)term_14);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)s_0,
                (float)term_3, (float)term_14);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    double sum_3 = 0.0;
    double sum_3_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_2[k].sum_1);
        add_exactly(&sum_3, &sum_3_low, parts_2[k].sum_3);
    }
    sum_1 += sum_1_low;
    sum_3 += sum_3_low;
    const double sum_2 = sum_1 + exp(term_6);
    const double term_9 = larger_double(-larger_double(log(sum_2), term_6), 0.0);
    const double term_10 = term_3 - term_9;
    const double sum_4 = sum_3 + exp(term_17);
    const double term_20 = larger_double(-larger_double(log(sum_4), term_17), 0.0);
    const double term_21 = term_14 - term_20;
    const double term_30 = term_10 + term_21 + log1p(sum_3 * exp(term_20) + expm1(-term_21)) + log1p(sum_1 * exp(term_9) + expm1(-term_10));
    if (pieces == 1)
        pass_3_float32(
            0, n, s, y, (float)s_0, (float)term_3, (float)sum_2, (float)term_14, (float)sum_4,
            gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            pass_3_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)s_0,
                (float)term_3, (float)sum_2, (float)term_14, (float)sum_4, gradient);
    }
    *value = (float)(term_30);
}

void zlpr_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double s_0, float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float32(n, s + row * n, y + row * n, (float)s_0, value + row, gradient + row * n);
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

struct pass_1_float64 { double peak_1; double peak_2; };

static struct pass_1_float64 pass_1_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double s_0)
{
    double peak_1 = -INFINITY;
    double peak_2 = -INFINITY;
    SIMD(reduction(max : peak_1) reduction(max : peak_2))
    for (size_t j = begin; j < end; ++j) {
        const double open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
        const double term_11 = 1 - y[j];
        const double open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
        peak_1 = peak_1 < open_1 ? open_1 : peak_1;
        peak_2 = peak_2 < open_2 ? open_2 : peak_2;
    }
    return (struct pass_1_float64){peak_1, peak_2};
}

struct pass_2_float64 { double sum_1; double sum_3; };

static struct pass_2_float64 pass_2_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double s_0, const double term_3, const double term_14)
{
    double sum_1 = 0.0;
    double sum_3 = 0.0;
    double sum_1_low = 0.0;
    double sum_3_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_1_part = 0.0;
        double sum_3_part = 0.0;
        SIMD(reduction(+ : sum_1_part) reduction(+ : sum_3_part))
        for (size_t j = block; j < stop; ++j) {
            const double open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
            const double term_5 = y[j] * exp_float64(open_1 - term_3);
            const double term_11 = 1 - y[j];
            const double open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
            const double term_16 = term_11 * exp_float64(open_2 - term_14);
            sum_1_part += term_5;
            sum_3_part += term_16;
        }
        add_exactly(&sum_1, &sum_1_low, sum_1_part);
        add_exactly(&sum_3, &sum_3_low, sum_3_part);
    }
    return (struct pass_2_float64){sum_1 + sum_1_low, sum_3 + sum_3_low};
}

static void pass_3_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double s_0, const double term_3, const double sum_2, const double term_14,
    const double sum_4, double *restrict gradient)
{
    SIMD()
    for (size_t j = begin; j < end; ++j) {
        const double open_1 = y[j] != 0 ? s_0 - s[j] : -INFINITY;
        const double term_5 = y[j] * exp_float64(open_1 - term_3);
        const double term_11 = 1 - y[j];
        const double open_2 = term_11 != 0 ? s[j] - s_0 : -INFINITY;
        const double term_16 = term_11 * exp_float64(open_2 - term_14);
        const double term_31 = term_16 / sum_4 - term_5 / sum_2;
        gradient[j] = term_31;
    }
}

static void row_float64(
    const size_t n, const double *restrict s, const double *restrict y, const double s_0,
    double *restrict value, double *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float64 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float64(0, n, s, y, s_0);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, s_0);
    }
    double peak_1 = -INFINITY;
    double peak_2 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_1[k].peak_1 ? parts_1[k].peak_1 : peak_1;
        peak_2 = peak_2 < parts_1[k].peak_2 ? parts_1[k].peak_2 : peak_2;
    }
    const double term_3 = larger_double(peak_1 - 60.0, 0.0);
    const double term_6 = -term_3;
    const double term_14 = larger_double(peak_2 - 60.0, 0.0);
    const double term_17 = -term_14;
    struct pass_2_float64 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float64(0, n, s, y, s_0, term_3, term_14);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, s_0, term_3, term_14);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    double sum_3 = 0.0;
    double sum_3_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_2[k].sum_1);
        add_exactly(&sum_3, &sum_3_low, parts_2[k].sum_3);
    }
    sum_1 += sum_1_low;
    sum_3 += sum_3_low;
    const double sum_2 = sum_1 + exp(term_6);
    const double term_9 = larger_double(-larger_double(log(sum_2), term_6), 0.0);
    const double term_10 = term_3 - term_9;
    const double sum_4 = sum_3 + exp(term_17);
    const double term_20 = larger_double(-larger_double(log(sum_4), term_17), 0.0);
    const double term_21 = term_14 - term_20;
    const double term_30 = term_10 + term_21 + log1p(sum_3 * exp(term_20) + expm1(-term_21)) + log1p(sum_1 * exp(term_9) + expm1(-term_10));
    if (pieces == 1)
        pass_3_float64(0, n, s, y, s_0, term_3, sum_2, term_14, sum_4, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            pass_3_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, s_0, term_3, sum_2,
                term_14, sum_4, gradient);
    }
    *value = (double)(term_30);
}

void zlpr_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double s_0, double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, s + row * n, y + row * n, s_0, value + row, gradient + row * n);
}

#endif
