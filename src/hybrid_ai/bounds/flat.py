"""A staged network as the flat arrays that the compiled kernels read."""

from dataclasses import dataclass

import numpy as np

from hybrid_ai.bounds.arrays import Net
from hybrid_ai.network import StagedNetwork


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


def flatten(staged: StagedNetwork) -> FlatNetwork:
    """Lay a staged network out for the kernels.

    Sound because: ``gamma`` is twice the classical constant for the longest sum, with room for the
    rounding of each stored weight, bias, box end and one more addition per stage.
    """
    size = np.array([staged.n_inputs, *(stage.bias.shape[0] for stage in staged.stages)], np.int64)
    offset = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    relu = np.array([False, *(stage.kind == "relu" for stage in staged.stages)])
    total = int(size.sum())
    starts, sources, places, pieces = [0, 0], [], [], []
    place = 0
    widest = int(size.max())
    for stage in staged.stages:
        widest = max(widest, sum(block.weights.shape[1] for block in stage.blocks))
        for block in stage.blocks:
            sources.append(block.source)
            places.append(place)
            pieces.append(np.ascontiguousarray(block.weights, np.float64).ravel())
            place += pieces[-1].size
        starts.append(len(sources))
    weights = np.concatenate(pieces) if pieces else np.zeros(0)
    bias = np.concatenate([np.zeros(staged.n_inputs), *(stage.bias for stage in staged.stages)])
    gamma = (widest + size.shape[0] + 16) * 2.0**-52
    neuron = np.full(total, -1, np.int64)
    hidden = np.repeat(relu, size)
    neuron[hidden] = np.arange(int(hidden.sum()))
    net = Net(
        size,
        offset,
        relu,
        np.array(starts, np.int64),
        np.array(sources, np.int64),
        np.array(places, np.int64),
        weights,
        bias,
        gamma,
    )
    return FlatNetwork(net, size, offset, relu, total, staged.output_group, neuron)
