/*
 * Rows that are cut into `parts` of `length` labels, the last maybe shorter: a block has a part.
 *
 * The states of the parts are merged by one block a row, in an order that depends on their number
 * alone. A gradient that is BY_LABEL is written with the sums. tops: (rows, parts); states: (rows,
 * parts); finals: (rows,).
 */

/* What the gradient of a row needs. */
struct Final {
    Reference at;
    Factors factors;
};
/* The sizes for which the caller makes room. */
static_assert(sizeof(State) <= 64 && sizeof(Final) <= 96, "sizes of scratch memory");

/* Which row this block is at, and the labels first ... first + length - 1 of it. */
struct Part {
    long long row, first;
    int length;
    __device__ Part(const long long n, const int parts, const int most)
        : row(blockIdx.x / parts), first((long long)(blockIdx.x % parts) * most),
          length((int)(n - first < most ? n - first : most)) {}
};

/* The maximum of a row of parts. */
__device__ inline Real top_of_row(const Real *tops, const long long row, const int parts)
{
    Top top;
    for (int k = threadIdx.x; k < parts; k += blockDim.x)
        top.top = fmax(top.top, tops[row * parts + k]);
    return top_of(top, blockDim.x);
}

KERNEL(part_top, 256)(
    const long long n, const int parts, const int length, const Stored *__restrict__ scores,
    Real *__restrict__ tops)
{
    const Part part(n, parts, length);
    Top top;
    for (int j = threadIdx.x * WIDTH; j < part.length; j += blockDim.x * WIDTH) {
        Real s[WIDTH];
        read_scores(scores + part.row * n + part.first, j, s);
        for (int w = 0; w < WIDTH; ++w)
            top.top = fmax(top.top, s[w]);
    }
    const Real result = top_of(top, blockDim.x);
    if (threadIdx.x == 0)
        tops[blockIdx.x] = result;
}

KERNEL(part_sums, 256)(
    const long long n, const int parts, const int length, PARAMETERS,
    const Stored *__restrict__ scores, const Label *__restrict__ labels,
    const Real *__restrict__ tops, State *__restrict__ states, Stored *__restrict__ gradient)
{
    const Loss loss(GIVEN);
    const Part part(n, parts, length);
    const Labels<Label> own(labels, part.row, n, part.first);
    const Reference at =
        loss.reference(Loss::NEEDS_TOP ? top_of_row(tops, part.row, parts) : (Real)0);
    State state;
    for (int j = threadIdx.x * WIDTH; j < part.length; j += blockDim.x * WIDTH) {
        Real s[WIDTH], t[WIDTH];
        read_scores(scores + part.row * n + part.first, j, s);
        own.read(j, t);
        loss.template take<WIDTH>(state, s, t, at);
        if (Loss::BY_LABEL && gradient) {
            Real g[WIDTH];
            Loss::template gradient<WIDTH>(s, t, Factors(), g);
            write_gradient(g, gradient + part.row * n + part.first + j);
        }
    }
    const State result = state_of(state, blockDim.x);
    if (threadIdx.x == 0)
        states[blockIdx.x] = result;
}

/* A block a row. */
KERNEL(merge_parts, 256)(
    const int parts, PARAMETERS, const Real *__restrict__ tops,
    const State *__restrict__ states, Final *__restrict__ finals, Stored *__restrict__ value,
    int *__restrict__ odd)
{
    const Loss loss(GIVEN);
    const long long row = blockIdx.x;
    Final result;
    result.at = loss.reference(Loss::NEEDS_TOP ? top_of_row(tops, row, parts) : (Real)0);
    State state;
    for (int k = threadIdx.x; k < parts; k += blockDim.x)
        state.merge(states[row * parts + k]);
    const State all = state_of(state, blockDim.x);
    if (threadIdx.x == 0) {
        result.factors = loss.factors(all, result.at);
        finals[row] = result;
        finish(loss.value(all, result.at), value + row, odd);
    }
}

KERNEL(part_gradient, 256)(
    const long long n, const int parts, const int length, PARAMETERS,
    const Stored *__restrict__ scores, const Label *__restrict__ labels,
    const Final *__restrict__ finals, Stored *__restrict__ gradient)
{
    const Loss loss(GIVEN);
    const Part part(n, parts, length);
    const Labels<Label> own(labels, part.row, n, part.first);
    const Final at = finals[part.row];
    Stored *const to = gradient + part.row * n + part.first;
    for (int j = threadIdx.x * WIDTH; j < part.length; j += blockDim.x * WIDTH) {
        Real s[WIDTH], t[WIDTH], g[WIDTH];
        State unused;
        read_scores(scores + part.row * n + part.first, j, s);
        own.read(j, t);
        loss.template take<WIDTH>(unused, s, t, at.at);
        Loss::template gradient<WIDTH>(s, t, at.factors, g);
        write_gradient(g, to + j);
    }
}
