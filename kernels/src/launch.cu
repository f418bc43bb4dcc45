// Launchers of the kernels compiled ahead of time.
#include "dense.cu"
#undef HYBRID_AI_KERNEL
#include "nodes.cu"

#include <cuda_runtime.h>

namespace {

using hybrid_ai::Boxes;
using hybrid_ai::Network;
using hybrid_ai::Nodes;
using hybrid_ai::NodeShape;
using hybrid_ai::Shape;

// Request the shared memory of a block where it is more than a block may have without asking.
cudaError_t ask_for(const void* kernel, int bytes) {
    if (bytes <= hybrid_ai::shared_without_asking) {
        return cudaSuccess;
    }
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

// As many blocks as the device holds at once, which take nodes until none is left.
template <class Real>
int launch_nodes(void (*kernel)(Network<Real>, Nodes<Real>), const Network<Real>& network, const Nodes<Real>& nodes,
                 cudaStream_t stream) {
    using Geometry = NodeShape<Real, HYBRID_AI_WIDTH>;
    if (nodes.count <= 0) {
        return cudaSuccess;
    }
    const void* address = reinterpret_cast<const void*>(kernel);
    const int bytes = Geometry::shared_bytes(network.groups);
    const auto size = static_cast<std::size_t>(bytes);
    int device = 0;
    int processors = 0;
    int held = 0;
    cudaError_t status = ask_for(address, bytes);
    status = status == cudaSuccess ? cudaGetDevice(&device) : status;
    if (status == cudaSuccess) {
        status = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    }
    if (status == cudaSuccess) {
        status = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&held, address, Geometry::threads, size);
    }
    if (status != cudaSuccess) {
        return status;
    }
    const int blocks = processors * held < nodes.count ? processors * held : nodes.count;
    kernel<<<static_cast<unsigned>(blocks), Geometry::threads, size, stream>>>(network, nodes);
    return cudaGetLastError();
}

template <class Real>
int launch(void (*kernel)(Network<Real>, Boxes<Real>), const Network<Real>& network, const Boxes<Real>& boxes,
           cudaStream_t stream) {
    using Geometry = Shape<Real, HYBRID_AI_WIDTH>;
    if (boxes.count <= 0) {
        return cudaSuccess;
    }
    const int bytes = Geometry::shared_bytes(network.groups);
    const cudaError_t asked = ask_for(reinterpret_cast<const void*>(kernel), bytes);
    if (asked != cudaSuccess) {
        return asked;
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

// Bound nodes on the device; as above.
int hybrid_ai_launch_nodes_single(const Network<float>* network, const Nodes<float>* nodes, cudaStream_t stream) {
    return launch_nodes(bound_nodes_single, *network, *nodes, stream);
}

int hybrid_ai_launch_nodes_double(const Network<double>* network, const Nodes<double>* nodes, cudaStream_t stream) {
    return launch_nodes(bound_nodes_double, *network, *nodes, stream);
}
}
