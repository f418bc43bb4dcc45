"""Requirements of a plan: what they are about, and their formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path as FilePath

from hybrid_ai import rules
from hybrid_ai.pipeline.plans.defects import Findings, nearest
from hybrid_ai.pipeline.plans.files import check_property, find_file
from hybrid_ai.pipeline.plans.model import Condition, Coverage, OddInput, Samples, Tensors
from hybrid_ai.pipeline.plans.positions import Path
from hybrid_ai.pipeline.plans.references import Ids
from hybrid_ai.pipeline.plans.samples import read_samples
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import MOST_CELLS
from hybrid_ai.rules.printing import text_of

Models = Sequence[tuple[str, Tensors]]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a requirement claims, as far as it is right.

    Attributes:
        models: ids of the models that it is about.
    """

    models: tuple[str, ...]
    where: Condition | None = None
    require: Condition | None = None
    property_file: FilePath | None = None
    samples: Samples | None = None
    coverage: Coverage | None = None


@dataclass(frozen=True)
class Surroundings:
    """What requirements refer to.

    Attributes:
        folder: of the plan.
        ids: of the models.
        models: their inputs and outputs by id, in the plan's order; None where they are wrong.
        domain: right ranges of inputs by name.
        findings: receives what is wrong.
    """

    folder: FilePath
    ids: Ids
    models: Mapping[str, Tensors | None]
    domain: Mapping[str, OddInput]
    findings: Findings

    def ranges(self, names: Iterable[str]) -> dict[str, rules.Range]:
        """The ranges of those of some inputs of which they are right."""
        spans = [self.domain[name] for name in names if name in self.domain]
        return {each.name: rules.Range(each.minimum.value, each.maximum.value) for each in spans}


def read_claim(entry: Entry, around: Surroundings) -> Claim:
    """Read and check what a requirement claims.

    Args:
        entry: table `[[requirement]]`.
        around: what it refers to.
    """
    findings = around.findings
    ids = _model_ids(entry, around)
    found = [(name, around.models.get(name)) for name in ids]
    # Where one is wrong nothing can be said about names.
    models = (
        [] if any(tensors is None for _, tensors in found) else [(n, t) for n, t in found if t is not None]
    )
    where, require = (read_condition(entry, key, findings) for key in ("where", "require"))
    if models and where is not None and not _check_where(entry, where, models, around):
        where = None
    if models and require is not None:
        _check_require(entry, require, models, findings)
    file = find_file(around.folder, entry.get("property"), entry.at("property"), findings)
    if models and file is not None:
        check_property(file, entry.at("property"), models, findings)
    samples = coverage = None
    if models and (table := entry.get("samples")) is not None:
        samples = read_samples(table, around.folder, models, around.domain, findings)
    if models and (table := entry.get("coverage")) is not None:
        coverage = _coverage(table, entry, where, models, around)
    return Claim(ids, where, require, file, samples, coverage)


def read_condition(entry: Entry, key: str, findings: Findings) -> Condition | None:
    """The formula of a key, None where there is none or it is none."""
    text = entry.get(key)
    if text is None:
        return None
    try:
        return Condition(text, rules.parse(text))
    except rules.FormulaError as error:
        findings.add(entry.at(key), str(error))
        return None


def check_constraint(
    entry: Entry, condition: Condition, models: Sequence[Tensors | None], findings: Findings
) -> None:
    """See that a constraint of the domain is about inputs, all of which one model has.

    Args:
        entry: table `[[odd.constraint]]`.
        condition: its formula.
        models: inputs and outputs of each, None where they are wrong: then nothing is said.
        findings: receives what is wrong.
    """
    sides = [each for each in models if each is not None]
    used = rules.names(condition.formula)
    if len(sides) < len(models) or any(used <= each.input_names.keys() for each in sides):
        return
    path = entry.at("formula")
    inputs = dict.fromkeys(name for each in sides for name in each.input_names)
    for name in sorted(used - inputs.keys()):
        whose = next((each for each in sides if name in each.output_names), sides[0])
        findings.add(path, _no_input(name, "a model", whose, inputs))
    if used <= inputs.keys():
        reason = f"no model has all of {', '.join(sorted(used))}: give a formula for each model"
        findings.add(path, reason)


def _model_ids(entry: Entry, around: Surroundings) -> tuple[str, ...]:
    """Ids of the models that a requirement is about, in the plan's order; none where one is wrong."""
    if "models" in entry.wrong:
        return ()
    around.ids.check_all(entry, "models", around.findings)
    asked: tuple[str, ...] = entry.get("models") or tuple(around.models)
    return (
        tuple(name for name in around.models if name in asked) if set(asked) <= around.models.keys() else ()
    )


def _check_where(entry: Entry, where: Condition, models: Models, around: Surroundings) -> bool:
    """Note names that are no inputs, and a part of the domain that is empty; tell whether there is none."""
    is_right = True
    for name in sorted(rules.names(where.formula)):
        for model, tensors in models:
            if name not in tensors.input_names:
                reason = _no_input(name, f"model {model}", tensors, tensors.input_names)
                around.findings.add(entry.at("where"), reason)
                is_right = False
                break
    if not is_right:
        return False
    for name, span in _narrowed(where, around)[0].items():
        if span.minimum > span.maximum:
            whole = around.domain[name]
            reason = (
                f"leaves nothing of the domain, in which {name} is from {whole.minimum.text} to"
                f" {whole.maximum.text}: correct one of them"
            )
            around.findings.add(entry.at("where"), reason)
            return False
    return True


def _check_require(entry: Entry, require: Condition, models: Models, findings: Findings) -> None:
    """Note names that are neither inputs nor outputs of each of the models."""
    for name in sorted(rules.names(require.formula)):
        for model, tensors in models:
            known = [*tensors.output_names, *tensors.input_names]
            if name not in tensors.output_names and name not in tensors.input_names:
                reason = f"{name!r} is no input or output of model {model}: {_meant(name, tensors, known)}"
                findings.add(entry.at("require"), reason)
                break


def _no_input(name: str, whose: str, tensors: Tensors, inputs: Iterable[str]) -> str:
    if name in tensors.output_names:
        return f"{name!r} is an output of {whose}, and this is about inputs: say it in require"
    return f"{name!r} is no input of {whose}: {_meant(name, tensors, inputs)}"


def _meant(name: str, tensors: Tensors, known: Iterable[str]) -> str:
    """What a message says of a name that is not known: that of a group, or something near."""
    group = [each.name for each in tensors.inputs + tensors.outputs if each.group == name]
    if group:
        return f"its elements are {group[0]} to {group[-1]}"
    return nearest(name, known)


def _narrowed(
    where: Condition, around: Surroundings
) -> tuple[dict[str, rules.Range], tuple[rules.Formula, ...]]:
    """The ranges that a condition bounds, and what of it bounds more than one input.

    Nothing where the range of one of its names is not known.
    """
    used = rules.names(where.formula)
    ranges = around.ranges(used)
    return rules.narrowed(ranges, [where.formula]) if len(ranges) == len(used) else ({}, ())


def _coverage(
    table: Entry, entry: Entry, where: Condition | None, models: Models, around: Surroundings
) -> Coverage | None:
    """Check a table of coverage; None where something is wrong in it."""
    inputs, cells = table.get("inputs"), table.get("cells")
    if inputs is None or cells is None:
        return None
    found = _coverage_defects(table, inputs, cells, models)
    if len(inputs) == len(cells):
        narrower, others = ({}, ()) if where is None else _narrowed(where, around)
        spans = around.ranges(inputs) | narrower
        if others:
            reason = f"bounds more than single inputs, and coverage cuts boxes: {text_of(others[0])[:100]}"
            found.append((entry.at("where"), f"{reason}; bound single inputs, or leave coverage out"))
        for number, (name, count) in enumerate(zip(inputs, cells, strict=True)):
            span = spans.get(name)
            if count > 1 and span is not None and span.minimum == span.maximum:
                reason = f"cuts {name}, which has one value, into {count} cells: write 1, or leave {name} out"
                found.append((table.at("cells", number), reason))
    for path, reason in found:
        around.findings.add(path, reason)
    return None if found else Coverage(inputs, cells)


def _coverage_defects(
    table: Entry, inputs: Sequence[str], cells: Sequence[int], models: Models
) -> list[tuple[Path, str]]:
    """What is wrong with the names and numbers alone: places and reasons."""
    found: list[tuple[Path, str]] = []
    for number, name in enumerate(inputs):
        for model, tensors in models:
            if name not in tensors.input_names:
                reason = _no_input(name, f"model {model}", tensors, tensors.input_names)
                found.append((table.at("inputs", number), reason))
                break
    if len(inputs) != len(cells):
        reason = f"has {len(cells)} numbers for {len(inputs)} inputs: give one for each"
        found.append((table.at("cells"), reason))
    elif prod(cells) > MOST_CELLS:
        found.append((table.at("cells"), f"gives {prod(cells)} cells: at most {MOST_CELLS} are supported"))
    return found
