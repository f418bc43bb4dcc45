// The search's phase: bounds of every pre-activation over nodes, intersected with those known. Only neurons whose
// relaxation is not exact are bounded backward, and the outputs; only those that are not always zero are carried.
//
// Sound because: as dense.hpp; a neuron left out has a known upper bound of at most 0, so its output is 0 on the node;
// one that is not bounded backward keeps its interval (docs/theory/rounding-of-the-dense-kernels.md). Order of
// sums: over the columns of a lane, the lanes, the groups.
// Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2).
#pragma once

#include "hybrid_ai/block.hpp"
#include "hybrid_ai/node_geometry.hpp"
#include "hybrid_ai/rules.hpp"

namespace hybrid_ai {

// The nodes that one block takes.
template <class Real, int Width, class Block>
class NodeBounds {
public:
    using Geometry = NodeShape<Real, Width>;

    // memory: Geometry::shared_bytes(network.groups) bytes, aligned to 16.
    HYBRID_AI_BOTH NodeBounds(Block& block, const Network<Real>& network, const Nodes<Real>& nodes,
                              unsigned char* memory)
        : block_(block), network_(network), nodes_(nodes) {
        lines_ = reinterpret_cast<Lines<Real>*>(memory);
        memory += (network.groups - 1) * Width * static_cast<int>(sizeof(Lines<Real>));
        coefficients_ = reinterpret_cast<Real*>(memory);
        memory += Geometry::coefficient_bytes;
        tile_ = reinterpret_cast<Real*>(memory);
        memory += Geometry::tile_bytes;
        partial_ = reinterpret_cast<Real*>(memory);
        memory += Geometry::partial_bytes;
        rows_ = reinterpret_cast<Row<Real>*>(memory);
        outputs_ = reinterpret_cast<Output<Real>*>(rows_ + Width);
        reach_ = reinterpret_cast<Real*>(outputs_ + Width);
        memory += Geometry::neuron_bytes;
        flags_ = reinterpret_cast<int*>(memory);
        chosen_ = flags_ + Width;
        chosen_count_ = chosen_ + Width;
        taken_ = chosen_count_ + 1;
        memory += Geometry::choice_bytes;
        lists_ = reinterpret_cast<int*>(memory);
        counts_ = lists_ + (network.groups - 1) * Width;
    }

    // Take nodes until none is left.
    HYBRID_AI_BOTH void run() {
        HYBRID_AI_ROLLED
        for (int turn = take(); turn < nodes_.count; turn = take()) {
            bound_node(nodes_.order == nullptr ? turn : nodes_.order[turn]);
        }
    }

private:
    // What a thread keeps: its columns of two rows; a lane 0 or 1 also the sum of the lower or the upper row.
    struct State {
        Real held[Geometry::columns][2];
        Real sum;
    };

    static HYBRID_AI_BOTH int row_of(int thread) { return thread / Geometry::lanes; }
    static HYBRID_AI_BOTH int lane_of(int thread) { return thread % Geometry::lanes; }
    static HYBRID_AI_BOTH Real sign_of(int side) { return side == 0 ? Real(1) : Real(-1); }

    HYBRID_AI_BOTH int take() {
        block_.each([&](int thread) {
            if (thread == 0) {
                *taken_ = block_.take(nodes_.next);
            }
        });
        const int turn = *taken_;
        block_.each([](int) {});  // all have read it before it is written again
        return turn;
    }

    HYBRID_AI_BOTH int last() const { return network_.groups - 1; }
    HYBRID_AI_BOTH int* list_of(int g) const { return lists_ + g * Width; }
    HYBRID_AI_BOTH Lines<Real>* lines_of(int g) const { return lines_ + g * Width; }

    HYBRID_AI_BOTH long long place_of(int node, int side, int g) const {
        return ((node * 2LL + side) * network_.groups + g) * Width;
    }

    HYBRID_AI_BOTH void bound_node(int node) {
        begin(node);
        HYBRID_AI_ROLLED
        for (int g = 1; g <= last(); ++g) {
            interval_stage(node, g);
            choose(g);
            const int count = *chosen_count_;
            HYBRID_AI_ROLLED
            for (int first = 0; first < count; first += Geometry::rows) {
                crown_rows(g, first, count);
            }
            store(node, g);
            if (g < last()) {
                relax_stage(g);
            }
        }
    }

    HYBRID_AI_BOTH void begin(int node) {
        const int inputs = network_.size[0];
        block_.each([&](int thread) {
            if (thread < Width) {
                reach_[thread] = Real(0);
                if (thread < inputs) {
                    const long long place = node * static_cast<long long>(inputs) + thread;
                    const Real low = nodes_.lower[place];
                    const Real high = nodes_.upper[place];
                    const Real size = size_of(low, high);
                    const Real fault = fault_of(size, network_.terms.limit);
                    lines_of(0)[thread] = input_lines(low, high, network_.terms);
                    outputs_[thread] = output_of(low + fault, high + fault);
                    reach_[thread] = size;
                    list_of(0)[thread] = thread;
                }
            }
            if (thread == 0) {
                counts_[0] = inputs;
            }
        });
    }

    // Interval bounds of stage g, intersected with those known; NaN is no bound.
    HYBRID_AI_BOTH void interval_stage(int node, int g) {
        const int rows = network_.size[g];
        const int inner = counts_[g - 1];
        const Real* columns = network_.columns + g * Width * Width;
        block_.each([&](int thread) {
            if (thread < rows) {
                Sums<Real> sums = {Real(0), Real(0), Real(0)};
                Real reach = Real(0);
                HYBRID_AI_ROLLED
                for (int m = 0; m < Width; ++m) {
                    reach = most(reach, reach_[m]);
                }
                HYBRID_AI_ROLLED
                for (int k = 0; k < inner; ++k) {
                    const Real weight = columns[list_of(g - 1)[k] * Width + thread];
                    const Output<Real> read = outputs_[k];
                    sums.middle = fused(weight, read.middle, sums.middle);
                    sums.radius = fused(absolute(weight), read.radius, sums.radius);
                    sums.size = fused(absolute(weight), read.magnitude, sums.size);
                }
                Row<Real> row = interval_row(sums, network_.bias[g * Width + thread], network_.terms, reach);
                const Real low = nodes_.held[place_of(node, 0, g) + thread];
                const Real high = nodes_.held[place_of(node, 1, g) + thread];
                row.lower = low > row.lower ? low : row.lower;
                row.upper = high < row.upper ? high : row.upper;
                rows_[thread] = row;
            }
        });
    }

    // List the places whose flag is set, in order; every thread below Width counts those before its own.
    HYBRID_AI_BOTH void compact(int* list, int* count) {
        block_.each([&](int thread) {
            if (thread < Width) {
                int before = 0;
                int total = 0;
                HYBRID_AI_ROLLED
                for (int m = 0; m < Width; ++m) {
                    before += m < thread ? flags_[m] : 0;
                    total += flags_[m];
                }
                if (flags_[thread] != 0) {
                    list[before] = thread;
                }
                if (thread == 0) {
                    *count = total;
                }
            }
        });
    }

    // Choose the rows to bound backward: outputs, and neurons whose relaxation is not exact.
    HYBRID_AI_BOTH void choose(int g) {
        const int rows = network_.size[g];
        const bool output = g == last();
        const bool relu = network_.relu[g] != 0;
        block_.each([&](int thread) {
            if (thread < Width) {
                const bool here = thread < rows;
                const bool loose = here && relu && rows_[thread].lower < Real(0) && Real(0) < rows_[thread].upper;
                flags_[thread] = here && (output || loose) ? 1 : 0;
            }
        });
        compact(chosen_, chosen_count_);
    }

    // Backward bounds of up to Geometry::rows chosen rows of stage g, intersected with those held.
    HYBRID_AI_BOTH void crown_rows(int g, int first, int count) {
        seed(g, first, count);
        relax_rows(g - 1, first, count);
        HYBRID_AI_ROLLED
        for (int s = g - 1; s > 0; --s) {
            carry(s, first, count);
            relax_rows(s - 1, first, count);
        }
        block_.each([&](int thread) {
            const int turn = first + row_of(thread);
            const int side = lane_of(thread);
            if (turn < count && side < 2) {
                Row<Real>& row = rows_[chosen_[turn]];
                Real reach = Real(0);
                HYBRID_AI_ROLLED
                for (int m = 0; m < Width; ++m) {
                    reach = most(reach, reach_[m]);
                }
                Real& held = side == 0 ? row.lower : row.upper;
                held = merged(held, states_.at(thread).sum, sign_of(side), network_.terms, reach);
            }
        });
    }

    // Begin the rows with their own weights, and with their negatives.
    HYBRID_AI_BOTH void seed(int g, int first, int count) {
        const int columns = counts_[g - 1];
        block_.each([&](int thread) {
            const int turn = first + row_of(thread);
            if (turn < count) {
                State& state = states_.at(thread);
                const int i = chosen_[turn];
                state.sum = sign_of(lane_of(thread)) * network_.bias[g * Width + i] - rows_[i].error;
                HYBRID_AI_UNROLL
                for (int c = 0; c < Geometry::columns; ++c) {
                    const int k = lane_of(thread) + c * Geometry::lanes;
                    const int m = k < columns ? list_of(g - 1)[k] : 0;
                    const Real weight = network_.rows[(g * Width + i) * Width + m];
                    state.held[c][0] = weight;
                    state.held[c][1] = -weight;
                }
            }
        });
    }

    // Carry the rows through stage s, whose weights are staged without the rows and columns that are left out.
    HYBRID_AI_BOTH void carry(int s, int first, int count) {
        const int inner = counts_[s];
        const int columns = counts_[s - 1];
        const Real* weights = network_.rows + s * Width * Width;
        block_.each([&](int thread) {
            HYBRID_AI_UNROLL
            for (int c = 0; c < Geometry::columns; ++c) {
                states_.at(thread).held[c][0] = Real(0);
                states_.at(thread).held[c][1] = Real(0);
            }
        });
        HYBRID_AI_ROLLED
        for (int start = 0; start < inner; start += Geometry::tile_rows) {
            const int left = inner - start;
            const int rows = left < Geometry::tile_rows ? left : Geometry::tile_rows;
            block_.each([&](int thread) {
                for (int p = thread; p < rows * Width; p += Geometry::threads) {
                    const int k = p % Width;
                    if (k < columns) {
                        tile_[p] = weights[list_of(s)[start + p / Width] * Width + list_of(s - 1)[k]];
                    }
                }
            });
            block_.each([&](int thread) {
                if (first + row_of(thread) < count) {
                    add_products(start, rows, columns, thread);
                }
            });
        }
    }

    HYBRID_AI_BOTH void add_products(int start, int rows, int columns, int thread) {
        State& state = states_.at(thread);
        const Real* mine = coefficients_ + 2 * (row_of(thread) * Width + start);
        HYBRID_AI_ROLLED
        for (int k = 0; k < rows; ++k) {
            const Real below = mine[2 * k];
            const Real above = mine[2 * k + 1];
            HYBRID_AI_UNROLL
            for (int c = 0; c < Geometry::columns; ++c) {
                const int column = lane_of(thread) + c * Geometry::lanes;
                if (column < columns) {
                    const Real weight = tile_[k * Width + column];
                    state.held[c][0] = fused(below, weight, state.held[c][0]);
                    state.held[c][1] = fused(above, weight, state.held[c][1]);
                }
            }
        }
    }

    // Relax what the threads hold with the lines of group s, and add to each row's constant.
    HYBRID_AI_BOTH void relax_rows(int s, int first, int count) {
        const int columns = counts_[s];
        block_.each([&](int thread) {
            if (first + row_of(thread) < count) {
                State& state = states_.at(thread);
                Real total[2] = {};
                HYBRID_AI_UNROLL
                for (int c = 0; c < Geometry::columns; ++c) {
                    const int k = lane_of(thread) + c * Geometry::lanes;
                    if (k < columns) {
                        const Lines<Real> lines = lines_of(s)[k];
                        Real* out = coefficients_ + 2 * (row_of(thread) * Width + k);
                        out[0] = relax_coefficient(state.held[c][0], lines, total[0]);
                        out[1] = relax_coefficient(state.held[c][1], lines, total[1]);
                    }
                }
                partial_[2 * thread] = total[0];
                partial_[2 * thread + 1] = total[1];
            }
        });
        block_.each([&](int thread) {
            const int side = lane_of(thread);
            if (first + row_of(thread) < count && side < 2) {
                Real stage = Real(0);
                HYBRID_AI_ROLLED
                for (int l = 0; l < Geometry::lanes; ++l) {
                    stage = stage + partial_[2 * (row_of(thread) * Geometry::lanes + l) + side];
                }
                states_.at(thread).sum = states_.at(thread).sum + stage;
            }
        });
    }

    HYBRID_AI_BOTH void store(int node, int g) {
        const int rows = network_.size[g];
        block_.each([&](int thread) {
            if (thread < rows) {
                nodes_.out[place_of(node, 0, g) + thread] = rows_[thread].lower;
                nodes_.out[place_of(node, 1, g) + thread] = rows_[thread].upper;
            }
        });
    }

    // Leave out the neurons of stage g that are always zero; relax the others.
    HYBRID_AI_BOTH void relax_stage(int g) {
        const int rows = network_.size[g];
        const bool relu = network_.relu[g] != 0;
        const Terms<Real>& terms = network_.terms;
        block_.each([&](int thread) {
            if (thread < Width) {
                flags_[thread] = 0;
                if (thread < rows) {
                    const Row<Real>& row = rows_[thread];
                    const bool zero = relu && row.upper <= Real(0);
                    flags_[thread] = zero ? 0 : 1;
                    reach_[thread] = most(reach_[thread], size_of(row.lower, row.upper));
                }
            }
        });
        compact(list_of(g), counts_ + g);
        const int count = counts_[g];
        block_.each([&](int thread) {
            if (thread < count) {
                const int i = list_of(g)[thread];
                const Row<Real>& row = rows_[i];
                lines_of(g)[thread] = neuron_lines(row, network_.bias[g * Width + i], relu, nodes_.area != 0, terms);
                outputs_[thread] = neuron_output(row, relu, terms.limit);
            }
        });
    }

    Block& block_;
    const Network<Real>& network_;
    const Nodes<Real>& nodes_;
    Lines<Real>* lines_;     // (groups - 1, Width) of the neurons that are not left out
    Real* coefficients_;     // (rows, Width, 2)
    Real* tile_;             // (tile_rows, Width) weights
    Real* partial_;          // (threads, 2) sums of the lanes
    Row<Real>* rows_;        // (Width,) of the stage being bounded
    Output<Real>* outputs_;  // (Width,) of the group read last
    Real* reach_;            // (Width,) largest magnitude of a neuron's place so far
    int* flags_;             // (Width,)
    int* chosen_;            // (Width,) rows to bound backward
    int* chosen_count_;
    int* taken_;   // number taken from the queue
    int* lists_;   // (groups - 1, Width) neurons that are not left out
    int* counts_;  // (groups - 1,)
    typename Block::template PerThread<State> states_;
};

}  // namespace hybrid_ai
