// How the dense phase lies on a device: threads of a block, parts of its shared memory, limits.
//
// A thread holds the rows of one neuron of one box; a block holds as many boxes as fill two warps. Coefficients
// lie one column per thread, so that the threads of a warp read neighbouring words and need no barrier.
#pragma once

#include "hybrid_ai/layout.hpp"

namespace hybrid_ai {

constexpr int most_width = 64;              // of a group: beyond it the sums of a row leave the registers
constexpr int volta_shared = 96 * 1024;     // bytes of a multiprocessor of compute capability 7.0
constexpr int hopper_shared = 228 * 1024;   // the same for 9.0, which reserves 1024 for each block
constexpr int hopper_reserved = 1024;
constexpr int shared_without_asking = 48 * 1024;  // what a block may have before a larger limit is requested
constexpr int wanted_blocks = 2;            // per multiprocessor

// Of a block for groups of at most Width neurons.
template <class Real, int Width>
struct Shape {
    static_assert(Width > 0 && Width % 4 == 0 && Width <= most_width, "a width is a multiple of four, at most 64");

    static constexpr int boxes = Width >= 64 ? 1 : 64 / Width;
    static constexpr int threads = boxes * Width;
    static constexpr int sides = sizeof(Real) == 4 ? 2 : 1;  // rows at once: lower and upper, or one after the other
    static constexpr int tile_rows = 16;                     // of a stage's weights in shared memory at once
    static constexpr int packs = Width / Pack<Real>::count;  // in a row of weights

    static constexpr int coefficient_bytes = sides * Width * threads * static_cast<int>(sizeof(Real));
    static constexpr int tile_bytes = tile_rows * Width * static_cast<int>(sizeof(Real));
    static constexpr int output_bytes = threads * static_cast<int>(sizeof(Output<Real>));
    static constexpr int reach_bytes = threads * static_cast<int>(sizeof(Real));
    static constexpr int fixed_bytes = coefficient_bytes + tile_bytes + output_bytes + reach_bytes;
    static constexpr int group_bytes = threads * static_cast<int>(sizeof(Lines<Real>));

    // Bytes of dynamic shared memory for a network of so many groups, the input counted; the last has no lines.
    static HYBRID_AI_BOTH constexpr int shared_bytes(int groups) { return fixed_bytes + (groups - 1) * group_bytes; }

    // The most groups for which a block stays within so many bytes.
    static HYBRID_AI_BOTH constexpr int most_groups(int bytes) {
        return bytes < fixed_bytes ? 0 : 1 + (bytes - fixed_bytes) / group_bytes;
    }

    // Blocks that bound so many boxes.
    static HYBRID_AI_BOTH constexpr int blocks(int count) { return (count - 1) / boxes + 1; }

    static_assert(threads <= 64 && threads >= 32, "two warps");
    static_assert(coefficient_bytes % 16 == 0 && tile_bytes % 16 == 0 && output_bytes % 16 == 0 &&
                      reach_bytes % 16 == 0,
                  "each part of shared memory begins at a multiple of 16 bytes");
    static_assert(alignof(Lines<Real>) == 16 && alignof(Pack<Real>) == 16, "one instruction loads 16 bytes");
};

// A network with ten groups, in single precision and at the full width: two blocks of 7.0, five of 9.0.
static_assert(wanted_blocks * Shape<float, 64>::shared_bytes(10) <= volta_shared, "two blocks per multiprocessor");
static_assert(Shape<float, 64>::shared_bytes(10) <= shared_without_asking, "no larger limit need be requested");
static_assert(4 * (Shape<float, 64>::shared_bytes(10) + hopper_reserved) <= hopper_shared, "four blocks of 9.0");
static_assert(Shape<double, 64>::shared_bytes(10) <= volta_shared, "one block in double precision");

}  // namespace hybrid_ai
