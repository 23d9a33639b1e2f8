/*
 * CUDA on the host, for tests: the threads of a block are threads of the host.
 *
 * Blocks run one after another, so shared memory is static. Shuffles write to a slot each and wait
 * for their warp; __syncthreads waits for the block. A thread that is missing at a barrier, as in a
 * kernel that hangs on a device, hangs here, too.
 */
#include <barrier>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define NO_HALVES
#define __global__
#define __device__
#define __shared__ static
using std::isfinite;
using std::isnan;

struct Place { unsigned x; };
static thread_local Place threadIdx, blockIdx;
static Place blockDim, gridDim;

struct Block {
    std::barrier<> all;
    std::vector<std::unique_ptr<std::barrier<>>> warps;
    std::vector<double> slots;
    explicit Block(const unsigned threads) : all(threads), slots(threads)
    {
        for (unsigned warp = 0; warp < threads / 32; ++warp)
            warps.push_back(std::make_unique<std::barrier<>>(32));
    }
};
static Block *block;

static void __syncthreads() { block->all.arrive_and_wait(); }

static double __shfl_xor_sync(const unsigned, const double x, const int apart)
{
    std::barrier<> &warp = *block->warps[threadIdx.x / 32];
    block->slots[threadIdx.x] = x;
    warp.arrive_and_wait();
    const double other = block->slots[threadIdx.x ^ (unsigned)apart];
    warp.arrive_and_wait();
    return other;
}

/* Runs a kernel with so many blocks of so many threads. */
template <typename Kernel>
static void launch(const unsigned blocks, const unsigned threads, const Kernel &kernel)
{
    blockDim.x = threads;
    gridDim.x = blocks;
    Block shared(threads);
    block = &shared;
    for (unsigned b = 0; b < blocks; ++b) {
        std::vector<std::thread> team;
        for (unsigned t = 0; t < threads; ++t)
            team.emplace_back([&kernel, b, t] {
                blockIdx.x = b;
                threadIdx.x = t;
                kernel();
            });
        for (std::thread &each : team)
            each.join();
    }
}
