/*
 * Hessian-vector products: a vector times the covariance of the distribution of a row.
 *
 *     h_i = T p_i (v_i - sum_j p_j v_j),   p_i = e_i / N,   N = e_0 + sum_j e_j
 *
 * e_0 is the weight of a null class with v_0 = 0, and 0 for softmax. The Hessian of ZLPR is the sum
 * of two such covariances, of its SIDES u and d, each with its null class. As
 * h_i = T p_i sum_j p_j (v_i - v_j), an error of a term e_j is one of all of its shares alike, and
 * does no harm as long as the same e_j stands in N and in the mean. The mean is written with the v
 * of the largest share as its origin, so that nothing cancels beside it:
 *
 *     c = v_k,   D = sum_j e_j (v_j - c),   h_i = e_i ((v_i - c) - D / N) T / N
 *
 * So N is added up anew: in the sums for the value neighbours are added plainly. float terms are
 * exact in double, and so are their products with v; those of halves stay in float, those of double
 * are multiplied and added as pairs: products by fma, sums by two_sum.
 *
 * A Hessian that is BY_LABEL is its diagonal: h_i = bend(s_i) v_i.
 *
 * A team has a row, and reads it from memory, or what is left of it in the caches, for the maximum
 * where it is needed, the sums, the deviations D, and the product. A row without an answer, or with
 * a v that is not finite, has the mark nan.
 */

typedef N::Row Row;
#define PAIRS (sizeof(Real) == 8)

/*
 * |v| between which, in double, nothing underflows or overflows: 2^-200 and 2^200; with e 0 or at
 * least 2^-500 and N at most 2^200, no D / N other than 0 is below 2^-500 2^-200 2^-52 2^-200, and
 * no e / N below 2^-700.
 */
#define LEAST_V 6.223015277861142e-61
#define MOST_V 1.6069380442589903e+60
#define LEAST_TERM 3.054936363499605e-151
/* In float, v - c and its distance to the mean do not overflow up to 2^100; in double they never do
   for float, and LEAST_V and MOST_V are beside it for double. */
#define LARGEST_V (sizeof(Row) == 4 ? 1.2676506002282294e30 : 1.7976931348623157e308)

/* What the threads of a team have, merged in memory that may hold what was merged before. */
template <typename Part> __device__ inline Part merged_again(const Part &part, const int team)
{
    static_assert(sizeof(Part) <= 64, "32 of them have room");
    if (team > 32)
        __syncthreads();
    return merged(part, team, (Part *)(memory + STATES));
}

/* The largest term, and its v; of several such terms the largest v. */
struct Origin {
    Real term, v;
    __device__ Origin(const Real term = -1, const Real v = 0) : term(term), v(v) {}
    __device__ void merge(const Origin other)
    {
        if (other.term > term || (other.term == term && other.v > v))
            *this = other;
    }
    __device__ Origin from_lane(const int apart) const
    {
        return {
            __shfl_xor_sync(0xffffffffu, term, apart), __shfl_xor_sync(0xffffffffu, v, apart)};
    }
};

/* high + low, of terms of either sign; low stays 0 but for PAIRS. */
struct Total {
    Row high = 0, low = 0;
    __device__ void add(const Row x)
    {
        if constexpr (PAIRS) {
            Row error;
            high = two_sum(high, x, error);
            low += error;
        } else {
            high += x;
        }
    }
    __device__ void merge(const Total other)
    {
        add(other.high);
        low += other.low;
    }
    __device__ Total from_lane(const int apart) const
    {
        Total other;
        other.high = __shfl_xor_sync(0xffffffffu, high, apart);
        other.low = PAIRS ? __shfl_xor_sync(0xffffffffu, low, apart) : 0;
        return other;
    }
    /* e (v - c) */
    __device__ void add_deviation(const Real e, const Real v, const Row c)
    {
        if constexpr (PAIRS) {
            Row lack;
            const Row gap = two_sum<Row>(v, -c, lack), x = e * gap;
            const bool good = (v == 0 || (fabs(v) >= LEAST_V && fabs(v) <= MOST_V))
                && (e == 0 || e >= LEAST_TERM);
            add(good ? x : (Row)not_a_number());
            low += fma(e, gap, -x) + e * lack;
        } else {
            add((Row)e * ((Row)v - c));
        }
    }
};

__device__ inline Total over(const Total &x, const Total &norm)
{
    Total q;
    q.high = x.high / norm.high;
    if constexpr (PAIRS)
        q.low = ((fma(-q.high, norm.high, x.high) - q.high * norm.low) + x.low) / norm.high;
    return q;
}

/* What h of a side needs: c, D / N and T / N. */
struct Share {
    Row c;
    Total mean, scale;
    __device__ Row of(const Real e, const Real v) const
    {
        if constexpr (PAIRS) {
            Row lack, rest;
            const Row gap = two_sum<Row>(v, -c, lack), y = two_sum(gap, -mean.high, rest);
            const Row p = fma(e, scale.high, e * scale.low);
            return fma(p, y, p * (rest + (lack - mean.low)));
        } else {
            return (Row)e * scale.high * (((Row)v - c) - mean.high);
        }
    }
};

/* The labels of a thread in its row. */
struct Mine {
    const Stored *scores, *vector;
    Labels<Label> labels;
    int first, stride, length;
    template <typename Do> __device__ void each(const Do &work) const
    {
        for (int j = first; j < length; j += stride) {
            Real s[WIDTH], t[WIDTH], v[WIDTH];
            read_scores(scores, j, s);
            labels.read(j, t);
            read_scores(vector, j, v);
            work(j, s, t, v);
        }
    }
};

__device__ inline Top top_of_mine(const Mine &mine)
{
    Top top;
    for (int j = mine.first; j < mine.length; j += mine.stride) {
        Real s[WIDTH];
        read_scores(mine.scores, j, s);
        for (int w = 0; w < WIDTH; ++w)
            top.top = fmax(top.top, s[w]);
    }
    return top;
}

/* The state of a row. mark: 0, nan if there is no answer; also: a function of u, d and v. */
template <typename Also> __device__ inline State state_of_row(
    const Loss &loss, const Mine &mine, const Reference &at, const int team, Row &mark,
    const Also &also)
{
    State state;
    Total seen;
    mine.each([&](int, Real *s, Real *t, const Real *v) {
        loss.template take<WIDTH>(state, s, t, at);
        for (int w = 0; w < WIDTH; ++w) {
            seen.high += fabs(v[w]) <= LARGEST_V ? 0 : not_a_number();
            also(s[w], t[w], v[w]);
        }
    });
    state = merged_again(state, team);
    mark = merged_again(seen, team).high + 0 * loss.value(state, at);
    return state;
}

template <typename L, bool BY_LABEL = L::BY_LABEL> struct Hessian {
    Share shares[L::SIDES];

    /* 0, nan if there is no answer */
    __device__ Row prepare(const L &loss, const Mine &mine, const Reference &at, const int team)
    {
        Origin origins[L::SIDES];
        Total norms[L::SIDES], gaps[L::SIDES];
        Row mark;
        const State state = state_of_row(
            loss, mine, at, team, mark, [&](const Real s, const Real t, const Real v) {
                for (int side = 0; side < L::SIDES; ++side) {
                    origins[side].merge({L::term(s, t, side), v});
                    norms[side].add(L::term(s, t, side));
                }
            });
        for (int side = 0; side < L::SIDES; ++side) {
            const Origin origin = merged_again(origins[side], team);
            shares[side].c = origin.term > loss.null(side) ? (Row)origin.v : 0;
        }
        mine.each([&](int, Real *s, Real *t, const Real *v) {
            State unused;
            loss.template take<WIDTH>(unused, s, t, at);
            for (int w = 0; w < WIDTH; ++w)
                for (int side = 0; side < L::SIDES; ++side)
                    gaps[side].add_deviation(L::term(s[w], t[w], side), v[w], shares[side].c);
        });
        for (int side = 0; side < L::SIDES; ++side)
            mark += divide(
                loss, state, side, merged_again(norms[side], team),
                merged_again(gaps[side], team));
        return mark;
    }

    __device__ Row divide(
        const L &loss, const State &state, const int side, Total norm, Total gap)
    {
        Share &share = shares[side];
        const Row null = loss.null(side);
        norm.add(null);
        gap.add(-null * share.c);
        if constexpr (PAIRS)
            gap.low -= fma(null, share.c, -(null * share.c));
        Total mass;
        mass.high = loss.mass(state, mass.low);
        share.mean = over(gap, norm);
        share.scale = over(mass, norm);
        const bool good = !PAIRS || norm.high <= MOST_V;
        return 0 * (share.mean.high + share.scale.high) + (good ? 0 : not_a_number());
    }

    __device__ void times(
        const L &loss, const Reference &at, Real *s, Real *t, const Real *v, Real *h) const
    {
        State unused;
        loss.template take<WIDTH>(unused, s, t, at);
        for (int w = 0; w < WIDTH; ++w) {
            Row sum = 0;
            for (int side = 0; side < L::SIDES; ++side)
                sum += shares[side].of(L::term(s[w], t[w], side), v[w]);
            h[w] = (Real)sum;
        }
    }
};

template <typename L> struct Hessian<L, true> {
    __device__ static Row prepare(
        const L &loss, const Mine &mine, const Reference &at, const int team)
    {
        Row mark;
        state_of_row(loss, mine, at, team, mark, [](Real, Real, Real) {});
        return mark;
    }

    __device__ static void times(
        const L &, const Reference &, Real *s, Real *, const Real *v, Real *h)
    {
        for (int w = 0; w < WIDTH; ++w)
            h[w] = L::bend(s[w], v[w]);
    }
};

KERNEL(products, 256)(
    const long long rows, const long long n, const int team, PARAMETERS,
    const Stored *__restrict__ scores, const Label *__restrict__ labels,
    const Stored *__restrict__ vector, Stored *__restrict__ product, Stored *__restrict__ marks,
    int *__restrict__ odd)
{
    const Loss loss(GIVEN);
    const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    const long long row = thread >> (__ffs(team) - 1), last = row < rows ? row : rows - 1;
    /* teams without a row take part in what warps do together */
    const Mine mine = {
        scores + last * n, vector + last * n, Labels<Label>(labels, last, n, 0),
        (int)(threadIdx.x & (team - 1)) * WIDTH, team * WIDTH, row < rows ? (int)n : 0};
    const Reference at
        = loss.reference(Loss::NEEDS_TOP ? merged_again(top_of_mine(mine), team).top : (Real)0);
    Hessian<Loss> hessian;
    const Row mark = hessian.prepare(loss, mine, at, team);
    if (mine.first == 0 && mine.length)
        finish(mark, marks + row, odd);
    mine.each([&](const int j, Real *s, Real *t, const Real *v) {
        Real h[WIDTH];
        hessian.times(loss, at, s, t, v, h);
        write_gradient(h, product + row * n + j);
    });
}
