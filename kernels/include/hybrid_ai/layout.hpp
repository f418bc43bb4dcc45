// The records that the caller and the kernels share. All are plain data with fixed offsets.
#pragma once

#include "hybrid_ai/platform.hpp"

namespace hybrid_ai {

// Sixteen bytes of numbers, which one instruction loads.
template <class Real>
struct alignas(16) Pack {
    static constexpr int count = 16 / static_cast<int>(sizeof(Real));
    Real value[count];
};

// Relaxation of a neuron: slopes for coefficients of each sign, and what each adds to the constant of a row.
template <class Real>
struct alignas(16) Lines {
    Real below;    // slope for c >= 0
    Real above;    // slope for c < 0
    Real rising;   // P of the theory: added times c, for c >= 0
    Real falling;  // N of the theory, for c < 0
};

// Interval of a neuron's output.
template <class Real>
struct Output {
    Real middle;
    Real radius;
    Real magnitude;
};

// gamma: relative error of any one sum; twice_unit: twice the unit of rounding; slack: clears products of rounded
// factors; floor: absolute error per unit of the largest magnitude plus one; limit: of a pre-activation.
template <class Real>
struct Terms {
    Real gamma;
    Real twice_unit;
    Real slack;
    Real floor;
    Real limit;
};

// A chain of fully connected stages. Group 0 is the input; stage g makes group g of group g - 1.
template <class Real>
struct Network {
    const int* size;      // (groups,) neurons
    const int* relu;      // (groups,) whether the group is a relu stage's output
    const Real* rows;     // (groups, width, width): weight [g][i][m] of neuron i, zero beyond sizes; 16-byte aligned
    const Real* columns;  // (groups, width, width): the same, [g][m][i]
    const Real* bias;     // (groups, width)
    int groups;
    Terms<Real> terms;
};

// Boxes to bound. method: 0 intervals, 1 a backward pass over interval bounds, 2 backward passes for every neuron;
// intersect: whether backward bounds are intersected with intervals; area: lower slope 1 where U > -L, else where
// 64 U >= -63 L.
template <class Real>
struct Boxes {
    const Real* lower;  // (count, inputs), rounded down
    const Real* upper;  // (count, inputs), rounded up
    Real* out;          // (count, 2, outputs): lower and upper bounds, infinite where nothing is shown
    int count;
    int method;
    int intersect;
    int area;
};

// Nodes of the search to bound: boxes with bounds that are known of every pre-activation. Place [g][i] of width
// numbers a group is that of neuron i of group g; other places are neither read nor written.
template <class Real>
struct Nodes {
    const Real* lower;  // (count, inputs), rounded down
    const Real* upper;  // (count, inputs), rounded up
    const Real* held;   // (count, 2, groups, width): known lower and upper bounds, infinite where there are none
    Real* out;          // (count, 2, groups, width): lower and upper bounds, intersected with those known
    const int* order;   // (count,) which node is taken when, the longest first; null: as they come
    int* next;          // how many were taken so far; 0 at the start
    int count;
    int area;
};

static_assert(sizeof(void*) == 8, "records are those of 64-bit machines");
static_assert(sizeof(Pack<float>) == 16 && sizeof(Pack<double>) == 16, "sixteen bytes");
static_assert(sizeof(Lines<float>) == 16 && sizeof(Lines<double>) == 32, "no padding");
static_assert(sizeof(Output<float>) == 12 && sizeof(Output<double>) == 24, "no padding");
static_assert(sizeof(Network<float>) == 64 && sizeof(Network<double>) == 88, "as the caller packs it");
static_assert(sizeof(Nodes<float>) == 56 && sizeof(Nodes<double>) == 56, "as the caller packs it");
static_assert(sizeof(Boxes<float>) == 40 && sizeof(Boxes<double>) == 40, "as the caller packs it");

}  // namespace hybrid_ai
