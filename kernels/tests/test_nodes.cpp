// Nodes on the host: containment of values that satisfy what is known, independence of the order of threads and nodes.
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "problem.hpp"

using namespace problem;

namespace {

// Pre-activations of every neuron at a point, as places of a node's bounds.
template <class Real>
std::vector<long double> values_at(Problem<Real>& drawn, const std::vector<long double>& point) {
    std::vector<long double> found(drawn.size.size() * stride);
    for (std::size_t g = 1; g < drawn.size.size(); ++g) {
        Problem<Real> part = drawn;
        part.size.resize(g + 1);
        part.relu.resize(g + 1);
        part.relu[g] = 0;
        const std::vector<long double> values = forward(part, point);
        for (std::size_t i = 0; i < values.size(); ++i) {
            found[g * stride + i] = values[i];
        }
    }
    return found;
}

template <class Real>
std::vector<Real> known_of(const std::vector<long double>& values, std::mt19937& random, double share) {
    std::bernoulli_distribution held(share);
    std::vector<Real> found(2 * values.size(), -std::numeric_limits<Real>::infinity());
    for (std::size_t k = 0; k < values.size(); ++k) {
        found[values.size() + k] = std::numeric_limits<Real>::infinity();
        if (held(random)) {
            found[values[k] < 0 ? values.size() + k : k] = 0;
        }
    }
    return found;
}

template <class Real>
std::vector<Real> bounds(const Problem<Real>& drawn, const Given<Real>& given, const std::vector<Real>& held,
                         Order order = Order::forward, const std::vector<int>& turns = {}) {
    std::vector<Real> out(held.size(), std::numeric_limits<Real>::quiet_NaN());
    int next = 0;
    const int count = static_cast<int>(given.lower.size()) / drawn.size.front();
    const Nodes<Real> nodes = {given.lower.data(), given.upper.data(), held.data(), out.data(),
                               turns.empty() ? nullptr : turns.data(), &next, count, 0};
    bound_nodes_on_host<Real, stride>(drawn.network(), nodes, order);
    CHECK(next == count + 1);
    return out;
}

template <class Real>
void test_bounds_contain_values_that_satisfy_what_is_known() {
    std::mt19937 random(17);
    for (const std::vector<int>& size : std::vector<std::vector<int>>{
             {1, 1}, {2, 3, 1}, {5, most_size, 7, most_size, 3}, {most_size, 17, most_size}, {3, 1, 4, 1, 5, 9, 2}}) {
        Problem<Real> drawn = draw<Real>(random, size);
        for (const double share : std::vector<double>{0.0, 0.5, 1.0}) {
            const Given<Real> given = boxes_of<Real>(random, size.front(), 1);
            std::vector<long double> point;
            for (std::size_t i = 0; i < given.lower.size(); ++i) {
                point.push_back((i % 2 == 0 ? given.lower : given.upper)[i]);
            }
            const std::vector<long double> values = values_at(drawn, point);
            const std::vector<Real> found = bounds(drawn, given, known_of<Real>(values, random, share));
            for (std::size_t g = 1; g < size.size(); ++g) {
                for (std::size_t i = 0; i < at(size[g]); ++i) {
                    const std::size_t place = g * stride + i;
                    CHECK(found[place] <= values[place]);
                    CHECK(values[place] <= found[values.size() + place]);
                }
            }
        }
    }
}

template <class Real>
void test_no_order_changes_anything() {
    std::mt19937 random(18);
    const Problem<Real> drawn = draw<Real>(random, {4, most_size, 18, 3});
    const Given<Real> given = boxes_of<Real>(random, 4, 3);
    std::vector<Real> held;
    for (int node = 0; node < 3; ++node) {
        const std::vector<Real> known = known_of<Real>(std::vector<long double>(at(4 * stride)), random, 0.3);
        held.insert(held.end(), known.begin(), known.end());
    }
    const std::vector<Real> found = bounds(drawn, given, held);
    CHECK(same_bits(found, bounds(drawn, given, held, Order::backward)));
    CHECK(same_bits(found, bounds(drawn, given, held, Order::odd_first)));
    CHECK(same_bits(found, bounds(drawn, given, held, Order::forward, {2, 0, 1})));
}

template <class Real>
void test_all() {
    test_bounds_contain_values_that_satisfy_what_is_known<Real>();
    test_no_order_changes_anything<Real>();
}

}  // namespace

int main() {
    test_all<float>();
    test_all<double>();
    return check::finish();
}
