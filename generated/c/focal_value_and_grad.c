/*
 * Emitted by lossproof from the derived formula, target c. Rests on the claims
 * focal.value_and_grad, focal.value, 9064-49, focal.gradient.
 *
 * Value and gradient of focal, row by row.
 *
 *     value = sum_k (log(1 + e^(-s_k)) y_k/(e^(s_k) + 1)^gamma + (1 - y_k) log(e^(s_k) + 1)/(1
 *         + e^(-s_k))^gamma)
 *     gradient_i = -(gamma log(1 + e^(-s_i))/(1 + e^(-s_i)) + 1/(e^(s_i) + 1)) y_i/(e^(s_i) +
 *         1)^gamma + (1 - y_i) (gamma log(e^(s_i) + 1)/(e^(s_i) + 1) + 1/(1 + e^(-s_i)))/(1 +
 *         e^(-s_i))^gamma
 *
 * Arrays hold row after row of n entries; value has one entry a row. Results do not depend on
 * the number of threads (compile with -fopenmp for any, with -march=native for vectors). For
 * the declarations alone, define FOCAL_VALUE_AND_GRAD_HEADER before including this file.
 */
#ifndef FOCAL_VALUE_AND_GRAD_H
#define FOCAL_VALUE_AND_GRAD_H
#include <stddef.h>
#ifdef __cplusplus
#define restrict __restrict
extern "C" {
#endif
void focal_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double gamma, float *restrict value, float *restrict gradient);
void focal_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double gamma, double *restrict value, double *restrict gradient);
#ifdef __cplusplus
}
#undef restrict
#endif
#endif

#ifndef FOCAL_VALUE_AND_GRAD_HEADER
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

/* log(1 + x) without a branch: 1 + x = 2^k (1 + g) with what the sum rounds away, g by a series. */
static inline float log1p_float32(const float x)
{
    const float u = 1 + x, part = u - 1, c = (1 - (u - part)) + (x - part);
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    bits += 0x4afb0d;
    const uint32_t raised = bits >> 23; /* k + 127 */
    const uint32_t f_bits = (bits & 0x7fffff) + 0x3f3504f3;
    const uint32_t down = (255 - raised) << 23, whole = raised | 0x4b000000;
    float f, scale, k;
    memcpy(&f, &f_bits, sizeof f);
    memcpy(&scale, &down, sizeof scale);
    memcpy(&k, &whole, sizeof k);
    k -= 8388735.0f;
    const float lost = c * (0.5f * scale), g = (f - 1) + lost, low = ((f - 1) - g) + lost;
    const float s = g / (2 + g), z = s * s, half = 0.5f * g * g;
    float q = 0.233316144718f;
    q = FMA_float(q, z, 0.285507786332f);
    q = FMA_float(q, z, 0.400001222118f);
    q = FMA_float(q, z, 0.66666666554f);
    const float curve = FMA_float(s, FMA_float(z, q, half), low), rest = FMA_float(k, -2.12194440054690583e-4f, curve);
    const float result = FMA_float(k, 0.693359375f, g - (half - rest));
    const float least = x < -1 ? NAN : -INFINITY;
    return x > -1 ? (x < INFINITY ? result : x) : x <= -1 ? least : x;
}

struct pass_1_float32 { double sum_1; };

static struct pass_1_float32 pass_1_float32(
    const size_t begin, const size_t end, const float *restrict s, const float *restrict y,
    const float gamma, float *restrict gradient)
{
    double sum_1 = 0.0;
    SIMD(reduction(+ : sum_1))
    for (size_t j = begin; j < end; ++j) {
        const float exp_1 = exp_float32(-fabsf(s[j]));
        const float term_4 = 1 + exp_1;
        const float ratio_1 = (s[j] <= 0 ? 1 : exp_1) / term_4;
        const float term_5 = powf(ratio_1, gamma);
        const float log_1 = log1p_float32(exp_1);
        const float term_8 = larger_float(-s[j], 0) + log_1;
        const float ratio_2 = (s[j] >= 0 ? 1 : exp_1) / term_4;
        const float term_12 = powf(ratio_2, gamma);
        const float term_13 = 1 - y[j];
        const float term_15 = larger_float(s[j], 0) + log_1;
        const float term_18 = (y[j] != 0 ? y[j] * (term_5 * term_8) : 0) + (term_13 != 0 ? term_13 * (term_12 * term_15) : 0);
        const float term_22 = term_12 * (gamma * (ratio_1 * term_15) + ratio_2);
        const float term_28 = y[j] != 0 ? y[j] * (term_5 * (gamma * (ratio_2 * term_8) + ratio_1)) : 0;
        const float term_29 = (term_13 != 0 ? term_13 * term_22 : 0) - term_28;
        sum_1 += term_18;
        gradient[j] = term_29;
    }
    return (struct pass_1_float32){sum_1};
}

static void row_float32(
    const size_t n, const float *restrict s, const float *restrict y, const double gamma,
    float *restrict value, float *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float32 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float32(0, n, s, y, (float)gamma, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float32(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, (float)gamma, gradient);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_1[k].sum_1);
    }
    sum_1 += sum_1_low;
    *value = (float)(sum_1);
}

void focal_value_and_grad_float32(
    const size_t rows, const size_t n, const float *restrict s, const float *restrict y,
    const double gamma, float *restrict value, float *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float32(n, s + row * n, y + row * n, (float)gamma, value + row, gradient + row * n);
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

struct pass_1_float64 { double sum_1; };

static struct pass_1_float64 pass_1_float64(
    const size_t begin, const size_t end, const double *restrict s, const double *restrict y,
    const double gamma, double *restrict gradient)
{
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t block = begin; block < end; block += BLOCK) {
        const size_t stop = smaller(end, block + BLOCK);
        double sum_1_part = 0.0;
        SIMD(reduction(+ : sum_1_part))
        for (size_t j = block; j < stop; ++j) {
            const double exp_1 = exp_float64(-fabs(s[j]));
            const double term_4 = 1 + exp_1;
            const double ratio_1 = (s[j] <= 0 ? 1 : exp_1) / term_4;
            const double term_5 = pow(ratio_1, gamma);
            const double log_1 = log1p_float64(exp_1);
            const double term_8 = larger_double(-s[j], 0) + log_1;
            const double ratio_2 = (s[j] >= 0 ? 1 : exp_1) / term_4;
            const double term_12 = pow(ratio_2, gamma);
            const double term_13 = 1 - y[j];
            const double term_15 = larger_double(s[j], 0) + log_1;
            const double term_18 = (y[j] != 0 ? y[j] * (term_5 * term_8) : 0) + (term_13 != 0 ? term_13 * (term_12 * term_15) : 0);
            const double term_22 = term_12 * (gamma * (ratio_1 * term_15) + ratio_2);
            const double term_28 = y[j] != 0 ? y[j] * (term_5 * (gamma * (ratio_2 * term_8) + ratio_1)) : 0;
            const double term_29 = (term_13 != 0 ? term_13 * term_22 : 0) - term_28;
            sum_1_part += term_18;
            gradient[j] = term_29;
        }
        add_exactly(&sum_1, &sum_1_low, sum_1_part);
    }
    return (struct pass_1_float64){sum_1 + sum_1_low};
}

static void row_float64(
    const size_t n, const double *restrict s, const double *restrict y, const double gamma,
    double *restrict value, double *restrict gradient)
{
    const size_t pieces = pieces_of(n), length = (n + pieces - 1) / pieces;
    struct pass_1_float64 parts_1[MOST_PIECES];
    if (pieces == 1)
        parts_1[0] = pass_1_float64(0, n, s, y, gamma, gradient);
    else {
        PARALLEL()
        for (size_t k = 0; k < pieces; ++k)
            parts_1[k] = pass_1_float64(
                smaller(n, k * length), smaller(n, (k + 1) * length), s, y, gamma, gradient);
    }
    double sum_1 = 0.0;
    double sum_1_low = 0.0;
    for (size_t k = 0; k < pieces; ++k) {
        add_exactly(&sum_1, &sum_1_low, parts_1[k].sum_1);
    }
    sum_1 += sum_1_low;
    *value = (double)(sum_1);
}

void focal_value_and_grad_float64(
    const size_t rows, const size_t n, const double *restrict s, const double *restrict y,
    const double gamma, double *restrict value, double *restrict gradient)
{
    PARALLEL(if (rows > 1 && rows * n >= SMALL && (n <= PIECE || rows >= MANY_ROWS)))
    for (size_t row = 0; row < rows; ++row)
        row_float64(n, s + row * n, y + row * n, gamma, value + row, gradient + row * n);
}

#endif
