// Launchers of the kernels compiled ahead of time.
#include "dense.cu"

#include <cuda_runtime.h>

namespace {

using hybrid_ai::Boxes;
using hybrid_ai::Network;
using hybrid_ai::Shape;

template <class Real>
int launch(void (*kernel)(Network<Real>, Boxes<Real>), const Network<Real>& network, const Boxes<Real>& boxes,
           cudaStream_t stream) {
    using Geometry = Shape<Real, HYBRID_AI_WIDTH>;
    if (boxes.count <= 0) {
        return cudaSuccess;
    }
    const int bytes = Geometry::shared_bytes(network.groups);
    if (bytes > hybrid_ai::shared_without_asking) {
        const cudaError_t found = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                                       cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
        if (found != cudaSuccess) {
            return found;
        }
    }
    const auto blocks = static_cast<unsigned>(Geometry::blocks(boxes.count));
    kernel<<<blocks, Geometry::threads, static_cast<std::size_t>(bytes), stream>>>(network, boxes);
    return cudaGetLastError();
}

}  // namespace

extern "C" {

// Bound boxes on the device. The records lie on the host, what they point to on the device; returns a cudaError_t.
int hybrid_ai_launch_single(const Network<float>* network, const Boxes<float>* boxes, cudaStream_t stream) {
    return launch(bound_boxes_single, *network, *boxes, stream);
}

int hybrid_ai_launch_double(const Network<double>* network, const Boxes<double>* boxes, cudaStream_t stream) {
    return launch(bound_boxes_double, *network, *boxes, stream);
}
}
