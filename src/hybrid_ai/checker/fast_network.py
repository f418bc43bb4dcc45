"""A network prepared for the fast engine, and the range of its doubles: section 8 of the format page."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np
from numpy.typing import NDArray

from hybrid_ai.checker import float32
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.stages import Block, Network, Stage

Array = NDArray[np.float64]

LARGEST = 2.0**100
SMALLEST = 2.0**-200
MAX_DIMENSION = 2**20
MAX_STAGES = 2**10
MAX_ENTRIES = 2**26


@dataclass(frozen=True)
class FastStage:
    """A stage in doubles: one column block per source, bias; the sizes A by source and a; of float32
    executions gamma_K and 2^-120 G, zero in real arithmetic.
    """

    relu: bool
    sources: tuple[int, ...]
    weights: tuple[Array, ...]
    bias: Array
    neurons: slice
    sizes: tuple[tuple[int, Array], ...]
    bias_size: Array
    relative: float
    flushed: float

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.bias)


class FastNetwork:
    """A network prepared for the fast engine, shared by all polytopes.

    Raises:
        Rejected: rule "rounding" when doubles are not rounded to nearest, "range" when a weight or bias is
            outside [2^-200, 2^100] or the network is too large for the error bound.
    """

    def __init__(self, network: Network, arithmetic: str = "real") -> None:
        require_rounding_to_nearest()
        self.output_group = network.output_group
        self.stages: list[FastStage] = []
        self.neurons: list[tuple[int, int]] = []
        widest = network.n_inputs
        for number, stage in enumerate(network.stages, start=1):
            first = len(self.neurons)
            if stage.relu:
                self.neurons += [(number, row) for row in range(len(stage.bias))]
            self.stages.append(_prepare(stage, slice(first, len(self.neurons)), arithmetic))
            columns = [
                sum(block.width for block in blocks or ()) for blocks in (stage.blocks, stage.size_blocks)
            ]
            widest = max(widest, len(stage.bias), *columns)
        if widest > MAX_DIMENSION or len(self.stages) > MAX_STAGES:
            raise Rejected("range", "model", "the network is too large for the fast engine's error bound")
        self.sizes = (network.n_inputs, *(stage.size for stage in self.stages))
        self.gamma = (widest + len(self.stages) + 16) * 2.0**-52


def require_rounding_to_nearest() -> None:
    """Raise Rejected (rule "rounding") unless array operations and products round to nearest."""
    half = 2.0**-53
    steps = np.array([half, 1.5 * half, -half / 2, -0.75 * half, 3 * half] * 8)
    expected = np.array([1.0, 1.0 + 2 * half, 1.0, 1.0 - half, 1.0 + 4 * half] * 8)
    product = np.stack([np.ones_like(steps), steps], axis=1) @ np.ones((2, 8))
    if not (
        np.array_equal(1.0 + steps, expected)
        and np.array_equal(product, np.repeat(expected[:, None], 8, 1))
        and np.array_equal(-1.0 - steps, -expected)
    ):
        raise Rejected("rounding", "this machine", "doubles are not rounded to nearest; use the exact engine")


def _doubles(values: Sequence[Fraction], where: str) -> Array:
    """The nearest doubles of weights or biases in range."""
    try:
        nearest = np.array([value.numerator / value.denominator for value in values], dtype=np.float64)
    except OverflowError:
        nearest = np.array([inf])
    # What rounds into half of the range lies in the range. Only zero may become zero.
    within = np.count_nonzero((np.abs(nearest) >= 2 * SMALLEST) & (np.abs(nearest) <= LARGEST / 2))
    if values.count(Fraction(0)) + within != len(values):
        raise Rejected("range", where, "a weight or bias is outside [2^-200, 2^100]; use the exact engine")
    return nearest


def _prepare(stage: Stage, neurons: slice, arithmetic: str) -> FastStage:
    weights = _matrices(stage.blocks, len(stage.bias))
    bias = _doubles(stage.bias, "bias")
    sizes = [(source, np.abs(matrix)) for source, matrix in weights]
    bias_size = np.abs(bias)
    if stage.size_blocks is not None:
        sizes = _matrices(stage.size_blocks, len(stage.bias))
    if stage.sizes is not None:
        bias_size = _doubles(stage.sizes, "bias")
    relative = flushed = 0.0
    if arithmetic != "real":
        # INFLATE in the engine covers the rounding of these two.
        relative, flushed = float(float32.relative(stage.cost)), float(stage.cost.gain * float32.FLUSHED)
    return FastStage(
        stage.relu,
        tuple(source for source, _ in weights),
        tuple(matrix for _, matrix in weights),
        bias,
        neurons,
        tuple(sizes),
        bias_size,
        relative,
        flushed,
    )


def _matrices(blocks: tuple[Block, ...], rows: int) -> list[tuple[int, Array]]:
    """Source group and matrix of each block."""
    count = rows * sum(block.width for block in blocks)
    if count > MAX_ENTRIES:
        raise Rejected("range", "model", f"a stage has a matrix of {count} entries, above {MAX_ENTRIES}")
    found = []
    for block in blocks:
        matrix = np.zeros((rows, block.width))
        for row, entries in enumerate(block.rows):
            columns, values = [column for column, _ in entries], [value for _, value in entries]
            matrix[row, columns] = _doubles(values, f"weight of group {block.source}")
        found.append((block.source, matrix))
    return found


def outward(value: Fraction, upward: bool) -> float:
    """A double on the far side of an exact root bound, or that bound itself."""
    if abs(value) > LARGEST:
        raise Rejected("range", "property", "an input bound exceeds 2^100; use the exact engine")
    if value and abs(value) < SMALLEST:
        return (SMALLEST if upward else 0.0) if value > 0 else (0.0 if upward else -SMALLEST)
    near = float(value)
    if Fraction(near) < value and upward:
        return float(np.nextafter(near, inf))
    if Fraction(near) > value and not upward:
        return float(np.nextafter(near, -inf))
    return near
