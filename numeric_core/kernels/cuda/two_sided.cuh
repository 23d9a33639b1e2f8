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

/* up = e^{-s0}, down = e^{s0} */
template <typename N, bool HARD> struct TwoSided {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    double up, down;

    static constexpr bool NEEDS_TOP = false;
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

    /* (s, t) of a label becomes (u, d), nan where there is no answer here, and is added. */
    __device__ void take(State &state, Real &x, Real &t, const Reference &) const
    {
        if constexpr (HARD)
            hard(x, t);
        else
            soft(x, t);
        state.up.add(x);
        if (!HARD || t != 0)
            state.down.add(t);
    }

    __device__ static void soft(Real &x, Real &t)
    {
        const Real inside = fmin(fmax(x, -N::LIMIT), N::LIMIT);
        Real u, d;
        both_powers<N>(inside, 1 - t, t, u, d);
        /* t in [0, 1] is part of it: beyond, u or d is negative */
        if (!(inside == x && (u >= N::TINY || t == 1) && (d >= N::TINY || t == 0))) {
            const bool absent = (x < -N::GONE && t == 0) || (x > N::GONE && t == 1);
            u = d = absent ? 0 : not_a_number();
        }
        x = u;
        t = d;
    }

    __device__ static void hard(Real &x, Real &t)
    {
        const bool positive = t == 1;
        const Real y = positive ? -x : x, inside = fmin(fmax(y, -N::LIMIT), N::LIMIT);
        Real e = power<N>(inside);
        if (!(inside == y && (positive || t == 0)))
            e = y < -N::GONE && (positive || t == 0) ? 0 : not_a_number();
        x = positive ? 0 : e;
        t = positive ? e : 0;
    }

    /* v + lack = factor sum, and factor / (1 + v + lack) as a factor of the terms */
    __device__ static Row share(const Sum<N> &sum, const Row factor, Row &lack, Factor<N> &shares)
    {
        Row low, error;
        const Row high = sum.total(low), v = factor * high;
        lack = fma(factor, high, -v) + factor * low;
        const Row norm = two_sum<Row>(1, v, error), r = factor / norm;
        shares.set(r, (fma(-r, norm, factor) - r * (error + lack)) / norm);
        return high < N::LARGEST && v < N::LARGEST ? v : (Row)not_a_number();
    }

    __device__ Row value(const State &state, const Reference &, Factors &factors) const
    {
        Row up_lack, down_lack;
        const Row u = share(state.up, (Row)up, up_lack, factors.up);
        const Row d = share(state.down, (Row)down, down_lack, factors.down);
        return (log1p(d) + down_lack / (1 + d)) + (log1p(u) + up_lack / (1 + u));
    }

    __device__ static Real component(const Real u, const Real d, const Factors &factors)
    {
        return factors.up.times(u) - factors.down.times(d);
    }
};
