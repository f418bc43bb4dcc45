"""The network normal form of docs/formats/certificate.md: a sequence of stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import exact
from .errors import TooLarge
from .exact import Exact, Integers
from .forms import Forms, Shape, plain
from .limits import MAX_STAGE_ENTRIES
from .rounding import EXACT, Cost, scaled_group

Kind = Literal["linear", "relu"]


@dataclass(frozen=True, eq=False)
class Block:
    """One matrix of a stage: weights (n, m) float64, nearest to the exact ones, acting on group `source`."""

    source: int
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ExactBlock:
    """Exact matrix of a block: entry (i, j) is numerators[i, j] / denominators[j], denominators positive."""

    source: int
    numerators: Integers
    denominators: Integers

    def entry(self, i: int, j: int) -> Fraction:
        """Return one entry, 0 <= i < n, 0 <= j < m."""
        return Fraction(self.numerators[i, j], self.denominators[j])


@dataclass(frozen=True, eq=False)
class ExactStage:
    """Exact blocks of a stage, in the order of its blocks, and its exact bias (n Fractions)."""

    blocks: tuple[ExactBlock, ...]
    bias: tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class Rounding:
    """What a float32 execution may change in a stage: |e_i| <= gamma_K (A M + a)_i + eta.

    blocks: A, by increasing source, rounded up; None where it is the weights' absolute values. bias: a, (n,),
    rounded up; None likewise. cost: gives K and eta.
    """

    blocks: tuple[Block, ...] | None
    bias: NDArray[np.float64] | None
    cost: Cost


NO_ROUNDING = Rounding(None, None, EXACT)


@dataclass(frozen=True, eq=False)
class Stage:
    """z = sum over blocks of W h_source + bias, then max(z, 0) if the kind is "relu".

    blocks: by increasing source, none of them zero. bias: (n,) float64, nearest to the exact one.
    exact_weights, exact_bias: the same numbers exactly, as arrays of float64 or Fractions. rounding: of a
    float32 execution (by default there is none: the stage is computed exactly).
    """

    kind: Kind
    blocks: tuple[Block, ...]
    bias: NDArray[np.float64]
    exact_weights: tuple[Exact, ...]
    exact_bias: Exact
    rounding: Rounding = NO_ROUNDING

    @property
    def size(self) -> int:
        """The number of rows, which is the size of the stage's group."""
        return int(self.bias.size)

    @cached_property
    def exact(self) -> ExactStage:
        """The exact matrices and bias as integers and Fractions, computed once."""
        blocks = tuple(
            _exact_block(block.source, weights)
            for block, weights in zip(self.blocks, self.exact_weights, strict=True)
        )
        return ExactStage(blocks, tuple(Fraction(value) for value in self.exact_bias.tolist()))


def _exact_block(source: int, weights: Exact) -> ExactBlock:
    columns = weights.shape[1]
    denominators = np.empty(columns, dtype=object)
    if exact.is_float(weights):
        numerators, common = exact.integers(weights)
        denominators[:] = [common] * columns
        return ExactBlock(source, numerators, denominators)
    # One denominator per column: inputs are often divided by a constant of their own.
    parts = [exact.integers(weights[:, j]) for j in range(columns)]
    denominators[:] = [denominator for _, denominator in parts]
    return ExactBlock(source, np.stack([numerators for numerators, _ in parts], axis=1), denominators)


@dataclass(frozen=True, eq=False)
class StagedNetwork:
    """A network in normal form.

    stages: stage k, counted from 1, is stages[k - 1] and computes group k; group 0 is the input.
    group_sizes: of groups 0, 1, ...; output_group: the group that is the flattened output.
    """

    n_inputs: int
    stages: tuple[Stage, ...]
    output_group: int
    group_sizes: tuple[int, ...]

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self.group_sizes[self.output_group]

    @property
    def neuron_count(self) -> int:
        """The number of rows of all relu stages."""
        return sum(stage.size for stage in self.stages if stage.kind == "relu")

    def stage_exact(self, k: int) -> ExactStage:
        """Return the exact matrices of stage k, 1 <= k <= number of stages; computed once."""
        if not 1 <= k <= len(self.stages):
            raise IndexError(f"stage {k}: stages are numbered from 1 to {len(self.stages)}")
        return self.stages[k - 1].exact


class StageBuilder:
    """Collects the stages while a graph is read."""

    def __init__(self, n_inputs: int) -> None:
        self._stages: list[Stage] = []
        self._sizes = [n_inputs]
        self._first = [0]  # of each group: its first variable, the groups laid end to end
        self._entries = 0

    def input(self, shape: Shape, element: str) -> Forms:
        """Return group 0 as a tensor."""
        return plain(shape, element, 0)

    def append(self, kind: Kind, forms: Forms) -> Forms:
        """Append a stage over the forms and return its group as a tensor of the same shape."""
        blocks, weights = self._blocks(forms)
        bias = _settled(forms.constant)
        rounding = self._rounding(forms)
        stage = Stage(kind, blocks, _frozen(exact.nearest(bias)), weights, _frozen(bias), rounding)
        self._first.append(self._first[-1] + self._sizes[-1])
        self._sizes.append(forms.count)
        self._stages.append(stage)
        return plain(forms.shape, forms.element, self._first[-1])

    def _blocks(self, forms: Forms) -> tuple[tuple[Block, ...], tuple[Exact, ...]]:
        """The matrices of the forms by increasing source, as doubles and exactly."""
        sources = np.searchsorted(np.array(self._first), forms.variable, side="right") - 1
        blocks, weights = [], []
        for source in np.unique(sources).tolist():
            matrix = self._matrix(forms, sources == source, source)
            weights.append(_frozen(matrix))
            blocks.append(Block(source, _frozen(exact.nearest(matrix))))
        return tuple(blocks), tuple(weights)

    def _rounding(self, forms: Forms) -> Rounding:
        if forms.size is None:
            return Rounding(None, None, forms.cost)
        blocks, _ = self._blocks(forms.size)
        upward = tuple(Block(block.source, _upward(block.weights)) for block in blocks)
        return Rounding(upward, _upward(exact.nearest(_settled(forms.size.constant))), forms.cost)

    def _matrix(self, forms: Forms, terms: NDArray[np.bool_], source: int) -> Exact:
        shape = (forms.count, self._sizes[source])
        self._entries += shape[0] * shape[1]
        if self._entries > MAX_STAGE_ENTRIES:
            raise TooLarge(f"stages of more than {MAX_STAGE_ENTRIES} matrix entries")
        coefficient = _settled(forms.coefficient[terms])
        zero = 0.0 if exact.is_float(coefficient) else Fraction(0)
        matrix: Exact = np.full(shape, zero, dtype=coefficient.dtype)
        matrix[forms.row[terms], forms.variable[terms] - self._first[source]] = coefficient
        return matrix

    def plain_group(self, forms: Forms) -> int | None:
        """Return the group whose elements, all of them and in order, the tensor is, or None.

        Sound because: what is computed with roundings is not the group, even where its form is
        (docs/theory/float32-pitfalls.md).
        """
        if forms.cost.roundings > 0 or forms.size is not None:
            return None
        if forms.row.size != forms.count or not np.array_equal(forms.row, np.arange(forms.count)):
            return None
        if not (np.all(forms.coefficient == 1) and np.all(forms.constant == 0)):
            return None
        if forms.variable[0] not in self._first or not np.all(np.diff(forms.variable) == 1):
            return None
        group = self._first.index(int(forms.variable[0]))
        return group if self._sizes[group] == forms.count else None

    def cut(self, forms: Forms) -> Forms:
        """Return the tensor as a group, appending a linear stage unless it is one already."""
        if self.plain_group(forms) is not None:
            return forms
        # A runtime may hold the group without its last factors and apply them after a contraction.
        return replace(self.append("linear", forms), cost=scaled_group(forms.scaling))

    def finish(self, output: Forms) -> StagedNetwork:
        """Return the network whose output is the given tensor."""
        group = self.plain_group(output)
        if group is None:
            self.append("linear", output)
            group = len(self._stages)
        return StagedNetwork(self._sizes[0], tuple(self._stages), group, tuple(self._sizes))


def _settled(values: Exact) -> Exact:
    return values if exact.is_float(values) else exact.settle(values)


def _upward(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Doubles that are not below the rationals they are nearest to."""
    return _frozen(np.where(values > 0.0, np.nextafter(values, np.inf), 0.0))


def _frozen(values: Exact) -> Exact:
    values.flags.writeable = False
    return values
