// The search's phase as kernels: as many blocks as fit on the device, NodeShape::shared_bytes(groups) bytes of dynamic
// shared memory each. HYBRID_AI_WIDTH is the widest group, rounded up to a multiple of four.
#include "hybrid_ai/nodes.hpp"

#if !defined(HYBRID_AI_WIDTH)
#define HYBRID_AI_WIDTH 64
#endif

namespace hybrid_ai {

template <class Real>
__device__ __forceinline__ void bound_taken(const Network<Real>& network, const Nodes<Real>& nodes) {
    using Geometry = NodeShape<Real, HYBRID_AI_WIDTH>;
    extern __shared__ __align__(16) unsigned char memory[];
    DeviceBlock<Geometry::threads> block;
    NodeBounds<Real, HYBRID_AI_WIDTH, DeviceBlock<Geometry::threads>>(block, network, nodes, memory).run();
}

}  // namespace hybrid_ai

#define HYBRID_AI_KERNEL(Real, name)                                                                             \
    extern "C" __global__ void __launch_bounds__(hybrid_ai::NodeShape<Real, HYBRID_AI_WIDTH>::threads,           \
                                                 hybrid_ai::wanted_blocks)                                       \
        name(const hybrid_ai::Network<Real> network, const hybrid_ai::Nodes<Real> nodes) {                       \
        hybrid_ai::bound_taken<Real>(network, nodes);                                                            \
    }

HYBRID_AI_KERNEL(float, bound_nodes_single)
HYBRID_AI_KERNEL(double, bound_nodes_double)
