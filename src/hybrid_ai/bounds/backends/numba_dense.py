"""Dense Numba backend: bounds of the outputs of many boxes, one box per lane of a vector.

Every row of every stage is bounded, whatever intervals say of it, so the work does not depend on the box.
Rows are carried in tiles, which stay in the first-level cache from the stage that they bound down to the
input.

Sound because: each lane's coefficients are taken as they were computed, and a neuron's two constants hold
what substituting it may lose by rounding: docs/theory/rounding-of-the-dense-kernels.md. Source: CROWN (Zhang
et al. 2018, arXiv:1811.00866, theorem 3.2).
"""

from __future__ import annotations

import numpy as np

from hybrid_ai.bounds.backends.jit import compiled_in_order
from hybrid_ai.bounds.backends.lane_rules import begin_boxes, begin_sums, finish_interval, merge, relax
from hybrid_ai.bounds.backends.lane_tiles import carry, interval, seed
from hybrid_ai.bounds.dense import DenseNet, DenseWork


@compiled_in_order
def _interval_stage(net: DenseNet, work: DenseWork, g: int) -> None:
    """Interval bounds of stage ``g``; ``found[:, 2]`` becomes what rounding a row's own sum may lose."""
    values = work.values[net.place[g - 1] :]
    rows = work.sums.shape[1]
    for t in range(net.tiles[g]):
        weights = net.rows[net.first_row[g] + t * net.tile_step[g] :]
        if net.terms[0] > 0.0:
            interval(weights, net.size[g - 1], values, work.found[t * rows :], True)
        else:
            interval(weights, net.size[g - 1], values, work.found[t * rows :], False)
    bias = net.bias[net.place[g] :]
    count = net.tiles[g] * rows
    finish_interval(work.found, bias, count, net.terms, work.reach, work.bounds[0], work.bounds[1])


@compiled_in_order
def _relax_stage(net: DenseNet, work: DenseWork, g: int, area: bool) -> None:
    """Relaxations and outputs of the neurons of stage ``g`` from their bounds."""
    at = net.place[g]
    bias, lines, values = net.bias[at:], work.lines[at:], work.values[at:]
    low, high, found, reach = work.bounds[0], work.bounds[1], work.found, work.reach
    count = net.tiles[g] * work.sums.shape[1]
    if net.relu[g]:
        relax(low, high, found, bias, count, net.terms, area, True, lines, values, reach)
    else:
        relax(low, high, found, bias, count, net.terms, area, False, lines, values, reach)


@compiled_in_order
def _crown_stage(net: DenseNet, work: DenseWork, g: int) -> None:
    """Backward bounds of every row of stage ``g``, intersected with those held."""
    for t in range(net.tiles[g]):
        r = t * work.sums.shape[1]
        weights = net.rows[net.first_row[g] + t * net.tile_step[g] :]
        for side in range(2):
            sign, here, there = work.sign[side], work.here, work.there
            begin_sums(sign, net.bias[net.place[g] + r :], work.found[r:], work.sums)
            seed(weights, sign, net.panels[g - 1], work.lines[net.place[g - 1] :], here, work.sums)
            for s in range(g - 1, 0, -1):
                lines = work.lines[net.place[s - 1] :]
                matrix = net.columns[net.first_column[s] :]
                carry(here, matrix, net.size[s], net.panels[s - 1], lines, there, work.sums)
                here, there = there, here
            merge(work.sums, net.terms, work.reach, sign, work.bounds[side, r:])


@compiled_in_order
def bound_vectors(
    net: DenseNet,
    work: DenseWork,
    lower: np.ndarray,
    upper: np.ndarray,
    method: int,
    intersect: bool,
    area: bool,
    out: np.ndarray,
) -> None:
    """Bounds of the network's output over boxes, a vector of boxes at a time.

    Args:
        net: the network.
        work: work space.
        lower: of the boxes, (vectors, n_inputs, lanes).
        upper: of the boxes, (vectors, n_inputs, lanes).
        method: 0 intervals, 1 a backward pass over interval bounds, 2 backward passes for every neuron.
        intersect: whether backward bounds are intersected with intervals.
        area: which lower slopes, see `lane_rules.relax`.
        out: receives lower and upper bounds, (vectors, 2, n_outputs, lanes); infinite where nothing is shown.
    """
    last = net.size.shape[0] - 1
    for v in range(lower.shape[0]):
        begin_boxes(lower[v], upper[v], net.size[0], net.terms, work.lines, work.values, work.reach)
        for g in range(1, last + 1):
            _interval_stage(net, work, g)
            if method == 2 or (method == 1 and g == last):
                if not intersect:
                    work.bounds[0], work.bounds[1] = -np.inf, np.inf
                _crown_stage(net, work, g)
            if g < last:
                _relax_stage(net, work, g, area)
        for side in range(2):
            for i in range(net.size[last]):
                for k in range(lower.shape[2]):
                    bound = work.bounds[side, i, k]
                    out[v, side, i, k] = max(bound, net.terms.dtype.type(0.0)) if net.relu[last] else bound
