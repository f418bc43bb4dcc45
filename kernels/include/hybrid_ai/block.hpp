// A block of threads: on the device it is one, on the host its threads run one after the other.
//
// A kernel is a sequence of phases. In a phase every thread runs the same body, then all wait for each other; what
// a thread keeps from one phase to the next is a PerThread. The host may run the threads of a phase in any order:
// a result that depends on it betrays a missing barrier. What no thread has written yet is NaN there.
#pragma once

#include "hybrid_ai/platform.hpp"

#if !defined(__CUDACC_RTC__)
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>
#endif

namespace hybrid_ai {

#if defined(__CUDACC__)

template <int Threads>
struct DeviceBlock {
    template <class State>
    struct PerThread {
        State state;
        __device__ __forceinline__ State& at(int) { return state; }
    };

    template <class Body>
    __device__ __forceinline__ void each(Body body) {
        body(static_cast<int>(threadIdx.x));
        __syncthreads();
    }

    // Take the next number of a queue that all blocks share.
    __device__ __forceinline__ int take(int* next) { return atomicAdd(next, 1); }
};

#endif

#if !defined(__CUDACC_RTC__)

enum class Order { forward, backward, odd_first };

// Fill with ones: every number of it is NaN.
template <class State>
inline void poison(std::vector<State>& states) {
    std::memset(states.data(), 0xFF, states.size() * sizeof(State));
}

template <int Threads>
class HostBlock {
public:
    template <class State>
    class PerThread {
        static_assert(std::is_trivial<State>::value, "as registers are: plain numbers");

    public:
        PerThread() : states_(Threads) { poison(states_); }
        State& at(int thread) { return states_[static_cast<std::size_t>(thread)]; }

    private:
        std::vector<State> states_;
    };

    explicit HostBlock(Order order) : order_(order) {}

    template <class Body>
    void each(Body body) {
        for (int turn = 0; turn < Threads; ++turn) {
            body(thread_at(turn));
        }
    }

    int take(int* next) { return (*next)++; }

private:
    int thread_at(int turn) const {
        if (order_ == Order::forward) {
            return turn;
        }
        if (order_ == Order::backward) {
            return Threads - 1 - turn;
        }
        const int odd = Threads / 2;
        return turn < odd ? 2 * turn + 1 : 2 * (turn - odd);
    }

    Order order_;
};

#endif

}  // namespace hybrid_ai
