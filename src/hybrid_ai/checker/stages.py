"""The normal form of a network: stages of exact affine maps, with or without ReLU."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hybrid_ai.checker.float32 import EXACT, Cost, is_computed, scaled_group
from hybrid_ai.checker.rejected import Unsupported, refuse_if
from hybrid_ai.checker.tensors import ONE, ZERO, Form, Tensor, Terms

MOST_ENTRIES = 2**24


@dataclass(frozen=True)
class Block:
    """The part of a stage's matrix that reads one group.

    `rows[i]` holds the non-zero entries of row i as (column, value), columns increasing; `width` is the
    number of columns.
    """

    source: int
    rows: tuple[tuple[tuple[int, Fraction], ...], ...]
    width: int


@dataclass(frozen=True)
class Stage:
    """z = sum over blocks of W h_source + bias; its group is max(z, 0) if `relu`, else z.

    `size_blocks` and `sizes` are A and a of section 3 of the format, None where they are the absolute values.
    """

    relu: bool
    blocks: tuple[Block, ...]
    bias: tuple[Fraction, ...]
    size_blocks: tuple[Block, ...] | None = None
    sizes: tuple[Fraction, ...] | None = None
    cost: Cost = EXACT


@dataclass(frozen=True)
class Network:
    """Stages 1, 2, ...; group 0 is the input of `n_inputs` elements, group k the output of stage k; `double`
    says that the input is float64.
    """

    n_inputs: int
    stages: tuple[Stage, ...]
    output_group: int
    double: bool = False


@dataclass
class StageBuilder:
    """Collects stages while the operations of a model are read; `sizes[k]` is the size of group k.

    Sound because: every tensor's elements are its forms at the values of the groups
    (docs/theory/normal-form.md).
    """

    sizes: list[int]
    stages: list[Stage] = field(default_factory=list)

    def group_tensor(self, group: int, shape: tuple[int, ...], element: int) -> Tensor:
        """The elements of one whole group, as a tensor of the given shape."""
        return Tensor(shape, element, tuple(Form({(group, i): ONE}, ZERO) for i in range(self.sizes[group])))

    def append(self, tensor: Tensor, relu: bool) -> Tensor:
        """Append a stage that computes the tensor's forms; returns its group in the same shape."""
        forms = tensor.forms
        blocks = self._blocks([form.terms for form in forms])
        size_blocks = sizes = None
        if any(form.size_terms is not None for form in forms):
            size_blocks = self._blocks([form.magnitude[0] for form in forms])
        if any(form.size is not None for form in forms):
            sizes = tuple(form.magnitude[1] for form in forms)
        bias = tuple(form.constant for form in forms)
        self.stages.append(Stage(relu, blocks, bias, size_blocks, sizes, tensor.cost))
        self.sizes.append(len(forms))
        return self.group_tensor(len(self.stages), tensor.shape, tensor.element)

    def _blocks(self, terms: Sequence[Terms]) -> tuple[Block, ...]:
        rows_of: dict[int, list[list[tuple[int, Fraction]]]] = {}
        for row, own in enumerate(terms):
            for (group, index), coefficient in own.items():
                if group not in rows_of:
                    rows_of[group] = [[] for _ in terms]
                rows_of[group][row].append((index, coefficient))
        return tuple(
            Block(group, tuple(tuple(sorted(row)) for row in rows_of[group]), self.sizes[group])
            for group in sorted(rows_of)
        )

    def plain_group(self, tensor: Tensor) -> int | None:
        """The group whose elements the tensor holds, whole and in order; None if there is none.

        Sound because: what is computed with roundings is not the group, even where its form is
        (docs/theory/float32-pitfalls.md).
        """
        if is_computed(tensor.cost):
            return None
        for group in {group for form in tensor.forms[:1] for group, _ in form.terms}:
            if tensor.forms == self.group_tensor(group, tensor.shape, tensor.element).forms:
                return group
        return None

    def cut(self, tensor: Tensor) -> Tensor:
        """The tensor as a plain group, through a linear stage unless it is plain already."""
        if self.plain_group(tensor) is not None:
            return tensor
        # A runtime may hold the group without its last factors and apply them after a contraction.
        return replace(self.append(tensor, relu=False), cost=scaled_group(tensor.scaling))


def repeated(network: Network, times: int) -> Network:
    """So many instances of a network side by side: every group holds theirs one after the other.

    Raises:
        Unsupported: they have more than MOST_ENTRIES weights together.
    """
    if times == 1:
        return network
    blocks = [block for stage in network.stages for block in (*stage.blocks, *(stage.size_blocks or ()))]
    entries = sum(len(row) for block in blocks for row in block.rows) * times
    refuse_if(entries > MOST_ENTRIES, Unsupported, "property", "declarations", f"{times} instances")
    stages = tuple(
        replace(
            stage,
            blocks=_repeated(stage.blocks, times),
            bias=stage.bias * times,
            size_blocks=None if stage.size_blocks is None else _repeated(stage.size_blocks, times),
            sizes=None if stage.sizes is None else stage.sizes * times,
        )
        for stage in network.stages
    )
    return Network(network.n_inputs * times, stages, network.output_group, network.double)


def _repeated(blocks: tuple[Block, ...], times: int) -> tuple[Block, ...]:
    return tuple(
        Block(
            block.source,
            tuple(
                tuple((column + instance * block.width, value) for column, value in row)
                for instance in range(times)
                for row in block.rows
            ),
            block.width * times,
        )
        for block in blocks
    )


def evaluate(network: Network, x: Sequence[Fraction]) -> list[Fraction]:
    """The exact output of the network at one point.

    Sound because: only integers and rationals are computed with (docs/theory/counterexample.md).

    Args:
        network: the network in normal form.
        x: shape (n_inputs,), exact.
    """
    groups = [list(x)]
    for stage in network.stages:
        sources = {block.source: _over_one_denominator(groups[block.source]) for block in stage.blocks}
        totals = list(stage.bias)
        for block in stage.blocks:
            numerators, denominator = sources[block.source]
            for index, row in enumerate(block.rows):
                weights, scale = _over_one_denominator([value for _, value in row])
                columns = [numerators[column] for column, _ in row]
                totals[index] += Fraction(sum(map(operator.mul, weights, columns)), scale * denominator)
        groups.append([max(total, Fraction(0)) for total in totals] if stage.relu else totals)
    return groups[network.output_group]


def _over_one_denominator(values: Sequence[Fraction]) -> tuple[list[int], int]:
    denominator = math.lcm(*[value.denominator for value in values])
    return [value.numerator * (denominator // value.denominator) for value in values], denominator
