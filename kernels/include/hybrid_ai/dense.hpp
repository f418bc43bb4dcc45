// The dense phase: bounds of the outputs of boxes, every row of every stage bounded whatever intervals say of it.
//
// Sound because: coefficients are taken as they were computed, and a neuron's two constants hold what substituting it
// may lose by rounding (docs/theory/rounding-of-the-dense-kernels.md). Sums keep to its longest one: a coefficient is
// one chain of fused operations over the rows of its stage, a constant is summed by panels, groups, then stages.
// Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2).
#pragma once

#include "hybrid_ai/block.hpp"
#include "hybrid_ai/geometry.hpp"
#include "hybrid_ai/rules.hpp"

namespace hybrid_ai {

constexpr int panel_columns = 4;  // of a panel of a row's constants; gamma counts it

enum Method { method_interval = 0, method_crown_interval = 1, method_crown = 2 };

// The boxes of one block. Charged: whether sizes are summed for the error terms; without them nothing is claimed.
template <class Real, int Width, bool Charged, class Block>
class DenseBoxes {
public:
    using Geometry = Shape<Real, Width>;

    // memory: Geometry::shared_bytes(network.groups) bytes, aligned to 16; first: the block's first box.
    HYBRID_AI_BOTH DenseBoxes(Block& block, const Network<Real>& network, const Boxes<Real>& boxes,
                              unsigned char* memory, int first)
        : block_(block), network_(network), boxes_(boxes), first_(first) {
        coefficients_ = reinterpret_cast<Real*>(memory);
        memory += Geometry::coefficient_bytes;
        tile_ = reinterpret_cast<Pack<Real>*>(memory);
        memory += Geometry::tile_bytes;
        outputs_ = reinterpret_cast<Output<Real>*>(memory);
        memory += Geometry::output_bytes;
        reach_ = reinterpret_cast<Real*>(memory);
        memory += Geometry::reach_bytes;
        lines_ = reinterpret_cast<Lines<Real>*>(memory);
    }

    HYBRID_AI_BOTH void run() {
        const int last = network_.groups - 1;
        begin();
        HYBRID_AI_ROLLED
        for (int g = 1; g <= last; ++g) {
            interval_stage(g);
            if (boxes_.method == method_crown || (boxes_.method == method_crown_interval && g == last)) {
                crown_stage(g);
            }
            if (g < last) {
                relax_stage(g);
            }
        }
        finish();
    }

private:
    static constexpr int sides = Geometry::sides;

    // What a thread keeps: its neuron's bounds, and the rows it carries.
    struct State {
        Row<Real> row;
        Real reach;
        Real sums[sides];
        Real held[sides][Width];
    };

    static HYBRID_AI_BOTH int neuron_of(int thread) { return thread % Width; }
    static HYBRID_AI_BOTH int box_of(int thread) { return thread / Width; }

    // The box of a thread; the last one stands in for those that fill the last block.
    HYBRID_AI_BOTH int number_of(int thread) const {
        const int number = first_ + box_of(thread);
        return number < boxes_.count ? number : boxes_.count - 1;
    }

    HYBRID_AI_BOTH Lines<Real>* lines_of(int g, int thread) const {
        return lines_ + g * Geometry::threads + box_of(thread) * Width;
    }

    HYBRID_AI_BOTH void begin() {
        const int inputs = network_.size[0];
        block_.each([&](int thread) {
            const int i = neuron_of(thread);
            reach_[thread] = Real(0);
            if (i < inputs) {
                const long long place = number_of(thread) * static_cast<long long>(inputs) + i;
                const Real low = boxes_.lower[place];
                const Real high = boxes_.upper[place];
                const Real size = size_of(low, high);
                const Real fault = fault_of(size, network_.terms.limit);
                lines_of(0, thread)[i] = input_lines(low, high, network_.terms);
                outputs_[thread] = output_of(low + fault, high + fault);
                reach_[thread] = size;
            }
        });
    }

    // Interval bounds of stage g, and the largest magnitude so far.
    HYBRID_AI_BOTH void interval_stage(int g) {
        const int rows = network_.size[g];
        const int inner = network_.size[g - 1];
        const Real* columns = network_.columns + g * Width * Width;
        block_.each([&](int thread) {
            const int i = neuron_of(thread);
            if (i < rows) {
                const int first = box_of(thread) * Width;
                Sums<Real> sums = {Real(0), Real(0), Real(0)};
                Real reach = Real(0);
                HYBRID_AI_ROLLED
                for (int m = 0; m < Width; ++m) {
                    reach = most(reach, reach_[first + m]);
                    if (m < inner) {
                        const Real weight = columns[m * Width + i];
                        const Output<Real> read = outputs_[first + m];
                        sums.middle = fused(weight, read.middle, sums.middle);
                        sums.radius = fused(absolute(weight), read.radius, sums.radius);
                        if (Charged) {
                            sums.size = fused(absolute(weight), read.magnitude, sums.size);
                        }
                    }
                }
                State& state = states_.at(thread);
                state.reach = reach;
                state.row = interval_row(sums, network_.bias[g * Width + i], network_.terms, reach);
            }
        });
    }

    // Backward bounds of every row of stage g, intersected with those held.
    HYBRID_AI_BOTH void crown_stage(int g) {
        const int rows = network_.size[g];
        if (!boxes_.intersect) {
            block_.each([&](int thread) {
                states_.at(thread).row.lower = -infinity<Real>();
                states_.at(thread).row.upper = infinity<Real>();
            });
        }
        HYBRID_AI_ROLLED
        for (int side = 0; side < 2; side += sides) {
            seed(g, rows, side);
            HYBRID_AI_ROLLED
            for (int s = g - 1; s > 0; --s) {
                carry(s, rows);
            }
            block_.each([&](int thread) {
                if (neuron_of(thread) < rows) {
                    State& state = states_.at(thread);
                    HYBRID_AI_UNROLL
                    for (int q = 0; q < sides; ++q) {
                        const bool below = side + q == 0;
                        const Real held = below ? state.row.lower : state.row.upper;
                        const Real sign = sign_of(side + q);
                        const Real bound = merged(held, state.sums[q], sign, network_.terms, state.reach);
                        state.row.lower = below ? bound : state.row.lower;
                        state.row.upper = below ? state.row.upper : bound;
                    }
                }
            });
        }
    }

    static HYBRID_AI_BOTH Real sign_of(int side) { return side == 0 ? Real(1) : Real(-1); }

    // Begin the rows of stage g with its own weights, or their negatives, and relax them.
    HYBRID_AI_BOTH void seed(int g, int rows, int side) {
        const Real* columns = network_.columns + g * Width * Width;
        block_.each([&](int thread) {
            const int i = neuron_of(thread);
            if (i < rows) {
                State& state = states_.at(thread);
                HYBRID_AI_UNROLL
                for (int q = 0; q < sides; ++q) {
                    const Real sign = sign_of(side + q);
                    state.sums[q] = sign * network_.bias[g * Width + i] - state.row.error;
                    HYBRID_AI_UNROLL
                    for (int m = 0; m < Width; ++m) {
                        state.held[q][m] = sign * columns[m * Width + i];
                    }
                }
                relax_rows(g - 1, thread);
            }
        });
    }

    // Carry all rows through stage s and relax them with the lines of the group they arrive at.
    HYBRID_AI_BOTH void carry(int s, int rows) {
        const int inner = network_.size[s];
        const Real* weights = network_.rows + s * Width * Width;
        block_.each([&](int thread) {
            HYBRID_AI_UNROLL
            for (int q = 0; q < sides; ++q) {
                HYBRID_AI_UNROLL
                for (int m = 0; m < Width; ++m) {
                    states_.at(thread).held[q][m] = Real(0);
                }
            }
        });
        HYBRID_AI_ROLLED
        for (int first = 0; first < inner; first += Geometry::tile_rows) {
            const int left = inner - first;
            const int count = left < Geometry::tile_rows ? left : Geometry::tile_rows;
            const Pack<Real>* source = reinterpret_cast<const Pack<Real>*>(weights + first * Width);
            block_.each([&](int thread) {
                for (int p = thread; p < count * Geometry::packs; p += Geometry::threads) {
                    tile_[p] = source[p];
                }
            });
            block_.each([&](int thread) {
                if (neuron_of(thread) < rows) {
                    add_products(first, count, thread);
                }
            });
        }
        block_.each([&](int thread) {
            if (neuron_of(thread) < rows) {
                relax_rows(s - 1, thread);
            }
        });
    }

    // Add the products of a thread's coefficients with a tile of weights to what it holds.
    HYBRID_AI_BOTH void add_products(int first, int count, int thread) {
        State& state = states_.at(thread);
        HYBRID_AI_ROLLED
        for (int k = 0; k < count; ++k) {
            Real factor[sides];
            HYBRID_AI_UNROLL
            for (int q = 0; q < sides; ++q) {
                factor[q] = coefficients_[(q * Width + first + k) * Geometry::threads + thread];
            }
            HYBRID_AI_UNROLL
            for (int p = 0; p < Geometry::packs; ++p) {
                const Pack<Real> weights = tile_[k * Geometry::packs + p];
                HYBRID_AI_UNROLL
                for (int j = 0; j < Pack<Real>::count; ++j) {
                    const int m = p * Pack<Real>::count + j;
                    HYBRID_AI_UNROLL
                    for (int q = 0; q < sides; ++q) {
                        state.held[q][m] = fused(factor[q], weights.value[j], state.held[q][m]);
                    }
                }
            }
        }
    }

    // Relax what a thread holds with the lines of group s, store it, and add to each row's constant.
    HYBRID_AI_BOTH void relax_rows(int s, int thread) {
        const int columns = network_.size[s];
        const Lines<Real>* group = lines_of(s, thread);
        State& state = states_.at(thread);
        Real stage[sides] = {};
        HYBRID_AI_UNROLL
        for (int panel = 0; panel < Width; panel += panel_columns) {
            Real total[sides] = {};
            HYBRID_AI_UNROLL
            for (int m = panel; m < panel + panel_columns; ++m) {
                if (m < columns) {
                    const Lines<Real> lines = group[m];
                    HYBRID_AI_UNROLL
                    for (int q = 0; q < sides; ++q) {
                        const Real relaxed = relax_coefficient(state.held[q][m], lines, total[q]);
                        coefficients_[(q * Width + m) * Geometry::threads + thread] = relaxed;
                    }
                }
            }
            HYBRID_AI_UNROLL
            for (int q = 0; q < sides; ++q) {
                stage[q] = stage[q] + total[q];
            }
        }
        HYBRID_AI_UNROLL
        for (int q = 0; q < sides; ++q) {
            state.sums[q] = state.sums[q] + stage[q];
        }
    }

    // Relaxations and outputs of the neurons of stage g from their bounds.
    HYBRID_AI_BOTH void relax_stage(int g) {
        const int rows = network_.size[g];
        const bool relu = network_.relu[g] != 0;
        block_.each([&](int thread) {
            const int i = neuron_of(thread);
            if (i < rows) {
                const Row<Real>& row = states_.at(thread).row;
                const Terms<Real>& terms = network_.terms;
                lines_of(g, thread)[i] = neuron_lines(row, network_.bias[g * Width + i], relu, boxes_.area != 0, terms);
                outputs_[thread] = neuron_output(row, relu, terms.limit);
                reach_[thread] = most(reach_[thread], size_of(row.lower, row.upper));
            }
        });
    }

    HYBRID_AI_BOTH void finish() {
        const int last = network_.groups - 1;
        const int outputs = network_.size[last];
        const bool relu = network_.relu[last] != 0;
        block_.each([&](int thread) {
            const int i = neuron_of(thread);
            const int number = first_ + box_of(thread);
            if (i < outputs && number < boxes_.count) {
                const Row<Real>& row = states_.at(thread).row;
                Real* out = boxes_.out + 2 * static_cast<long long>(number) * outputs;
                out[i] = relu ? most(row.lower, Real(0)) : row.lower;
                out[outputs + i] = relu ? most(row.upper, Real(0)) : row.upper;
            }
        });
    }

    Block& block_;
    const Network<Real>& network_;
    const Boxes<Real>& boxes_;
    const int first_;
    Real* coefficients_;     // (sides, Width, threads): a thread's own column, read by no other
    Pack<Real>* tile_;       // (tile_rows, Width) weights
    Output<Real>* outputs_;  // (threads,) of the group read last
    Real* reach_;            // (threads,) largest magnitude of a neuron's place so far
    Lines<Real>* lines_;     // (groups - 1, threads)
    typename Block::template PerThread<State> states_;
};

}  // namespace hybrid_ai
