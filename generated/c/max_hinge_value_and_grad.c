/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.
 *
 * Value and gradient of max_hinge, row by row.
 *
 *     value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
 *     gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
 *         sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])
 *
 * Arrays hold row after row of n entries; value has one entry a row. Results do not depend on
 * the number of threads (compile with -fopenmp for any, with -march=native for vectors). For
 * the declarations alone, define MAX_HINGE_VALUE_AND_GRAD_HEADER before including this file.
 */
#ifndef MAX_HINGE_VALUE_AND_GRAD_H
#define MAX_HINGE_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void max_hinge_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double m, float *restrict value, float *restrict gradient);
void max_hinge_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double m, double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef MAX_HINGE_VALUE_AND_GRAD_HEADER
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

struct pass_1_float32 { double sum_1; };

static struct pass_1_float32 pass_1_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y)
{
    double sum_1 = 0.0;
    SIMD(reduction(+ : sum_1))
    for (size_t j = begin; j < end; ++j) {
        sum_1 += y[j] != 0 ? y[j] * s[j] : 0;
    }
    return (struct pass_1_float32){sum_1};
}

struct pass_2_float32 { float peak_1; };

static struct pass_2_float32 pass_2_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float m, const float sum_1)
{
    float peak_1 = -INFINITY;
    SIMD(reduction(max : peak_1))
    for (size_t j = begin; j < end; ++j) {
        const float term_1 = 1 - y[j];
        const float term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        peak_1 = peak_1 < term_3 ? term_3 : peak_1;
    }
    return (struct pass_2_float32){peak_1};
}

struct pass_3_float32 { size_t top_1; };

static struct pass_3_float32 pass_3_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float m, const float sum_1, const float peak_1)
{
    size_t top_1 = SIZE_MAX;
    SIMD(reduction(min : top_1))
    for (size_t j = begin; j < end; ++j) {
        const float term_1 = 1 - y[j];
        const float term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        top_1 = smaller(top_1, term_3 < peak_1 ? SIZE_MAX : j);
    }
    return (struct pass_3_float32){top_1};
}

struct pass_4_float32 { double sum_3; };

static struct pass_4_float32 pass_4_float32(
    const size_t begin, const size_t end, const float *restrict y, const size_t top_1)
{
    double sum_3 = 0.0;
    SIMD(reduction(+ : sum_3))
    for (size_t j = begin; j < end; ++j) {
        const float term_1 = 1 - y[j];
        const float term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        sum_3 += term_5;
    }
    return (struct pass_4_float32){sum_3};
}

static void pass_5_float32(
    const size_t begin, const size_t end, const float *restrict y, const size_t top_1,
    const float sum_3, float *restrict gradient)
{
    SIMD()
    for (size_t j = begin; j < end; ++j) {
        const float term_1 = 1 - y[j];
        const float term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        const float term_7 = term_5 - sum_3 * y[j];
        gradient[j] = term_7;
    }
}

static void row_float32(
    const size_t n, const float *restrict s, const float *restrict y, const double m,
    float *restrict value, float *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float32 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float32(0, n, s, y);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_1[k].sum_1);
    }
    sum_1 += sum_1_low;
    struct pass_2_float32 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float32(0, n, s, y, (float)m, (float)sum_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)m, (float)sum_1);
    }
    double peak_1 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_2[k].peak_1 ? parts_2[k].peak_1 : peak_1;
    }
    struct pass_3_float32 parts_3[MOST_PIECES];
    if (pieces == 1)
        parts_3[0] = pass_3_float32(0, n, s, y, (float)m, (float)sum_1, (float)peak_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_3[k] = pass_3_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)m, (float)sum_1,
                (float)peak_1);
    }
    size_t top_1 = SIZE_MAX;
    for (size_t k = 0; k < pieces; ++k) {
        top_1 = smaller(top_1, parts_3[k].top_1);
    }
    struct pass_4_float32 parts_4[MOST_PIECES];
    if (pieces == 1)
        parts_4[0] = pass_4_float32(0, n, y, top_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_4[k] = pass_4_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), y, top_1);
    }
    double sum_3 = 0.0;
    double sum_3_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_3, &sum_3_low, parts_4[k].sum_3);
    }
    sum_3 += sum_3_low;
    if (pieces == 1)
        pass_5_float32(0, n, y, top_1, (float)sum_3, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            pass_5_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), y, top_1, (float)sum_3,
                gradient);
    }
    *value = (float)(peak_1);
}

void max_hinge_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double m, float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float32(n, s + row * n, y + row * n, (float)m, value + row, gradient + row * n);
}

struct pass_1_float64 { double sum_1; };

static struct pass_1_float64 pass_1_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y)
{
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_1_part = 0.0;
        SIMD(reduction(+ : sum_1_part))
        for (size_t j = block; j < stop; ++j) {
            sum_1_part += y[j] != 0 ? y[j] * s[j] : 0;
        }
        add_exactly(&sum_1, &sum_1_low, sum_1_part);
    }
    return (struct pass_1_float64){sum_1 + sum_1_low};
}

struct pass_2_float64 { double peak_1; };

static struct pass_2_float64 pass_2_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double m, const double sum_1)
{
    double peak_1 = -INFINITY;
    SIMD(reduction(max : peak_1))
    for (size_t j = begin; j < end; ++j) {
        const double term_1 = 1 - y[j];
        const double term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        peak_1 = peak_1 < term_3 ? term_3 : peak_1;
    }
    return (struct pass_2_float64){peak_1};
}

struct pass_3_float64 { size_t top_1; };

static struct pass_3_float64 pass_3_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double m, const double sum_1, const double peak_1)
{
    size_t top_1 = SIZE_MAX;
    SIMD(reduction(min : top_1))
    for (size_t j = begin; j < end; ++j) {
        const double term_1 = 1 - y[j];
        const double term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        top_1 = smaller(top_1, term_3 < peak_1 ? SIZE_MAX : j);
    }
    return (struct pass_3_float64){top_1};
}

struct pass_4_float64 { double sum_3; };

static struct pass_4_float64 pass_4_float64(
    const size_t begin, const size_t end, const double *restrict y, const size_t top_1)
{
    double sum_3 = 0.0;
    double sum_3_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_3_part = 0.0;
        SIMD(reduction(+ : sum_3_part))
        for (size_t j = block; j < stop; ++j) {
            const double term_1 = 1 - y[j];
            const double term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
            sum_3_part += term_5;
        }
        add_exactly(&sum_3, &sum_3_low, sum_3_part);
    }
    return (struct pass_4_float64){sum_3 + sum_3_low};
}

static void pass_5_float64(
    const size_t begin, const size_t end, const double *restrict y, const size_t top_1,
    const double sum_3, double *restrict gradient)
{
    SIMD()
    for (size_t j = begin; j < end; ++j) {
        const double term_1 = 1 - y[j];
        const double term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        const double term_7 = term_5 - sum_3 * y[j];
        gradient[j] = term_7;
    }
}

static void row_float64(
    const size_t n, const double *restrict s, const double *restrict y, const double m,
    double *restrict value, double *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float64 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float64(0, n, s, y);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_1[k].sum_1);
    }
    sum_1 += sum_1_low;
    struct pass_2_float64 parts_2[MOST_PIECES];
    if (pieces == 1)
        parts_2[0] = pass_2_float64(0, n, s, y, m, sum_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_2[k] = pass_2_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, m, sum_1);
    }
    double peak_1 = -INFINITY;
    for (size_t k = 0; k < pieces; ++k) {
        peak_1 = peak_1 < parts_2[k].peak_1 ? parts_2[k].peak_1 : peak_1;
    }
    struct pass_3_float64 parts_3[MOST_PIECES];
    if (pieces == 1)
        parts_3[0] = pass_3_float64(0, n, s, y, m, sum_1, peak_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_3[k] = pass_3_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, m, sum_1, peak_1);
    }
    size_t top_1 = SIZE_MAX;
    for (size_t k = 0; k < pieces; ++k) {
        top_1 = smaller(top_1, parts_3[k].top_1);
    }
    struct pass_4_float64 parts_4[MOST_PIECES];
    if (pieces == 1)
        parts_4[0] = pass_4_float64(0, n, y, top_1);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_4[k] = pass_4_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), y, top_1);
    }
    double sum_3 = 0.0;
    double sum_3_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_3, &sum_3_low, parts_4[k].sum_3);
    }
    sum_3 += sum_3_low;
    if (pieces == 1)
        pass_5_float64(0, n, y, top_1, sum_3, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            pass_5_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), y, top_1, sum_3, gradient);
    }
    *value = (double)(peak_1);
}

void max_hinge_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double m, double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, s + row * n, y + row * n, m, value + row, gradient + row * n);
}

#endif
