"""CUDA kernels of the search: one block per node of the tree, its threads side by side on rows and columns.

Any network of stages, any width, double precision: rows of coefficients lie in the device's memory. The steps
are those of `numba_cpu` and `numba_cpu_backward`. Branches around a barrier are the same for a whole block.

Sound because: the formulas, and so their error terms, are those of the search's backends, for any order of
summation, with or without fused multiply-add: docs/theory/rounding-of-the-search.md.
"""

from __future__ import annotations

import numpy as np
from numba import cuda

from hybrid_ai.bounds.backends.cuda_jit import inlined, launched
from hybrid_ai.bounds.backends.numba_cpu import INFLATE, LIMIT, OVERFLOW, UNIT
from hybrid_ai.bounds.backends.numba_cpu_backward import FINAL, TINY


@inlined
def _larger(held, found):  # type: ignore[no-untyped-def]
    """The larger of the two; a NaN that was found is dropped."""
    return found if found > held else held


@inlined
def _smaller(held, found):  # type: ignore[no-untyped-def]
    return found if found < held else held


@launched
def forward_points(net, x, values):  # type: ignore[no-untyped-def]
    """Outputs of every group, values (points, N), at points x (points, n_inputs)."""
    b, t, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    for i in range(t, net.size[0], step):
        values[b, i] = x[b, i]
    for g in range(1, net.size.shape[0]):
        cuda.syncthreads()
        for i in range(t, net.size[g], step):
            total = net.bias[net.offset[g] + i]
            for block in range(net.block_start[g], net.block_start[g + 1]):
                source = net.block_source[block]
                first = net.block_weights[block] + i * net.size[source]
                for k in range(net.size[source]):
                    total += net.weights[first + k] * values[b, net.offset[source] + k]
            values[b, net.offset[g] + i] = 0.0 if net.relu[g] and not total > 0.0 else total


@inlined
def _relax_row(net, node, b, g, r, work):  # type: ignore[no-untyped-def]
    """Put the coefficients of row r on stage g's pre-activations; its constant and error grow."""
    total, wrong, slack, bent = 0.0, 0.0, 0.0, 0.0
    for k in range(net.size[g]):
        i = net.offset[g] + k
        coefficient = work.coef[b, r, i]
        positive = coefficient >= 0.0
        value = coefficient * (node.low_slope[b, i] if positive else node.high_slope[b, i])
        work.scaled[b, r, k] = value
        total += value * net.bias[i]
        bent += abs(value) * node.deviation[b, i]
        wrong += abs(value) * node.step_error[b, i]
        slack += 0.0 if positive else coefficient * node.intercept[b, i]
    work.constant[b, r] += total + slack - bent
    work.penalty[b, r] += bent
    work.lost[b, r] += wrong - slack * net.gamma


@inlined
def _spread_block(net, node, b, g, block, rows, work, t, step):  # type: ignore[no-untyped-def]
    """Carry the rows' relaxed coefficients on stage g through one of its blocks."""
    source = net.block_source[block]
    columns, first = net.size[source], net.block_weights[block]
    for e in range(t, rows * columns, step):
        r = e // columns
        m = e - r * columns
        total = work.coef[b, r, net.offset[source] + m]
        for k in range(node.counts[b, g]):
            i = node.active[b, net.offset[g] + k]
            total += work.scaled[b, r, i] * net.weights[first + i * columns + m]
        work.coef[b, r, net.offset[source] + m] = total


@inlined
def _carry(net, node, b, top, rows, work, t, step):  # type: ignore[no-untyped-def]
    """Carry the node's first rows, on the groups below the top, down to the input, in place."""
    for g in range(top - 1, 0, -1):
        cuda.syncthreads()
        for r in range(t, rows, step):
            _relax_row(net, node, b, g, r, work)
        for block in range(net.block_start[g], net.block_start[g + 1]):
            cuda.syncthreads()
            _spread_block(net, node, b, g, block, rows, work, t, step)
    cuda.syncthreads()


@launched
def carry_rows(net, node, top, rows, work):  # type: ignore[no-untyped-def]
    """See `numba_cuda.backward`."""
    _carry(net, node, cuda.blockIdx.x, top, rows, work, cuda.threadIdx.x, cuda.blockDim.x)


@inlined
def _flushed(net, node, b, g):  # type: ignore[no-untyped-def]
    """What flushing may change in a float32 execution of stage g: of all groups before, as zero times
    something is computed all the same.
    """
    largest = 0.0
    for i in range(net.offset[g]):
        largest = _larger(largest, node.magnitude[b, i])
    return net.float32[g, 1] * (1.0 + largest) * INFLATE


@inlined
def _interval_row(net, node, b, g, k, flushed):  # type: ignore[no-untyped-def]
    """Interval bounds of row k of stage g intersected with those held; deviation, step error without Z."""
    i = net.offset[g] + k
    center, spread, total = net.bias[i], 0.0, net.bias_size[i]
    for block in range(net.block_start[g], net.block_start[g + 1]):
        source = net.block_source[block]
        first, c = net.block_weights[block] + k * net.size[source], net.offset[source]
        for m in range(net.size[source]):
            weight = net.weights[first + m]
            center += weight * node.middle[b, c + m]
            spread += abs(weight) * node.radius[b, c + m]
            total += net.sizes[first + m] * node.magnitude[b, c + m]
    deviation = (net.float32[g, 0] * total * (1.0 + net.gamma) + flushed) * INFLATE
    error = net.gamma * (total + deviation) * INFLATE + TINY
    wide = spread * (1.0 + net.gamma) + 2.0 * error + deviation
    node.deviation[b, i] = deviation
    node.step_error[b, i] = error
    node.lower[b, i] = _larger(node.lower[b, i], center - wide)
    node.upper[b, i] = _smaller(node.upper[b, i], center + wide)


@inlined
def _list_loose(net, node, b, g, work):  # type: ignore[no-untyped-def]
    """List the neurons of stage g that the bounds leave unstable; their number comes last."""
    count = 0
    for i in range(net.offset[g], net.offset[g] + net.size[g]):
        if node.lower[b, i] < 0.0 and node.upper[b, i] > 0.0:
            work.chosen[b, count] = i
            count += 1
    work.chosen[b, work.chosen.shape[1] - 1] = count


@inlined
def _seed_pair(net, node, b, g, k, begin, work):  # type: ignore[no-untyped-def]
    """Rows 2k and 2k + 1: the pre-activation of a listed neuron, and its negative."""
    i = work.chosen[b, begin + k]
    for m in range(net.offset[g]):
        work.coef[b, 2 * k, m] = 0.0
        work.coef[b, 2 * k + 1, m] = 0.0
    for block in range(net.block_start[g], net.block_start[g + 1]):
        source = net.block_source[block]
        first = net.block_weights[block] + (i - net.offset[g]) * net.size[source]
        for m in range(net.size[source]):
            work.coef[b, 2 * k, net.offset[source] + m] = net.weights[first + m]
            work.coef[b, 2 * k + 1, net.offset[source] + m] = -net.weights[first + m]
    for side in range(2):
        bias = net.bias[i] if side == 0 else -net.bias[i]
        work.constant[b, 2 * k + side] = bias - node.deviation[b, i]
        work.lost[b, 2 * k + side] = node.step_error[b, i]
        work.penalty[b, 2 * k + side] = node.deviation[b, i]


@inlined
def _least(net, node, b, r, work):  # type: ignore[no-untyped-def]
    """Least value of row r over the box, less what rounding may have lost."""
    value = work.constant[b, r]
    lost = work.lost[b, r] + abs(value) * net.gamma
    for m in range(net.size[0]):
        coefficient = work.coef[b, r, m]
        value += coefficient * (node.lower[b, m] if coefficient >= 0.0 else node.upper[b, m])
        lost += net.gamma * abs(coefficient) * node.magnitude[b, m]
    return value - (lost * FINAL + TINY)


@inlined
def _merge_pair(net, node, b, k, begin, work):  # type: ignore[no-untyped-def]
    i = work.chosen[b, begin + k]
    node.lower[b, i] = _larger(node.lower[b, i], _least(net, node, b, 2 * k, work))
    node.upper[b, i] = _smaller(node.upper[b, i], -_least(net, node, b, 2 * k + 1, work))
    for m in range(net.size[0]):
        node.influence[b, i, m] = 0.5 * (abs(work.coef[b, 2 * k, m]) + abs(work.coef[b, 2 * k + 1, m]))


@inlined
def _bound_loose(net, node, b, g, work, t, step):  # type: ignore[no-untyped-def]
    """Backward bounds of the listed neurons of stage g, as many at once as there are rows."""
    count, at_once = work.chosen[b, work.chosen.shape[1] - 1], work.constant.shape[1] // 2
    for begin in range(0, count, at_once):
        here = min(at_once, count - begin)
        cuda.syncthreads()
        for k in range(t, here, step):
            _seed_pair(net, node, b, g, k, begin, work)
        _carry(net, node, b, g, 2 * here, work, t, step)
        for k in range(t, here, step):
            _merge_pair(net, node, b, k, begin, work)


@inlined
def _influence_of_weights(net, node, b, g, work, t, step):  # type: ignore[no-untyped-def]
    """Interval bounds of a stage over the input alone are exact: its own weights are the influence."""
    for k in range(t, work.chosen[b, work.chosen.shape[1] - 1], step):
        i = work.chosen[b, k]
        first = net.block_weights[net.block_start[g]] + (i - net.offset[g]) * net.size[0]
        for m in range(net.size[0]):
            node.influence[b, i, m] = abs(net.weights[first + m])


@inlined
def _finish_neuron(net, node, b, g, i):  # type: ignore[no-untyped-def]
    """Relaxation, output interval and error of a neuron; whether it is in range."""
    low, high = node.lower[b, i], node.upper[b, i]
    reach = max(abs(low), abs(high))
    node.step_error[b, i] = (node.step_error[b, i] + 2.0 * UNIT * reach) * INFLATE
    low_slope, high_slope, intercept = 1.0, 1.0, 0.0
    if net.relu[g]:
        if low < 0.0:
            low_slope, high_slope = 0.0, 0.0
            if high > 0.0:
                high_slope = min(1.0, max(0.0, high / (high - low)))
                intercept = max(-high_slope * low, high - high_slope * high) * (1.0 + 8.0 * UNIT)
                low_slope = 1.0 if 64.0 * high >= -63.0 * low else 0.0
        low, high = max(low, 0.0), max(high, 0.0)
    node.low_slope[b, i] = low_slope
    node.high_slope[b, i] = high_slope
    node.intercept[b, i] = intercept
    node.magnitude[b, i] = max(abs(low), abs(high)) * INFLATE
    node.middle[b, i] = 0.5 * (low + high)
    node.radius[b, i] = 0.5 * (high - low)
    return reach < LIMIT


@inlined
def _list_active(net, node, b, g):  # type: ignore[no-untyped-def]
    """List the rows of stage g that are not always zero."""
    count = 0
    for k in range(net.size[g]):
        if node.high_slope[b, net.offset[g] + k] > 0.0:
            node.active[b, net.offset[g] + count] = k
            count += 1
    node.counts[b, g] = count


@inlined
def _tighten_stage(net, node, b, g, work, t, step):  # type: ignore[no-untyped-def]
    """Bounds, relaxations and lists of stage g; whether every neuron is in range, the same in all threads."""
    flushed = _flushed(net, node, b, g)
    for k in range(t, net.size[g], step):
        _interval_row(net, node, b, g, k, flushed)
    cuda.syncthreads()
    if net.relu[g]:
        if t == 0:
            _list_loose(net, node, b, g, work)
        cuda.syncthreads()
        first = net.block_start[g]
        if net.block_start[g + 1] - first == 1 and net.block_source[first] == 0:
            _influence_of_weights(net, node, b, g, work, t, step)
        else:
            _bound_loose(net, node, b, g, work, t, step)
        cuda.syncthreads()
    wrong = not flushed <= OVERFLOW
    for k in range(t, net.size[g], step):
        if not _finish_neuron(net, node, b, g, net.offset[g] + k):
            wrong = True
    found = cuda.syncthreads_or(np.int32(1 if wrong else 0))
    if t == 0:
        _list_active(net, node, b, g)
    cuda.syncthreads()
    return found == 0


@launched
def tighten_nodes(net, node, work, bounded):  # type: ignore[no-untyped-def]
    """See `numba_cuda.tighten`; bounded (nodes,) receives 1 where every magnitude is in range."""
    b, t, step = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    usable = True
    for i in range(net.size[0]):
        if not node.magnitude[b, i] < LIMIT:
            usable = False
    for g in range(1, net.size.shape[0]):
        if usable:
            usable = _tighten_stage(net, node, b, g, work, t, step)
    if t == 0:
        bounded[b] = 1 if usable else 0
