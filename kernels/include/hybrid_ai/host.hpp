// The kernels on the host: one block after the other, in shared memory of exactly the size that a device is asked for.
#pragma once

#include <vector>

#include "hybrid_ai/dense.hpp"
#include "hybrid_ai/nodes.hpp"

namespace hybrid_ai {

// Bounds of all boxes; what the device computes, bit for bit.
template <class Real, int Width, bool Charged>
void bound_on_host(const Network<Real>& network, const Boxes<Real>& boxes, Order order) {
    using Geometry = Shape<Real, Width>;
    const int bytes = Geometry::shared_bytes(network.groups);
    std::vector<Pack<Real>> memory(static_cast<std::size_t>(bytes) / sizeof(Pack<Real>));
    for (int first = 0; first < boxes.count; first += Geometry::boxes) {
        poison(memory);
        HostBlock<Geometry::threads> block(order);
        DenseBoxes<Real, Width, Charged, HostBlock<Geometry::threads>>(
            block, network, boxes, reinterpret_cast<unsigned char*>(memory.data()), first)
            .run();
    }
}

// Bounds of all nodes that are left in the queue, by one block.
template <class Real, int Width>
void bound_nodes_on_host(const Network<Real>& network, const Nodes<Real>& nodes, Order order) {
    using Geometry = NodeShape<Real, Width>;
    const int bytes = Geometry::shared_bytes(network.groups);
    std::vector<Pack<Real>> memory(static_cast<std::size_t>(bytes) / sizeof(Pack<Real>));
    poison(memory);
    HostBlock<Geometry::threads> block(order);
    NodeBounds<Real, Width, HostBlock<Geometry::threads>>(block, network, nodes,
                                                          reinterpret_cast<unsigned char*>(memory.data()))
        .run();
}

}  // namespace hybrid_ai
