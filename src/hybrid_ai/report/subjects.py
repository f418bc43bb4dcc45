"""Requirements with what became of them; without a plan, pairs of a model and a property instead."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.report.assessment import AssessedRequirement, Assessment, Counts, Objective
from hybrid_ai.report.counterexamples import Counterexample, counterexample
from hybrid_ai.report.coverage import Coverage, coverage_of
from hybrid_ai.report.datum import Datum, over, ranged
from hybrid_ai.report.plan import Plan, PlannedRequirement, PlannedVerification, Side
from hybrid_ai.report.results import VERDICTS, Result, Results

PROPERTY_LIMIT = 4_000  # characters of a property that are shown; longer ones are named alone


@dataclass(frozen=True)
class Run:
    """A verification: as planned (None without a plan), and what came of it."""

    planned: PlannedVerification | None
    result: Result


@dataclass(frozen=True)
class Box:
    """The box of one or several verifications.

    Attributes:
        numbers: of these verifications.
        sides: for each input.
    """

    numbers: Datum
    sides: tuple[Side, ...]


@dataclass(frozen=True)
class Property:
    """A property: its file, and its text where that is short."""

    path: Datum
    sha256: Datum
    text: Datum | None


@dataclass(frozen=True)
class Effort:
    """What it took to decide some verifications of one model.

    Attributes:
        model: its id; without a plan its path; None of all together.
        amount: how many verifications.
        sums: leaves, bounded, repairs, search, check, total, bytes (of certificates): by these names.
    """

    model: Datum | None
    amount: Datum
    sums: dict[str, Datum]


@dataclass(frozen=True)
class Subject:
    """A requirement, or a model with a property.

    Attributes:
        anchor: its place on the page.
        id: of the requirement; without a plan the property's path.
        planned: None without a plan.
        assessed: None without a plan.
        status, arithmetics, counts, amount: verdicts and numbers of its verifications.
        numbers: of its verifications.
        runs: its verifications.
        boxes: of them.
        properties: whose text stands for the formula.
        certificates, points: how many of its verifications have such evidence.
        counterexamples: of verifications that it holds.
        coverage: by model.
        objectives: for which it is offered.
        efforts: by model.
    """

    anchor: str
    id: Datum
    planned: PlannedRequirement | None
    assessed: AssessedRequirement | None
    status: Datum
    arithmetics: dict[str, Datum]
    counts: Counts
    amount: Datum
    numbers: Datum
    runs: tuple[Run, ...]
    boxes: tuple[Box, ...]
    properties: tuple[Property, ...]
    certificates: Datum
    points: Datum
    counterexamples: tuple[Counterexample, ...]
    coverage: tuple[Coverage, ...]
    objectives: tuple[Objective, ...]
    efforts: tuple[Effort, ...]


def pair_subjects(folder: Path, results: Results) -> tuple[Subject, ...]:
    """One subject for each result of a dossier without a plan.

    Raises:
        ReportError: a file of the dossier is not as it must be.
        OSError: a property cannot be read.
    """
    return tuple(_pair(folder, results, result) for result in results.all)


def requirement_subjects(
    folder: Path, plan: Plan, assessment: Assessment, results: Results
) -> tuple[Subject, ...]:
    """One subject for each requirement of a plan.

    Raises:
        ReportError: a file of the dossier is not as it must be.
        OSError: a property cannot be read.
    """
    pairs = zip(plan.requirements, assessment.requirements, strict=True)
    return tuple(
        _requirement(folder, plan, assessment, results, index, planned, assessed)
        for index, (planned, assessed) in enumerate(pairs, start=1)
    )


def effort(results: Results, numbers: Sequence[int] | None, model: Datum | None, amount: Datum) -> Effort:
    """Add up what verifications took.

    Args:
        results: all of them.
        numbers: of the verifications; None for all.
        model: whose they are, or None.
        amount: how many they are.
    """
    chosen = results.all if numbers is None else results.chosen(numbers)
    source = results.node.source
    sums = {}
    for name in ("leaves", "bounded", "repairs"):
        whole = sum(int(result.effort[name].value) for result in chosen)
        sums[name] = Datum(str(whole), source, "integer", over(f"sum /{name}", numbers))
    for name in ("search", "check", "total"):
        seconds = math.fsum(float(result.effort[name].value) for result in chosen)
        sums[name] = Datum(json.dumps(seconds), source, "seconds", over(f"sum /seconds/{name}", numbers))
    size = sum(int(result.certificate.bytes.value) for result in chosen if result.certificate is not None)
    sums["bytes"] = Datum(str(size), source, "integer", over("sum /certificate/bytes", numbers))
    return Effort(model, amount, sums)


def _pair(folder: Path, results: Results, result: Result) -> Subject:
    numbers = [result.number]
    found = counterexample(result, None, (), None)
    return Subject(
        anchor=f"requirement-{result.number}",
        id=result.property,
        planned=None,
        assessed=None,
        status=result.verdict,
        arithmetics=result.arithmetics,
        counts={verdict: results.counted(verdict, numbers) for verdict in VERDICTS},
        amount=_among(results, numbers),
        numbers=result.ordinal,
        runs=(Run(None, result),),
        boxes=(),
        properties=_properties(folder, [result]),
        certificates=results.with_certificate(numbers),
        points=results.with_point(numbers),
        counterexamples=() if found is None else (found,),
        coverage=(),
        objectives=(),
        efforts=(effort(results, numbers, result.model, _among(results, numbers)),),
    )


def _requirement(
    folder: Path,
    plan: Plan,
    assessment: Assessment,
    results: Results,
    index: int,
    planned: PlannedRequirement,
    assessed: AssessedRequirement,
) -> Subject:
    numbers = sorted(planned.verifications)
    runs = tuple(Run(plan.verifications[number - 1], results.all[number - 1]) for number in numbers)
    source = f"{planned.source}/verifications"
    from_files = [run.result for run in runs if run.planned is not None and run.planned.claim.value == "file"]
    return Subject(
        anchor=f"requirement-{index}",
        id=planned.id,
        planned=planned,
        assessed=assessed,
        status=assessed.status,
        arithmetics=assessed.arithmetics,
        counts=assessed.counts,
        amount=planned.amount,
        numbers=Datum(ranged(numbers), source, "numbers", "numbers"),
        runs=runs,
        boxes=_boxes(runs, source),
        properties=_properties(folder, from_files),
        certificates=results.with_certificate(numbers),
        points=results.with_point(numbers),
        counterexamples=_counterexamples(plan, runs),
        coverage=_coverage(plan, planned, assessed, runs),
        objectives=tuple(
            objective
            for objective in assessment.objectives
            if planned.id.value in [named.value for named in objective.requirements]
        ),
        efforts=_efforts(results, runs),
    )


def _among(results: Results, numbers: Sequence[int]) -> Datum:
    return Datum(str(len(numbers)), results.node.source, "integer", over("present /verdict", numbers))


def _boxes(runs: Sequence[Run], source: str) -> tuple[Box, ...]:
    """The boxes, equal ones once, but for the cells of a coverage, which its inputs and numbers tell."""
    grouped: dict[tuple[tuple[str, ...], ...], list[PlannedVerification]] = defaultdict(list)
    for run in runs:
        if run.planned is not None and run.planned.box is not None and run.planned.cell is None:
            grouped[tuple(map(_written, run.planned.box))].append(run.planned)
    return tuple(
        Box(_some(source, [int(run.number.value) for run in alike]), alike[0].box or ())
        for alike in grouped.values()
    )


def _some(source: str, numbers: Sequence[int]) -> Datum:
    return Datum(ranged(numbers), source, "numbers", "some")


def _written(side: Side) -> tuple[str, ...]:
    values = (side.name, side.minimum, side.maximum, side.network_minimum, side.network_maximum)
    return tuple(value.value for value in values)


def _properties(folder: Path, results: Sequence[Result]) -> tuple[Property, ...]:
    found = {result.property.value: result for result in results}
    return tuple(
        Property(result.property, result.property_sha256, _property_text(folder, path))
        for path, result in found.items()
    )


def _property_text(folder: Path, path: str) -> Datum | None:
    """The text of a property; None where it is long, packed or not there."""
    file = folder / path
    if not file.is_file() or file.stat().st_size > 4 * PROPERTY_LIMIT:
        return None
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    return Datum(text, path, "code") if len(text) <= PROPERTY_LIMIT else None


def _counterexamples(plan: Plan, runs: Sequence[Run]) -> tuple[Counterexample, ...]:
    """Those of verifications that the requirement holds; what refutes that it never holds is no defect."""
    models = {model.id.value: model for model in plan.models}
    found = [
        counterexample(run.result, models[run.planned.model.value], plan.inputs, run.planned.box)
        for run in runs
        if run.planned is not None and run.planned.claim.value != "never"
    ]
    return tuple(each for each in found if each is not None)


def _coverage(
    plan: Plan, planned: PlannedRequirement, assessed: AssessedRequirement, runs: Sequence[Run]
) -> tuple[Coverage, ...]:
    if planned.coverage is None:
        return ()
    by_model: dict[str, list[tuple[PlannedVerification, Result]]] = defaultdict(list)
    for run in runs:
        if run.planned is not None:
            by_model[run.planned.model.value].append((run.planned, run.result))
    return tuple(
        coverage_of(each, planned.coverage, by_model[each.model.value], plan.inputs)
        for each in assessed.coverage
    )


def _efforts(results: Results, runs: Sequence[Run]) -> tuple[Effort, ...]:
    by_model: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.planned is not None:
            by_model[run.planned.model.value].append(run)
    found = []
    for alike in by_model.values():
        numbers = [run.result.number for run in alike]
        model = None if alike[0].planned is None else alike[0].planned.model
        found.append(effort(results, numbers, model, _among(results, numbers)))
    return tuple(found)
