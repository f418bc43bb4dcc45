"""A staged network as the flat arrays that the compiled kernels read."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hybrid_ai.bounds.arrays import Net
from hybrid_ai.network import MOST_ROUNDINGS, Stage, StagedNetwork

Arithmetic = Literal["real", "float32", "both"]


class TooManyRoundings(Exception):
    """Nothing can be claimed about float32 executions of the network."""


@dataclass(frozen=True, eq=False)
class FlatNetwork:
    """Every group's elements one below the other (the input first), every block's weights in one array.

    Attributes:
        net: the record of arrays that the kernels read.
        size: elements per group, (groups,).
        offset: position of each group's first element, (groups,).
        relu: whether the group is the output of a relu stage, (groups,).
        total: number of elements of all groups.
        output_group: the group that is the network's output.
        neuron: number of each position among the neurons of the relu stages, -1 elsewhere, (total,).
    """

    net: Net
    size: np.ndarray
    offset: np.ndarray
    relu: np.ndarray
    total: int
    output_group: int
    neuron: np.ndarray


def flatten(staged: StagedNetwork, arithmetic: Arithmetic = "real") -> FlatNetwork:
    """Lay a staged network out for the kernels.

    Args:
        staged: the network.
        arithmetic: whose executions the bounds hold for; "both" and "float32" mean the same here.

    Raises:
        TooManyRoundings: a float32 execution may round more than MOST_ROUNDINGS times in a stage.

    Sound because: ``gamma`` is twice the classical constant for the longest sum, with room for the
    rounding of each stored weight, bias, box end and one more addition per stage
    (docs/theory/rounding-of-the-search.md); what float32 executions add is in
    docs/theory/float32-carried-backward.md.
    """
    size = np.array([staged.n_inputs, *(stage.bias.shape[0] for stage in staged.stages)], np.int64)
    offset = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    relu = np.array([False, *(stage.kind == "relu" for stage in staged.stages)])
    total = int(size.sum())
    blocks = _Blocks(size)
    for stage in staged.stages:
        blocks.add(stage)
    bias = np.concatenate([np.zeros(staged.n_inputs), *(stage.bias for stage in staged.stages)])
    bias_size = np.concatenate([np.zeros(staged.n_inputs), *(_bias_size(stage) for stage in staged.stages)])
    gamma = (blocks.widest + size.shape[0] + 16) * 2.0**-52
    neuron = np.full(total, -1, np.int64)
    hidden = np.repeat(relu, size)
    neuron[hidden] = np.arange(int(hidden.sum()))
    net = Net(
        size,
        offset,
        relu,
        np.array(blocks.starts, np.int64),
        np.array(blocks.sources, np.int64),
        np.array(blocks.places, np.int64),
        joined(blocks.weights),
        joined(blocks.sizes),
        bias,
        bias_size,
        gamma,
        np.array([[0.0, 0.0], *(_float32_terms(stage, arithmetic) for stage in staged.stages)]),
    )
    return FlatNetwork(net, size, offset, relu, total, staged.output_group, neuron)


def joined(pieces: list[np.ndarray]) -> np.ndarray:
    """The pieces' elements one after the other."""
    return np.concatenate([np.zeros(0), *(piece.ravel() for piece in pieces)])


class _Blocks:
    """Collects the matrices of all stages; a source that only the sizes read gets a matrix of zeros."""

    def __init__(self, size: np.ndarray) -> None:
        self._size = size
        self.starts, self.sources, self.places = [0, 0], list[int](), list[int]()
        self.weights, self.sizes = list[np.ndarray](), list[np.ndarray]()
        self.widest = int(size.max())
        self._place = 0

    def add(self, stage: Stage) -> None:
        """Add a stage's blocks."""
        weights = {block.source: block.weights for block in stage.blocks}
        sizes = {source: np.abs(matrix) for source, matrix in weights.items()}
        if stage.rounding.blocks is not None:
            sizes = {block.source: block.weights for block in stage.rounding.blocks}
        for source in sorted({*weights, *sizes}):
            none = np.zeros((stage.size, int(self._size[source])))
            self.sources.append(source)
            self.places.append(self._place)
            self.weights.append(np.asarray(weights.get(source, none), np.float64))
            self.sizes.append(np.asarray(sizes.get(source, none), np.float64))
            self._place += none.size
        self.starts.append(len(self.sources))
        columns = sum(int(self._size[source]) for source in {*weights, *sizes})
        self.widest = max(self.widest, columns)


def _bias_size(stage: Stage) -> np.ndarray:
    return np.abs(stage.bias) if stage.rounding.bias is None else stage.rounding.bias


def _float32_terms(stage: Stage, arithmetic: Arithmetic) -> list[float]:
    """gamma_K, and 2^-120 times the gain, both rounded up; zero in real arithmetic."""
    if arithmetic == "real":
        return [0.0, 0.0]
    roundings, gain = stage.rounding.cost.roundings, stage.rounding.cost.gain
    if roundings > MOST_ROUNDINGS:
        raise TooManyRoundings("float32: a stage rounds too often, or divides by a computed difference")
    unit = 2.0**-24
    return [
        roundings * unit / (1.0 - roundings * unit) * (1.0 + 2.0**-48),
        gain * 2.0**-120 * (1.0 + 2.0**-48),
    ]
