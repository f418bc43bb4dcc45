// What is done once per neuron: intervals, relaxations, merged bounds.
//
// Sound because: each formula is that of docs/theory/rounding-of-the-dense-kernels.md and names its margin. A value
// out of range is NaN from there on, and NaN never becomes a bound.
#pragma once

#include "hybrid_ai/layout.hpp"

namespace hybrid_ai {

// Lower and upper bound of a pre-activation, and what rounding its row's own sum may lose.
template <class Real>
struct Row {
    Real lower;
    Real upper;
    Real error;
};

// Sums of an interval pass: w middle, |w| radius, |w| magnitude.
template <class Real>
struct Sums {
    Real middle;
    Real radius;
    Real size;
};

// Zero where in range, else NaN: added to whatever must not be used.
template <class Real>
HYBRID_AI_BOTH Real fault_of(Real size, Real limit) {
    return size < limit ? Real(0) : infinity<Real>() - infinity<Real>();
}

template <class Real>
HYBRID_AI_BOTH Real size_of(Real lower, Real upper) {
    return most(absolute(lower), absolute(upper));
}

template <class Real>
HYBRID_AI_BOTH Output<Real> output_of(Real lower, Real upper) {
    return {Real(0.5) * (lower + upper), Real(0.5) * (upper - lower), size_of(lower, upper)};
}

// Absolute error of whatever one row computes, given the largest magnitude so far.
template <class Real>
HYBRID_AI_BOTH Real underflow_of(const Terms<Real>& terms, Real reach) {
    return terms.floor * (Real(1) + reach);
}

// What a coefficient on an input adds to a row. Sound because: c x >= c l or c u, less gamma |c| size for what c is
// off itself (docs/theory/rounding-of-the-dense-kernels.md, Input).
template <class Real>
HYBRID_AI_BOTH Lines<Real> input_lines(Real lower, Real upper, const Terms<Real>& terms) {
    const Real size = size_of(lower, upper);
    const Real wide = terms.gamma * size + terms.floor + fault_of(size, terms.limit);
    return {Real(0), Real(0), lower - wide, upper + wide};
}

// Interval bounds of a row. Sound because: 2 gamma R clears the sums, slack the radius' own
// (docs/theory/rounding-of-the-dense-kernels.md, Intervals); a comparison with NaN gives no bound.
template <class Real>
HYBRID_AI_BOTH Row<Real> interval_row(const Sums<Real>& sums, Real bias, const Terms<Real>& terms, Real reach) {
    const Real error = terms.gamma * (sums.size + absolute(bias)) * terms.slack + underflow_of(terms, reach);
    const Real center = sums.middle + bias;
    const Real wide = sums.radius * terms.slack + (error + error);
    const Real low = center - wide;
    const Real high = center + wide;
    const Real endless = infinity<Real>();
    return {-endless < low ? low : -endless, high < endless ? high : endless, error};
}

// Slopes of a relu and the intercept of its upper line. Sound because: any slope of [0, 1] will do, and the intercept
// clears both ends of the chord (docs/theory/relu-lower-line.md, docs/theory/relu-upper-line.md).
template <class Real>
HYBRID_AI_BOTH Lines<Real> relu_lines(Real low, Real high, bool area, Real slack) {
    if (Real(0) <= low) {
        return {Real(1), Real(1), Real(0), Real(0)};
    }
    if (high <= Real(0)) {
        return {Real(0), Real(0), Real(0), Real(0)};
    }
    const bool steep = area ? -low < high : Real(64) * high >= Real(-63) * low;
    const Real chord = least(most(high / (high - low), Real(0)), Real(1));
    const Real clear = most(-(chord * low), high - chord * high) * slack;
    return {steep ? Real(1) : Real(0), chord, Real(0), clear};
}

// Relaxation of a neuron from its bounds: the constants P and N of the theory, with what substituting it may lose.
// Sound because: docs/theory/rounding-of-the-dense-kernels.md, Statement.
template <class Real>
HYBRID_AI_BOTH Lines<Real> neuron_lines(const Row<Real>& row, Real bias, bool relu, bool area,
                                        const Terms<Real>& terms) {
    const Real size = size_of(row.lower, row.upper);
    const Real fault = fault_of(size, terms.limit);
    const Real error = (row.error + terms.twice_unit * size) * terms.slack;
    Lines<Real> lines = {Real(1), Real(1), Real(0), Real(0)};
    if (relu) {
        lines = relu_lines(row.lower, row.upper, area, terms.slack);
    }
    lines.rising = lines.below * (bias - error) + fault;
    lines.falling = lines.above * (bias + error) + lines.falling + terms.floor + fault;
    lines.below = lines.below + fault;
    lines.above = lines.above + fault;
    return lines;
}

// Output interval of a neuron from the bounds of its pre-activation.
template <class Real>
HYBRID_AI_BOTH Output<Real> neuron_output(const Row<Real>& row, bool relu, Real limit) {
    const Real fault = fault_of(size_of(row.lower, row.upper), limit);
    const Real low = relu ? most(row.lower, Real(0)) : row.lower;
    const Real high = relu ? most(row.upper, Real(0)) : row.upper;
    return output_of(low + fault, high + fault);
}

// Relax one coefficient c in place and add what it contributes to the row's constant. Sound because: c >= 0 takes the
// lower line, every other c the upper one, and NaN stays NaN in coefficient and constant.
template <class Real>
HYBRID_AI_BOTH Real relax_coefficient(Real c, const Lines<Real>& lines, Real& total) {
    const bool rising = c >= Real(0);
    total = fused(c, rising ? lines.rising : lines.falling, total);
    return c * (rising ? lines.below : lines.above);
}

// Intersect a held bound with the one that a row's sum gives; sign: 1 for lower bounds, -1 for upper ones. Sound
// because: a sum that is not finite gives no bound.
template <class Real>
HYBRID_AI_BOTH Real merged(Real held, Real sum, Real sign, const Terms<Real>& terms, Real reach) {
    const Real endless = infinity<Real>();
    const Real value = sum - underflow_of(terms, reach);
    const Real usable = absolute(value) < endless ? value : -endless;
    return sign * most(sign * held, usable);
}

}  // namespace hybrid_ai
