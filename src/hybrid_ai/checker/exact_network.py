"""A network prepared for the exact engine: its rows and columns as packed integers."""

from dataclasses import dataclass
from fractions import Fraction

from hybrid_ai.checker import float32
from hybrid_ai.checker.grid import ilog2
from hybrid_ai.checker.packed import PackedVectors
from hybrid_ai.checker.rejected import Rejected
from hybrid_ai.checker.stages import Block, Network, Stage

MAX_ENTRIES = 2**24
BOUND_BITS = 52


@dataclass(frozen=True)
class ExactStage:
    """A stage, its rows with bias packed, its columns by sign (2c positive, 2c + 1 negative, bias last)."""

    relu: bool
    size: int
    sources: tuple[tuple[int, int, int], ...]
    matrix: list[list[Fraction]]
    rows: PackedVectors
    columns: PackedVectors
    first_neuron: int
    largest_weight: Fraction
    largest_bias: Fraction
    float32: "Float32Terms | None"


@dataclass(frozen=True)
class Float32Terms:
    """What E of a stage is made of: columns of A with a last, their groups, gamma_K and 2^-120 G."""

    columns: PackedVectors
    sources: tuple[int, ...]
    relative: Fraction
    flushed: Fraction


class ExactNetwork:
    """A network prepared for the exact engine, shared by all polytopes."""

    def __init__(self, network: Network, arithmetic: str = "real") -> None:
        self.output_group = network.output_group
        self.stages: list[ExactStage] = []
        self.neurons: list[tuple[int, int]] = []
        for number, stage in enumerate(network.stages, start=1):
            self.stages.append(_prepare(stage, len(self.neurons), arithmetic))
            if stage.relu:
                self.neurons += [(number, row) for row in range(len(stage.bias))]

    def bound_bits(self, largest_input: Fraction) -> int:
        """G of the module's docstring, from a coarse guess of each stage's magnitude."""
        guesses, bits = [largest_input], BOUND_BITS
        for stage in self.stages:
            source = max((guesses[group] for group, _, _ in stage.sources), default=Fraction(0))
            guesses.append(stage.largest_weight * source + stage.largest_bias)
            if guesses[-1]:
                bits = max(bits, BOUND_BITS - ilog2(guesses[-1]))
        return bits


def _dense(blocks: tuple[Block, ...], rows: int) -> list[list[Fraction]]:
    """The blocks side by side."""
    count = rows * sum(block.width for block in blocks)
    if count > MAX_ENTRIES:
        raise Rejected("range", "model", f"a stage has a matrix of {count} entries, above {MAX_ENTRIES}")
    matrix: list[list[Fraction]] = [[] for _ in range(rows)]
    for block in blocks:
        for target, row in zip(matrix, block.rows, strict=True):
            entries = dict(row)
            target += [entries.get(column, Fraction(0)) for column in range(block.width)]
    return matrix


def _prepare(stage: Stage, first_neuron: int, arithmetic: str) -> ExactStage:
    matrix = _dense(stage.blocks, len(stage.bias))
    sources, start = [], 0
    for block in stage.blocks:
        sources.append((block.source, start, start + block.width))
        start += block.width
    zero = Fraction(0)
    columns = [
        part
        for column in zip(*matrix, strict=True)
        for part in ([max(w, zero) for w in column], [min(w, zero) for w in column])
    ]
    rows = [row + [bias] for row, bias in zip(matrix, stage.bias, strict=True)]
    return ExactStage(
        stage.relu,
        len(rows),
        tuple(sources),
        rows,
        PackedVectors(rows),
        PackedVectors([*columns, list(stage.bias)]),
        first_neuron,
        max((abs(w) for row in matrix for w in row), default=zero),
        max(map(abs, stage.bias)),
        None if arithmetic == "real" else _float32(stage, matrix),
    )


def _float32(stage: Stage, matrix: list[list[Fraction]]) -> Float32Terms:
    blocks = stage.blocks if stage.size_blocks is None else stage.size_blocks
    if stage.size_blocks is not None:
        matrix = _dense(blocks, len(stage.bias))
    columns = [list(map(abs, column)) for column in zip(*matrix, strict=True)]
    constants = map(abs, stage.bias) if stage.sizes is None else stage.sizes
    return Float32Terms(
        PackedVectors([*columns, list(constants)]),
        tuple(block.source for block in blocks),
        float32.relative(stage.cost),
        stage.cost.gain * float32.FLUSHED,
    )
