"""Numba backend: interval and backward linear (CROWN) bounds of one node, one node at a time in cache.

Only rows that interval and inherited bounds leave unstable are bounded, by the backward pass of
`numba_cpu_backward`.

Sound because: what interval sums and neurons' relaxations lose by rounding is added outward, and the backward
pass adds what it loses: docs/theory/rounding-of-the-search.md. What a float32 execution changes in a
pre-activation is at most its deviation: docs/theory/float32-block.md.
Source: CROWN (Zhang et al. 2018, arXiv:1811.00866, theorem 3.2), with adaptive lower slopes.
"""

import numpy as np

from hybrid_ai.bounds.arrays import Floats, Integers, Net, Node, Work
from hybrid_ai.bounds.backends.jit import compiled, compiled_any_order
from hybrid_ai.bounds.backends.numba_cpu_backward import (
    TINY,
    backward,
    block_matrix,
    block_view,
    concretize,
    seed_rows,
)

INFLATE = 1.0 + 2.0**-40
LIMIT = 2.0**100
UNIT = 2.0**-53
OVERFLOW = 2.0**-20  # eta is 2^-120 G (1 + H): beyond it a float32 partial sum might pass 2^100
ROWS_AT_ONCE = 128  # coefficient rows carried together: they stay in the second-level cache


@compiled
def _relax_neuron(node: Node, i: int) -> None:
    """Set the relaxation of neuron ``i`` by the default rule of the certificate format."""
    low = node.lower[i]
    high = node.upper[i]
    if low >= 0.0:
        node.low_slope[i], node.high_slope[i], node.intercept[i] = 1.0, 1.0, 0.0
    elif high <= 0.0:
        node.low_slope[i], node.high_slope[i], node.intercept[i] = 0.0, 0.0, 0.0
    else:
        chord = min(1.0, max(0.0, high / (high - low)))
        node.high_slope[i] = chord
        node.intercept[i] = max(-chord * low, high - chord * high) * (1.0 + 8.0 * UNIT)
        node.low_slope[i] = 1.0 if 64.0 * high >= -63.0 * low else 0.0


@compiled
def set_box(net: Net, node: Node, lower: Floats, upper: Floats) -> None:
    """Make ``[lower, upper]``, (n_inputs,) each, the node's box."""
    for i in range(net.size[0]):
        node.lower[i] = lower[i]
        node.upper[i] = upper[i]
        node.magnitude[i] = max(abs(lower[i]), abs(upper[i])) * INFLATE
        node.middle[i] = 0.5 * (lower[i] + upper[i])
        node.radius[i] = 0.5 * (upper[i] - lower[i])


@compiled_any_order
def _interval_block(
    weights: Floats,
    sizes: Floats,
    middle: Floats,
    radius: Floats,
    magnitude: Floats,
    center: Floats,
    spread: Floats,
    total: Floats,
) -> None:
    """Add one block's share of interval centre, interval radius and size of each row."""
    for i in range(weights.shape[0]):
        w = weights[i]
        a = sizes[i]
        x = 0.0
        y = 0.0
        z = 0.0
        for k in range(weights.shape[1]):
            x += w[k] * middle[k]
            y += abs(w[k]) * radius[k]
            z += a[k] * magnitude[k]
        center[i] += x
        spread[i] += y
        total[i] += z


@compiled
def _interval_stage(net: Net, node: Node, g: int, center: Floats, spread: Floats, total: Floats) -> bool:
    """Interval bounds of stage ``g`` intersected with the bounds held; sets deviation and step error (without
    Z); false when a float32 execution might overflow.
    """
    n = net.size[g]
    for i in range(n):
        center[i] = net.bias[net.offset[g] + i]
        spread[i] = 0.0
        total[i] = net.bias_size[net.offset[g] + i]
    for block in range(net.block_start[g], net.block_start[g + 1]):
        c = net.offset[net.block_source[block]]
        d = c + net.size[net.block_source[block]]
        _interval_block(
            block_matrix(net, block, g),
            block_view(net, net.sizes, block, g),
            node.middle[c:d],
            node.radius[c:d],
            node.magnitude[c:d],
            center,
            spread,
            total,
        )
    # Of all groups before: what is multiplied by zero is computed all the same.
    flushed = net.float32[g, 1] * (1.0 + node.magnitude[: net.offset[g]].max()) * INFLATE
    for i in range(n):
        at = net.offset[g] + i
        deviation = (net.float32[g, 0] * total[i] * (1.0 + net.gamma) + flushed) * INFLATE
        error = net.gamma * (total[i] + deviation) * INFLATE + TINY
        wide = spread[i] * (1.0 + net.gamma) + 2.0 * error + deviation
        node.deviation[at] = deviation
        node.lower[at] = max(node.lower[at], center[i] - wide)
        node.upper[at] = min(node.upper[at], center[i] + wide)
        node.step_error[at] = error
    return bool(flushed <= OVERFLOW)


@compiled
def _bound_neurons(net: Net, node: Node, g: int, neurons: Integers, count: int, work: Work) -> None:
    """Backward bounds of the listed neurons of stage ``g``, intersected with those held."""
    seed_rows(net, node, g, neurons, count, work)
    backward(net, node, g, 2 * count, work)
    for k in range(count):
        i = neurons[k]
        plus = work.coef[2 * k]
        minus = work.coef[2 * k + 1]
        value, wrong = concretize(net, node, plus, work.constant[2 * k], work.lost[2 * k])
        node.lower[i] = max(node.lower[i], value - wrong)
        value, wrong = concretize(net, node, minus, work.constant[2 * k + 1], work.lost[2 * k + 1])
        node.upper[i] = min(node.upper[i], wrong - value)
        for m in range(net.size[0]):
            node.influence[i, m] = 0.5 * (abs(plus[m]) + abs(minus[m]))


@compiled
def _finish_stage(net: Net, node: Node, g: int) -> bool:
    """Relaxations, output intervals and the list of active rows of stage ``g``; false when out of range."""
    count = 0
    a = net.offset[g]
    for i in range(a, a + net.size[g]):
        reach = max(abs(node.lower[i]), abs(node.upper[i]))
        if not reach < LIMIT:
            return False
        node.step_error[i] = (node.step_error[i] + 2.0 * UNIT * reach) * INFLATE
        low = node.lower[i]
        high = node.upper[i]
        if net.relu[g]:
            _relax_neuron(node, i)
            low = max(low, 0.0)
            high = max(high, 0.0)
        else:
            node.low_slope[i], node.high_slope[i], node.intercept[i] = 1.0, 1.0, 0.0
        if node.high_slope[i] > 0.0:
            node.active[a + count] = i - a
            count += 1
        node.magnitude[i] = max(abs(low), abs(high)) * INFLATE
        node.middle[i] = 0.5 * (low + high)
        node.radius[i] = 0.5 * (high - low)
    node.counts[g] = count
    return True


@compiled
def make_work(net: Net) -> Work:
    """Work space for the backward passes of one node."""
    widest = net.size.max()
    rows = min(ROWS_AT_ONCE, 2 * widest)
    return Work(
        np.empty((rows, net.bias.shape[0])),
        np.empty((rows, widest)),
        np.empty(rows),
        np.empty(rows),
        np.zeros(rows),
    )


@compiled
def make_node(net: Net, lower: Floats, upper: Floats) -> Node:
    """A node that holds the given pre-activation bounds, (N,) each; its box is still to be set."""
    total = net.bias.shape[0]
    return Node(
        lower.copy(),
        upper.copy(),
        np.empty(total),
        np.empty(total),
        np.empty(total),
        np.empty(total),
        np.empty(total),
        np.zeros(total),
        np.empty(total),
        np.empty(total),
        np.empty(total, np.int64),
        np.zeros(net.size.shape[0], np.int64),
        np.zeros((total, net.size[0])),
    )


@compiled
def tighten(net: Net, node: Node, work: Work) -> bool:
    """Recompute the bounds of every stage over the node's box, intersected with the bounds held.

    Returns:
        False when a magnitude leaves the range in which the error terms are sound (or is NaN).
    """
    for i in range(net.size[0]):
        if not node.magnitude[i] < LIMIT:
            return False
    widest = net.size.max()
    neurons = np.empty(widest, np.int64)
    center, spread, total = np.empty(widest), np.empty(widest), np.empty(widest)
    at_once = work.constant.shape[0] // 2
    for g in range(1, net.size.shape[0]):
        if not _interval_stage(net, node, g, center, spread, total):
            return False
        if net.relu[g]:
            count = 0
            for i in range(net.offset[g], net.offset[g] + net.size[g]):
                if node.lower[i] < 0.0 and node.upper[i] > 0.0:
                    neurons[count] = i
                    count += 1
            first = net.block_start[g]
            if net.block_start[g + 1] - first == 1 and net.block_source[first] == 0:
                # Interval bounds of a stage over the input alone are already exact: no backward pass.
                w = block_matrix(net, first, g)
                for k in range(count):
                    node.influence[neurons[k]] = np.abs(w[neurons[k] - net.offset[g]])
            else:
                for k in range(0, count, at_once):
                    _bound_neurons(net, node, g, neurons[k:], min(at_once, count - k), work)
        if not _finish_stage(net, node, g):
            return False
    return True


@compiled_any_order
def dot(a: Floats, b: Floats) -> float:
    """Sum of products, in any order."""
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@compiled_any_order
def add_product(weights: Floats, x: Floats, out: Floats) -> None:
    """Add ``weights @ x`` to ``out``, in any order of summation."""
    for i in range(weights.shape[0]):
        w = weights[i]
        total = 0.0
        for k in range(x.shape[0]):
            total += w[k] * x[k]
        out[i] += total


@compiled
def forward_point(net: Net, x: Floats, values: Floats) -> None:
    """Evaluate the network at ``x`` in plain double precision; ``values`` (N,) receives every output."""
    values[: net.size[0]] = x
    for g in range(1, net.size.shape[0]):
        out = values[net.offset[g] : net.offset[g] + net.size[g]]
        out[:] = net.bias[net.offset[g] : net.offset[g] + net.size[g]]
        for block in range(net.block_start[g], net.block_start[g + 1]):
            c = net.offset[net.block_source[block]]
            add_product(block_matrix(net, block, g), values[c : c + net.size[net.block_source[block]]], out)
        if net.relu[g]:
            for i in range(net.size[g]):
                out[i] = max(out[i], 0.0)
