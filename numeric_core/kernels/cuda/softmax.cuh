/*
 * Softmax cross-entropy.
 *
 * With m = max_j s_j, 2^K the power of two next to e^m, and a class k at the maximum,
 *
 *     e_j = 2^-K e^{s_j},   R = sum_{j != k} e_j,   T = sum_j t_j,   L = sum_j t_j (m - s_j)
 *     l   = L + T log1p(R / e_k)
 *     g_i = p_i (T - t_i) - t_i (1 - p_i),   p_i = e_i / (e_k + R),   1 - p_k = R / (e_k + R)
 *
 * The shift by K changes exponents, not digits. Halves take e_j = e^{s_j - m} instead: the
 * difference loses less than they can hold. The largest term is left out of R, and a label above
 * 1/2 out of the sum of the others, so that nothing is lost as p_k goes to 1 and t becomes one-hot.
 *
 * A class with s_j < m - GONE counts as absent. Rows with a score between that and m - LIMIT, with
 * |m| > REACH, a label > 0 that is masked, labels outside of [0, 1] or of another sum than 1, and
 * nan get the value nan.
 */

/* finfo(float16).max: a mask in any dtype is at or below -REACH, and k < 2^17 is exact */
#define REACH 65504

template <typename N> struct Softmax {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    /* by how much the sum of the labels may miss 1; the second is not used */
    double tolerance, none;

    static constexpr bool NEEDS_TOP = true;
    /* m, K (where there is a shift by it) and e_k */
    struct Reference { Real top, power, largest; };

    __device__ Reference reference(const Real top) const
    {
        Reference result;
        const bool inside = fabs(top) <= REACH;
        result.top = top;
        result.power = 0;
        result.largest = inside ? 1 : not_a_number();
        if constexpr (N::EXACT) {
            const auto e = exponential(inside ? top : (Real)0);
            result.power = e.k;
            result.largest *= fma((Real)1, e.s + e.c, (Real)1);
        }
        return result;
    }

    /* How often m occurs, the labels above 1/2, e_j below m, labels up to 1/2, and L. */
    struct State {
        Real ties = 0, main = 0;
        Sum<N> rest, others, linear;
        __device__ void merge(const State other)
        {
            ties += other.ties;
            main += other.main;
            rest.merge(other.rest);
            others.merge(other.others);
            linear.merge(other.linear);
        }
        __device__ State from_lane(const int apart) const
        {
            State other;
            other.ties = __shfl_xor_sync(0xffffffffu, ties, apart);
            other.main = __shfl_xor_sync(0xffffffffu, main, apart);
            other.rest = rest.from_lane(apart);
            other.others = others.from_lane(apart);
            other.linear = linear.from_lane(apart);
            return other;
        }
    };

    /* 1 / (e_k + R), 1 - p_k, T, and the sum of the labels up to 1/2 */
    struct Factors {
        Factor<N> share;
        Real complement, mass, others;
    };

    /* s of a class becomes e, negative at the maximum; nan where there is no answer here. */
    __device__ void take(State &state, Real &x, Real &t, const Reference &at) const
    {
        const Real score = x;
        x = term(score, at);
        if (score == at.top) {
            state.ties += 1;
            x = -x;
        } else {
            state.rest.add(x);
        }
        if (t != 0) {
            const bool good = score > -REACH && t > 0 && t <= 1;
            state.linear.add(good ? t * (at.top - score) : (Real)not_a_number());
            if (t > (Real)0.5)
                state.main += t;
            else
                state.others.add(t);
        }
    }

    __device__ static Real term(const Real x, const Reference &at)
    {
        const Real least = at.top - N::LIMIT;
        if (!(x >= least))
            return x < at.top - N::GONE ? (Real)0 : (Real)not_a_number();
        if constexpr (N::EXACT) {
            const auto e = exponential(x);
            return fma((Real)1, e.s + e.c, (Real)1) * power_of_two(e.shifted - at.power);
        } else {
            return device_exp2((x - at.top) * 1.44269504f);
        }
    }

    __device__ Row value(const State &state, const Reference &at, Factors &factors) const
    {
        const Row largest = at.largest;
        Row low, error, others_low, linear_low;
        Row rest = state.rest.total(low);
        /* a tie at the maximum is a term e_k of R */
        rest = two_sum<Row>(rest, (Row)(state.ties - 1) * largest, error);
        low += error;
        const Row others = state.others.total(others_low) + others_low;
        const Row mass = (Row)state.main + others;
        const Row linear = state.linear.total(linear_low) + linear_low;
        set(factors, rest, low, largest, mass, others);
        const Row ratio = rest / largest;
        const Row lack = (fma(-ratio, largest, rest) + low) / largest;
        const Row result = linear + mass * (log1p(ratio) + lack / (1 + ratio));
        return fabs(mass - 1) <= (Row)tolerance ? result : (Row)not_a_number();
    }

    __device__ static void set(
        Factors &factors, const Row rest, const Row low, const Row largest, const Row mass,
        const Row others)
    {
        Row error;
        const Row norm = two_sum<Row>(largest, rest, error), share = 1 / norm;
        factors.share.set(share, (fma(-share, norm, (Row)1) - share * (error + low)) / norm);
        factors.complement = (Real)((rest + low) * share);
        factors.mass = (Real)mass;
        factors.others = (Real)others;
    }

    /* p (T - t) - t (1 - p), no difference of which loses digits */
    __device__ static Real component(const Real e, const Real t, const Factors &factors)
    {
        const Real p = factors.share.times(fabs(e));
        const Real q = e < 0 ? factors.complement : 1 - p;
        const Real apart = t > (Real)0.5 ? factors.others : factors.mass - t;
        return fma(p, apart, -(t * q));
    }
};
