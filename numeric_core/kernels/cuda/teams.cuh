/*
 * What kernels have in common: how rows are read and written, and what a team of threads adds up.
 *
 * Compiled for one loss, dtype and kind of labels each; the text before this one says
 *     Stored     float, double, Float16 or BFloat16; N, its numbers
 *     Loss       such as Softmax<N>
 *     Label      Stored; unsigned char for 0 and 1; long long for one class index a row
 *     WIDTH      entries that are read at a time: it divides n, and they take at most 16 bytes
 *
 * A loss has
 *     reference  what its terms need of the maximum of a row, which is found if NEEDS_TOP
 *     take       scores and labels become two numbers each, which are added to a State
 *     value      from the State of a row; nan where there is no answer
 *     factors    what the gradient needs of the State
 *     gradient   of some labels, from their two numbers; BY_LABEL: without the factors
 *
 * A team is 2^k threads that have a row; teams of up to 32 threads share a block. Who adds what,
 * and in which order, depends on n and the dtype alone. There are no atomics. A row without an
 * answer has the value nan, and *odd is set to 1.
 */

typedef N::Real Real;
typedef Loss::State State;
typedef Loss::Reference Reference;
typedef Loss::Factors Factors;

/* Some entries that are read at a time. */
template <typename T> struct alignas(sizeof(T) * WIDTH) Vector { T x[WIDTH]; };

/* ---- labels: as rows, or as the index of a class ---- */

/* Those of the classes first, first + 1, ... of a row. */
template <typename T> struct Labels {
    const T *at;
    __device__ Labels(const T *all, const long long row, const long long n, const long long first)
        : at(all + row * n + first) {}
    __device__ void read(const int j, Real *t) const
    {
        const Vector<T> labels = *(const Vector<T> *)(at + j);
        for (int w = 0; w < WIDTH; ++w)
            t[w] = real_of(labels.x[w]);
    }
};
template <> struct Labels<long long> {
    int own;
    __device__ Labels(
        const long long *all, const long long row, const long long n, const long long first)
    {
        const long long at = all[row];
        own = at >= first && at < n && at - first <= 0x7fffffff ? (int)(at - first) : -1;
    }
    __device__ void read(const int j, Real *t) const
    {
        for (int w = 0; w < WIDTH; ++w)
            t[w] = j + w == own ? 1 : 0;
    }
};

__device__ inline void read_scores(const Stored *scores, const int j, Real *s)
{
    const Vector<Stored> scored = *(const Vector<Stored> *)(scores + j);
    for (int w = 0; w < WIDTH; ++w)
        s[w] = real_of(scored.x[w]);
}

__device__ inline void write_gradient(const Real *g, Stored *to)
{
    Vector<Stored> stored;
    for (int w = 0; w < WIDTH; ++w)
        put(stored.x[w], g[w]);
    *(Vector<Stored> *)to = stored;
}

/* ---- teams ---- */

extern __shared__ double memory[];
/* The maxima of up to 32 warps, their states, then the slots of long rows. */
#define STATES 32
#define SLOTS_FROM 320
static_assert(sizeof(State) <= 64, "32 states are between STATES and SLOTS_FROM");

struct Top {
    Real top = -infinity();
    /* fmax takes the other where one is nan: the terms of a nan are nan themselves */
    __device__ void merge(const Top other) { top = fmax(top, other.top); }
    __device__ Top from_lane(const int apart) const
    {
        Top other;
        other.top = __shfl_xor_sync(0xffffffffu, top, apart);
        return other;
    }
};

/* What the 2^k threads of a team have, merged: the same for all of them. */
template <typename Part> __device__ inline Part merged(Part part, const int team, Part *warps)
{
    for (int apart = 1; apart < team && apart < 32; apart *= 2)
        part.merge(part.from_lane(apart));
    if (team <= 32)
        return part;
    const int count = team / 32;
    if (threadIdx.x % 32 == 0)
        warps[threadIdx.x / 32] = part;
    __syncthreads();
    part = warps[threadIdx.x % count];
    for (int apart = 1; apart < count; apart *= 2)
        part.merge(part.from_lane(apart));
    return part;
}

__device__ inline Real top_of(const Top mine, const int team)
{
    return merged(mine, team, (Top *)memory).top;
}

__device__ inline State state_of(const State &mine, const int team)
{
    return merged(mine, team, (State *)(memory + STATES));
}

__device__ inline void finish(const N::Row loss, Stored *value, int *odd)
{
    put(*value, loss);
    if (!(loss == loss))
        *odd = 1;
}

#define KERNEL(name, threads) extern "C" __global__ void __launch_bounds__(threads) name

#define PARAMETERS const double a, const double b, const double c, const double d
#define GIVEN Parameters{a, b, c, d}
