/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * max_hinge.value_and_grad, max_hinge.value, max_hinge.gradient.
 *
 * Value and gradient of max_hinge, row by row.
 *
 *     value = max_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))
 *     gradient_i = (1 - y_i) [i = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))] - y_i
 *         sum_k ((1 - y_k) [k = argmax_k ((1 - y_k) (m + s_k - sum_j (s_j y_j)))])
 *
 * Kernels max_hinge_value_and_grad_float32, max_hinge_value_and_grad_float64,
 * max_hinge_value_and_grad_float16, max_hinge_value_and_grad_bfloat16, to be launched with any
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

struct pass_1_float_result { double sum_1; };

template <typename Stored> __device__ inline pass_1_float_result pass_1_float(
    const long long n, const Row<Stored> s, const Row<Stored> y)
{
    pass_1_float_result mine;
    float sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        add_exactly<float>(sum_1, sum_1_low, y[j] != 0 ? y[j] * s[j] : 0);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

struct pass_2_float_result { float peak_1; };

template <typename Stored> __device__ inline pass_2_float_result pass_2_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float m, const float sum_1)
{
    pass_2_float_result mine;
    mine.peak_1 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_1 = 1 - y[j];
        const float term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        mine.peak_1 = larger_float(mine.peak_1, term_3);
    }
    return mine;
}

struct pass_3_float_result { long long top_1; float top_1_value; };

template <typename Stored> __device__ inline pass_3_float_result pass_3_float(
    const long long n, const Row<Stored> s, const Row<Stored> y, const float m, const float sum_1,
    const float peak_1)
{
    pass_3_float_result mine;
    mine.top_1 = 0;
    mine.top_1_value = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_1 = 1 - y[j];
        const float term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        if (mine.top_1_value < term_3 || j == threadIdx.x) {
            mine.top_1_value = term_3;
            mine.top_1 = j;
        }
    }
    return mine;
}

struct pass_4_float_result { double sum_3; };

template <typename Stored> __device__ inline pass_4_float_result pass_4_float(
    const long long n, const Row<Stored> y, const long long top_1)
{
    pass_4_float_result mine;
    float sum_3 = 0, sum_3_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_1 = 1 - y[j];
        const float term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        add_exactly<float>(sum_3, sum_3_low, term_5);
    }
    mine.sum_3 = (double)sum_3 + (double)sum_3_low;
    return mine;
}

template <typename Stored> __device__ inline void pass_5_float(
    const long long n, const Row<Stored> y, const long long top_1, const float sum_3,
    Stored *gradient)
{
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const float term_1 = 1 - y[j];
        const float term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        const float term_7 = term_5 - sum_3 * y[j];
        put(gradient + j, term_7);
    }
}

template <typename Stored> __device__ void run_float(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double m, Stored *value, Stored *gradient)
{
    __shared__ double sum_1, peak_1, top_1, sum_3;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        const pass_1_float_result mine_1 = pass_1_float(n, s, y);
        const double sum_1_merged = over_block<Sum>(mine_1.sum_1);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
        }
        __syncthreads();
        const pass_2_float_result mine_2 = pass_2_float(n, s, y, (float)m, (float)sum_1);
        const double peak_1_merged = over_block<Largest>(mine_2.peak_1);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
        }
        __syncthreads();
        const pass_3_float_result mine_3 = pass_3_float(
            n, s, y, (float)m, (float)sum_1, (float)peak_1);
        __shared__ double top_1_largest;
        const double top_1_of_all = over_block<Largest>(mine_3.top_1_value);
        if (threadIdx.x == 0) {
            top_1_largest = top_1_of_all;
        }
        __syncthreads();
        const double top_1_merged = over_block<First>(mine_3.top_1_value < top_1_largest ? First::none() : (double)mine_3.top_1);
        if (threadIdx.x == 0) {
            top_1 = top_1_merged;
        }
        __syncthreads();
        const pass_4_float_result mine_4 = pass_4_float(n, y, (long long)top_1);
        const double sum_3_merged = over_block<Sum>(mine_4.sum_3);
        if (threadIdx.x == 0) {
            sum_3 = sum_3_merged;
        }
        __syncthreads();
        pass_5_float(n, y, (long long)top_1, (float)sum_3, gradient + row * n);
        if (threadIdx.x == 0) {
            put(value + row, peak_1);
        }
        __syncthreads();
        __syncthreads();
    }
}

struct pass_1_double_result { double sum_1; };

template <typename Stored> __device__ inline pass_1_double_result pass_1_double(
    const long long n, const Row<Stored> s, const Row<Stored> y)
{
    pass_1_double_result mine;
    double sum_1 = 0, sum_1_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        add_exactly<double>(sum_1, sum_1_low, y[j] != 0 ? y[j] * s[j] : 0);
    }
    mine.sum_1 = (double)sum_1 + (double)sum_1_low;
    return mine;
}

struct pass_2_double_result { double peak_1; };

template <typename Stored> __device__ inline pass_2_double_result pass_2_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double m,
    const double sum_1)
{
    pass_2_double_result mine;
    mine.peak_1 = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_1 = 1 - y[j];
        const double term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        mine.peak_1 = larger_double(mine.peak_1, term_3);
    }
    return mine;
}

struct pass_3_double_result { long long top_1; double top_1_value; };

template <typename Stored> __device__ inline pass_3_double_result pass_3_double(
    const long long n, const Row<Stored> s, const Row<Stored> y, const double m,
    const double sum_1, const double peak_1)
{
    pass_3_double_result mine;
    mine.top_1 = 0;
    mine.top_1_value = -INFINITY;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_1 = 1 - y[j];
        const double term_3 = term_1 != 0 ? term_1 * (m + s[j] - sum_1) : 0;
        if (mine.top_1_value < term_3 || j == threadIdx.x) {
            mine.top_1_value = term_3;
            mine.top_1 = j;
        }
    }
    return mine;
}

struct pass_4_double_result { double sum_3; };

template <typename Stored> __device__ inline pass_4_double_result pass_4_double(
    const long long n, const Row<Stored> y, const long long top_1)
{
    pass_4_double_result mine;
    double sum_3 = 0, sum_3_low = 0;
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_1 = 1 - y[j];
        const double term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        add_exactly<double>(sum_3, sum_3_low, term_5);
    }
    mine.sum_3 = (double)sum_3 + (double)sum_3_low;
    return mine;
}

template <typename Stored> __device__ inline void pass_5_double(
    const long long n, const Row<Stored> y, const long long top_1, const double sum_3,
    Stored *gradient)
{
    for (long long j = threadIdx.x; j < n; j += blockDim.x) {
        const double term_1 = 1 - y[j];
        const double term_5 = term_1 != 0 ? term_1 * (j == top_1 ? 1 : 0) : 0;
        const double term_7 = term_5 - sum_3 * y[j];
        put(gradient + j, term_7);
    }
}

template <typename Stored> __device__ void run_double(
    const long long rows, const long long n, const Stored *s_rows, const Stored *y_rows,
    const double m, Stored *value, Stored *gradient)
{
    __shared__ double sum_1, peak_1, top_1, sum_3;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n};
        const Row<Stored> y{y_rows + row * n};
        const pass_1_double_result mine_1 = pass_1_double(n, s, y);
        const double sum_1_merged = over_block<Sum>(mine_1.sum_1);
        if (threadIdx.x == 0) {
            sum_1 = sum_1_merged;
        }
        __syncthreads();
        const pass_2_double_result mine_2 = pass_2_double(n, s, y, m, sum_1);
        const double peak_1_merged = over_block<Largest>(mine_2.peak_1);
        if (threadIdx.x == 0) {
            peak_1 = peak_1_merged;
        }
        __syncthreads();
        const pass_3_double_result mine_3 = pass_3_double(n, s, y, m, sum_1, peak_1);
        __shared__ double top_1_largest;
        const double top_1_of_all = over_block<Largest>(mine_3.top_1_value);
        if (threadIdx.x == 0) {
            top_1_largest = top_1_of_all;
        }
        __syncthreads();
        const double top_1_merged = over_block<First>(mine_3.top_1_value < top_1_largest ? First::none() : (double)mine_3.top_1);
        if (threadIdx.x == 0) {
            top_1 = top_1_merged;
        }
        __syncthreads();
        const pass_4_double_result mine_4 = pass_4_double(n, y, (long long)top_1);
        const double sum_3_merged = over_block<Sum>(mine_4.sum_3);
        if (threadIdx.x == 0) {
            sum_3 = sum_3_merged;
        }
        __syncthreads();
        pass_5_double(n, y, (long long)top_1, sum_3, gradient + row * n);
        if (threadIdx.x == 0) {
            put(value + row, peak_1);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void max_hinge_value_and_grad_float32(
    const long long rows, const long long n, const float *s, const float *y, const double m,
    float *value, float *gradient)
{
    run_float(rows, n, s, y, (float)m, value, gradient);
}

extern "C" __global__ void max_hinge_value_and_grad_float64(
    const long long rows, const long long n, const double *s, const double *y, const double m,
    double *value, double *gradient)
{
    run_double(rows, n, s, y, m, value, gradient);
}

#ifndef NO_HALVES
extern "C" __global__ void max_hinge_value_and_grad_float16(
    const long long rows, const long long n, const __half *s, const __half *y, const double m,
    __half *value, __half *gradient)
{
    run_float(rows, n, s, y, (float)m, value, gradient);
}

extern "C" __global__ void max_hinge_value_and_grad_bfloat16(
    const long long rows, const long long n, const __nv_bfloat16 *s, const __nv_bfloat16 *y,
    const double m, __nv_bfloat16 *value, __nv_bfloat16 *gradient)
{
    run_float(rows, n, s, y, (float)m, value, gradient);
}

#endif
