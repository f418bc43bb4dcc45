// Whole networks on the host: containment of values, independence of the order of threads and of neighbours.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "hybrid_ai/host.hpp"

using namespace hybrid_ai;

namespace {

constexpr int stride = 20;
constexpr int most_size = 20;

std::size_t at(int place) {
    return static_cast<std::size_t>(place);
}

// Weights are small multiples of 1/8, so that every value of a point is exact in long double.
template <class Real>
struct Problem {
    std::vector<int> size;
    std::vector<int> relu;
    std::vector<Pack<Real>> rows;
    std::vector<Pack<Real>> columns;
    std::vector<Real> bias;

    Real& row(int g, int i, int m) { return entry(rows, (g * stride + i) * stride + m); }
    Real& column(int g, int m, int i) { return entry(columns, (g * stride + m) * stride + i); }

    static Real& entry(std::vector<Pack<Real>>& packs, int place) {
        return packs[at(place / Pack<Real>::count)].value[place % Pack<Real>::count];
    }

    Network<Real> network() const {
        const Real unit = std::numeric_limits<Real>::epsilon() / 2;
        const Real gamma = Real(64) * unit;
        const Terms<Real> terms = {gamma, 2 * unit, 1 + 8 * gamma, std::numeric_limits<Real>::min() * Real(1e6),
                                   std::ldexp(Real(1), 100)};
        return {size.data(),       relu.data(),  rows[0].value, columns[0].value,
                bias.data(), static_cast<int>(size.size()), terms};
    }
};

template <class Real>
Problem<Real> draw(std::mt19937& random, const std::vector<int>& size) {
    const int groups = static_cast<int>(size.size());
    const std::size_t packs = at(groups * stride * stride / Pack<Real>::count);
    Problem<Real> found = {size, std::vector<int>(size.size(), 1), std::vector<Pack<Real>>(packs),
                           std::vector<Pack<Real>>(packs), std::vector<Real>(at(groups * stride))};
    found.relu[0] = found.relu[at(groups - 1)] = 0;
    std::uniform_int_distribution<int> eighths(-8, 8);
    for (int g = 1; g < groups; ++g) {
        for (int i = 0; i < size[at(g)]; ++i) {
            found.bias[at(g * stride + i)] = Real(eighths(random)) / 8;
            for (int m = 0; m < size[at(g - 1)]; ++m) {
                found.row(g, i, m) = found.column(g, m, i) = Real(eighths(random)) / 8;
            }
        }
    }
    return found;
}

template <class Real>
std::vector<long double> forward(Problem<Real>& problem, std::vector<long double> values) {
    const int groups = static_cast<int>(problem.size.size());
    for (int g = 1; g < groups; ++g) {
        std::vector<long double> next(at(problem.size[at(g)]));
        for (int i = 0; i < problem.size[at(g)]; ++i) {
            long double sum = problem.bias[at(g * stride + i)];
            for (int m = 0; m < problem.size[at(g - 1)]; ++m) {
                sum += static_cast<long double>(problem.row(g, i, m)) * values[at(m)];
            }
            next[at(i)] = problem.relu[at(g)] != 0 && sum < 0 ? 0 : sum;
        }
        values = next;
    }
    return values;
}

template <class Real>
struct Given {
    std::vector<Real> lower;
    std::vector<Real> upper;
};

template <class Real>
Given<Real> boxes_of(std::mt19937& random, int inputs, int count) {
    Given<Real> found;
    std::uniform_int_distribution<int> sixteenths(-16, 16);
    for (int k = 0; k < inputs * count; ++k) {
        const Real one = Real(sixteenths(random)) / 16, other = Real(sixteenths(random)) / 16;
        found.lower.push_back(one < other ? one : other);
        found.upper.push_back(k % 5 == 0 ? found.lower.back() : (one < other ? other : one));
    }
    return found;
}

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

template <class Real>
bool same_bits(const std::vector<Real>& one, const std::vector<Real>& other) {
    return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(Real)) == 0;
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
