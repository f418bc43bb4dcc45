// C interface of the host-compiled kernels: what the tests call. They are compiled for the widths 4, 20 and 64.
#include <cstdint>

#include "hybrid_ai/host.hpp"

using hybrid_ai::Boxes;
using hybrid_ai::Network;
using hybrid_ai::Nodes;
using hybrid_ai::NodeShape;
using hybrid_ai::Order;
using hybrid_ai::Shape;

namespace {

enum Status { done = 0, width_not_compiled = 1, misaligned = 2 };

template <int Value>
struct Width {
    static constexpr int value = Value;
};

// Call the body with a width that is compiled.
template <class Body>
int for_width(int width, Body body) {
    switch (width) {
        case 4:
            return body(Width<4>());
        case 20:
            return body(Width<20>());
        case 64:
            return body(Width<64>());
        default:
            return width_not_compiled;
    }
}

template <class Real>
bool aligned(const Network<Real>& network) {
    return reinterpret_cast<std::uintptr_t>(network.rows) % 16 == 0;
}

template <class Real>
int bound(int width, const Network<Real>& network, const Boxes<Real>& boxes, int charged, int order) {
    return for_width(width, [&](auto chosen) -> int {
        constexpr int value = decltype(chosen)::value;
        if (!aligned(network)) {
            return misaligned;
        }
        if (charged != 0) {
            hybrid_ai::bound_on_host<Real, value, true>(network, boxes, static_cast<Order>(order));
        } else {
            hybrid_ai::bound_on_host<Real, value, false>(network, boxes, static_cast<Order>(order));
        }
        return done;
    });
}

template <class Real>
int bound_nodes(int width, const Network<Real>& network, const Nodes<Real>& nodes, int order) {
    return for_width(width, [&](auto chosen) -> int {
        hybrid_ai::bound_nodes_on_host<Real, decltype(chosen)::value>(network, nodes, static_cast<Order>(order));
        return done;
    });
}

template <class Real>
int describe(int width, int groups, int* out) {
    return for_width(width, [&](auto chosen) -> int {
        using Geometry = Shape<Real, decltype(chosen)::value>;
        out[0] = Geometry::boxes;
        out[1] = Geometry::threads;
        out[2] = Geometry::shared_bytes(groups);
        out[3] = Geometry::most_groups(hybrid_ai::shared_without_asking);
        return done;
    });
}

template <class Real>
int describe_nodes(int width, int groups, int* out) {
    return for_width(width, [&](auto chosen) -> int {
        using Geometry = NodeShape<Real, decltype(chosen)::value>;
        out[0] = 1;
        out[1] = Geometry::threads;
        out[2] = Geometry::shared_bytes(groups);
        out[3] = Geometry::most_groups(hybrid_ai::shared_without_asking);
        return done;
    });
}

}  // namespace

extern "C" {

// Bounds of boxes; charged: with error terms; order: of the threads, 0 forward, 1 backward, 2 odd ones first.
// Returns 0, 1 for a width that is not compiled, 2 for weights that are not aligned to 16 bytes.
int hybrid_ai_bound_single(int width, const Network<float>* network, const Boxes<float>* boxes, int charged,
                           int order) {
    return bound(width, *network, *boxes, charged, order);
}

int hybrid_ai_bound_double(int width, const Network<double>* network, const Boxes<double>* boxes, int charged,
                           int order) {
    return bound(width, *network, *boxes, charged, order);
}

// Bounds of nodes; order and status as above.
int hybrid_ai_bound_nodes_single(int width, const Network<float>* network, const Nodes<float>* nodes, int order) {
    return bound_nodes(width, *network, *nodes, order);
}

int hybrid_ai_bound_nodes_double(int width, const Network<double>* network, const Nodes<double>* nodes, int order) {
    return bound_nodes(width, *network, *nodes, order);
}

// Boxes and threads of a block, its bytes of shared memory, the most groups without asking for more; into out (4,).
int hybrid_ai_geometry(int width, int bytes, int groups, int* out) {
    return bytes == 4 ? describe<float>(width, groups, out) : describe<double>(width, groups, out);
}

// The same of a block that bounds nodes.
int hybrid_ai_node_geometry(int width, int bytes, int groups, int* out) {
    return bytes == 4 ? describe_nodes<float>(width, groups, out) : describe_nodes<double>(width, groups, out);
}
}
