// Single rules at the places where they change: kinks, infinities, NaN.
#include <cmath>
#include <initializer_list>
#include <limits>

#include "check.hpp"
#include "hybrid_ai/geometry.hpp"
#include "hybrid_ai/rules.hpp"

using namespace hybrid_ai;

namespace {

template <class Real>
Terms<Real> terms_of() {
    const Real unit = std::numeric_limits<Real>::epsilon() / 2;
    const Real gamma = Real(80) * unit;
    return {gamma, 2 * unit, 1 + 4 * gamma, std::numeric_limits<Real>::min() * 1000, std::ldexp(Real(1), 100)};
}

template <class Real>
void test_nan_is_never_hidden() {
    const Real nan = std::numeric_limits<Real>::quiet_NaN();
    CHECK(std::isnan(most(nan, Real(1))) && std::isnan(most(Real(1), nan)));
    CHECK(std::isnan(least(nan, Real(1))) && std::isnan(least(Real(1), nan)));
    CHECK(most(Real(1), Real(2)) == 2 && most(Real(2), Real(1)) == 2);
    CHECK(least(Real(1), Real(2)) == 1 && least(Real(2), Real(1)) == 1);
    Real total = 0;
    CHECK(std::isnan(relax_coefficient(nan, Lines<Real>{0, 0, 0, 0}, total)) && std::isnan(total));
    total = 0;
    CHECK(std::isnan(relax_coefficient(Real(0), Lines<Real>{nan, nan, nan, nan}, total)) && std::isnan(total));
}

template <class Real>
void test_infinite_coefficients_end_in_no_bound() {
    const Real endless = std::numeric_limits<Real>::infinity();
    const Lines<Real> lines = {Real(0), Real(0.5), Real(0), Real(1)};
    for (const Real c : {endless, -endless}) {
        Real total = 0;
        relax_coefficient(c, lines, total);
        CHECK(!std::isfinite(total));
        CHECK(merged(-endless, total, Real(1), terms_of<Real>(), Real(1)) == -endless);
    }
}

template <class Real>
void test_slopes_change_where_they_should() {
    const Real slack = 1;
    CHECK(relu_lines(Real(0), Real(1), false, slack).below == 1);
    CHECK(relu_lines(Real(-1), Real(0), false, slack).above == 0);
    CHECK(relu_lines(Real(-64), Real(63), false, slack).below == 1);
    CHECK(relu_lines(Real(-64), Real(62), false, slack).below == 0);
    CHECK(relu_lines(Real(-64), Real(64), true, slack).below == 0);
    CHECK(relu_lines(Real(-64), Real(65), true, slack).below == 1);
    const Lines<Real> half = relu_lines(Real(-2), Real(2), true, slack);
    CHECK(half.above == Real(0.5) && half.falling == 1);
}

template <class Real>
void test_a_chord_clears_both_ends() {
    const Terms<Real> terms = terms_of<Real>();
    for (Real low = Real(-3); low < 0; low += Real(0.0137)) {
        const Real high = Real(1) / Real(3) - low / Real(7);
        const Lines<Real> lines = relu_lines(low, high, false, terms.slack);
        const long double slope = lines.above, intercept = lines.falling, unit = terms.twice_unit;
        CHECK(slope >= 0 && slope <= 1);
        CHECK(slope * low + intercept >= 0);
        CHECK(slope * high + intercept + slope * unit * high >= high);
    }
}

template <class Real>
void test_bounds_out_of_range_fault_the_lines() {
    const Terms<Real> terms = terms_of<Real>();
    const Real endless = std::numeric_limits<Real>::infinity(), nan = std::numeric_limits<Real>::quiet_NaN();
    for (const Real high : {endless, nan, terms.limit}) {
        const Row<Real> row = {Real(0), high, Real(0)};
        const Lines<Real> lines = neuron_lines(row, Real(0), true, false, terms);
        CHECK(std::isnan(lines.below) && std::isnan(lines.above));
        CHECK(std::isnan(lines.rising) && std::isnan(lines.falling));
        CHECK(std::isnan(neuron_output(row, true, terms.limit).middle));
        CHECK(std::isnan(input_lines(Real(0), high, terms).rising));
    }
}

template <class Real>
void test_an_interval_that_is_no_number_is_endless() {
    const Real endless = std::numeric_limits<Real>::infinity(), nan = std::numeric_limits<Real>::quiet_NaN();
    const Row<Real> row = interval_row(Sums<Real>{nan, Real(0), Real(0)}, Real(0), terms_of<Real>(), Real(0));
    CHECK(row.lower == -endless && row.upper == endless);
}

template <class Real>
void test_merging_keeps_the_better_bound() {
    const Terms<Real> none = {Real(0), Real(0), Real(1), Real(0), Real(1)};
    const Real endless = std::numeric_limits<Real>::infinity(), nan = std::numeric_limits<Real>::quiet_NaN();
    CHECK(merged(Real(-2), Real(-1), Real(1), none, Real(0)) == -1);
    CHECK(merged(Real(-2), Real(-3), Real(1), none, Real(0)) == -2);
    CHECK(merged(Real(2), Real(-1), Real(-1), none, Real(0)) == 1);
    CHECK(merged(Real(2), Real(-3), Real(-1), none, Real(0)) == 2);
    CHECK(merged(Real(2), endless, Real(1), none, Real(0)) == 2);
    CHECK(merged(Real(2), nan, Real(-1), none, Real(0)) == 2);
}

template <class Real>
void test_all() {
    test_nan_is_never_hidden<Real>();
    test_infinite_coefficients_end_in_no_bound<Real>();
    test_slopes_change_where_they_should<Real>();
    test_a_chord_clears_both_ends<Real>();
    test_bounds_out_of_range_fault_the_lines<Real>();
    test_an_interval_that_is_no_number_is_endless<Real>();
    test_merging_keeps_the_better_bound<Real>();
}

}  // namespace

int main() {
    test_all<float>();
    test_all<double>();
    return check::finish();
}
