"""CUDA backend of the search's kernels: bounds of many nodes at once, one block of threads each.

Records are those of `numba_cpu` with one more axis in front: of the nodes. They stay on the device from call
to call; only what is asked for comes back.

Sound because: `cuda_search` computes what `numba_cpu` does: docs/theory/rounding-of-the-search.md. What a
launch did not write stays as it was, and whether a node was bounded at all is 0 until the device says 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from hybrid_ai.bounds.arrays import Booleans, Floats, Net, Node
from hybrid_ai.bounds.backends.cuda_search import carry_rows, forward_points, tighten_nodes
from hybrid_ai.bounds.backends.numba_cpu import INFLATE, ROWS_AT_ONCE

THREADS = 64  # of a block; two warps keep a node's rows moving, and many blocks keep the device busy


class DeviceRows(NamedTuple):
    """Work space of the backward passes on the device, for each node.

    coef (nodes, R, N), scaled (nodes, R, widest), constant, lost, penalty (nodes, R): as in `arrays.Work`;
    chosen (nodes, widest + 1), int64: neurons to bound, and last how many.
    """

    coef: Any
    scaled: Any
    constant: Any
    lost: Any
    penalty: Any
    chosen: Any


def put(net: Net) -> Net:
    """The network's arrays on the device."""
    return Net(*(cuda.to_device(value) if isinstance(value, np.ndarray) else value for value in net))


def make_nodes(net: Net, lower: Floats, upper: Floats, held: Floats) -> Node:
    """Nodes on the device, with their boxes and the bounds they hold.

    Args:
        net: the network, on the host.
        lower: of the boxes, (nodes, n_inputs).
        upper: of the boxes, (nodes, n_inputs).
        held: pre-activation bounds, (nodes, 2, N); those of the inputs are ignored.
    """
    nodes, inputs, total = lower.shape[0], lower.shape[1], net.bias.shape[0]
    values = {name: np.zeros((nodes, total)) for name in Node._fields}
    values["lower"], values["upper"] = held[:, 0].copy(), held[:, 1].copy()
    values["lower"][:, :inputs], values["upper"][:, :inputs] = lower, upper
    with np.errstate(over="ignore", invalid="ignore"):
        values["magnitude"][:, :inputs] = np.maximum(np.abs(lower), np.abs(upper)) * INFLATE
        values["middle"][:, :inputs] = 0.5 * (lower + upper)
        values["radius"][:, :inputs] = 0.5 * (upper - lower)
    values["active"] = np.zeros((nodes, total), np.int64)
    values["counts"] = np.zeros((nodes, net.size.shape[0]), np.int64)
    values["influence"] = np.zeros((nodes, total, inputs))
    return Node(**{name: cuda.to_device(value) for name, value in values.items()})


def make_rows(net: Net, nodes: int, rows: int | None = None) -> DeviceRows:
    """Work space on the device for backward passes of a number of nodes.

    Args:
        net: the network, on the host.
        nodes: how many.
        rows: of each node; None for as many as bounding its neurons takes at once.
    """
    widest, total = int(net.size.max()), net.bias.shape[0]
    count = min(ROWS_AT_ONCE, 2 * widest) if rows is None else rows
    constant, lost, penalty = (cuda.device_array((nodes, count), np.float64) for _ in range(3))
    return DeviceRows(
        cuda.device_array((nodes, count, total), np.float64),
        cuda.device_array((nodes, count, widest), np.float64),
        constant,
        lost,
        penalty,
        cuda.device_array((nodes, widest + 1), np.int64),
    )


def forward_point(net: Net, x: Any, values: Any) -> None:
    """Evaluate the network at points in plain double precision; ``values`` (points, N) receives every output.

    Args:
        net: the network, on the device.
        x: the points, (points, n_inputs), on the device.
        values: on the device.
    """
    forward_points[x.shape[0], THREADS](net, x, values)


def backward(net: Net, node: Node, top: int, rows: int, work: DeviceRows) -> None:
    """Carry the first ``rows`` coefficient rows of every node down to the input.

    Args:
        net: the network, on the device.
        node: bounded nodes, on the device.
        top: group above the highest one that the rows read.
        rows: how many.
        work: the rows' coefficients, constants and errors, changed in place.
    """
    carry_rows[node.lower.shape[0], THREADS](net, node, top, rows, work)


def tighten(net: Net, node: Node, work: DeviceRows) -> Booleans:
    """Recompute the bounds of every stage over the nodes' boxes, intersected with the bounds held.

    Args:
        net: the network, on the device.
        node: nodes, on the device; bounds and relaxations are written to them.
        work: work space for as many nodes.

    Returns:
        Of each node, false when a magnitude leaves the range in which the error terms are sound (or is NaN).
    """
    bounded = cuda.to_device(np.zeros(node.lower.shape[0], np.int64))
    tighten_nodes[node.lower.shape[0], THREADS](net, node, work, bounded)
    return np.asarray(bounded.copy_to_host() == 1)
