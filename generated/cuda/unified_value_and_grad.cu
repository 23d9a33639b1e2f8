/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * unified.value_and_grad, unified.value, 7359-8, 7359-9, unified.gradient.
 *
 * Value and gradient of unified, row by row.
 *
 *     value = log(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1)
 *     gradient_i = gamma ((1 - y_i) e^(gamma m) e^(gamma s_i) sum_k (e^(-gamma s_k)
 *         y_k)/(e^(gamma m) sum_k ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1) -
 *         e^(gamma m) e^(-gamma s_i) y_i sum_k ((1 - y_k) e^(gamma s_k))/(e^(gamma m) sum_k
 *         ((1 - y_k) e^(gamma s_k)) sum_k (e^(-gamma s_k) y_k) + 1))
 *
 * Kernels unified_value_and_grad_float32, unified_value_and_grad_float64,
 * unified_value_and_grad_float16, unified_value_and_grad_bfloat16, to be launched with any
 * grid and blocks of a multiple of 32 threads, up to 1024: a block takes one row after
 * another. Arrays hold row after row of n entries; value has one entry a row. In CuPy (whose
 * RawModule flushes subnormal floats to 0): RawModule(code=text).get_function(name)((blocks,),
 * (threads,), arguments), with rows and n as numpy.int64 and scalars as numpy.float64. Define
 * NO_HALVES where the headers of the halves are missing.
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

struct pass_1_float_result { float peak_1; float peak_2; };

template <typename Stored> __device__ inline pass_1_float_result pass_1_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float gamma)
{
    pass_1_float_result mine;
    mine.peak_1 = -INFINITY;
    mine.peak_2 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_2 = 1 - y[j];
        const float term_3 = gamma * s[j];
        const float open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const float open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        mine.peak_1 = larger_float(mine.peak_1, open_1);
        mine.peak_2 = larger_float(mine.peak_2, open_2);
    }
    return mine;
}

struct pass_2_float_result { double sum_1; double sum_2; };

template <typename Stored> __device__ inline pass_2_float_result pass_2_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float gamma,
    const float term_7, const float term_10)
{
    pass_2_float_result mine;
    float sum_1 = 0, sum_1_low = 0;
    float sum_2 = 0, sum_2_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_2 = 1 - y[j];
        const float term_3 = gamma * s[j];
        const float open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const float open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        const float term_9 = term_2 * expf(open_1 - term_7);
        const float term_12 = y[j] * expf(open_2 - term_10);
        add_exactly<float>(sum_1, sum_1_low, term_9);
        add_exactly<float>(sum_2, sum_2_low, term_12);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    mine.sum_2 = (double)sum_2 + (double)sum_2_low;
    return mine;
}

template <typename Stored> __device__ inline void pass_3_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float gamma,
    const float term_7, const float term_10, const float term_27, const float term_29,
    Stored *gradient)
{
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_2 = 1 - y[j];
        const float term_3 = gamma * s[j];
        const float open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const float open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        const float term_9 = term_2 * expf(open_1 - term_7);
        const float term_12 = y[j] * expf(open_2 - term_10);
        const float term_32 = gamma * (term_27 * term_9 - term_29 * term_12);
        put(gradient + j, term_32);
    }
}

template <typename Stored> __device__ void run_float(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double gamma, const double m, Stored *value, Stored *gradient)
{
    __shared__ double term_1, peak_1, peak_2, term_6, term_7, term_10, exp_3, term_16, sum_1, sum_2, term_17, term_20, term_21, term_25, ratio_1, term_27, term_29;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        if (threadIdx.x == 0) {
            term_1 = m * gamma;
        }
        __syncthreads();
        const pass_1_float_result mine_1 = pass_1_float(n, s, y, (float)gamma);
        const double peak_1_merged = over_block<Largest>(mine_1.peak_1);
        const double peak_2_merged = over_block<Largest>(mine_1.peak_2);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
            peak_2 = peak_2_merged;
            term_6 = larger_double(term_1 + peak_1 + peak_2 - 60.0, 0.0);
            term_7 = (float)(isfinite(peak_1) ? peak_1 : 0.0);
            term_10 = (float)(isfinite(peak_2) ? peak_2 : 0.0);
            exp_3 = exp((term_1 + peak_1 + peak_2) - term_6);
            term_16 = -term_6;
        }
        __syncthreads();
        const pass_2_float_result mine_2 = pass_2_float(
            n, s, y, (float)gamma, (float)term_7, (float)term_10);
        const double sum_1_merged = over_block<Sum>(mine_2.sum_1);
        const double sum_2_merged = over_block<Sum>(mine_2.sum_2);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
            sum_2 = sum_2_merged;
            term_17 = sum_1 * sum_2 * exp_3 + exp(term_16);
            term_20 = larger_double(-larger_double(log(term_17), term_16), 0.0);
            term_21 = term_6 - term_20;
            term_25 = sum_1 * sum_2 * exp_3 * exp(term_20) + expm1(-term_21);
            ratio_1 = exp_3 / term_17;
            term_27 = sum_2 * ratio_1;
            term_29 = sum_1 * ratio_1;
        }
        __syncthreads();
        pass_3_float(
            n, s, y, (float)gamma, (float)term_7, (float)term_10, (float)term_27, (float)term_29,
            gradient + row * n);
        if (threadIdx.x == 0) {
            put(value + row, term_21 + log1p(term_25));
        }
        __syncthreads();
        __syncthreads();
    }
}

struct pass_1_double_result { double peak_1; double peak_2; };

template <typename Stored> __device__ inline pass_1_double_result pass_1_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double gamma)
{
    pass_1_double_result mine;
    mine.peak_1 = -INFINITY;
    mine.peak_2 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_2 = 1 - y[j];
        const double term_3 = gamma * s[j];
        const double open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const double open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        mine.peak_1 = larger_double(mine.peak_1, open_1);
        mine.peak_2 = larger_double(mine.peak_2, open_2);
    }
    return mine;
}

struct pass_2_double_result { double sum_1; double sum_2; };

template <typename Stored> __device__ inline pass_2_double_result pass_2_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double gamma,
    const double term_7, const double term_10)
{
    pass_2_double_result mine;
    double sum_1 = 0, sum_1_low = 0;
    double sum_2 = 0, sum_2_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_2 = 1 - y[j];
        const double term_3 = gamma * s[j];
        const double open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const double open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        const double term_9 = term_2 * exp(open_1 - term_7);
        const double term_12 = y[j] * exp(open_2 - term_10);
        add_exactly<double>(sum_1, sum_1_low, term_9);
        add_exactly<double>(sum_2, sum_2_low, term_12);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    mine.sum_2 = (double)sum_2 + (double)sum_2_low;
    return mine;
}

template <typename Stored> __device__ inline void pass_3_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double gamma,
    const double term_7, const double term_10, const double term_27, const double term_29,
    Stored *gradient)
{
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_2 = 1 - y[j];
        const double term_3 = gamma * s[j];
        const double open_1 = term_2 != 0 ? term_3 : -INFINITY;
        const double open_2 = y[j] != 0 ? -term_3 : -INFINITY;
        const double term_9 = term_2 * exp(open_1 - term_7);
        const double term_12 = y[j] * exp(open_2 - term_10);
        const double term_32 = gamma * (term_27 * term_9 - term_29 * term_12);
        put(gradient + j, term_32);
    }
}

template <typename Stored> __device__ void run_double(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double gamma, const double m, Stored *value, Stored *gradient)
{
    __shared__ double term_1, peak_1, peak_2, term_6, term_7, term_10, exp_3, term_16, sum_1, sum_2, term_17, term_20, term_21, term_25, ratio_1, term_27, term_29;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        if (threadIdx.x == 0) {
            term_1 = m * gamma;
        }
        __syncthreads();
        const pass_1_double_result mine_1 = pass_1_double(n, s, y, gamma);
        const double peak_1_merged = over_block<Largest>(mine_1.peak_1);
        const double peak_2_merged = over_block<Largest>(mine_1.peak_2);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
            peak_2 = peak_2_merged;
            term_6 = larger_double(term_1 + peak_1 + peak_2 - 60.0, 0.0);
            term_7 = isfinite(peak_1) ? peak_1 : 0.0;
            term_10 = isfinite(peak_2) ? peak_2 : 0.0;
            exp_3 = exp((term_1 + peak_1 + peak_2) - term_6);
            term_16 = -term_6;
        }
        __syncthreads();
        const pass_2_double_result mine_2 = pass_2_double(n, s, y, gamma, term_7, term_10);
        const double sum_1_merged = over_block<Sum>(mine_2.sum_1);
        const double sum_2_merged = over_block<Sum>(mine_2.sum_2);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
            sum_2 = sum_2_merged;
            term_17 = sum_1 * sum_2 * exp_3 + exp(term_16);
            term_20 = larger_double(-larger_double(log(term_17), term_16), 0.0);
            term_21 = term_6 - term_20;
            term_25 = sum_1 * sum_2 * exp_3 * exp(term_20) + expm1(-term_21);
            ratio_1 = exp_3 / term_17;
            term_27 = sum_2 * ratio_1;
            term_29 = sum_1 * ratio_1;
        }
        __syncthreads();
        pass_3_double(n, s, y, gamma, term_7, term_10, term_27, term_29, gradient + row * n);
        if (threadIdx.x == 0) {
            put(value + row, term_21 + log1p(term_25));
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void unified_value_and_grad_float32(
    const long long rows, const long long n, const float *s, const float *y, const double gamma,
    const double m, float *value, float *gradient)
{
    run_float(rows, n, s, y, (float)gamma, (float)m, value, gradient);
}

extern "C" __global__ void unified_value_and_grad_float64(
    const long long rows, const long long n, const double *s, const double *y, const double gamma,
    const double m, double *value, double *gradient)
{
    run_double(rows, n, s, y, gamma, m, value, gradient);
}

#ifndef NO_HALVES
extern "C" __global__ void unified_value_and_grad_float16(
    const long long rows, const long long n, const __half *s, const __half *y, const double gamma,
    const double m, __half *value, __half *gradient)
{
    run_float(rows, n, s, y, (float)gamma, (float)m, value, gradient);
}

extern "C" __global__ void unified_value_and_grad_bfloat16(
    const long long rows, const long long n, const __nv_bfloat16 *s, const __nv_bfloat16 *y,
    const double gamma, const double m, __nv_bfloat16 *value, __nv_bfloat16 *gradient)
{
    run_float(rows, n, s, y, (float)gamma, (float)m, value, gradient);
}

#endif
