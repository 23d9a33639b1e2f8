/*
 * CUDA on the host, for tests: the threads of a block take turns.
 *
 * A thread runs until it waits for others, in a shuffle or at __syncthreads; when all wait, they go
 * on. All must wait for the same: a kernel some threads of which part ways, and which would hang on
 * a device or read what is not there, ends the process here.
 */
#include <ucontext.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__
#define __launch_bounds__(threads)
using std::fabs;
using std::fma;
using std::fmax;
using std::fmin;
using std::log1p;

struct Place { unsigned x; };
static Place threadIdx, blockIdx, blockDim;

template <typename To, typename From> static To same_bits(const From x)
{
    static_assert(sizeof(To) == sizeof(From), "bits of one size");
    To y;
    std::memcpy(&y, &x, sizeof y);
    return y;
}
static float __int_as_float(const int x) { return same_bits<float>(x); }
static int __float_as_int(const float x) { return same_bits<int>(x); }
static double __longlong_as_double(const long long x) { return same_bits<double>(x); }
static long long __double_as_longlong(const double x) { return same_bits<long long>(x); }

static int __ffs(const int x) { return __builtin_ffs(x); }

/* ---- what the device has in one instruction ---- */

static float float_of_half(const unsigned short bits)
{
    const int exponent = bits >> 10 & 31, digits = bits & 1023;
    const double size = exponent == 31 ? (digits ? NAN : INFINITY)
        : exponent ? std::ldexp(1024 + digits, exponent - 25) : std::ldexp(digits, -24);
    return (float)(bits >> 15 ? -size : size);
}

static unsigned short half_of_float(const float x)
{
    const int sign = std::signbit(x) ? 0x8000 : 0;
    const double size = std::fabs((double)x);
    if (x != x)
        return 0x7fff;
    if (size >= 65520) /* the tie between 65504 and 65536 */
        return (unsigned short)(sign | 0x7c00);
    if (size < 0x1p-14)
        return (unsigned short)(sign | (int)std::nearbyint(std::ldexp(size, 24)));
    int exponent;
    const double digits = std::nearbyint(std::ldexp(std::frexp(size, &exponent), 11));
    return (unsigned short)(sign | (((exponent + 14) << 10) + (int)digits - 1024));
}

static unsigned short bfloat16_of_float(const float x)
{
    if (x != x)
        return 0x7fff;
    const unsigned bits = (unsigned)__float_as_int(x), up = bits & 0xffffu, even = bits >> 16 & 1u;
    return (unsigned short)((bits >> 16) + (up > 0x8000u || (up == 0x8000u && even)));
}

static float device_exp2(const float x)
{
    const float y = std::exp2(x);
    return y < 0x1p-126f ? 0 : y;
}

/* ---- threads ---- */

enum { MOST = 1024, STACK = 1 << 16, MEMORY = 20000 };
alignas(16) double memory[MEMORY];

enum Wait { RUNS, SHUFFLES, SYNCHRONISES, IS_DONE };
struct Fiber {
    ucontext_t context;
    Wait wait;
    unsigned shuffles;
};
static std::vector<Fiber> fibers(MOST);
static std::vector<char> stacks((size_t)MOST * STACK);
static ucontext_t turn;
static unsigned current;
/* Of the last shuffle and the one before: a thread may be at the next when others read this one. */
static double slots[2][MOST];

static void wait_for_others(const Wait reason)
{
    fibers[current].wait = reason;
    swapcontext(&fibers[current].context, &turn);
}

static void __syncthreads() { wait_for_others(SYNCHRONISES); }

template <typename Real> static Real __shfl_xor_sync(const unsigned, const Real x, const int apart)
{
    const unsigned me = current, side = fibers[me].shuffles++ % 2;
    slots[side][me] = x;
    wait_for_others(SHUFFLES);
    return (Real)slots[side][me ^ (unsigned)apart];
}

static void (*body)(void *);
static void *given;

static void run_thread()
{
    body(given);
    wait_for_others(IS_DONE);
}

static void run_block(const unsigned threads)
{
    for (unsigned t = 0; t < threads; ++t) {
        Fiber &fiber = fibers[t];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = &stacks[(size_t)t * STACK];
        fiber.context.uc_stack.ss_size = STACK;
        fiber.wait = RUNS;
        fiber.shuffles = 0;
        makecontext(&fiber.context, run_thread, 0);
    }
    do {
        for (current = 0; current < threads; ++current) {
            threadIdx.x = current;
            swapcontext(&turn, &fibers[current].context);
        }
        for (unsigned t = 1; t < threads; ++t)
            if (fibers[t].wait != fibers[0].wait) {
                std::fprintf(stderr, "threads 0 and %u of a block wait for different things\n", t);
                std::abort();
            }
    } while (fibers[0].wait != IS_DONE);
}

template <typename... Given, size_t... I>
static void call(void (*kernel)(Given...), void **arguments, std::index_sequence<I...>)
{
    kernel(*(typename std::remove_const<Given>::type *)arguments[I]...);
}

/* As cuLaunchKernel: pointers to the arguments. What was in shared memory before is lost. */
template <typename... Given> static void launch(
    void (*kernel)(Given...), const unsigned blocks, const unsigned threads, void **arguments)
{
    typedef std::pair<void (*)(Given...), void **> Launch;
    Launch all(kernel, arguments);
    given = &all;
    body = [](void *launched) {
        const Launch &one = *(Launch *)launched;
        call(one.first, one.second, std::index_sequence_for<Given...>());
    };
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
        for (double &each : memory)
            each = NAN;
        run_block(threads);
    }
}
