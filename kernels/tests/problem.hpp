// Random networks of small multiples of 1/8, of which every value at a point is exact in long double.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "hybrid_ai/host.hpp"

namespace problem {

using namespace hybrid_ai;

constexpr int stride = 20;
constexpr int most_size = 20;

inline std::size_t at(int place) {
    return static_cast<std::size_t>(place);
}

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
bool same_bits(const std::vector<Real>& one, const std::vector<Real>& other) {
    return one.size() == other.size() && std::memcmp(one.data(), other.data(), one.size() * sizeof(Real)) == 0;
}

}  // namespace problem
