// The dense phase as kernels: one block per Shape::boxes boxes, Shape::shared_bytes(groups) bytes of dynamic shared
// memory. HYBRID_AI_WIDTH is the widest group, rounded up to a multiple of four.
#include "hybrid_ai/dense.hpp"

#if !defined(HYBRID_AI_WIDTH)
#define HYBRID_AI_WIDTH 64
#endif

namespace hybrid_ai {

template <class Real, bool Charged>
__device__ __forceinline__ void bound_block(const Network<Real>& network, const Boxes<Real>& boxes) {
    using Geometry = Shape<Real, HYBRID_AI_WIDTH>;
    extern __shared__ __align__(16) unsigned char memory[];
    DeviceBlock<Geometry::threads> block;
    const int first = static_cast<int>(blockIdx.x) * Geometry::boxes;
    using Phase = DenseBoxes<Real, HYBRID_AI_WIDTH, Charged, DeviceBlock<Geometry::threads>>;
    Phase(block, network, boxes, memory, first).run();
}

}  // namespace hybrid_ai

#define HYBRID_AI_KERNEL(Real, name, charged)                                                                   \
    extern "C" __global__ void __launch_bounds__(hybrid_ai::Shape<Real, HYBRID_AI_WIDTH>::threads,              \
                                                 hybrid_ai::wanted_blocks)                                      \
        name(const hybrid_ai::Network<Real> network, const hybrid_ai::Boxes<Real> boxes) {                      \
        hybrid_ai::bound_block<Real, charged>(network, boxes);                                                  \
    }

HYBRID_AI_KERNEL(float, bound_boxes_single, true)
HYBRID_AI_KERNEL(double, bound_boxes_double, true)

// Without error terms: not bounds, but what these cost.
HYBRID_AI_KERNEL(float, time_boxes_single, false)
HYBRID_AI_KERNEL(double, time_boxes_double, false)
