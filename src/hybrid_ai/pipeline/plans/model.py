"""A plan that was read and found right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

from hybrid_ai import rules
from hybrid_ai.pipeline.plans.numbers import Number
from hybrid_ai.pipeline.verify import Arithmetic


@dataclass(frozen=True, slots=True)
class System:
    """What is certified.

    Attributes:
        name: the id where the plan gives none.
        exclusions: uses and conditions that are not covered.
    """

    id: str
    version: str
    name: str
    intended_use: str
    exclusions: tuple[str, ...] = ()
    organisation: str | None = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """One element of a model's input or output: physical = network * scale + offset.

    Attributes:
        name: of the element.
        unit: of the physical value, "1" for none.
        offset: in that unit.
        scale: in that unit, not 0.
        group: name under which the plan describes it, together with others where it gives a count.
    """

    name: str
    unit: str
    offset: Number
    scale: Number
    group: str

    def rule_quantity(self) -> rules.Quantity:
        """The same for the translation of rules."""
        return rules.Quantity(self.name, self.unit, self.offset.value, self.scale.value)


@dataclass(frozen=True)
class Tensors:
    """The inputs and outputs of a model, in the order of the flattened tensors (C order)."""

    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]

    @cached_property
    def input_names(self) -> dict[str, Quantity]:
        """The inputs by name, in order."""
        return {each.name: each for each in self.inputs}

    @cached_property
    def output_names(self) -> dict[str, Quantity]:
        """The outputs by name, in order."""
        return {each.name: each for each in self.outputs}

    @cached_property
    def interface(self) -> rules.Interface:
        """The same for the translation of rules."""
        sides = (tuple(each.rule_quantity() for each in side) for side in (self.inputs, self.outputs))
        return rules.Interface(*sides)

    @property
    def is_declared(self) -> bool:
        """Whether the plan declares pre- or post-processing: a scale or an offset."""
        return any(each.offset.value != 0 or each.scale.value != 1 for each in self.inputs + self.outputs)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the system.

    Attributes:
        path: as the plan writes it.
        file: where that is from here.
        sha256: of the file when the plan was read, hexadecimal, lower case.
        tensors: its inputs and outputs.
    """

    id: str
    path: str
    file: Path
    sha256: str
    tensors: Tensors

    @property
    def preprocessing(self) -> str:
        """`declared` where the plan gives a scale or an offset, else `inside` the network."""
        return "declared" if self.tensors.is_declared else "inside"


@dataclass(frozen=True, slots=True)
class OddInput:
    """Physical range of one input element, both ends included, minimum <= maximum."""

    name: str
    unit: str
    minimum: Number
    maximum: Number
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A formula: as it is written, and its meaning."""

    text: str
    formula: rules.Formula


@dataclass(frozen=True, slots=True)
class Constraint:
    """What else holds throughout the domain."""

    condition: Condition
    source: str | None = None


@dataclass(frozen=True)
class Odd:
    """The operational design domain.

    Attributes:
        inputs: one for each input element of the models.
        constraints: over inputs, of which one model at least has all.
    """

    description: str | None
    inputs: tuple[OddInput, ...]
    constraints: tuple[Constraint, ...] = ()

    @cached_property
    def ranges(self) -> Mapping[str, rules.Range]:
        """The range of each input element by its name."""
        return {each.name: rules.Range(each.minimum.value, each.maximum.value) for each in self.inputs}

    def ranges_of(self, tensors: Tensors) -> dict[str, rules.Range]:
        """The range of each input element of one model."""
        return {name: self.ranges[name] for name in tensors.input_names}

    def constraints_of(self, tensors: Tensors) -> tuple[Constraint, ...]:
        """The constraints that are premises for one model.

        Sound because: leaving one out, of which the model lacks an input, makes the claim the stronger one.
        """
        return tuple(
            each
            for each in self.constraints
            if rules.names(each.condition.formula) <= tensors.input_names.keys()
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of a file of samples: its number from 1, physical values as the columns say, its label."""

    number: int
    values: tuple[Number, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples near which the label stays.

    Attributes:
        path: CSV file as the plan writes it.
        source: its bytes.
        columns: names of the input elements, in the file's order.
        rows: in the file's order, at least one.
        radius: physical, by input element, at least 0; 0 where absent.
    """

    path: str
    source: bytes
    columns: tuple[str, ...]
    rows: tuple[Sample, ...]
    radius: Mapping[str, Number]

    def point(self, sample: Sample) -> dict[str, Number]:
        """The values of a sample by input element."""
        return dict(zip(self.columns, sample.values, strict=True))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Inputs along which the domain is cut, and into how many equal cells along each."""

    inputs: tuple[str, ...]
    cells: tuple[int, ...]

    @property
    def cell_count(self) -> int:
        """Cells of one model."""
        return prod(self.cells)


def count_verifications(models: Sequence[str], samples: Samples | None, coverage: Coverage | None) -> int:
    """How many verifications a requirement becomes.

    Args:
        models: that it is about.
        samples: where it is about such.
        coverage: where it has such: two verifications for each cell.
    """
    if coverage is not None:
        return 2 * coverage.cell_count * len(models)
    return (1 if samples is None else len(samples.rows)) * len(models)


@dataclass(frozen=True)
class Requirement:
    """What is required: one of `require`, `property` and `samples` is there.

    Attributes:
        models: ids of the models that it is about, in the plan's order of them, at least one.
        where: over inputs; goes with `require` alone.
        require: over inputs and outputs of each of the models.
        property: VNN-LIB file as the plan writes it.
        property_file: where that is from here.
        coverage: goes with `require` alone.
    """

    id: str
    text: str
    models: tuple[str, ...]
    rationale: str | None = None
    source: str | None = None
    criticality: str | None = None
    acceptance: str | None = None
    method: str | None = None
    parent: str | None = None
    assumptions: tuple[str, ...] = ()
    where: Condition | None = None
    require: Condition | None = None
    property: str | None = None
    property_file: Path | None = None
    samples: Samples | None = None
    coverage: Coverage | None = None

    def verification_count(self) -> int:
        """How many verifications it becomes, over all of its models."""
        return count_verifications(self.models, self.samples, self.coverage)


@dataclass(frozen=True, slots=True)
class Assumption:
    """What is assumed."""

    id: str
    text: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """An entry of a catalogue, and the requirements whose evidence is offered for it."""

    catalogue: str
    id: str
    requirements: tuple[str, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What each verification may spend, and what it is about.

    Attributes:
        timeout: seconds, at least 0.001.
        memory: bytes for the open boxes, above 0.
        threads: of the searches together, None for one per core.
        jobs: verifications at the same time, at least 1.
        seed: of the attacks, at least 0.
        arithmetic: None where the plan does not say: both where the model has both.
    """

    timeout: Number
    memory: int
    threads: int | None
    jobs: int
    seed: int
    arithmetic: Arithmetic | None


@dataclass(frozen=True, slots=True)
class Review:
    """The statement that reviewers sign, and the roles that must."""

    statement: str | None
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A plan, every reference in which leads somewhere.

    Attributes:
        file: where it was read from.
        source: its bytes.
    """

    file: Path
    source: bytes
    system: System
    models: tuple[ModelEntry, ...]
    odd: Odd
    requirements: tuple[Requirement, ...]
    assumptions: tuple[Assumption, ...]
    objectives: tuple[Objective, ...]
    budget: Budget
    review: Review

    @cached_property
    def models_by_id(self) -> Mapping[str, ModelEntry]:
        """The models by id."""
        return {model.id: model for model in self.models}

    def verification_count(self) -> int:
        """How many verifications the plan becomes."""
        return sum(requirement.verification_count() for requirement in self.requirements)
