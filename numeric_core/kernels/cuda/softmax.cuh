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

template <typename N> struct Softmax {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    /* by how much the sum of the labels may miss 1 */
    double tolerance;
    __device__ explicit Softmax(const Parameters &given) : tolerance(given.a) {}

    static constexpr bool NEEDS_TOP = true, BY_LABEL = false;
    /* m, K (where there is a shift by it), e_k, and from where on scores have all their digits */
    struct Reference { Real top, power, largest, least; };

    __device__ Reference reference(const Real top) const
    {
        Reference result;
        const bool inside = fabs(top) <= REACH;
        result.top = top;
        result.power = 0;
        result.least = fmax(top - N::LIMIT, (Real)(1 - REACH));
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

    /* s of some classes become e, negative at the maximum; nan where there is no answer here. */
    template <int WIDTH> __device__ void take(
        State &state, Real *x, const Real *t, const Reference &at) const
    {
        Real e[WIDTH], rest[WIDTH], linear[WIDTH];
        bool near = true, labelled = false, good = true;
        for (int w = 0; w < WIDTH; ++w) {
            e[w] = exact_term(x[w], at);
            near &= x[w] >= at.least;
            labelled |= !(t[w] == 0);
            good &= (t[w] >= 0) & (t[w] <= 1);
            linear[w] = t[w] * (at.top - x[w]);
        }
        if (!near)
            for (int w = 0; w < WIDTH; ++w)
                e[w] = term(x[w], at);
        if (labelled & !(near & good))
            for (int w = 0; w < WIDTH; ++w)
                linear[w] = linear_with_care(x[w], t[w], at);
        for (int w = 0; w < WIDTH; ++w) {
            const bool is_top = x[w] == at.top;
            state.ties += is_top ? 1 : 0;
            rest[w] = is_top ? 0 : e[w];
            x[w] = is_top ? -e[w] : e[w];
        }
        state.rest.template add_all<WIDTH>(rest);
        if (labelled)
            take_labels<WIDTH>(state, t, linear);
    }

    template <int WIDTH>
    __device__ static void take_labels(State &state, const Real *t, const Real *linear)
    {
        Real others[WIDTH];
        for (int w = 0; w < WIDTH; ++w) {
            const bool is_main = t[w] > (Real)0.5;
            state.main += is_main ? t[w] : 0;
            others[w] = is_main ? 0 : t[w];
        }
        state.others.template add_all<WIDTH>(others);
        state.linear.template add_all<WIDTH>(linear);
    }

    __device__ static Real linear_with_care(const Real x, const Real t, const Reference &at)
    {
        const bool good = x > -REACH && t > 0 && t <= 1;
        return t == 0 ? 0 : good ? t * (at.top - x) : (Real)not_a_number();
    }

    /* Of a score that has all its digits. */
    __device__ static Real exact_term(const Real x, const Reference &at)
    {
        if constexpr (N::EXACT) {
            const auto e = exponential(x);
            return fma((Real)1, e.s + e.c, (Real)1) * power_of_two(e.shifted - at.power);
        } else {
            return device_exp2((x - at.top) * 1.44269504f);
        }
    }

    __device__ static Real term(const Real x, const Reference &at)
    {
        if (x >= at.top - N::LIMIT)
            return exact_term(x, at);
        return x < at.top - N::GONE ? (Real)0 : (Real)not_a_number();
    }

    __device__ Row value(const State &state, const Reference &at) const
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
        const Row ratio = rest / largest;
        const Row lack = (fma(-ratio, largest, rest) + low) / largest;
        const Row result = linear + mass * (log1p(ratio) + lack / (1 + ratio));
        return fabs(mass - 1) <= (Row)tolerance ? result : (Row)not_a_number();
    }

    __device__ Factors factors(const State &state, const Reference &at) const
    {
        Real low, error, others_low;
        Real rest = state.rest.total(low);
        /* exact: the ties are few, or the error is nothing beside R */
        rest = two_sum<Real>(rest, (state.ties - 1) * at.largest, error);
        low += error;
        const Real norm = two_sum<Real>(at.largest, rest, error);
        Factors result;
        result.share = quotient<N>({1, 0}, norm, error + low);
        result.complement = (rest + low) * result.share.high;
        result.others = state.others.total(others_low) + others_low;
        result.mass = state.main + result.others;
        return result;
    }

    /* p (T - t) - t (1 - p), no difference of which loses digits; p T where t = 0. */
    template <int WIDTH>
    __device__ static void gradient(const Real *e, const Real *t, const Factors &factors, Real *g)
    {
        bool labelled = false;
        for (int w = 0; w < WIDTH; ++w) {
            g[w] = factors.share.times(fabs(e[w]));
            labelled |= t[w] != 0;
        }
        for (int w = 0; w < WIDTH; ++w) {
            const Real p = g[w];
            if (!labelled) {
                g[w] = p * factors.mass;
                continue;
            }
            const Real q = e[w] < 0 ? factors.complement : 1 - p;
            const Real apart = t[w] > (Real)0.5 ? factors.others : factors.mass - t[w];
            g[w] = fma(p, apart, -(t[w] * q));
        }
    }

    /* ---- Hessian-vector products ---- */

    static constexpr int SIDES = 1;
    __device__ static Real term(const Real e, const Real, int) { return fabs(e); }
    __device__ static Row null(int) { return 0; }
    __device__ static Row mass(const State &state, Row &low)
    {
        Row error;
        const Row others = state.others.total(low);
        const Row result = two_sum<Row>(state.main, others, error);
        low += error;
        return result;
    }
};
