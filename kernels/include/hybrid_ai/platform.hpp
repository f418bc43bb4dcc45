// What host and device spell differently: function qualifiers, unrolling, single operations.
//
// Sound because: each function here is one IEEE operation to nearest, or exact. The device is compiled without
// contraction, flushing and approximate division (src/options.txt), so that both give the same bits.
#pragma once

#if defined(__CUDACC__)
#define HYBRID_AI_BOTH __host__ __device__ __forceinline__
#define HYBRID_AI_UNROLL _Pragma("unroll")
#define HYBRID_AI_ROLLED _Pragma("unroll 1")
#else
#define HYBRID_AI_BOTH inline
#define HYBRID_AI_UNROLL
#define HYBRID_AI_ROLLED
#endif

#if !defined(__CUDACC_RTC__)
#include <cmath>
#include <limits>
#endif

namespace hybrid_ai {

// a b + c, rounded once.
HYBRID_AI_BOTH float fused(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
    return __fmaf_rn(a, b, c);
#else
    return std::fma(a, b, c);
#endif
}

HYBRID_AI_BOTH double fused(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
    return __fma_rn(a, b, c);
#else
    return std::fma(a, b, c);
#endif
}

HYBRID_AI_BOTH float absolute(float a) {
#if defined(__CUDA_ARCH__)
    return fabsf(a);
#else
    return std::fabs(a);
#endif
}

HYBRID_AI_BOTH double absolute(double a) {
#if defined(__CUDA_ARCH__)
    return fabs(a);
#else
    return std::fabs(a);
#endif
}

template <class Real>
HYBRID_AI_BOTH Real infinity() {
#if defined(__CUDA_ARCH__)
    return static_cast<Real>(__int_as_float(0x7f800000));
#else
    return std::numeric_limits<Real>::infinity();
#endif
}

// The larger of the two, NaN where either is: a fault must not be hidden by a number.
template <class Real>
HYBRID_AI_BOTH Real most(Real a, Real b) {
    return b <= a ? a : (a < b ? b : a + b);
}

// The smaller of the two, NaN where either is.
template <class Real>
HYBRID_AI_BOTH Real least(Real a, Real b) {
    return a <= b ? a : (b < a ? b : a + b);
}

}  // namespace hybrid_ai
