/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
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
 * Kernels padded_combination_softmax_value_and_grad_float32,
 * padded_combination_softmax_value_and_grad_float64,
 * padded_combination_softmax_value_and_grad_float16,
 * padded_combination_softmax_value_and_grad_bfloat16, to be launched with any grid and blocks
 * of a multiple of 32 threads, up to 1024: a block takes one row after another. Arrays hold
 * row after row of n entries; value has one entry for each. In CuPy:
 * RawModule(code=text).get_function(name)((blocks,), (threads,), arguments), with rows, n,
 * orders as numpy.int64 and scalars as numpy.float64. The workspace has ROOM doubles for each
 * block, where ROOM = n + n + (n + 3) * (orders + 1) + n, and orders is the largest order of
 * the batch (results of rows with a larger one are nan). Define NO_HALVES where the headers of
 * the halves are missing.
 */
#ifndef NO_HALVES
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif

__device__ inline float larger_float(const float a, const float b) { return a < b ? b : a; }
__device__ inline double larger_double(const double a, const double b) { return a < b ? b : a; }

/* Entries as they are computed with: halves as floats. */
__device__ inline float entry_of(const float x) { return x; }
__device__ inline double entry_of(const double x) { return x; }
__device__ inline void put(float *at, const double x) { *at = (float)x; }
__device__ inline void put(double *at, const double x) { *at = x; }
#ifndef NO_HALVES
__device__ inline float entry_of(const __half x) { return __half2float(x); }
__device__ inline float entry_of(const __nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void put(__half *at, const double x) { *at = __double2half(x); }
__device__ inline void put(__nv_bfloat16 *at, const double x) { *at = __double2bfloat16(x); }
#endif

/* Row after row of an array; reading converts. */
template <typename Stored> struct Row {
    const Stored *entries;
    __device__ auto operator[](const long long j) const { return entry_of(entries[j]); }
};

/* total + low += term, where low is what the additions to total have rounded away. */
template <typename Real> __device__ inline void add_exactly(Real &total, Real &low, const Real term)
{
    const Real sum = total + term, part = sum - total;
    low += isfinite(sum) ? (total - (sum - part)) + (term - part) : (Real)0;
    total = sum;
}

struct Sum {
    __device__ static double merge(const double a, const double b) { return a + b; }
    __device__ static double none() { return 0.0; }
};
struct Product {
    __device__ static double merge(const double a, const double b) { return a * b; }
    __device__ static double none() { return 1.0; }
};
struct Largest {
    __device__ static double merge(const double a, const double b) { return larger_double(a, b); }
    __device__ static double none() { return -INFINITY; }
};
/* Places: whole numbers below 2^53. */
struct First {
    __device__ static double merge(const double a, const double b) { return a < b ? a : b; }
    __device__ static double none() { return 9007199254740992.0; }
};

template <typename Merge> __device__ inline double over_warp(double x)
{
    for (int apart = 16; apart > 0; apart /= 2)
        x = Merge::merge(x, __shfl_xor_sync(0xffffffffu, x, apart));
    return x;
}

/* What all threads of the block have, merged; known to the first warp. */
template <typename Merge> __device__ inline double over_block(double x)
{
    __shared__ double warps[32];
    x = over_warp<Merge>(x);
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = x;
    __syncthreads();
    if (threadIdx.x < 32)
        x = over_warp<Merge>(threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : Merge::none());
    __syncthreads();
    return x;
}

#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif

__device__ inline void add_exactly(double *total, double *low, const double term)
{
    add_exactly<double>(*total, *low, term);
}

/* What the first thread knows, known to all. */
__device__ inline double everywhere(const double x)
{
    __shared__ double known;
    if (threadIdx.x == 0)
        known = x;
    __syncthreads();
    const double found = known;
    __syncthreads();
    return found;
}

#define FUNCTION __device__ inline
#define EXP(x) exp(x)
#define LOG1P(x) log1p(x)
#define EACH(m, first, count) \
    for (size_t m = (first) + threadIdx.x; m < (size_t)(count); m += blockDim.x)
#define EACH_SUM(m, count, ...) EACH(m, 0, count)
#define EACH_MAX(m, count, peak) EACH(m, 0, count)
#define ALL_SUM(x) everywhere(over_block<Sum>(x))
#define ALL_MAX(x) everywhere(over_block<Largest>(x))
#define ONE_THREAD if (threadIdx.x == 0)
#define WAIT __syncthreads();

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

template <typename Stored> __device__ void run(
    const long long rows, const long long n, const long long orders, const Stored *s_rows,
    const Stored *y_rows, const double K, const double s_0, Stored *value, Stored *gradient,
    double *workspace)
{
    double *const by_elements_1_of_1 = workspace + blockIdx.x * (n + n + (n + 3) * (orders + 1) +
        n);
    double *const by_elements_2 = by_elements_1_of_1 + n;
    double *const table = by_elements_2 + n;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            by_elements_1_of_1[entry] = (double)s[i];
        }
        __syncthreads();
        const double by_elements_1 = !is_order(K) || K <= (double)orders ? log_coefficient(n,
            by_elements_1_of_1, K, s_0, table) : NAN;
        double sum_1;
        {
            double total = 0.0, low = 0.0;
            for (long long i = threadIdx.x; i < n; i += blockDim.x)
                add_exactly<double>(total, low, (double)y[i] != 0 ? (double)y[i] *
                    by_elements_1_of_1[i] : 0);
            sum_1 = everywhere(over_block<Sum>(total + low));
        }
        double sum_2;
        {
            double total = 0.0, low = 0.0;
            for (long long i = threadIdx.x; i < n; i += blockDim.x)
                add_exactly<double>(total, low, (double)y[i]);
            sum_2 = everywhere(over_block<Sum>(total + low));
        }
        const double term_1 = K - sum_2;
        const double term_2 = s_0 * term_1;
        const double term_3 = by_elements_1 - sum_1 - term_2;
        if (threadIdx.x == 0)
            put(value + row, term_3);
        const double term_4 = K - 1.0;
        if (!is_order(term_4) || term_4 <= (double)orders)
            log_coefficient_without(n, by_elements_1_of_1, term_4, s_0, table, by_elements_2);
        else
            EACH(entry, 0, n)
                by_elements_2[entry] = NAN;
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            put(gradient + row * (n) + entry, exp(by_elements_1_of_1[i] + by_elements_2[i] -
                by_elements_1) - (double)y[i]);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void padded_combination_softmax_value_and_grad_float32(
    const long long rows, const long long n, const long long orders, const float *s,
    const float *y, const double K, const double s_0, float *value, float *gradient,
    double *workspace)
{
    run(rows, n, orders, s, y, (float)K, (float)s_0, value, gradient, workspace);
}

extern "C" __global__ void padded_combination_softmax_value_and_grad_float64(
    const long long rows, const long long n, const long long orders, const double *s,
    const double *y, const double K, const double s_0, double *value, double *gradient,
    double *workspace)
{
    run(rows, n, orders, s, y, K, s_0, value, gradient, workspace);
}

#ifndef NO_HALVES
extern "C" __global__ void padded_combination_softmax_value_and_grad_float16(
    const long long rows, const long long n, const long long orders, const __half *s,
    const __half *y, const double K, const double s_0, __half *value, __half *gradient,
    double *workspace)
{
    run(rows, n, orders, s, y, (float)K, (float)s_0, value, gradient, workspace);
}

extern "C" __global__ void padded_combination_softmax_value_and_grad_bfloat16(
    const long long rows, const long long n, const long long orders, const __nv_bfloat16 *s,
    const __nv_bfloat16 *y, const double K, const double s_0, __nv_bfloat16 *value,
    __nv_bfloat16 *gradient, double *workspace)
{
    run(rows, n, orders, s, y, (float)K, (float)s_0, value, gradient, workspace);
}

#endif
