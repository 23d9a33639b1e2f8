/*
 * ZLPR, hard and soft.
 *
 *     u_i = (1 - t_i) e^{s_i},   d_i = t_i e^{-s_i},   U = sum u_i,   D = sum d_i
 *     l   = log1p(e^{s0} D) + log1p(e^{-s0} U)
 *     g_i = u_i / (e^{s0} + U) - d_i / (e^{-s0} + D)
 *
 * No shift is subtracted: exponents up to LIMIT are taken as they are, and the threshold s0 is a
 * factor of the sums. A term counts as 0 where that is what it is in the dtype even times 2^32. All
 * other rows (scores in between or beyond, labels outside of [0, 1], nan) get the value nan.
 */

template <typename N, bool HARD> struct TwoSided {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    /* e^{-s0} and e^{s0} */
    double up, down;
    __device__ explicit TwoSided(const Parameters &given) : up(given.a), down(given.b) {}

    static constexpr bool NEEDS_TOP = false, BY_LABEL = false;
    struct Reference {};
    __device__ Reference reference(const Real) const { return Reference(); }

    struct State {
        Sum<N> up, down;
        __device__ void merge(const State other)
        {
            up.merge(other.up);
            down.merge(other.down);
        }
        __device__ State from_lane(const int apart) const
        {
            State other;
            other.up = up.from_lane(apart);
            other.down = down.from_lane(apart);
            return other;
        }
    };

    struct Factors { Factor<N> up, down; };

    /* (s, t) of some labels become (u, d), and are added. */
    template <int WIDTH> __device__ void take(
        State &state, Real *x, Real *t, const Reference &) const
    {
        terms<WIDTH>(x, t);
        state.up.template add_all<WIDTH>(x);
        state.down.template add_all<WIDTH>(t);
    }

    /* (s, t) become (u, d), nan where there is no answer here; s - over is meant. */
    template <int WIDTH>
    __device__ static void terms(Real *x, Real *t, const Real *over = nullptr)
    {
        Real u[WIDTH], d[WIDTH];
        bool good = true;
        for (int w = 0; w < WIDTH; ++w)
            good &= HARD ? hard(x[w], t[w], u[w], d[w])
                         : soft(x[w], t[w], u[w], d[w], over ? over[w] : 0);
        if (!good)
            for (int w = 0; w < WIDTH; ++w)
                with_care(x[w], t[w], u[w], d[w], over ? over[w] : 0);
        for (int w = 0; w < WIDTH; ++w) {
            x[w] = u[w];
            t[w] = d[w];
        }
    }

    /* Whether u and d have all their digits for sure. */
    __device__ static bool soft(const Real x, const Real t, Real &u, Real &d, const Real over)
    {
        both_powers<N>(x, 1 - t, t, u, d, over);
        return (fabs(x) <= N::NEAR) & ((t == 0) | ((t >= N::LEAST) & (t <= 1)));
    }

    __device__ static bool hard(const Real x, const Real t, Real &u, Real &d)
    {
        const bool positive = t == 1;
        const Real e = power<N>(positive ? -x : x);
        u = positive ? 0 : e;
        d = positive ? e : 0;
        return (fabs(x) <= N::LIMIT) & (positive | (t == 0));
    }

    /* The same bits where these have all their digits. */
    __device__ static void with_care(
        const Real x, const Real t, Real &u, Real &d, const Real over)
    {
        const Real inside = fmin(fmax(x, -N::LIMIT), N::LIMIT);
        both_powers<N>(inside, 1 - t, t, u, d, over);
        const bool allowed = !HARD || t == 0 || t == 1;
        /* t in [0, 1] is part of it: beyond, u or d is negative */
        if (!(inside == x && allowed && (u >= N::TINY || t == 1) && (d >= N::TINY || t == 0))) {
            const bool absent = (x < -N::GONE && t == 0) || (x > N::GONE && t == 1);
            u = d = absent ? 0 : not_a_number();
        }
    }

    /* log1p(factor sum), nan where the sum is too large */
    __device__ static Row side(const Sum<N> &sum, const Row factor)
    {
        Row low;
        const Row high = sum.total(low), v = factor * high;
        const Row lack = fma(factor, high, -v) + factor * low;
        const bool fits = high < N::LARGEST && v < N::LARGEST;
        return fits ? log1p(v) + lack / (1 + v) : (Row)not_a_number();
    }

    __device__ Row value(const State &state, const Reference &) const
    {
        return side(state.down, (Row)down) + side(state.up, (Row)up);
    }

    /* factor / (1 + factor sum) */
    __device__ static Factor<N> share(const Sum<N> &sum, const double factor)
    {
        Real low, error;
        Factor<N> own;
        own.high = (Real)factor;
        own.low = (Real)(factor - own.high);
        const Real high = sum.total(low), v = own.high * high;
        const Real lack = fma(own.high, high, -v) + (own.high * low + own.low * high);
        const Real norm = two_sum<Real>(1, v, error);
        return quotient<N>(own, norm, error + lack);
    }

    __device__ Factors factors(const State &state, const Reference &) const
    {
        Factors result;
        result.up = share(state.up, up);
        result.down = share(state.down, down);
        return result;
    }

    template <int WIDTH>
    __device__ static void gradient(const Real *u, const Real *d, const Factors &factors, Real *g)
    {
        for (int w = 0; w < WIDTH; ++w)
            g[w] = factors.up.times(u[w]) - factors.down.times(d[w]);
    }

    /* ---- Hessian-vector products ---- */

    static constexpr int SIDES = 2;
    __device__ static Real term(const Real u, const Real d, const int side) { return side ? d : u; }
    /* of U, and of D */
    __device__ Row null(const int side) const { return (Row)(side ? up : down); }
    __device__ static Row mass(const State &, Row &low)
    {
        low = 0;
        return 1;
    }
};
