/*
 * Rows that stay in registers.
 *
 * A team has a row, each thread up to SLOTS of its labels in registers, from its sums to its
 * gradient: all is read once and written once. In rows twice as long the second of the two numbers
 * of each label (d, or t) is in shared memory.
 */

/* One number of each label of a thread, in registers or, column by column, in shared memory. */
template <int SLOTS, bool SHARED> struct Kept {
    Real x[SLOTS];
    __device__ void read(const int k, Real *to) const
    {
        for (int w = 0; w < WIDTH; ++w)
            to[w] = x[k * WIDTH + w];
    }
    __device__ void write(const int k, const Real *from)
    {
        for (int w = 0; w < WIDTH; ++w)
            x[k * WIDTH + w] = from[w];
    }
};
template <int SLOTS> struct Kept<SLOTS, true> {
    __device__ static Real *column(const int k)
    {
        return (Real *)(memory + SLOTS_FROM) + k * WIDTH * blockDim.x + threadIdx.x;
    }
    __device__ void read(const int k, Real *to) const
    {
        for (int w = 0; w < WIDTH; ++w)
            to[w] = column(k)[w * blockDim.x];
    }
    __device__ void write(const int k, const Real *from)
    {
        for (int w = 0; w < WIDTH; ++w)
            column(k)[w * blockDim.x] = from[w];
    }
};

template <int SLOTS, bool SHARED> __device__ inline void resident(
    const long long rows, const int n, const int team, const Loss &loss, const Stored *scores,
    const Label *labels, Stored *value, Stored *gradient, int *odd)
{
    const long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    const long long row = thread >> (__ffs(team) - 1), last = row < rows ? row : rows - 1;
    const int rank = (threadIdx.x & (team - 1)) * WIDTH, stride = team * WIDTH;
    /* teams without a row take part in what warps do together */
    const int length = row < rows ? n : 0;
    const Labels<Label> own(labels, last, n, 0);
    Kept<SLOTS, false> first;
    Kept<SLOTS, SHARED> second;
    Top top;
#pragma unroll
    for (int k = 0; k < SLOTS / WIDTH; ++k) {
        const int j = k * stride + rank;
        if (j < length) {
            Real s[WIDTH], t[WIDTH];
            read_scores(scores + row * n, j, s);
            own.read(j, t);
            first.write(k, s);
            second.write(k, t);
            for (int w = 0; w < WIDTH && Loss::NEEDS_TOP; ++w)
                top.top = fmax(top.top, s[w]);
        }
    }
    const Reference at = loss.reference(Loss::NEEDS_TOP ? top_of(top, team) : (Real)0);
    State state;
#pragma unroll
    for (int k = 0; k < SLOTS / WIDTH; ++k)
        if (k * stride + rank < length) {
            Real s[WIDTH], t[WIDTH];
            first.read(k, s);
            second.read(k, t);
            loss.template take<WIDTH>(state, s, t, at);
            first.write(k, s);
            second.write(k, t);
        }
    const State all = state_of(state, team);
    if (rank == 0 && length)
        finish(loss.value(all, at), value + row, odd);
    if (!gradient)
        return;
    const Factors factors = loss.factors(all, at);
#pragma unroll
    for (int k = 0; k < SLOTS / WIDTH; ++k) {
        const int j = k * stride + rank;
        if (j < length) {
            Real s[WIDTH], t[WIDTH], g[WIDTH];
            first.read(k, s);
            second.read(k, t);
            Loss::template gradient<WIDTH>(s, t, factors, g);
            write_gradient(g, gradient + row * n + j);
        }
    }
}

/* 64 bytes of each number a thread: 16 labels in float, 8 in double. */
#define REGISTERS ((int)(64 / sizeof(Real)))

#define ARRAYS                                                                                     \
    const long long rows, const long long n, const int team, PARAMETERS,                           \
        const Stored *__restrict__ scores, const Label *__restrict__ labels,                       \
        Stored *__restrict__ value, Stored *__restrict__ gradient, int *__restrict__ odd

KERNEL(resident_some, 256)(ARRAYS)
{
    resident<REGISTERS, false>(
        rows, (int)n, team, Loss(GIVEN), scores, labels, value, gradient, odd);
}

KERNEL(resident_one, 1024)(ARRAYS)
{
    resident<REGISTERS, false>(
        rows, (int)n, team, Loss(GIVEN), scores, labels, value, gradient, odd);
}

KERNEL(resident_long, 1024)(ARRAYS)
{
    resident<2 * REGISTERS, true>(
        rows, (int)n, team, Loss(GIVEN), scores, labels, value, gradient, odd);
}
