// How the search's phase lies on a device. A warp holds the two rows of one neuron, its lanes the columns; a block
// bounds one node at a time and takes the next from a queue.
#pragma once

#include "hybrid_ai/geometry.hpp"

namespace hybrid_ai {

// Of a block for groups of at most Width neurons.
template <class Real, int Width>
struct NodeShape {
    static_assert(Width > 0 && Width % 4 == 0 && Width <= most_width, "a width is a multiple of four, at most 64");

    static constexpr int lanes = 32;
    static constexpr int rows = 8;  // neurons bounded at once
    static constexpr int threads = rows * lanes;
    static constexpr int columns = (Width + lanes - 1) / lanes;  // of a lane
    static constexpr int tile_rows = 16;                         // of a stage's weights in shared memory at once

    static constexpr int number = static_cast<int>(sizeof(Real));
    static constexpr int coefficient_bytes = 2 * rows * Width * number;
    static constexpr int tile_bytes = tile_rows * Width * number;
    static constexpr int partial_bytes = 2 * threads * number;
    static constexpr int neuron_bytes = 8 * Width * number;  // bounds and errors, outputs, reach, and one spare
    static constexpr int choice_bytes = 4 * (2 * Width + 4);  // flags, chosen rows, their number, the node, two spare
    static constexpr int fixed_bytes = coefficient_bytes + tile_bytes + partial_bytes + neuron_bytes + choice_bytes;
    static constexpr int group_bytes = Width * static_cast<int>(sizeof(Lines<Real>)) + 4 * (Width + 4);

    // Bytes of dynamic shared memory for a network of so many groups, the input counted; the last has no lines.
    static HYBRID_AI_BOTH constexpr int shared_bytes(int groups) { return fixed_bytes + (groups - 1) * group_bytes; }

    // The most groups for which a block stays within so many bytes.
    static HYBRID_AI_BOTH constexpr int most_groups(int bytes) {
        return bytes < fixed_bytes ? 0 : 1 + (bytes - fixed_bytes) / group_bytes;
    }

    static_assert(coefficient_bytes % 16 == 0 && tile_bytes % 16 == 0 && partial_bytes % 16 == 0 &&
                      neuron_bytes % 16 == 0 && choice_bytes % 16 == 0 && group_bytes % 16 == 0,
                  "each part of shared memory begins at a multiple of 16 bytes");
};

static_assert(4 * NodeShape<float, 64>::shared_bytes(10) <= volta_shared, "four blocks per multiprocessor");
static_assert(NodeShape<float, 64>::shared_bytes(10) <= shared_without_asking, "no larger limit need be requested");
static_assert(NodeShape<double, 64>::shared_bytes(10) <= shared_without_asking, "in double precision as well");

}  // namespace hybrid_ai
