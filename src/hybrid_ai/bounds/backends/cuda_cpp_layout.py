"""What the CUDA C++ kernels are given: a chain padded to whole blocks, and the records of kernels/include.

Sound because: the error terms are those of `dense`, for sums over panels of PANEL or NODE_PANEL columns
(docs/theory/rounding-of-the-dense-kernels.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Integers
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.dense import (
    DTYPES,
    LIMIT,
    METHODS,
    NotDense,
    Precision,
    Slopes,
    chain_weights,
    error_terms,
    longest_constant,
)
from hybrid_ai.network import StagedNetwork

MOST_WIDTH = 64  # most_width of geometry.hpp
STEP = 4  # a row of weights is whole packs of 16 bytes
PANEL = 4  # panel_columns of dense.hpp
NODE_PANEL = 1  # at least what a lane and the lanes of nodes.hpp add to a constant
TILE_ROWS = 16  # Shape::tile_rows of geometry.hpp
LANES, NODE_ROWS = 32, 8  # of NodeShape of node_geometry.hpp
SHARED = 48 * 1024  # bytes that a block has without asking for more
ALIGNMENT = 16  # bytes, of weights
LINES, OUTPUT = 4, 3  # numbers in the records of a neuron's relaxation and of its output

Address = Callable[[np.ndarray], int]


@dataclass(frozen=True, eq=False)
class BlockedNetwork:
    """A chain packed with error terms, V the precision's type.

    size, relu: of each group, int32; rows (groups, width, width): weight [g, i, m] of neuron i in stage g,
    zero beyond the sizes and in group 0; columns: the same, [g, m, i]; bias (groups, width); terms: of
    `DenseNet`.
    """

    precision: Precision
    width: int
    size: Integers
    relu: Integers
    rows: np.ndarray
    columns: np.ndarray
    bias: np.ndarray
    terms: np.ndarray


class Geometry(NamedTuple):
    """Boxes and threads of a block, its bytes of shared memory, the most groups within 48 KiB of it."""

    boxes: int
    threads: int
    shared_bytes: int
    most_groups: int


def geometry(width: int, precision: Precision, groups: int) -> Geometry:
    """How the kernels lie on a device: what geometry.hpp computes.

    Args:
        width: of the kernels, a multiple of STEP up to MOST_WIDTH.
        precision: of the kernels.
        groups: of the network, the input counted.
    """
    number = np.dtype(DTYPES[precision]).itemsize
    boxes = max(1, MOST_WIDTH // width)
    threads, sides = boxes * width, 2 if number == 4 else 1
    fixed = number * (sides * width * threads + TILE_ROWS * width + (OUTPUT + 1) * threads)
    group = number * LINES * threads
    return Geometry(boxes, threads, fixed + (groups - 1) * group, 1 + (SHARED - fixed) // group)


def node_geometry(width: int, precision: Precision, groups: int) -> Geometry:
    """The same of the kernels that bound nodes: what node_geometry.hpp computes."""
    number, threads = np.dtype(DTYPES[precision]).itemsize, LANES * NODE_ROWS
    fixed = number * (2 * NODE_ROWS * width + TILE_ROWS * width + 2 * threads + 8 * width) + 4 * (
        2 * width + 4
    )
    group = number * LINES * width + 4 * (width + 4)
    return Geometry(1, threads, fixed + (groups - 1) * group, 1 + (SHARED - fixed) // group)


def width_of(staged: StagedNetwork) -> int:
    """The width of the kernels that bound a network.

    Raises:
        NotDense: a group is too wide for them.
    """
    widest = max(staged.group_sizes)
    if widest > MOST_WIDTH:
        raise NotDense(f"a group of {widest} elements: the CUDA C++ kernels hold at most {MOST_WIDTH}")
    return -(-widest // STEP) * STEP


def pack_blocked(
    staged: StagedNetwork, precision: Precision, width: int | None = None, *, panel: int = PANEL
) -> BlockedNetwork:
    """Pack a chain of fully connected stages.

    Args:
        staged: the network; each stage reads the group before it only.
        precision: what the kernels compute in.
        width: of the kernels, at least `width_of` the network, which is the default.
        panel: PANEL for the kernels of boxes, NODE_PANEL for those of nodes.

    Raises:
        NotDense: the network is no such chain, too wide, or out of the range of the precision.

    Sound because: gamma is above the relative error of any sum, with the roundings of its stored terms
    (docs/theory/rounding-of-the-dense-kernels.md).
    """
    matrices, least = chain_weights(staged), width_of(staged)
    width = least if width is None else width
    if width < least:
        raise NotDense(f"kernels of width {width} for a group of {max(staged.group_sizes)} elements")
    dtype, groups = DTYPES[precision], len(staged.group_sizes)
    rows, bias = _aligned((groups, width, width), dtype), np.zeros((groups, width), dtype)
    with np.errstate(over="ignore", under="ignore"):
        for g, (matrix, stage) in enumerate(zip(matrices, staged.stages, strict=True), start=1):
            rows[g, : matrix.shape[0], : matrix.shape[1]] = matrix
            bias[g, : stage.size] = stage.bias
    largest = max(float(np.abs(rows).max()), float(np.abs(bias).max()))
    if not largest < LIMIT:
        raise NotDense(f"a weight or bias of {largest:g} in {precision} precision")
    columns = _aligned(rows.shape, dtype)
    columns[:] = rows.transpose(0, 2, 1)
    size = np.array(staged.group_sizes, np.int32)
    relu = np.array([False, *(stage.kind == "relu" for stage in staged.stages)], np.int32)
    terms = error_terms(size, largest, precision, longest_constant(size, panel), sound=True)
    return BlockedNetwork(precision, width, size, relu, rows, columns, bias, terms)


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros that begin at a multiple of ALIGNMENT."""
    count, step = int(np.prod(shape)), ALIGNMENT // np.dtype(dtype).itemsize
    whole = np.zeros(count + step, dtype)
    first = -(whole.ctypes.data // whole.itemsize) % step
    return whole[first : first + count].reshape(shape)


def network_record(network: BlockedNetwork, address: Address) -> np.ndarray:
    """The record `Network` of layout.hpp, one element.

    Args:
        network: the network.
        address: where the kernels find an array; the arrays must outlive the record.
    """
    pointers = ("size", "relu", "rows", "columns", "bias")
    fields = [*((name, "u8") for name in pointers), ("groups", "i4"), ("terms", DTYPES[network.precision], 5)]
    record = np.zeros(1, np.dtype(fields, align=True))
    for name in pointers:
        record[name] = address(getattr(network, name))
    record["groups"], record["terms"] = len(network.size), network.terms
    return record


def boxes_record(
    lower: int, upper: int, out: int, count: int, method: Method, slopes: Slopes, intersect: bool
) -> np.ndarray:
    """The record `Boxes` of layout.hpp, one element.

    Args:
        lower: address of the boxes' lower ends, (count, inputs), rounded down to the precision.
        upper: of their upper ends, rounded up.
        out: of the bounds, (count, 2, outputs).
        count: of boxes.
        method: what bounds the neurons.
        slopes: lower slope of a neuron, see `boxes.bound_boxes`.
        intersect: whether backward bounds are intersected with intervals.
    """
    values = (lower, upper, out, count, METHODS.index(method), int(intersect), int(slopes == "area"))
    return _record(("lower", "upper", "out"), ("count", "method", "intersect", "area"), values)


def nodes_record(
    lower: int, upper: int, held: int, out: int, order: int, taken: int, count: int, slopes: Slopes
) -> np.ndarray:
    """The record `Nodes` of layout.hpp, one element.

    Args:
        lower: address of the nodes' lower ends, (count, inputs), rounded down to the precision.
        upper: of their upper ends, rounded up.
        held: of the bounds that are known, (count, 2, groups, width).
        out: of the bounds, (count, 2, groups, width).
        order: of the nodes' numbers in the order in which they are taken, (count,) int32; 0: as they come.
        taken: of a counter, int32, 0 at the start.
        count: of nodes.
        slopes: lower slope of a neuron, see `boxes.bound_boxes`.
    """
    values = (lower, upper, held, out, order, taken, count, int(slopes == "area"))
    return _record(("lower", "upper", "held", "out", "order", "next"), ("count", "area"), values)


def _record(addresses: Sequence[str], numbers: Sequence[str], values: tuple[int, ...]) -> np.ndarray:
    fields = [*((name, "u8") for name in addresses), *((name, "i4") for name in numbers)]
    return np.array([values], np.dtype(fields, align=True))
