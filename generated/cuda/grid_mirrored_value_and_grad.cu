/*
 * Emitted by lossproof from the derived formula, target cuda. Rests on the claims
 * grid_mirrored.value_and_grad, grid_mirrored.value, grid_mirrored.gradient.
 *
 * Value and gradient of grid_mirrored, grid by grid of samples and classes.
 *
 *     value = sum_j log(sum_p sum_h ((1 - delta_hj) e^(s_ph - s_pj) t_pj) + 1)/2 + sum_k
 *         log(sum_p sum_h ((1 - delta_hk) e^(-s_ph + s_pk) t_ph) + 1)/2
 *     gradient_ij = -sum_k ((1 - delta_jk) (e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
 *         delta_hk) e^(-s_ph + s_pk) t_ph) + 1)) + e^(-s_ij + s_ik) t_ij/(2 (sum_p sum_h ((1 -
 *         delta_hj) e^(s_ph - s_pj) t_pj) + 1)))) + sum_k ((1 - delta_jk) (e^(s_ij - s_ik)
 *         t_ik/(2 (sum_p sum_h ((1 - delta_hk) e^(s_ph - s_pk) t_pk) + 1)) + e^(s_ij - s_ik)
 *         t_ik/(2 (sum_p sum_h ((1 - delta_hj) e^(-s_ph + s_pj) t_ph) + 1))))
 *
 * Kernels grid_mirrored_value_and_grad_float32, grid_mirrored_value_and_grad_float64,
 * grid_mirrored_value_and_grad_float16, grid_mirrored_value_and_grad_bfloat16, to be launched
 * with any grid and blocks of a multiple of 32 threads, up to 1024: a block takes one grid
 * after another. Arrays hold grid after grid of n rows of m entries; value has one entry for
 * each. In CuPy: RawModule(code=text).get_function(name)((blocks,), (threads,), arguments),
 * with rows, n, m as numpy.int64 and scalars as numpy.float64. The workspace has ROOM doubles
 * for each block, where ROOM = n + n * m + n * m + n * m + n * m + m + m + m + m + n * m + n +
 * n * m + n * m + n * m + m + m + m + m + n * m + n * m + n * m + n * m. Define NO_HALVES
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

/* others_j = sum_{k != j} x_k, from both ends, by one thread. */
FUNCTION void sum_of_others(const size_t n, const double *x, double *others)
{
    double total = 0.0, low = 0.0;
    for (size_t j = 0; j < n; ++j) {
        others[j] = total + low;
        add_exactly(&total, &low, x[j]);
    }
    total = low = 0.0;
    for (size_t j = n; j-- > 0;) {
        others[j] += total + low;
        add_exactly(&total, &low, x[j]);
    }
}

template <typename Stored> __device__ void run(
    const long long rows, const long long n, const long long m, const Stored *s_rows,
    const Stored *t_rows, Stored *value, Stored *gradient, double *workspace)
{
    double *const peak_1 = workspace + blockIdx.x * (n + n * m + n * m + n * m + n * m + m + m + m
        + m + n * m + n + n * m + n * m + n * m + m + m + m + m + n * m + n * m + n * m + n * m);
    double *const exp_1 = peak_1 + n;
    double *const others_1 = exp_1 + n * m;
    double *const term_1 = others_1 + n * m;
    double *const open_1 = term_1 + n * m;
    double *const peak_2 = open_1 + n * m;
    double *const sum_1 = peak_2 + m;
    double *const term_2 = sum_1 + m;
    double *const term_3 = term_2 + m;
    double *const open_2 = term_3 + m;
    double *const peak_3 = open_2 + n * m;
    double *const term_4 = peak_3 + n;
    double *const others_2 = term_4 + n * m;
    double *const open_3 = others_2 + n * m;
    double *const peak_4 = open_3 + n * m;
    double *const sum_3 = peak_4 + m;
    double *const term_5 = sum_3 + m;
    double *const term_6 = term_5 + m;
    double *const ratio_3 = term_6 + m;
    double *const others_3 = ratio_3 + n * m;
    double *const ratio_4 = others_3 + n * m;
    double *const others_4 = ratio_4 + n * m;
    for (long long row = blockIdx.x; row < rows; row += gridDim.x) {
        const Row<Stored> s{s_rows + row * n * m};
        const Row<Stored> t{t_rows + row * n * m};
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            double best = -INFINITY;
            for (long long j = 0; j < m; ++j)
                best = larger_double(best, (double)s[i * m + j]);
            peak_1[entry] = best;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            exp_1[entry] = exp((double)s[i * m + j] - peak_1[i]);
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x)
            sum_of_others(m, exp_1 + entry * m, others_1 + entry * m);
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            term_1[entry] = (double)t[i * m + j] != 0 ? (double)t[i * m + j] * others_1[i * m + j]
                : 0;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            open_1[entry] = term_1[i * m + j] != 0 ? peak_1[i] - (double)s[i * m + j] : -INFINITY;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double best = -INFINITY;
            for (long long i = 0; i < n; ++i)
                best = larger_double(best, open_1[i * m + j]);
            peak_2[entry] = best;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double total = 0.0, low = 0.0;
            for (long long i = 0; i < n; ++i)
                add_exactly<double>(total, low, term_1[i * m + j] * exp(open_1[i * m + j] -
                    larger_double(peak_2[j] - 60, 0)));
            sum_1[entry] = total + low;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_2[entry] = sum_1[j] + exp(-larger_double(peak_2[j] - 60, 0));
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_3[entry] = larger_double(-larger_double(log(term_2[j]), -larger_double(peak_2[j]
                - 60, 0)), 0);
        }
        __syncthreads();
        double sum_2;
        {
            double total = 0.0, low = 0.0;
            for (long long j = threadIdx.x; j < m; j += blockDim.x)
                add_exactly<double>(total, low, (larger_double(peak_2[j] - 60, 0) - term_3[j]) +
                    log1p(sum_1[j] * exp(term_3[j]) + expm1(-(larger_double(peak_2[j] - 60, 0) -
                    term_3[j]))));
            sum_2 = everywhere(over_block<Sum>(total + low));
        }
        const double ratio_1 = sum_2 / 2.0;
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            open_2[entry] = (double)t[i * m + j] != 0 ? -(double)s[i * m + j] : -INFINITY;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x) {
            const long long i = entry;
            double best = -INFINITY;
            for (long long j = 0; j < m; ++j)
                best = larger_double(best, open_2[i * m + j]);
            peak_3[entry] = best;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            term_4[entry] = (double)t[i * m + j] * exp(open_2[i * m + j] - (isfinite(peak_3[i]) ?
                peak_3[i] : 0));
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x)
            sum_of_others(m, term_4 + entry * m, others_2 + entry * m);
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            open_3[entry] = others_2[i * m + j] != 0 ? peak_3[i] + (double)s[i * m + j] :
                -INFINITY;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double best = -INFINITY;
            for (long long i = 0; i < n; ++i)
                best = larger_double(best, open_3[i * m + j]);
            peak_4[entry] = best;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            double total = 0.0, low = 0.0;
            for (long long i = 0; i < n; ++i)
                add_exactly<double>(total, low, others_2[i * m + j] * exp(open_3[i * m + j] -
                    larger_double(peak_4[j] - 60, 0)));
            sum_3[entry] = total + low;
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_5[entry] = sum_3[j] + exp(-larger_double(peak_4[j] - 60, 0));
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < m; entry += blockDim.x) {
            const long long j = entry;
            term_6[entry] = larger_double(-larger_double(log(term_5[j]), -larger_double(peak_4[j]
                - 60, 0)), 0);
        }
        __syncthreads();
        double sum_4;
        {
            double total = 0.0, low = 0.0;
            for (long long j = threadIdx.x; j < m; j += blockDim.x)
                add_exactly<double>(total, low, (larger_double(peak_4[j] - 60, 0) - term_6[j]) +
                    log1p(sum_3[j] * exp(term_6[j]) + expm1(-(larger_double(peak_4[j] - 60, 0) -
                    term_6[j]))));
            sum_4 = everywhere(over_block<Sum>(total + low));
        }
        const double ratio_2 = sum_4 / 2.0;
        const double term_7 = ratio_1 + ratio_2;
        if (threadIdx.x == 0)
            put(value + row, term_7);
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            ratio_3[entry] = (double)t[i * m + j] * exp(((double)t[i * m + j] != 0 ? peak_1[i] -
                (double)s[i * m + j] : -INFINITY) - larger_double(peak_2[j] - 60, 0)) / term_2[j];
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x)
            sum_of_others(m, ratio_3 + entry * m, others_3 + entry * m);
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            ratio_4[entry] = exp((peak_3[i] + (double)s[i * m + j]) - larger_double(peak_4[j] -
                60, 0)) / term_5[j];
        }
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n; entry += blockDim.x)
            sum_of_others(m, ratio_4 + entry * m, others_4 + entry * m);
        __syncthreads();
        for (long long entry = threadIdx.x; entry < n * m; entry += blockDim.x) {
            const long long i = entry / (m);
            const long long j = entry % m;
            put(gradient + row * (n * m) + entry, exp_1[i * m + j] * others_3[i * m + j] / 2 +
                ratio_4[i * m + j] * others_2[i * m + j] / 2 - ratio_3[i * m + j] * others_1[i * m
                + j] / 2 - others_4[i * m + j] * term_4[i * m + j] / 2);
        }
        __syncthreads();
        __syncthreads();
    }
}

extern "C" __global__ void grid_mirrored_value_and_grad_float32(
    const long long rows, const long long n, const long long m, const float *s, const float *t,
    float *value, float *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

extern "C" __global__ void grid_mirrored_value_and_grad_float64(
    const long long rows, const long long n, const long long m, const double *s, const double *t,
    double *value, double *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

#ifndef NO_HALVES
extern "C" __global__ void grid_mirrored_value_and_grad_float16(
    const long long rows, const long long n, const long long m, const __half *s, const __half *t,
    __half *value, __half *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

extern "C" __global__ void grid_mirrored_value_and_grad_bfloat16(
    const long long rows, const long long n, const long long m, const __nv_bfloat16 *s,
    const __nv_bfloat16 *t, __nv_bfloat16 *value, __nv_bfloat16 *gradient, double *workspace)
{
    run(rows, n, m, s, t, value, gradient, workspace);
}

#endif
