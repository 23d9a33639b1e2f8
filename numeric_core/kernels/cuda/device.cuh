/*
 * What only the device has: float16 to float and back, and 2^x, one instruction each.
 *
 * By inline PTX, so that no header is needed: CuPy's NVRTC may have none.
 */

__device__ inline float float_of_half(const unsigned short bits)
{
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
}

/* To the nearest, ties to even; beyond 65504 + 16 it is inf. */
__device__ inline unsigned short half_of_float(const float x)
{
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bits;
}

/* 2 ulp; a subnormal result is 0. */
__device__ inline float device_exp2(const float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
