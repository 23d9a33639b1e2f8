/*
 * Numbers: how each dtype is stored and computed with, e^x, and sums.
 *
 *     x = k log 2 + r,   |r| <= log(2) / 2,   C = cosh(r) - 1,   S = sinh(r)
 *     w e^x = 2^k fma(w, S + C, w),   w e^-x = 2^-k fma(w, C - S, w)
 *
 * float and double are computed in their own dtype, by Taylor's series up to where they leave out
 * 0.09 and 0.05 of 2^-24 and 2^-53. Up to four neighbours are summed plainly, which costs an ulp at
 * most; their sums go into pairs (high, low) with the rounding error (Knuth's two_sum). The loss of
 * a row is computed in double, by one thread; what its gradient needs, in pairs, by all.
 * Halves are computed in float, by the device's 2^x (2 ulp of float, after an argument up to 126
 * that is rounded to 2^-18) and with plain sums of few terms a thread: some 2^-17 in all, beside
 * 2^-11 that half an ulp of float16 is.
 *
 * Nothing here may be fused but by fma: compile with --fmad=false.
 */

/* What a loss is told: `_parameters` in __init__.py. */
struct Parameters { double a, b, c, d; };

struct Float16 { unsigned short bits; };
struct BFloat16 { unsigned short bits; };

/*
 * Row: the dtype in which the loss is computed.
 * LIMIT: log of the smallest normal number is -87.3 and -708.4, so e^LIMIT and e^-LIMIT have all
 * their digits. GONE: from here on 2^32 terms add up to less than the smallest subnormal number:
 * log(2) (149 + 32) = 125.5 and log(2) (1074 + 32) = 766.7. MAGIC = 1.5 2^(digits - 1): added to x
 * it leaves rint(x) in the last bits of the sum. LARGEST: 1 / (1 + sum) must be a normal number.
 * NEAR, LEAST: LEAST e^-NEAR is a normal number, so that within nothing is to be looked at.
 * MOST: the largest number.
 */
struct InFloat {
    typedef float Real;
    static constexpr float LIMIT = 87.0f, GONE = 127.0f, MAGIC = 12582912.0f;
    static constexpr float TINY = 1.17549435e-38f, NEAR = 60.0f, LEAST = 9.31322575e-10f;
    static constexpr double LARGEST = 1.329227995784916e36; /* 2^120 */
    static constexpr float MOST = 3.4028234663852886e38f;
};
template <typename Stored> struct Numbers;
template <> struct Numbers<float> : InFloat {
    typedef double Row;
    static constexpr bool EXACT = true;
};
template <> struct Numbers<Float16> : InFloat {
    typedef float Row;
    static constexpr bool EXACT = false;
};
template <> struct Numbers<BFloat16> : Numbers<Float16> {};
template <> struct Numbers<double> {
    typedef double Real;
    typedef double Row;
    static constexpr bool EXACT = true;
    static constexpr double LIMIT = 700.0, GONE = 768.0, MAGIC = 6755399441055744.0;
    static constexpr double TINY = 2.2250738585072014e-308, NEAR = 500.0;
    static constexpr double LEAST = 7.888609052210118e-31;
    static constexpr double LARGEST = 1.0715086071862673e301; /* 2^1000 */
    static constexpr double MOST = 1.7976931348623157e308;
};

/* finfo(float16).max: a mask in any dtype is at or below -REACH, and k < 2^17 is exact */
#define REACH 65504

__device__ inline float not_a_number() { return __int_as_float(0x7fc00000); }
__device__ inline float infinity() { return __int_as_float(0x7f800000); }

/* ---- what is stored ---- */

__device__ inline float real_of(const float x) { return x; }
__device__ inline double real_of(const double x) { return x; }
__device__ inline float real_of(const unsigned char x) { return x; }
__device__ inline float real_of(const BFloat16 x)
{
    return __int_as_float((int)((unsigned)x.bits << 16));
}
__device__ inline float real_of(const Float16 x) { return float_of_half(x.bits); }

__device__ inline void put(float &to, const float x) { to = x; }
__device__ inline void put(float &to, const double x) { to = (float)x; }
__device__ inline void put(double &to, const double x) { to = x; }
__device__ inline void put(Float16 &to, const float x) { to.bits = half_of_float(x); }
__device__ inline void put(BFloat16 &to, const float x) { to.bits = bfloat16_of_float(x); }

/* ---- powers of two, from k + MAGIC, by the bits ---- */

__device__ inline float power_of_two(const float shifted)
{
    return __int_as_float((int)(((unsigned)__float_as_int(shifted) << 23) + 0x3f800000u));
}
__device__ inline double power_of_two(const double shifted)
{
    const unsigned long long k = (unsigned long long)__double_as_longlong(shifted) << 52;
    return __longlong_as_double((long long)(k + 0x3ff0000000000000ull));
}

/* ---- e^x ---- */

/* k + MAGIC, k, C and S of the text above, for x - over: over is what a rounding of x added. */
template <typename Real> struct Exponential { Real shifted, k, c, s; };

__device__ inline Exponential<float> exponential(const float x, const float over = 0)
{
    Exponential<float> e;
    e.shifted = fma(x, 1.44269504f, InFloat::MAGIC);
    e.k = e.shifted - InFloat::MAGIC;
    /* log 2 in two parts, the second of which is what the first lacks */
    const float r = fma(-e.k, -1.9046543e-9f, fma(-e.k, 0.693147182f, x)) - over, z = r * r;
    const float c = fma(fma(1.38888889e-3f, z, 4.16666679e-2f), z, 0.5f);
    const float s = fma(fma(1.98412701e-4f, z, 8.33333377e-3f), z, 0.166666672f);
    e.c = c * z;
    e.s = fma(s * z, r, r);
    return e;
}

__device__ inline Exponential<double> exponential(const double x, const double over = 0)
{
    Exponential<double> e;
    e.shifted = fma(x, 1.4426950408889634, Numbers<double>::MAGIC);
    e.k = e.shifted - Numbers<double>::MAGIC;
    const double near = fma(-e.k, 2.3190468138462996e-17, fma(-e.k, 0.6931471805599453, x));
    const double r = near - over, z = r * r;
    double c = 1.0 / 479001600.0, s = 1.0 / 6227020800.0;
    c = fma(c, z, 1.0 / 3628800.0);
    s = fma(s, z, 1.0 / 39916800.0);
    c = fma(c, z, 1.0 / 40320.0);
    s = fma(s, z, 1.0 / 362880.0);
    c = fma(c, z, 1.0 / 720.0);
    s = fma(s, z, 1.0 / 5040.0);
    c = fma(c, z, 1.0 / 24.0);
    s = fma(s, z, 1.0 / 120.0);
    c = fma(c, z, 1.0 / 2.0);
    s = fma(s, z, 1.0 / 6.0);
    e.c = c * z;
    e.s = fma(s * z, r, r);
    return e;
}

/* (w e^x, v e^-x) for |x| <= LIMIT, where x - over is meant: in halves over is not seen. */
template <typename N>
__device__ inline void both_powers(
    const typename N::Real x, const typename N::Real w, const typename N::Real v,
    typename N::Real &up, typename N::Real &down, const typename N::Real over = 0)
{
    if constexpr (N::EXACT) {
        const auto e = exponential(x, over);
        up = fma(w, e.s + e.c, w) * power_of_two(e.shifted);
        down = fma(v, e.c - e.s, v) * power_of_two(N::MAGIC - e.k);
    } else {
        const float y = x * 1.44269504f;
        up = w * device_exp2(y);
        down = v * device_exp2(-y);
    }
}

/* e^x for |x| <= LIMIT: the same bits. */
template <typename N> __device__ inline typename N::Real power(const typename N::Real x)
{
    if constexpr (N::EXACT) {
        const auto e = exponential(x);
        return fma((typename N::Real)1, e.s + e.c, (typename N::Real)1) * power_of_two(e.shifted);
    } else {
        return device_exp2(x * 1.44269504f);
    }
}

/* ---- sums ---- */

/* fl(a + b), and what it lacks. */
template <typename Real> __device__ inline Real two_sum(const Real a, const Real b, Real &error)
{
    const Real sum = a + b, seen = sum - a;
    error = (a - (sum - seen)) + (b - seen);
    return sum;
}

/* Of up to four neighbours, two by two. */
template <int COUNT, typename Real> __device__ inline Real of_neighbours(const Real *x)
{
    if constexpr (COUNT == 1)
        return x[0];
    else
        return of_neighbours<COUNT / 2>(x) + of_neighbours<COUNT - COUNT / 2>(x + COUNT / 2);
}

/* A sum of terms >= 0; nan if one is, or if it overflows. Of two it is the same in either order. */
template <typename N, bool EXACT = N::EXACT> struct Sum {
    typedef typename N::Real Real;
    Real high = 0, low = 0;
    __device__ void add(const Real x)
    {
        Real error;
        high = two_sum(high, x, error);
        low += error;
    }
    template <int COUNT> __device__ void add_all(const Real *x) { add(of_neighbours<COUNT>(x)); }
    __device__ void merge(const Sum other)
    {
        Real error;
        high = two_sum(high, other.high, error);
        low = (low + other.low) + error;
    }
    __device__ Sum from_lane(const int apart) const
    {
        Sum other;
        other.high = __shfl_xor_sync(0xffffffffu, high, apart);
        other.low = __shfl_xor_sync(0xffffffffu, low, apart);
        return other;
    }
    /* lack: what the result lacks. */
    template <typename Wide> __device__ Wide total(Wide &lack) const
    {
        return two_sum<Wide>(high, low, lack);
    }
};
template <typename N> struct Sum<N, false> {
    float high = 0;
    __device__ void add(const float x) { high += x; }
    template <int COUNT> __device__ void add_all(const float *x) { add(of_neighbours<COUNT>(x)); }
    __device__ void merge(const Sum other) { high += other.high; }
    __device__ Sum from_lane(const int apart) const
    {
        Sum other;
        other.high = __shfl_xor_sync(0xffffffffu, high, apart);
        return other;
    }
    __device__ float total(float &lack) const
    {
        lack = 0;
        return high;
    }
};

/* A factor of many terms, with what it lacks. */
template <typename N> struct Factor {
    typename N::Real high, low;
    /* x times the factor, rounded once */
    __device__ typename N::Real times(const typename N::Real x) const
    {
        return N::EXACT ? fma(x, high, x * low) : x * high;
    }
};

/* numerator / (norm + error), the numerator with what it lacks. */
template <typename N> __device__ inline Factor<N> quotient(
    const Factor<N> &numerator, const typename N::Real norm, const typename N::Real error)
{
    Factor<N> result;
    result.high = numerator.high / norm;
    result.low = 0;
    if (N::EXACT) {
        const typename N::Real rest = fma(-result.high, norm, numerator.high);
        result.low = ((rest - result.high * error) + numerator.low) / norm;
    }
    return result;
}
