"""Chains of fully connected stages, packed for the dense kernels: one lane of a vector per box.

Bounds of many boxes at once, of the network's output only: by intervals, by a backward pass over interval
bounds, or by backward passes for every neuron (full CROWN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from hybrid_ai.bounds.arrays import Booleans, Integers
from hybrid_ai.bounds.backends.lane_rules import VALUES
from hybrid_ai.bounds.backends.lane_tiles import LINES
from hybrid_ai.bounds.backends.lanes import Tile, host_tile, lane_count
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.network import StagedNetwork

Precision = Literal["single", "double"]
Slopes = Literal["format", "area"]

DTYPES: dict[Precision, Any] = {"single": np.float32, "double": np.float64}
METHODS: tuple[Method, ...] = ("interval", "crown_interval", "crown")
LIMIT = 2.0**100  # of a pre-activation; nothing is claimed beyond it
MOST_GAMMA = 2.0**-10
SPARE = 10  # roundings of single operations, counted together


class NotDense(Exception):
    """The dense kernels do not bound networks of this form; the message says why."""


class DenseNet(NamedTuple):
    """A chain as the kernels read it; V is the precision's type.

    size, tiles, panels: of each group its elements, tiles of rows and panels of columns, int64; place: of
    each group its first position, where groups are padded to whole tiles and panels; relu: whether a group is
    a relu stage's output; rows, columns: weights of each stage in tiles of rows and in panels of columns,
    padded by zeros, V; first_row, first_column: where a stage begins in them; tile_step: length of one tile
    of a stage's rows; bias (positions,), V; terms (5,), V: gamma, the relative error of any one sum; twice
    the unit of rounding; slack, a factor that clears products of rounded factors; floor, the absolute error
    per unit of the largest magnitude plus one; LIMIT.
    """

    size: Integers
    tiles: Integers
    panels: Integers
    place: Integers
    relu: Booleans
    rows: np.ndarray
    first_row: Integers
    tile_step: Integers
    columns: np.ndarray
    first_column: Integers
    bias: np.ndarray
    terms: np.ndarray


class DenseWork(NamedTuple):
    """Work space for the boxes of one vector, V.

    lines (positions, LINES, lanes): relaxations; values (positions, VALUES, lanes): middle, radius and
    magnitude of outputs; found (widest, VALUES, lanes): interval sums; bounds (2, widest, lanes): lower and
    upper of a stage; here, there (widest, rows, lanes): coefficients; sums (2, rows, lanes): constants of
    rows, in all and of a stage; sign (2, 1): 1 and -1; reach (lanes,): largest magnitude so far.
    """

    lines: np.ndarray
    values: np.ndarray
    found: np.ndarray
    bounds: np.ndarray
    here: np.ndarray
    there: np.ndarray
    sums: np.ndarray
    sign: np.ndarray
    reach: np.ndarray


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """A chain packed with error terms: its bounds hold in real arithmetic."""

    net: DenseNet
    precision: Precision


@dataclass(frozen=True, eq=False)
class UnsoundDenseNetwork:
    """A chain packed without error terms: its bounds may be wrong by rounding, and serve to time only."""

    net: DenseNet
    precision: Precision


def pack(staged: StagedNetwork, precision: Precision) -> DenseNetwork:
    """Pack a chain of fully connected stages.

    Args:
        staged: the network; each stage reads the group before it only.
        precision: what the kernels compute in.

    Raises:
        NotDense: the network is no such chain, or out of the range of the precision.
        NoFusedMultiplyAdd: the processor lacks the instruction.

    Sound because: gamma is above the relative error of any sum, with the roundings of its stored terms
    (docs/theory/rounding-of-the-dense-kernels.md).
    """
    weights = chain_weights(staged)
    return DenseNetwork(_packed(staged, weights, precision, sound=True), precision)


def pack_without_errors(staged: StagedNetwork, precision: Precision) -> UnsoundDenseNetwork:
    """Pack a chain so that nothing is added for rounding: what the error terms cost is measured against it.

    Raises:
        NotDense, NoFusedMultiplyAdd: as `pack`.
    """
    weights = chain_weights(staged)
    return UnsoundDenseNetwork(_packed(staged, weights, precision, sound=False), precision)


def chain_weights(staged: StagedNetwork) -> list[np.ndarray]:
    """The matrix of each stage of a chain, (n, m) float64.

    Raises:
        NotDense: a stage reads another group than the one before it, or the output is an earlier group.
    """
    if not staged.stages or staged.output_group != len(staged.stages):
        raise NotDense("the output is not that of the last stage")
    matrices = []
    for k, stage in enumerate(staged.stages, start=1):
        if [block.source for block in stage.blocks] != [k - 1]:
            sources = ", ".join(str(block.source) for block in stage.blocks) or "none"
            raise NotDense(f"stage {k} reads the groups {sources}, not group {k - 1} alone")
        matrices.append(stage.blocks[0].weights)
    return matrices


def _padded(size: int, tile: Tile) -> int:
    """The size of a group in whole tiles and whole panels."""
    return max(-(-size // tile.rows) * tile.rows, -(-size // tile.columns) * tile.columns)


def _packed(
    staged: StagedNetwork, weights: list[np.ndarray], precision: Precision, *, sound: bool
) -> DenseNet:
    tile, dtype = host_tile(), DTYPES[precision]
    size = np.array(staged.group_sizes, np.int64)
    padded = np.array([_padded(int(n), tile) for n in size], np.int64)
    place = np.concatenate([[0], np.cumsum(padded)[:-1]]).astype(np.int64)
    with np.errstate(over="ignore", under="ignore"):
        stored = [matrix.astype(dtype) for matrix in weights]
        bias = np.zeros(int(padded.sum()), dtype)
        for first, stage in zip(place[1:].tolist(), staged.stages, strict=True):
            bias[first : first + stage.size] = stage.bias
    largest = largest_entry((*stored, bias), precision)
    rows = [_in_tiles(matrix, tile) for matrix in stored]
    columns = [_in_panels(matrix, tile) for matrix in stored]
    return DenseNet(
        size,
        -(-size // tile.rows),
        -(-size // tile.columns),
        place,
        np.array([False, *(stage.kind == "relu" for stage in staged.stages)]),
        np.concatenate([part.ravel() for part in rows]),
        _firsts(rows),
        np.array([0, *(part[0].size for part in rows)], np.int64),
        np.concatenate([part.ravel() for part in columns]),
        _firsts(columns),
        bias,
        error_terms(size, largest, precision, longest_constant(size, tile.columns), sound=sound),
    )


def largest_entry(stored: tuple[np.ndarray, ...], precision: Precision) -> float:
    """Size of the largest stored weight or bias.

    Raises:
        NotDense: it is out of range.
    """
    largest = max(float(np.abs(values).max(initial=0.0)) for values in stored)
    if not largest < LIMIT:
        raise NotDense(f"a weight or bias of {largest:g} in {precision} precision")
    return largest


def _firsts(parts: list[np.ndarray]) -> Integers:
    """Where each stage's part begins; group 0 has none."""
    return np.concatenate([[0, 0], np.cumsum([part.size for part in parts])[:-1]]).astype(np.int64)


def _in_tiles(matrix: np.ndarray, tile: Tile) -> np.ndarray:
    """(tiles, columns, tile.rows), the columns padded to whole panels."""
    rows = -(-matrix.shape[0] // tile.rows) * tile.rows
    columns = -(-matrix.shape[1] // tile.columns) * tile.columns
    whole = np.zeros((rows, columns), matrix.dtype)
    whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    return np.ascontiguousarray(whole.reshape(-1, tile.rows, columns).transpose(0, 2, 1))


def _in_panels(matrix: np.ndarray, tile: Tile) -> np.ndarray:
    """(panels, rows, tile.columns)."""
    columns = -(-matrix.shape[1] // tile.columns) * tile.columns
    whole = np.zeros((matrix.shape[0], columns), matrix.dtype)
    whole[:, : matrix.shape[1]] = matrix
    return np.ascontiguousarray(whole.reshape(matrix.shape[0], -1, tile.columns).transpose(1, 0, 2))


def longest_constant(size: Integers, columns: int) -> int:
    """Roundings that a term of a row's constant meets: of its panel of columns, of panels, of stages."""
    return 2 * columns + -(-int(size.max()) // columns) + len(size)


def error_terms(
    size: Integers, largest: float, precision: Precision, longest: int, *, sound: bool
) -> np.ndarray:
    """The terms of a packed network, (5,) in its precision, rounded up.

    Args:
        size: elements of each group, the input first.
        largest: size of the largest weight or bias.
        precision: of the kernels.
        longest: roundings that a term of a row's constant meets in sums, at most.
        sound: false for terms that charge nothing.

    Raises:
        NotDense: sums are too long for the precision.
    """
    dtype = DTYPES[precision]
    info = np.finfo(dtype)
    unit = float(info.eps) / 2.0
    longest = max(int(size.max()), longest) + SPARE  # a coefficient meets one rounding per row
    gamma = longest * unit * (1.0 + 2.0**-6)
    if gamma > MOST_GAMMA:
        raise NotDense(f"sums of {longest} terms are too long for {precision} precision")
    count = float((size[1:] * size[:-1]).sum() + 16 * size.sum() + 64)
    floor = 16.0 * count * float(info.smallest_normal) * (1.0 + largest)
    terms = (gamma, 2.0 * unit, 1.0 + 4.0 * gamma, floor) if sound else (0.0, 0.0, 1.0, 0.0)
    upward = [np.nextafter(dtype(term), dtype(np.inf)) if sound else dtype(term) for term in terms]
    return np.array([*upward, LIMIT], dtype)


def make_work(net: DenseNet) -> DenseWork:
    """Work space for one thread."""
    tile, dtype = host_tile(), net.bias.dtype
    lanes, total = lane_count(dtype), net.bias.shape[0]
    widest = int(max(_padded(int(n), tile) for n in net.size))
    return DenseWork(
        _aligned((total, LINES, lanes), dtype),
        _aligned((total, VALUES, lanes), dtype),
        _aligned((widest, VALUES, lanes), dtype),
        _aligned((2, widest, lanes), dtype),
        _aligned((widest, tile.rows, lanes), dtype),
        _aligned((widest, tile.rows, lanes), dtype),
        _aligned((2, tile.rows, lanes), dtype),
        np.array([[1.0], [-1.0]], dtype),
        _aligned((lanes,), dtype),
    )


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Zeros that begin at a multiple of a vector's size."""
    count, step = int(np.prod(shape)), 64 // dtype.itemsize
    whole = np.zeros(count + step, dtype)
    first = -(whole.ctypes.data // dtype.itemsize) % step
    return whole[first : first + count].reshape(shape)
