/*
 * The unified pairwise loss, from the two sums of ZLPR.
 *
 *     u_i = (1 - t_i) e^{x_i},   d_i = t_i e^{-x_i},   x = gamma s,   U = sum u_i,   D = sum d_i
 *     R   = e^{gamma m} U D,     l = log1p(R)
 *     g_i = a u_i - b d_i,       a = gamma R / ((1 + R) U),   b = gamma R / ((1 + R) D)
 *
 * Where gamma is not 1, x is rounded, and its exponential taken of what is meant.
 *
 * There is no null class beside which a term may count as 0. So a sum is 0 only for a row without a
 * label of that side; a row with such labels and a sum below SMALL, and one whose R, a or b is out
 * of range, gets the value nan.
 */

template <typename N> struct Unified {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    typedef TwoSided<N, false> Sides;
    /* R, a and b in pairs, where double itself is stored */
    static constexpr bool PAIRS = sizeof(Real) == 8;
    /* 2^32 terms that count as 0, of e^-GONE = 2^-183 or 2^-1108, are below 2^-51 of this. */
    static constexpr Row SMALL = PAIRS ? 1.499696813895631e-241 : 7.888609052210118e-31;
    /* a and b, and R, are normal numbers up to here and down to the inverse: 2^900, 2^110. */
    static constexpr double WIDE = 8.452712498170644e270, NARROW = 1.298074214633707e33;
    static constexpr Row RANGE = PAIRS ? WIDE : NARROW, RANGE_R = sizeof(Row) == 8 ? WIDE : NARROW;

    struct Pair { Row high, low; };
    Real scale, scale_low;
    Pair slope, factor;
    /* gamma, and e^{gamma m} with what it lacks */
    __device__ explicit Unified(const Parameters &given)
        : scale((Real)given.a), scale_low((Real)(given.a - scale)), slope{(Row)given.a, 0},
          factor{(Row)given.b, (Row)given.c} {}

    static constexpr bool NEEDS_TOP = false, BY_LABEL = false;
    typedef typename Sides::Reference Reference;
    __device__ Reference reference(const Real) const { return Reference(); }

    /* The sums, and whether there are labels of either side. */
    struct State {
        typename Sides::State sums;
        int below_one = 0, above_zero = 0;
        __device__ void merge(const State other)
        {
            sums.merge(other.sums);
            below_one |= other.below_one;
            above_zero |= other.above_zero;
        }
        __device__ State from_lane(const int apart) const
        {
            State other;
            other.sums = sums.from_lane(apart);
            other.below_one = __shfl_xor_sync(0xffffffffu, below_one, apart);
            other.above_zero = __shfl_xor_sync(0xffffffffu, above_zero, apart);
            return other;
        }
    };

    typedef typename Sides::Factors Factors;

    template <int WIDTH> __device__ void take(
        State &state, Real *x, Real *t, const Reference &) const
    {
        Real over[WIDTH];
        for (int w = 0; w < WIDTH; ++w) {
            state.below_one |= t[w] < 1;
            state.above_zero |= t[w] > 0;
            const Real s = x[w];
            x[w] = scale * s;
            /* nan for a mask at -inf, whose terms are 0 */
            over[w] = fma(-scale, s, x[w]) - scale_low * s;
        }
        Sides::template terms<WIDTH>(x, t, over);
        state.sums.up.template add_all<WIDTH>(x);
        state.sums.down.template add_all<WIDTH>(t);
    }

    __device__ static Pair times(const Pair &x, const Pair &y)
    {
        Pair result = {x.high * y.high, 0};
        if constexpr (PAIRS)
            result.low = fma(x.high, y.high, -result.high) + (x.high * y.low + x.low * y.high);
        return result;
    }

    /* x / (1 + r) */
    __device__ static Pair over_norm(const Pair &x, const Pair &r)
    {
        Row error;
        const Row norm = two_sum<Row>(1, r.high, error);
        Pair q = {x.high / norm, 0};
        if constexpr (PAIRS)
            q.low = ((fma(-q.high, norm, x.high) - q.high * (error + r.low)) + x.low) / norm;
        return q;
    }

    /* R, a and b; R is nan where there is no answer. */
    struct Ratio { Pair r, a, b; };

    __device__ Ratio ratio(const State &state) const
    {
        Pair up, down;
        up.high = state.sums.up.total(up.low);
        down.high = state.sums.down.total(down.low);
        if ((up.high == 0 && !state.below_one) || (down.high == 0 && !state.above_zero))
            return {{0, 0}, {0, 0}, {0, 0}};
        const Pair some = times(factor, up), r = times(some, down);
        const Pair a = over_norm(times(slope, times(factor, down)), r);
        const Pair b = over_norm(times(slope, some), r);
        const bool good = up.high >= SMALL && down.high >= SMALL && inside(r.high, RANGE_R)
            && inside(a.high, RANGE) && inside(b.high, RANGE);
        return {{good ? r.high : (Row)not_a_number(), r.low}, a, b};
    }

    __device__ static bool inside(const Row x, const Row range)
    {
        return x >= 1 / range && x <= range;
    }

    __device__ Row value(const State &state, const Reference &) const
    {
        const Pair r = ratio(state).r;
        return log1p(r.high) + r.low / (1 + r.high);
    }

    __device__ static Factor<N> rounded(const Pair &x)
    {
        Factor<N> result;
        result.high = (Real)x.high;
        result.low = (Real)((x.high - result.high) + x.low);
        return result;
    }

    __device__ Factors factors(const State &state, const Reference &) const
    {
        const Ratio all = ratio(state);
        Factors result;
        result.up = rounded(all.a);
        result.down = rounded(all.b);
        return result;
    }

    template <int WIDTH>
    __device__ static void gradient(const Real *u, const Real *d, const Factors &factors, Real *g)
    {
        Sides::template gradient<WIDTH>(u, d, factors, g);
    }
};
