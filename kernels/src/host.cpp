// C interface of the host-compiled kernels: what the tests call.
#include <cstdint>

#include "hybrid_ai/host.hpp"

using hybrid_ai::Boxes;
using hybrid_ai::Network;
using hybrid_ai::Order;
using hybrid_ai::Shape;

namespace {

enum Status { done = 0, width_not_compiled = 1, misaligned = 2 };

template <class Real, int Width>
int bound(const Network<Real>& network, const Boxes<Real>& boxes, int charged, Order order) {
    if (reinterpret_cast<std::uintptr_t>(network.rows) % 16 != 0) {
        return misaligned;
    }
    if (charged != 0) {
        hybrid_ai::bound_on_host<Real, Width, true>(network, boxes, order);
    } else {
        hybrid_ai::bound_on_host<Real, Width, false>(network, boxes, order);
    }
    return done;
}

template <class Real>
int bound_for(int width, const Network<Real>& network, const Boxes<Real>& boxes, int charged, int order) {
    const Order turns = static_cast<Order>(order);
    switch (width) {
        case 4:
            return bound<Real, 4>(network, boxes, charged, turns);
        case 20:
            return bound<Real, 20>(network, boxes, charged, turns);
        case 64:
            return bound<Real, 64>(network, boxes, charged, turns);
        default:
            return width_not_compiled;
    }
}

template <class Real, int Width>
void describe(int groups, int* out) {
    using Geometry = Shape<Real, Width>;
    const int found[] = {Geometry::boxes, Geometry::threads, Geometry::shared_bytes(groups),
                         Geometry::most_groups(hybrid_ai::shared_without_asking)};
    for (int k = 0; k < 4; ++k) {
        out[k] = found[k];
    }
}

template <class Real>
int describe_for(int width, int groups, int* out) {
    switch (width) {
        case 4:
            describe<Real, 4>(groups, out);
            return done;
        case 20:
            describe<Real, 20>(groups, out);
            return done;
        case 64:
            describe<Real, 64>(groups, out);
            return done;
        default:
            return width_not_compiled;
    }
}

}  // namespace

extern "C" {

// Bounds of boxes; charged: with error terms; order: of the threads, 0 forward, 1 backward, 2 odd ones first.
// Returns 0, 1 for a width that is not compiled (4, 20, 64 are), 2 for weights that are not aligned to 16 bytes.
int hybrid_ai_bound_single(int width, const Network<float>* network, const Boxes<float>* boxes, int charged, int order) {
    return bound_for(width, *network, *boxes, charged, order);
}

int hybrid_ai_bound_double(int width, const Network<double>* network, const Boxes<double>* boxes, int charged,
                           int order) {
    return bound_for(width, *network, *boxes, charged, order);
}

// Boxes and threads of a block, its bytes of shared memory, the most groups without asking for more; into out (4,).
int hybrid_ai_geometry(int width, int bytes, int groups, int* out) {
    return bytes == 4 ? describe_for<float>(width, groups, out) : describe_for<double>(width, groups, out);
}
}
