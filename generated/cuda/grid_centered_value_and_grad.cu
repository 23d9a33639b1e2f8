/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * grid_centered.value_and_grad, grid_centered.value, grid_centered.gradient.
 *
 * Value and gradient of grid_centered, grid by grid of samples and classes.
 *
 *     value = sum_j log(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
 *     gradient_ij = -e^(-s_ij + sum_l s_il/m) t_ij/(sum_p (e^(-s_pj + sum_l s_pl/m) t_pj) + 1)
 *         + sum_l (e^(-s_il + sum_l s_il/m) t_il/(sum_p (e^(-s_pl + sum_l s_pl/m) t_pl) +
 *         1))/m
 *
 * Kernels grid_centered_value_and_grad_float32, grid_centered_value_and_grad_float64,
 * grid_centered_value_and_grad_float16, grid_centered_value_and_grad_bfloat16, to be launched
 * with any grid and blocks of a multiple of 32 threads, up to 1024: a block takes one grid
 * after another. Arrays hold grid after grid of n rows of m entries; value has one entry for
 * each. In CuPy: RawModule(code=text).get_function(name)((blocks,), (threads,), arguments),
 * with rows, n, m as numpy.int64 and scalars as numpy.float64. The workspace has ROOM doubles
 * for each block, where ROOM = n + n + n * m + m + n * m + m + m + m + n * m + n + n. Define
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

template <typename Stored> __device__ void run(
    const long long rows, const long long n, const long long m, const Stored *s_rows,
    const Stored *t_rows, Stored *value, Stored *gradient, double *workspace)
{
    double *const sum_1 = workspace + blockIdx.x * (n + n + n * m + m + n * m + m + m + m + n * m
        + n + n);
    double *const ratio_1 = sum_1 + n;
    double *const open_1 = ratio_1 + n;
    double *const peak_1 = open_1 + n * m;
    double *const term_1 = peak_1 + m;
    double *const sum_2 = term_1 + n * m;
    double *const term_2 = sum_2 + m;
    double *const term_3 = term_2 + m;
    double *const ratio_2 = term_3 + m;
    double *const sum_4 = ratio_2 + n * m;
    double *const ratio_3 = sum_4 + n;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n * m};
        const Row<Stored> t{t_rows + row * n * m};
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            double total = 0.0, low = 0.0;
            for (long long j = 0; j < m; ++j)
                add_exactly<double>(total, low, (double)s[i * m + j]);
            sum_1[entry] = total + low;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            ratio_1[entry] = sum_1[i] / (double)m;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            open_1[entry] = (double)t[i * m + j] != 0 ? ratio_1[i] - (double)s[i * m + j] :
                -INFINITY;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double best = -INFINITY;
            for (long long i = 0; i < n; ++i)
                best = larger_double(best, open_1[i * m + j]);
            peak_1[entry] = best;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            term_1[entry] = (double)t[i * m + j] * exp(open_1[i * m + j] - larger_double(peak_1[j]
                - 60, 0));
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double total = 0.0, low = 0.0;
            for (long long i = 0; i < n; ++i)
                add_exactly<double>(total, low, term_1[i * m + j]);
            sum_2[entry] = total + low;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_2[entry] = sum_2[j] + exp(-larger_double(peak_1[j] - 60, 0));
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_3[entry] = larger_double(-larger_double(log(term_2[j]), -larger_double(peak_1[j]
                - 60, 0)), 0);
        }
        __syncthreads();
        double sum_3;
        {
            double total = 0.0, low = 0.0;
            for (long long j = threadIdx.x; j < m; j += blockDim.x)
                add_exactly<double>(total, low, (larger_double(peak_1[j] - 60, 0) - term_3[j]) +
                    log1p(sum_2[j] * exp(term_3[j]) + expm1(-(larger_double(peak_1[j] - 60, 0) -
                    term_3[j]))));
            sum_3 = everywhere(over_block<Sum>(total + low));
        }
        if (threadIdx.x == 0)
            put(value + row, sum_3);
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            ratio_2[entry] = term_1[i * m + j] / term_2[j];
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            double total = 0.0, low = 0.0;
            for (long long j = 0; j < m; ++j)
                add_exactly<double>(total, low, ratio_2[i * m + j]);
            sum_4[entry] = total + low;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            ratio_3[entry] = sum_4[i] / (double)m;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            put(gradient + row * (n * m) + entry, ratio_3[i] - ratio_2[i * m + j]);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void grid_centered_value_and_grad_float32(
    const long long rows, const long long n, const long long m, const float *s, const float *t,
    float *value, float *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

extern "C" __global__ void grid_centered_value_and_grad_float64(
    const long long rows, const long long n, const long long m, const double *s, const double *t,
    double *value, double *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

#ifndef NO_HALVES
extern "C" __global__ void grid_centered_value_and_grad_float16(
    const long long rows, const long long n, const long long m, const __half *s, const __half *t,
    __half *value, __half *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

extern "C" __global__ void grid_centered_value_and_grad_bfloat16(
    const long long rows, const long long n, const long long m, const __nv_bfloat16 *s,
    const __nv_bfloat16 *t, __nv_bfloat16 *value, __nv_bfloat16 *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

#endif
