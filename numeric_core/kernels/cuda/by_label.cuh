/*
 * Losses that are sums over labels, with a slope for each label, and the first of them: binary
 * cross-entropy.
 *
 *     e = e^{-|s|},   y = 1 / (1 + e),   a = 1 - t, b = t for s > 0, else a = t, b = 1 - t
 *     l = sum_i a |s| + log1p(e),   dl/ds = +-(a - b e) y,   + for s > 0
 *
 * a - b e is a difference of two terms that are each rounded once. log1p(e) = e + e^2 Q on [0, 1],
 * Q a polynomial in e - 1/2, without a division.
 *
 * Exponents up to LIMIT are taken as they are; from GONE on e counts as 0. A row with a score in
 * between, with a label > 0 at a score of -REACH or less, labels outside of [0, 1] or nan gets the
 * value nan.
 */

/* e^-|x|, nan where it may be subnormal and not 0. */
template <typename N> __device__ inline typename N::Real tail(const typename N::Real x)
{
    const typename N::Real size = fabs(x), e = power<N>(-fmin(size, N::LIMIT));
    return size <= N::LIMIT ? e : size > N::GONE ? 0 : (typename N::Real)not_a_number();
}

/* A table's polynomial in x, even and odd powers apart: two short chains. */
template <typename Real, int COUNT>
__device__ inline Real polynomial(const Real (&table)[COUNT], const Real x)
{
    const Real z = x * x;
    Real last = table[COUNT - 1], other = table[COUNT - 2];
#pragma unroll
    for (int k = COUNT - 3; k >= 0; k -= 2) {
        last = fma(last, z, table[k]);
        if (k > 0)
            other = fma(other, z, table[k - 1]);
    }
    return COUNT % 2 ? fma(other, x, last) : fma(last, x, other);
}

/* log1p(e) for e in [0, 1]: (log1p(e) - e) / e^2 in powers of e - 1/2, as Q of `by_label.py`. */
__device__ inline float log1p_of(const float e)
{
    constexpr float table[] = {
        -0.3781396f, 0.17922494f, -0.09322971f, 0.05108304f, -0.028964007f, 0.016801652f,
        -0.009681859f, 0.0057876837f, -0.004576878f, 0.002801642f
    };
    return fma(e * e, polynomial(table, e - 0.5f), e);
}
__device__ inline double log1p_of(const double e)
{
    constexpr double table[] = {
        -0.37813956756734246, 0.17922493693603628, -0.09323036636366504, 0.05108344610565852,
        -0.02894318316522819, 0.01678874247000762, -0.009909900709018689, 0.005929012347899714,
        -0.00358566675681427, 0.00218763196321537, -0.001344493715755721, 0.0008315234081490733,
        -0.0005169575993625731, 0.0003222161102992342, -0.00020204880268313708,
        0.00013056054379050492, -8.24550194446244e-05, 4.138249661375945e-05,
        -2.6208826056265817e-05, 3.590740235781667e-05, -2.2938856818471438e-05
    };
    return fma(e * e, polynomial(table, e - 0.5), e);
}

/* One says of one label: the loss and its slope, in the dtype Wide; its Total adds losses up. */
template <typename N, typename One> struct ByLabel {
    typedef typename N::Real Real;
    typedef typename N::Row Row;
    typedef typename One::Wide Wide;
    One one;
    __device__ explicit ByLabel(const Parameters &given) : one(given) {}

    static constexpr bool NEEDS_TOP = false, BY_LABEL = true;
    struct Reference {};
    __device__ Reference reference(const Real) const { return Reference(); }

    struct State {
        typename One::Total losses;
        __device__ void merge(const State other) { losses.merge(other.losses); }
        __device__ State from_lane(const int apart) const
        {
            State other;
            other.losses = losses.from_lane(apart);
            return other;
        }
    };

    struct Factors {};

    /* s of some labels become slopes, and the losses are added. */
    template <int WIDTH> __device__ void take(
        State &state, Real *x, const Real *t, const Reference &) const
    {
        Wide loss[WIDTH];
        for (int w = 0; w < WIDTH; ++w) {
            Wide slope;
            loss[w] = one.loss_and_slope((Wide)x[w], (Wide)t[w], slope);
            x[w] = (Real)slope;
        }
        state.losses.template add_all<WIDTH>(loss);
    }

    /* nan where a sum is out of range */
    __device__ Row value(const State &state, const Reference &) const
    {
        Wide low;
        return (Row)state.losses.total(low);
    }

    __device__ Factors factors(const State &, const Reference &) const { return Factors(); }

    template <int WIDTH>
    __device__ static void gradient(const Real *slope, const Real *, const Factors &, Real *g)
    {
        for (int w = 0; w < WIDTH; ++w)
            g[w] = slope[w];
    }

    __device__ static Real bend(const Real x, const Real v) { return One::bend(x, v); }
};

template <typename N> struct CrossEntropy {
    typedef typename N::Real Wide;
    typedef Sum<N> Total;
    __device__ explicit CrossEntropy(const Parameters &) {}

    __device__ static Wide loss_and_slope(const Wide x, const Wide t, Wide &slope)
    {
        const Wide e = tail<N>(x), rest = 1 - t;
        const bool up = x > 0;
        const Wide a = up ? rest : t, b = up ? t : rest, size = fma(-b, e, a) / (1 + e);
        slope = up ? size : -size;
        /* |s| of a mask at -inf stands beside 0 */
        const Wide loss = fma(a, fmin(fabs(x), N::MOST), log1p_of(e));
        return allowed(x, t) ? loss : (Wide)not_a_number();
    }

    /* e v / (1 + e)^2, in double with what 1 + e lacks, for float in double */
    __device__ static Wide bend(const Wide x, const Wide v)
    {
        typedef typename N::Row Row;
        const Row e = tail<N>(x), norm = 1 + e;
        const Row lack = sizeof(Wide) == 8 ? e - (norm - 1) : 0;
        return (Wide)(e * v / fma(norm, norm, 2 * norm * lack));
    }

    /* t (1 - t) >= 0 in [0, 1] alone; a masked label has the label 0. */
    __device__ static bool allowed(const Wide x, const Wide t)
    {
        return (t * (1 - t) >= 0) & (x <= N::MOST) & ((x > -REACH) | (t == 0));
    }
};
