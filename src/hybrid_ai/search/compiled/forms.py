"""Linear forms of one node, for closings that combine rows with the phases assumed on the way."""

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Floats, Integers, Net, Node, Work
from hybrid_ai.bounds.backends.jit import compiled
from hybrid_ai.bounds.backends.numba_cpu import UNIT, make_node, make_work, set_box, tighten
from hybrid_ai.bounds.backends.numba_cpu_backward import (
    backward,
    concretize,
    relax_stage,
    seed_rows,
    spread_stage,
)
from hybrid_ai.search.compiled.closing import bound_rows, stored_error
from hybrid_ai.search.compiled.node import split_neuron
from hybrid_ai.search.compiled.records import Box, Grid, Rows, Spec, enclose, make_rows


@compiled
def open_node(net: Net, grid: Grid, first: Integers, last: Integers, bounds: Floats) -> tuple[bool, Node]:
    """The node of a grid box with bounds tightened; false when a magnitude left the sound range."""
    node = make_node(net, bounds[0], bounds[1])
    box = Box(first, last, np.empty(first.shape[0]), np.empty(first.shape[0]))
    enclose(grid, box)
    set_box(net, node, box.lower, box.upper)
    return tighten(net, node, make_work(net)), node


@compiled
def row_forms(net: Net, node: Node, spec: Spec, is_open: Booleans) -> Rows:
    """Linear lower bounds of the rows of every open disjunct."""
    rows = make_rows(net, spec)
    bound_rows(net, node, spec, is_open, rows, make_work(net))
    return rows


@compiled
def phase_forms(net: Net, node: Node, positions: Integers) -> tuple[Floats, Floats]:
    """Linear lower bounds of ``z`` (row 2 k) and ``-z`` (row 2 k + 1) of each neuron: coefficients,
    constants.

    Rounding is left out: they only choose multipliers.
    """
    count = positions.shape[0]
    inputs = net.size[0]
    forms = np.empty((2 * count, inputs))
    constants = np.empty(2 * count)
    work = make_work(net)
    one = np.empty(1, np.int64)
    for k in range(count):
        g = 1
        while net.offset[g] + net.size[g] <= positions[k]:
            g += 1
        one[0] = positions[k]
        seed_rows(net, node, g, one, 1, work)
        backward(net, node, g, 2, work)
        for side in range(2):
            forms[2 * k + side] = work.coef[side, :inputs]
            constants[2 * k + side] = work.constant[side]
    return forms, constants


@compiled
def best_phase(net: Net, node: Node, spec: Spec, is_open: Booleans, rows: Rows) -> int:
    """Position of the unstable neuron to split on, or -1."""
    return split_neuron(net, node, spec, is_open, rows)


@compiled
def bound_combination(
    net: Net, node: Node, spec: Spec, d: int, factors: Floats, phases: Floats
) -> tuple[float, float]:
    """Backward bound of multiplied rows of disjunct ``d`` plus multiplied pre-activations; value and error.

    Args:
        net: the network.
        node: a node whose bounds are tight.
        spec: rows of the polytope.
        d: the disjunct.
        factors: multiplier of each of its rows, not negative.
        phases: coefficient on the pre-activation at each position, (N,).
    """
    work: Work = make_work(net)
    coef = work.coef[0]
    coef[:] = 0.0
    work.constant[0] = 0.0
    work.lost[0] = 0.0
    for k in range(factors.shape[0]):
        r = spec.row_start[d] + k
        if factors[k] > 0.0:
            coef += factors[k] * spec.table[r]
            work.constant[0] += factors[k] * spec.offsets[r]
            work.lost[0] += 4.0 * factors[k] * stored_error(node, spec.table[r], spec.offsets[r])
    for g in range(net.size.shape[0] - 1, 0, -1):
        relax_stage(net, node, g, 1, work)
        a = net.offset[g]
        for i in range(a, a + net.size[g]):
            if phases[i] != 0.0:
                work.scaled[0, i - a] += phases[i]
                work.constant[0] += phases[i] * net.bias[i] - abs(phases[i]) * node.deviation[i]
                # Once for substituting the pre-activation, once more for rounding the sum of coefficients.
                work.lost[0] += (2.0 * abs(phases[i]) + abs(work.scaled[0, i - a])) * node.step_error[i]
        spread_stage(net, g, 1, np.arange(net.size[g]), net.size[g], work)
    value, lost = concretize(net, node, coef, work.constant[0], work.lost[0])
    return value, lost + UNIT * abs(value)
