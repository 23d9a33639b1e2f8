/*
 * What only the device has: halves to float and back, and 2^x, an instruction or a few each.
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

/* To the nearest, ties to even; nan stays nan. */
__device__ inline unsigned short bfloat16_of_float(const float x)
{
#if __CUDA_ARCH__ >= 800
    unsigned both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(0.0f), "f"(x));
    return (unsigned short)both;
#else
    const unsigned bits = (unsigned)__float_as_int(x);
    return x == x ? (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16) : 0x7fff;
#endif
}

/* 2 ulp; a subnormal result is 0. */
__device__ inline float device_exp2(const float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
