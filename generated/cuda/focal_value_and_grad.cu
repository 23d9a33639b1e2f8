/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
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
 * Kernels focal_value_and_grad_float32, focal_value_and_grad_float64,
 * focal_value_and_grad_float16, focal_value_and_grad_bfloat16, to be launched with any grid
 * and blocks of a multiple of 32 threads, up to 1024: a block takes one row after another.
 * Arrays hold row after row of n entries; value has one entry a row. In CuPy (whose RawModule
 * flushes subnormal floats to 0): RawModule(code=text).get_function(name)((blocks,),
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

struct pass_1_float_result { double sum_1; };

template <typename Stored> __device__ inline pass_1_float_result pass_1_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float gamma,
    Stored *gradient)
{
    pass_1_float_result mine;
    float sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float exp_1 = expf(-fabsf(s[j]));
        const float term_4 = 1 + exp_1;
        const float ratio_1 = (s[j] <= 0 ? 1 : exp_1) / term_4;
        const float term_5 = powf(ratio_1, gamma);
        const float log_1 = log1pf(exp_1);
        const float term_8 = larger_float(-s[j], 0) + log_1;
        const float ratio_2 = (s[j] >= 0 ? 1 : exp_1) / term_4;
        const float term_12 = powf(ratio_2, gamma);
        const float term_13 = 1 - y[j];
        const float term_15 = larger_float(s[j], 0) + log_1;
        const float term_18 = (y[j] != 0 ? y[j] * (term_5 * term_8) : 0) + (term_13 != 0 ? term_13 * (term_12 * term_15) : 0);
        const float term_22 = term_12 * (gamma * (ratio_1 * term_15) + ratio_2);
        const float term_28 = y[j] != 0 ? y[j] * (term_5 * (gamma * (ratio_2 * term_8) + ratio_1)) : 0;
        const float term_29 = (term_13 != 0 ? term_13 * term_22 : 0) - term_28;
        add_exactly<float>(sum_1, sum_1_low, term_18);
        put(gradient + j, term_29);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

template <typename Stored> __device__ void run_float(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double gamma, Stored *value, Stored *gradient)
{
    __shared__ double sum_1;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        const pass_1_float_result mine_1 = pass_1_float(n, s, y, (float)gamma, gradient + row * n);
        const double sum_1_merged = over_block<Sum>(mine_1.sum_1);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            put(value + row, sum_1);
        }
        __syncthreads();
        __syncthreads();
    }
}

struct pass_1_double_result { double sum_1; };

template <typename Stored> __device__ inline pass_1_double_result pass_1_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double gamma,
    Stored *gradient)
{
    pass_1_double_result mine;
    double sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double exp_1 = exp(-fabs(s[j]));
        const double term_4 = 1 + exp_1;
        const double ratio_1 = (s[j] <= 0 ? 1 : exp_1) / term_4;
        const double term_5 = pow(ratio_1, gamma);
        const double log_1 = log1p(exp_1);
        const double term_8 = larger_double(-s[j], 0) + log_1;
        const double ratio_2 = (s[j] >= 0 ? 1 : exp_1) / term_4;
        const double term_12 = pow(ratio_2, gamma);
        const double term_13 = 1 - y[j];
        const double term_15 = larger_double(s[j], 0) + log_1;
        const double term_18 = (y[j] != 0 ? y[j] * (term_5 * term_8) : 0) + (term_13 != 0 ? term_13 * (term_12 * term_15) : 0);
        const double term_22 = term_12 * (gamma * (ratio_1 * term_15) + ratio_2);
        const double term_28 = y[j] != 0 ? y[j] * (term_5 * (gamma * (ratio_2 * term_8) + ratio_1)) : 0;
        const double term_29 = (term_13 != 0 ? term_13 * term_22 : 0) - term_28;
        add_exactly<double>(sum_1, sum_1_low, term_18);
        put(gradient + j, term_29);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

template <typename Stored> __device__ void run_double(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double gamma, Stored *value, Stored *gradient)
{
    __shared__ double sum_1;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        const pass_1_double_result mine_1 = pass_1_double(n, s, y, gamma, gradient + row * n);
        const double sum_1_merged = over_block<Sum>(mine_1.sum_1);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            put(value + row, sum_1);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void focal_value_and_grad_float32(
    const long long rows, const long long n, const float *s, const float *y, const double gamma,
    float *value, float *gradient)
{
    run_float(rows, n, s, y, (float)gamma, value, gradient);
}

extern "C" __global__ void focal_value_and_grad_float64(
    const long long rows, const long long n, const double *s, const double *y, const double gamma,
    double *value, double *gradient)
{
    run_double(rows, n, s, y, gamma, value, gradient);
}

#ifndef NO_HALVES
extern "C" __global__ void focal_value_and_grad_float16(
    const long long rows, const long long n, const __half *s, const __half *y, const double gamma,
    __half *value, __half *gradient)
{
    run_float(rows, n, s, y, (float)gamma, value, gradient);
}

extern "C" __global__ void focal_value_and_grad_bfloat16(
    const long long rows, const long long n, const __nv_bfloat16 *s, const __nv_bfloat16 *y,
    const double gamma, __nv_bfloat16 *value, __nv_bfloat16 *gradient)
{
    run_float(rows, n, s, y, (float)gamma, value, gradient);
}

#endif
