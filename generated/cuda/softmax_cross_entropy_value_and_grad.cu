/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * softmax_cross_entropy.value_and_grad, softmax_cross_entropy.value, SCE-2,
 * softmax_cross_entropy.gradient, SCE-11, SURVEY-17.
 *
 * Value and gradient of softmax_cross_entropy, row by row.
 *
 *     value = -sum_k (log(e^(s_k)/sum_k e^(s_k)) t_k)
 *     gradient_i = e^(s_i)/sum_k e^(s_k) - t_i
 *
 * Kernels softmax_cross_entropy_value_and_grad_float32,
 * softmax_cross_entropy_value_and_grad_float64, softmax_cross_entropy_value_and_grad_float16,
 * softmax_cross_entropy_value_and_grad_bfloat16, to be launched with any grid and blocks of a
 * multiple of 32 threads, up to 1024: a block takes one row after another. Arrays hold row
 * after row of n entries; value has one entry a row. In CuPy (whose RawModule flushes
 * subnormal floats to 0): RawModule(code=text).get_function(name)((blocks,), (threads,),
 * arguments), with rows and n as numpy.int64 and scalars as numpy.float64. Define NO_HALVES
 * where the headers of the halves are missing.
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

struct pass_1_float_result { float peak_1; };

template <typename Stored> __device__ inline pass_1_float_result pass_1_float(
    const long long n, const Row<Stored> s)
{
    pass_1_float_result mine;
    mine.peak_1 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        mine.peak_1 = larger_float(mine.peak_1, s[j]);
    }
    return mine;
}

struct pass_2_float_result { double sum_1; double sum_2; double sum_5; };

template <typename Stored> __device__ inline pass_2_float_result pass_2_float(
    const long long n, const Row<Stored> s, const float peak_1)
{
    pass_2_float_result mine;
    float sum_1 = 0, sum_1_low = 0;
    float sum_2 = 0, sum_2_low = 0;
    float sum_5 = 0, sum_5_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float exp_1 = expf(s[j] - peak_1);
        add_exactly<float>(sum_1, sum_1_low, s[j] < peak_1 ? exp_1 : 0);
        add_exactly<float>(sum_2, sum_2_low, s[j] < peak_1 ? 0 : 1);
        add_exactly<float>(sum_5, sum_5_low, exp_1);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    mine.sum_2 = (double)sum_2 + (double)sum_2_low;
    mine.sum_5 = (double)sum_5 + (double)sum_5_low;
    return mine;
}

struct pass_3_float_result { double sum_4; };

template <typename Stored> __device__ inline pass_3_float_result pass_3_float(
    const long long n, const Row<Stored> s, const Row<Stored> t, const float peak_1,
    const float log_1, const float sum_5, Stored *gradient)
{
    pass_3_float_result mine;
    float sum_4 = 0, sum_4_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float exp_1 = expf(s[j] - peak_1);
        const float term_6 = exp_1 / sum_5 - t[j];
        add_exactly<float>(sum_4, sum_4_low, t[j] != 0 ? t[j] * (s[j] - peak_1 - log_1) : 0);
        put(gradient + j, term_6);
    }
    mine.sum_4 = (double)sum_4 + (double)sum_4_low;
    return mine;
}

template <typename Stored> __device__ void run_float(
    const long long rows, const long long n, const Stored *s_rows, const Stored *t_rows,
    Stored *value, Stored *gradient)
{
    __shared__ double peak_1, sum_1, sum_2, sum_5, log_1, sum_4;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> t{t_rows + row * n};
        const pass_1_float_result mine_1 = pass_1_float(n, s);
        const double peak_1_merged = over_block<Largest>(mine_1.peak_1);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
        }
        __syncthreads();
        const pass_2_float_result mine_2 = pass_2_float(n, s, (float)peak_1);
        const double sum_1_merged = over_block<Sum>(mine_2.sum_1);
        const double sum_2_merged = over_block<Sum>(mine_2.sum_2);
        const double sum_5_merged = over_block<Sum>(mine_2.sum_5);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
            sum_2 = sum_2_merged;
            sum_5 = sum_5_merged;
            log_1 = (float)(log1p(sum_1 + sum_2 - 1.0));
        }
        __syncthreads();
        const pass_3_float_result mine_3 = pass_3_float(
            n, s, t, (float)peak_1, (float)log_1, (float)sum_5, gradient + row * n);
        const double sum_4_merged = over_block<Sum>(mine_3.sum_4);
        if (threadIdx.x == 0) {
            sum_4 = sum_4_merged;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            put(value + row, -sum_4);
        }
        __syncthreads();
        __syncthreads();
    }
}

struct pass_1_double_result { double peak_1; };

template <typename Stored> __device__ inline pass_1_double_result pass_1_double(
    const long long n, const Row<Stored> s)
{
    pass_1_double_result mine;
    mine.peak_1 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        mine.peak_1 = larger_double(mine.peak_1, s[j]);
    }
    return mine;
}

struct pass_2_double_result { double sum_1; double sum_2; double sum_5; };

template <typename Stored> __device__ inline pass_2_double_result pass_2_double(
    const long long n, const Row<Stored> s, const double peak_1)
{
    pass_2_double_result mine;
    double sum_1 = 0, sum_1_low = 0;
    double sum_2 = 0, sum_2_low = 0;
    double sum_5 = 0, sum_5_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double exp_1 = exp(s[j] - peak_1);
        add_exactly<double>(sum_1, sum_1_low, s[j] < peak_1 ? exp_1 : 0);
        add_exactly<double>(sum_2, sum_2_low, s[j] < peak_1 ? 0 : 1);
        add_exactly<double>(sum_5, sum_5_low, exp_1);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    mine.sum_2 = (double)sum_2 + (double)sum_2_low;
    mine.sum_5 = (double)sum_5 + (double)sum_5_low;
    return mine;
}

struct pass_3_double_result { double sum_4; };

template <typename Stored> __device__ inline pass_3_double_result pass_3_double(
    const long long n, const Row<Stored> s, const Row<Stored> t, const double peak_1,
    const double log_1, const double sum_5, Stored *gradient)
{
    pass_3_double_result mine;
    double sum_4 = 0, sum_4_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double exp_1 = exp(s[j] - peak_1);
        const double term_6 = exp_1 / sum_5 - t[j];
        add_exactly<double>(sum_4, sum_4_low, t[j] != 0 ? t[j] * (s[j] - peak_1 - log_1) : 0);
        put(gradient + j, term_6);
    }
    mine.sum_4 = (double)sum_4 + (double)sum_4_low;
    return mine;
}

template <typename Stored> __device__ void run_double(
    const long long rows, const long long n, const Stored *s_rows, const Stored *t_rows,
    Stored *value, Stored *gradient)
{
    __shared__ double peak_1, sum_1, sum_2, sum_5, log_1, sum_4;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> t{t_rows + row * n};
        const pass_1_double_result mine_1 = pass_1_double(n, s);
        const double peak_1_merged = over_block<Largest>(mine_1.peak_1);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
        }
        __syncthreads();
        const pass_2_double_result mine_2 = pass_2_double(n, s, peak_1);
        const double sum_1_merged = over_block<Sum>(mine_2.sum_1);
        const double sum_2_merged = over_block<Sum>(mine_2.sum_2);
        const double sum_5_merged = over_block<Sum>(mine_2.sum_5);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
            sum_2 = sum_2_merged;
            sum_5 = sum_5_merged;
            log_1 = log1p(sum_1 + sum_2 - 1.0);
        }
        __syncthreads();
        const pass_3_double_result mine_3 = pass_3_double(
            n, s, t, peak_1, log_1, sum_5, gradient + row * n);
        const double sum_4_merged = over_block<Sum>(mine_3.sum_4);
        if (threadIdx.x == 0) {
            sum_4 = sum_4_merged;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            put(value + row, -sum_4);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void softmax_cross_entropy_value_and_grad_float32(
    const long long rows, const long long n, const float *s, const float *t, float *value,
    float *gradient)
{
    run_float(rows, n, s, t, value, gradient);
}

extern "C" __global__ void softmax_cross_entropy_value_and_grad_float64(
    const long long rows, const long long n, const double *s, const double *t, double *value,
    double *gradient)
{
    run_double(rows, n, s, t, value, gradient);
}

#ifndef NO_HALVES
extern "C" __global__ void softmax_cross_entropy_value_and_grad_float16(
    const long long rows, const long long n, const __half *s, const __half *t, __half *value,
    __half *gradient)
{
    run_float(rows, n, s, t, value, gradient);
}

extern "C" __global__ void softmax_cross_entropy_value_and_grad_bfloat16(
    const long long rows, const long long n, const __nv_bfloat16 *s, const __nv_bfloat16 *t,
    __nv_bfloat16 *value, __nv_bfloat16 *gradient)
{
    run_float(rows, n, s, t, value, gradient);
}

#endif
