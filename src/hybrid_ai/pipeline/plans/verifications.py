"""From requirements to verifications: the properties that a plan becomes (docs/formats/plan.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

from hybrid_ai import rules, spec
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.plans.model import Coverage, ModelEntry, Plan, Requirement, Samples

Claim = Literal["holds", "never", "file"]


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification of a plan.

    Attributes:
        requirement: its id.
        model: of which.
        name: of the property's file.
        property: the file's bytes.
        claim: that the requirement "holds", "never" holds, or what the plan's "file" says.
        sample: number of the sample, from 1; None without.
        cell: number of the cell along each input of the coverage, from 0; None without.
        box: physical and certified range of each input; None where the plan names a file.
        allow_vacuous: whether the input set may be empty.
    """

    requirement: str
    model: ModelEntry
    name: str
    property: bytes
    claim: Claim
    sample: int | None = None
    cell: tuple[int, ...] | None = None
    box: tuple[rules.CertifiedRange, ...] | None = None
    allow_vacuous: bool = False


def verifications(plan: Plan) -> list[Verification]:
    """All verifications of a plan, in the order of its requirements, then of its models.

    Raises:
        BadInput: a file cannot be read.
    """
    found: list[Verification] = []
    for requirement in plan.requirements:
        for name in requirement.models:
            model = plan.models_by_id[name]
            found += _of_model(plan, requirement, model)
    return found


def _of_model(plan: Plan, requirement: Requirement, model: ModelEntry) -> Iterator[Verification]:
    if requirement.property_file is not None:
        yield _from_file(requirement, model)
    elif requirement.samples is not None:
        yield from _of_samples(plan, requirement, requirement.samples, model)
    elif requirement.coverage is not None:
        yield from _of_cells(plan, requirement, requirement.coverage, model)
    else:
        ranges = plan.odd.ranges_of(model.tensors)
        premises = _premises(plan, requirement, model)
        made = rules.lowered(model.tensors.interface, ranges, premises, _required(requirement))
        yield Verification(
            requirement.id,
            model,
            f"{requirement.id}.vnnlib",
            _written(made.property, requirement, "holds"),
            "holds",
            box=made.box,
        )


def _from_file(requirement: Requirement, model: ModelEntry) -> Verification:
    assert requirement.property_file is not None
    try:
        data = requirement.property_file.read_bytes()
    except OSError as error:
        raise BadInput(f"{requirement.property_file}: cannot be read: {error.strerror}") from error
    return Verification(requirement.id, model, requirement.property_file.name, data, "file")


def _of_samples(
    plan: Plan, requirement: Requirement, samples: Samples, model: ModelEntry
) -> Iterator[Verification]:
    ranges = plan.odd.ranges_of(model.tensors)
    # Columns may be of other models only.
    names = model.tensors.input_names
    radius = {name: number.value for name, number in samples.radius.items() if name in names}
    for sample in samples.rows:
        point = {name: number.value for name, number in samples.point(sample).items() if name in names}
        made = rules.robustness(model.tensors.interface, ranges, point, radius, sample.label)
        what = f"output {sample.label} is the greatest around sample {sample.number}"
        yield Verification(
            requirement.id,
            model,
            f"{requirement.id}-{sample.number:04}.vnnlib",
            _written(made.property, requirement, what),
            "holds",
            sample=sample.number,
            box=made.box,
        )


def _of_cells(
    plan: Plan, requirement: Requirement, coverage: Coverage, model: ModelEntry
) -> Iterator[Verification]:
    """Two verifications for each cell of the domain's box, narrowed by `where`.

    Sound because: the cells are closed and cover the box; a cell's bounds are exact before they are rounded
        outward.
    """
    where = () if requirement.where is None else (requirement.where.formula,)
    whole, left = rules.narrowed(plan.odd.ranges_of(model.tensors), where)
    assert not left, "the reader refuses a coverage whose `where` bounds more than single inputs"
    premises = [each.condition.formula for each in plan.odd.constraints_of(model.tensors)]
    for cell in product(*map(range, coverage.cells)):
        ranges = {**whole, **_cell_ranges(whole, coverage, cell)}
        place = "-".join(f"{index:03}" for index in cell)
        for claim in ("holds", "never"):
            made = rules.lowered(
                model.tensors.interface, ranges, premises, _required(requirement), never=claim == "never"
            )
            yield Verification(
                requirement.id,
                model,
                f"{requirement.id}-{place}-{claim}.vnnlib",
                _written(made.property, requirement, f"{claim} on cell {place}"),
                claim,
                cell=cell,
                box=made.box,
                # The domain's constraints may leave nothing of a cell.
                allow_vacuous=bool(premises),
            )


def _cell_ranges(
    whole: Mapping[str, rules.Range], coverage: Coverage, cell: Sequence[int]
) -> dict[str, rules.Range]:
    ranges = {}
    for name, count, index in zip(coverage.inputs, coverage.cells, cell, strict=True):
        size = (whole[name].maximum - whole[name].minimum) / Fraction(count)
        begin = whole[name].minimum + index * size
        ranges[name] = rules.Range(begin, begin + size)
    return ranges


def _premises(plan: Plan, requirement: Requirement, model: ModelEntry) -> list[rules.Formula]:
    found = [each.condition.formula for each in plan.odd.constraints_of(model.tensors)]
    return found if requirement.where is None else [*found, requirement.where.formula]


def _required(requirement: Requirement) -> rules.Formula:
    assert requirement.require is not None, "the reader gives one of `require`, `property` and `samples`"
    return requirement.require.formula


def _written(prop: spec.Property, requirement: Requirement, what: str) -> bytes:
    return f"; requirement {requirement.id}: {what}\n{spec.to_vnnlib(prop)}".encode()
