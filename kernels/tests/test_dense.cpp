// Whole networks on the host: containment of values, independence of the order of threads and of neighbours.
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "problem.hpp"

using namespace problem;

namespace {

template <class Real>
std::vector<Real> bounds(const Problem<Real>& problem, const Given<Real>& given, int method, int options,
                         Order order = Order::forward) {
    const int inputs = problem.size.front(), outputs = problem.size.back();
    const int count = static_cast<int>(given.lower.size()) / inputs;
    std::vector<Real> out(at(2 * count * outputs), std::numeric_limits<Real>::quiet_NaN());
    const Boxes<Real> boxes = {given.lower.data(), given.upper.data(), out.data(),       count,
                               method,             options % 2,        (options / 2) % 2};
    bound_on_host<Real, stride, true>(problem.network(), boxes, order);
    return out;
}

// Corners of each box and mixtures of its ends; bounds of all methods hold there.
template <class Real>
void check_containment(std::mt19937& random, Problem<Real>& problem) {
    const int inputs = problem.size.front(), outputs = problem.size.back(), count = 7;
    const Given<Real> given = boxes_of<Real>(random, inputs, count);
    std::bernoulli_distribution coin;
    for (int method = 0; method <= 2; ++method) {
        for (int options = 0; options < 4; ++options) {
            const std::vector<Real> found = bounds(problem, given, method, options);
            for (int turn = 0; turn < 40 * count; ++turn) {
                const int box = turn % count;
                std::vector<long double> point;
                for (int i = 0; i < inputs; ++i) {
                    const std::size_t place = at(box * inputs + i);
                    point.push_back(coin(random) ? given.lower[place] : given.upper[place]);
                }
                const std::vector<long double> value = forward(problem, point);
                for (int i = 0; i < outputs; ++i) {
                    CHECK(found[at(2 * box * outputs + i)] <= value[at(i)]);
                    CHECK(value[at(i)] <= found[at((2 * box + 1) * outputs + i)]);
                }
            }
        }
    }
}

template <class Real>
void test_bounds_contain_values() {
    std::mt19937 random(7);
    for (const std::vector<int>& size : std::vector<std::vector<int>>{
             {1, 1}, {2, 3, 1}, {5, most_size, 7, most_size, 3}, {most_size, 17, most_size}, {3, 1, 4, 1, 5, 9, 2}}) {
        Problem<Real> problem = draw<Real>(random, size);
        check_containment(random, problem);
        problem.relu.back() = 1;
        check_containment(random, problem);
        problem.relu.assign(size.size(), 0);
        check_containment(random, problem);
    }
}

template <class Real>
void test_the_order_of_threads_changes_nothing() {
    std::mt19937 random(8);
    const Problem<Real> problem = draw<Real>(random, {4, most_size, 18, 3});
    const Given<Real> given = boxes_of<Real>(random, 4, 8);
    for (int method = 0; method <= 2; ++method) {
        const std::vector<Real> found = bounds(problem, given, method, 1);
        CHECK(same_bits(found, bounds(problem, given, method, 1, Order::backward)));
        CHECK(same_bits(found, bounds(problem, given, method, 1, Order::odd_first)));
    }
}

template <class Real>
void test_a_box_does_not_depend_on_its_neighbours() {
    std::mt19937 random(9);
    const Problem<Real> problem = draw<Real>(random, {3, 12, most_size, 2});
    Given<Real> given = boxes_of<Real>(random, 3, 5);
    const std::vector<Real> found = bounds(problem, given, 2, 1);
    given.upper[3] = std::numeric_limits<Real>::infinity();
    given.lower[7] = std::numeric_limits<Real>::quiet_NaN();
    const std::vector<Real> spoiled = bounds(problem, given, 2, 1);
    for (int box = 0; box < 5; ++box) {
        for (int k = 0; k < 4; ++k) {
            const Real one = found[at(4 * box + k)], other = spoiled[at(4 * box + k)];
            const bool faulty = box == 1 || box == 2;
            CHECK(faulty ? other == (k < 2 ? -1 : 1) * std::numeric_limits<Real>::infinity() : one == other);
        }
    }
}

template <class Real>
void test_all() {
    test_bounds_contain_values<Real>();
    test_the_order_of_threads_changes_nothing<Real>();
    test_a_box_does_not_depend_on_its_neighbours<Real>();
}

}  // namespace

int main() {
    test_all<float>();
    test_all<double>();
    return check::finish();
}
