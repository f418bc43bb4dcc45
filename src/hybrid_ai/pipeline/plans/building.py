"""Put together a plan in which nothing was found wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hybrid_ai.pipeline.plans.meaning import Meaning
from hybrid_ai.pipeline.plans.model import (
    Assumption,
    Budget,
    Constraint,
    ModelEntry,
    Objective,
    Odd,
    Plan,
    Requirement,
    Review,
    System,
    Tensors,
)
from hybrid_ai.pipeline.plans.numbers import read_number
from hybrid_ai.pipeline.plans.requirements import Claim
from hybrid_ai.pipeline.plans.structure import Entry
from hybrid_ai.pipeline.plans.tables import BUDGET, REVIEW, Table


def build_plan(top: Entry, meaning: Meaning, file: Path, source: bytes) -> Plan:
    """Make a plan of what was read.

    Args:
        top: the plan, sound.
        meaning: of all its tables, with nothing wrong.
        file: where it was read from.
        source: its bytes.
    """
    models = zip(top.entries("model"), meaning.tensors, meaning.digests, strict=True)
    return Plan(
        file,
        source,
        _system(top.get("system")),
        tuple(_model(entry, tensors, digest, file.parent) for entry, tensors, digest in models),
        _odd(top.get("odd"), meaning),
        tuple(map(_requirement, top.entries("requirement"), meaning.claims)),
        tuple(
            Assumption(each.get("id"), each.get("text"), each.get("source"))
            for each in top.entries("assumption")
        ),
        tuple(
            Objective(each.get("catalogue"), each.get("id"), each.get("requirements"), each.get("note"))
            for each in top.entries("objective")
        ),
        _budget(top.get("budget") or Entry(())),
        _review(top.get("review") or Entry(())),
    )


def _system(entry: Entry) -> System:
    return System(
        entry.get("id"),
        entry.get("version"),
        entry.get("name") or entry.get("id"),
        entry.get("intended_use"),
        entry.get("exclusions") or (),
        entry.get("organisation"),
    )


def _model(entry: Entry, tensors: Tensors | None, digest: str | None, folder: Path) -> ModelEntry:
    assert tensors is not None and digest is not None, "what is wrong was noted"
    path = entry.get("path")
    return ModelEntry(entry.get("id"), path, folder / path, digest, tensors)


def _odd(entry: Entry, meaning: Meaning) -> Odd:
    constraints = []
    for table, condition in zip(entry.entries("constraint"), meaning.constraints, strict=True):
        assert condition is not None, "what is wrong was noted"
        constraints.append(Constraint(condition, table.get("source")))
    return Odd(entry.get("description"), tuple(meaning.domain.values()), tuple(constraints))


def _requirement(entry: Entry, claim: Claim) -> Requirement:
    return Requirement(
        id=entry.get("id"),
        text=entry.get("text"),
        models=claim.models,
        rationale=entry.get("rationale"),
        source=entry.get("source"),
        criticality=entry.get("criticality"),
        acceptance=entry.get("acceptance"),
        method=entry.get("method"),
        parent=entry.get("parent"),
        assumptions=entry.get("assumptions") or (),
        where=claim.where,
        require=claim.require,
        property=entry.get("property"),
        property_file=claim.property_file,
        samples=claim.samples,
        coverage=claim.coverage,
    )


def _budget(entry: Entry) -> Budget:
    return Budget(
        entry.get("timeout") or read_number(str(_default(BUDGET, "timeout"))),
        entry.get("memory") or _default(BUDGET, "memory"),
        entry.get("threads"),
        entry.get("jobs") or _default(BUDGET, "jobs"),
        entry.get("seed") or _default(BUDGET, "seed"),
        entry.get("arithmetic"),
    )


def _review(entry: Entry) -> Review:
    roles = entry.get("roles")
    return Review(entry.get("statement"), tuple(_default(REVIEW, "roles")) if roles is None else roles)


def _default(table: Table, name: str) -> Any:
    key = table.key(name)
    assert key is not None and key.default is not None, "the key has a default"
    return key.default
