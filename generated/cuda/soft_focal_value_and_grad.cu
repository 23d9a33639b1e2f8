/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * soft_focal.value_and_grad, soft_focal.value, soft_focal.gradient.
 *
 * Value and gradient of soft_focal, row by row.
 *
 *     value = sum_k (((1 - t_k) log(e^(s_k) + 1) + log(1 + e^(-s_k)) t_k) (Abs(t_k/(e^(s_k) +
 *         1) + (t_k - 1)/(1 + e^(-s_k))))^beta)
 *     gradient_i = (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i))) (beta ((1 - t_i)
 *         log(e^(s_i) + 1) + log(1 + e^(-s_i)) t_i)/((1 + e^(-s_i)) (e^(s_i) + 1)) +
 *         (-t_i/(e^(s_i) + 1) + (1 - t_i)/(1 + e^(-s_i)))^2) (Abs(t_i/(e^(s_i) + 1) + (t_i -
 *         1)/(1 + e^(-s_i))))^(beta - 2)
 *
 * Kernels soft_focal_value_and_grad_float32, soft_focal_value_and_grad_float64,
 * soft_focal_value_and_grad_float16, soft_focal_value_and_grad_bfloat16, to be launched with
 * any grid and blocks of a multiple of 32 threads, up to 1024: a block takes one row after
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

struct pass_1_float_result { double sum_1; };

template <typename Stored> __device__ inline pass_1_float_result pass_1_float(
    const long long n, const Row<Stored> s, const Row<Stored> t, const float beta,
    const float term_22, Stored *gradient)
{
    pass_1_float_result mine;
    float sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float exp_1 = expf(-fabsf(s[j]));
        const float term_5 = 1 + exp_1;
        const float ratio_1 = (s[j] >= 0 ? 1 : exp_1) / term_5;
        const float ratio_2 = (s[j] <= 0 ? 1 : exp_1) / term_5;
        const float term_8 = t[j] != 0 ? t[j] * ratio_2 : 0;
        const float term_10 = fabsf((t[j] - 1) * ratio_1 + term_8);
        const float term_12 = 1 - t[j];
        const float log_1 = log1pf(exp_1);
        const float term_15 = term_12 != 0 ? term_12 * (larger_float(s[j], 0) + log_1) : 0;
        const float term_19 = t[j] != 0 ? t[j] * (larger_float(-s[j], 0) + log_1) : 0;
        const float term_20 = term_15 + term_19;
        const float term_25 = (term_12 != 0 ? term_12 * ratio_1 : 0) - term_8;
        const float term_29 = powf(term_25, 2) + beta * (term_20 * ratio_2 * ratio_1);
        const float term_30 = powf(term_10, term_22) * term_29 * term_25;
        add_exactly<float>(sum_1, sum_1_low, powf(term_10, beta) * term_20);
        put(gradient + j, term_30);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

template <typename Stored> __device__ void run_float(
    const long long rows, const long long n, const Stored *s_rows, const Stored *t_rows,
    const double beta, Stored *value, Stored *gradient)
{
    __shared__ double term_22, sum_1;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> t{t_rows + row * n};
        if (threadIdx.x == 0) {
            term_22 = beta - 2.0;
        }
        __syncthreads();
        const pass_1_float_result mine_1 = pass_1_float(
            n, s, t, (float)beta, (float)term_22, gradient + row * n);
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
    const long long n, const Row<Stored> s, const Row<Stored> t, const double beta,
    const double term_22, Stored *gradient)
{
    pass_1_double_result mine;
    double sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double exp_1 = exp(-fabs(s[j]));
        const double term_5 = 1 + exp_1;
        const double ratio_1 = (s[j] >= 0 ? 1 : exp_1) / term_5;
        const double ratio_2 = (s[j] <= 0 ? 1 : exp_1) / term_5;
        const double term_8 = t[j] != 0 ? t[j] * ratio_2 : 0;
        const double term_10 = fabs((t[j] - 1) * ratio_1 + term_8);
        const double term_12 = 1 - t[j];
        const double log_1 = log1p(exp_1);
        const double term_15 = term_12 != 0 ? term_12 * (larger_double(s[j], 0) + log_1) : 0;
        const double term_19 = t[j] != 0 ? t[j] * (larger_double(-s[j], 0) + log_1) : 0;
        const double term_20 = term_15 + term_19;
        const double term_25 = (term_12 != 0 ? term_12 * ratio_1 : 0) - term_8;
        const double term_29 = pow(term_25, 2) + beta * (term_20 * ratio_2 * ratio_1);
        const double term_30 = pow(term_10, term_22) * term_29 * term_25;
        add_exactly<double>(sum_1, sum_1_low, pow(term_10, beta) * term_20);
        put(gradient + j, term_30);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

template <typename Stored> __device__ void run_double(
    const long long rows, const long long n, const Stored *s_rows, const Stored *t_rows,
    const double beta, Stored *value, Stored *gradient)
{
    __shared__ double term_22, sum_1;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> t{t_rows + row * n};
        if (threadIdx.x == 0) {
            term_22 = beta - 2.0;
        }
        __syncthreads();
        const pass_1_double_result mine_1 = pass_1_double(
            n, s, t, beta, term_22, gradient + row * n);
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

extern "C" __global__ void soft_focal_value_and_grad_float32(
    const long long rows, const long long n, const float *s, const float *t, const double beta,
    float *value, float *gradient)
{
    run_float(rows, n, s, t, (float)beta, value, gradient);
}

extern "C" __global__ void soft_focal_value_and_grad_float64(
    const long long rows, const long long n, const double *s, const double *t, const double beta,
    double *value, double *gradient)
{
    run_double(rows, n, s, t, beta, value, gradient);
}

#ifndef NO_HALVES
extern "C" __global__ void soft_focal_value_and_grad_float16(
    const long long rows, const long long n, const __half *s, const __half *t, const double beta,
    __half *value, __half *gradient)
{
    run_float(rows, n, s, t, (float)beta, value, gradient);
}

extern "C" __global__ void soft_focal_value_and_grad_bfloat16(
    const long long rows, const long long n, const __nv_bfloat16 *s, const __nv_bfloat16 *t,
    const double beta, __nv_bfloat16 *value, __nv_bfloat16 *gradient)
{
    run_float(rows, n, s, t, (float)beta, value, gradient);
}

#endif
