"""Several instances of one network side by side, for properties that relate several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from . import exact
from .errors import TooLarge
from .exact import Exact
from .limits import MAX_STAGE_ENTRIES
from .reader import Model
from .staged import Block, Rounding, Stage, StagedNetwork


def several(model: Model, times: int) -> Model:
    """Return the model of so many instances: inputs, outputs and groups hold theirs one after the other.

    The bytes and their digest stay those of the one network.

    Raises TooLarge for more than MAX_STAGE_ENTRIES matrix entries.
    """
    if times == 1:
        return model
    blocks = [block for stage in model.staged.stages for block in stage.blocks]
    blocks += [block for stage in model.staged.stages for block in stage.rounding.blocks or ()]
    if sum(block.weights.size for block in blocks) * times**2 > MAX_STAGE_ENTRIES:
        raise TooLarge(f"{times} instances need stages of more than {MAX_STAGE_ENTRIES} matrix entries")
    staged = StagedNetwork(
        model.staged.n_inputs * times,
        tuple(_several_stage(stage, times) for stage in model.staged.stages),
        model.staged.output_group,
        tuple(size * times for size in model.staged.group_sizes),
    )
    return replace(model, staged=staged, n_inputs=model.n_inputs * times, n_outputs=model.n_outputs * times)


def _several_stage(stage: Stage, times: int) -> Stage:
    rounding = Rounding(
        None if stage.rounding.blocks is None else _several_blocks(stage.rounding.blocks, times),
        None if stage.rounding.bias is None else np.tile(stage.rounding.bias, times),
        stage.rounding.cost,
    )
    return Stage(
        stage.kind,
        _several_blocks(stage.blocks, times),
        np.tile(stage.bias, times),
        tuple(_diagonal(weights, times) for weights in stage.exact_weights),
        np.tile(stage.exact_bias, times),
        rounding,
    )


def _several_blocks(blocks: Sequence[Block], times: int) -> tuple[Block, ...]:
    return tuple(Block(block.source, _diagonal(block.weights, times)) for block in blocks)


def _diagonal(weights: Exact, times: int) -> Exact:
    """The matrix repeated along the diagonal, zero elsewhere."""
    rows, columns = weights.shape
    zero = 0.0 if exact.is_float(weights) else Fraction(0)
    result: Exact = np.full((rows * times, columns * times), zero, dtype=weights.dtype)
    for k in range(times):
        result[k * rows : (k + 1) * rows, k * columns : (k + 1) * columns] = weights
    return result
