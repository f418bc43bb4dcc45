"""Evaluate a network in normal form: exactly on one point, or in float64 on a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .exact import Integers
from .staged import ExactBlock, ExactStage, StagedNetwork

# A vector of rationals with one denominator.
_Scaled = tuple[Integers, int]


def evaluate_exact(staged: StagedNetwork, x: Sequence[Fraction]) -> list[Fraction]:
    """Return the exact outputs at x, one Fraction per input in C order; raise ValueError for a wrong length.

    Sound because: integers with common denominators are added and multiplied; nothing is rounded
    (docs/theory/counterexample.md).
    """
    if len(x) != staged.n_inputs:
        raise ValueError(f"the network has {staged.n_inputs} inputs, got {len(x)}")
    groups = [_scaled([Fraction(value) for value in x])]
    for k, stage in enumerate(staged.stages, start=1):
        numerators, denominator = _apply(staged.stage_exact(k), groups)
        if stage.kind == "relu":
            numerators = np.maximum(numerators, 0)
        groups.append((numerators, denominator))
    numerators, denominator = groups[staged.output_group]
    return [Fraction(numerator, denominator) for numerator in numerators.tolist()]


def _apply(stage: ExactStage, groups: Sequence[_Scaled]) -> _Scaled:
    parts = [_scaled(stage.bias)]
    parts.extend(_product(block, groups[block.source]) for block in stage.blocks)
    common = math.lcm(*(denominator for _, denominator in parts))
    total = sum(numerators * (common // denominator) for numerators, denominator in parts)
    return np.asarray(total, dtype=object), common


def _product(block: ExactBlock, source: _Scaled) -> _Scaled:
    numerators, denominator = source
    columns = block.denominators.tolist()
    common = math.lcm(*columns)
    scaled = numerators * np.array([common // column for column in columns], dtype=object)
    return block.numerators @ scaled, denominator * common


def _scaled(values: Sequence[Fraction]) -> _Scaled:
    common = math.lcm(*(value.denominator for value in values))
    numerators = np.empty(len(values), dtype=object)
    numerators[:] = [value.numerator * (common // value.denominator) for value in values]
    return numerators, common


def evaluate(staged: StagedNetwork, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outputs (batch, n_outputs), float64 and rounded, at x (batch, n_inputs).

    Raises ValueError for another shape.
    """
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != staged.n_inputs:
        raise ValueError(f"expected an array of shape (batch, {staged.n_inputs}), got {points.shape}")
    groups = [points]
    for stage in staged.stages:
        z = np.tile(stage.bias, (len(points), 1))
        for block in stage.blocks:
            z += groups[block.source] @ block.weights.T
        groups.append(np.maximum(z, 0.0) if stage.kind == "relu" else z)
    return groups[staged.output_group]
