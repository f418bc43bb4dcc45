"""What the tables of a plan mean together: quantities, the domain, formulas, files, references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.pipeline.plans.defects import Findings
from hybrid_ai.pipeline.plans.files import check_model
from hybrid_ai.pipeline.plans.model import Condition, OddInput, Tensors, count_verifications
from hybrid_ai.pipeline.plans.quantities import read_domain, read_tensors
from hybrid_ai.pipeline.plans.references import check_objectives, check_parents, read_ids
from hybrid_ai.pipeline.plans.requirements import (
    Claim,
    Surroundings,
    check_constraint,
    read_claim,
    read_condition,
)
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import MOST_VERIFICATIONS


@dataclass(frozen=True)
class Meaning:
    """What was found, in the order of the plan's tables; None stands for what is wrong, and was noted.

    Attributes:
        tensors: inputs and outputs of each model.
        digests: SHA-256 of each model's file, hexadecimal.
        domain: ranges of the input elements by name.
        constraints: formula of each constraint of the domain.
        claims: of each requirement.
    """

    tensors: tuple[Tensors | None, ...]
    digests: tuple[str | None, ...]
    domain: Mapping[str, OddInput]
    constraints: tuple[Condition | None, ...]
    claims: tuple[Claim, ...]


def find_meaning(top: Entry, folder: Path, findings: Findings) -> Meaning:
    """Check everything beyond the form of single values.

    Args:
        top: the plan, in which values may be wrong: about what rests on them nothing is said.
        folder: in which the plan is.
        findings: receives what is wrong.
    """
    models, requirements = top.entries("model"), top.entries("requirement")
    model_ids, requirement_ids, assumption_ids = (
        read_ids(kind, top, findings) for kind in ("model", "requirement", "assumption")
    )
    check_parents(requirement_ids, findings)
    check_objectives(top.entries("objective"), requirement_ids, findings)
    for entry in requirements:
        assumption_ids.check_all(entry, "assumptions", findings)
    tensors = read_tensors(models, model_ids, findings)
    digests = [
        check_model(entry, sides, folder, findings) for entry, sides in zip(models, tensors, strict=True)
    ]
    odd: Entry = top.get("odd") or Entry(())
    domain = read_domain(models, tensors, odd, findings)
    constraints = [read_condition(entry, "formula", findings) for entry in odd.entries("constraint")]
    for entry, constraint in zip(odd.entries("constraint"), constraints, strict=True):
        if constraint is not None:
            check_constraint(entry, constraint, tensors, findings)
    pairs = zip(models, tensors, strict=True)
    by_id = {entry.get("id"): sides for entry, sides in pairs if entry.get("id") is not None}
    around = Surroundings(folder, model_ids, by_id, domain, findings)
    claims = [read_claim(entry, around) for entry in requirements]
    _check_used(models, claims, findings)
    _check_count(requirements, claims, findings)
    return Meaning(tuple(tensors), tuple(digests), domain, tuple(constraints), tuple(claims))


def _check_used(models: tuple[Entry, ...], claims: list[Claim], findings: Findings) -> None:
    """Note models that no requirement is about: nothing of them would be in the dossier."""
    used = {name for claim in claims for name in claim.models}
    if not findings.is_clean:  # what is wrong may be the reason
        return
    for entry in models:
        if entry.get("id") is not None and entry.get("id") not in used:
            findings.add(entry.at("id"), "no requirement is about this model: name it in one, or remove it")


def _check_count(requirements: tuple[Entry, ...], claims: list[Claim], findings: Findings) -> None:
    """Note the requirement with the most verifications where all together are too many for a dossier."""
    counts = [count_verifications(each.models, each.samples, each.coverage) for each in claims]
    if sum(counts) > MOST_VERIFICATIONS:
        most = counts.index(max(counts))
        reason = (
            f"becomes {counts[most]} of the plan's {sum(counts)} verifications, and a dossier has at most"
            f" {MOST_VERIFICATIONS}: take fewer cells, samples or models, or make two plans"
        )
        findings.add(requirements[most].path, reason)
