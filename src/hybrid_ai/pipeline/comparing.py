"""What changed between two dossiers: models, properties, tool and verdicts, by requirement."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.pipeline.documents import ASSESSMENT, PLAN, RESULTS, read_documents
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.plans.assessment import require_assessment

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """How one requirement differs between two dossiers: old and new value each; None where they are the same.

    Attributes:
        requirement: its id; in dossiers without a plan, the paths of model and property, and of results about
            the same two the number of each but the first, in parentheses.
        presence: `("absent", "present")` where only the new dossier has it, and the other way round.
        verdict: as the dossiers say.
        models: SHA-256 of its models, hexadecimal, joined by blanks.
        statement: what it requires: its formulas, and SHA-256 of its properties, in one text.
        arguments: time limit, memory, arithmetic and so on, in one text.
        tool: versions of hybrid-ai, joined by blanks.
    """

    requirement: str
    presence: tuple[str, str] | None = None
    verdict: tuple[str, str] | None = None
    models: tuple[str, str] | None = None
    statement: tuple[str, str] | None = None
    arguments: tuple[str, str] | None = None
    tool: tuple[str, str] | None = None

    def line(self) -> str:
        """The difference as one line for people."""
        told = [
            f"{name} {old} -> {new}" if name in ("presence", "verdict", "tool") else f"{name} changed"
            for name, (old, new) in self.changes().items()
        ]
        return f"{self.requirement}: {', '.join(told)}"

    def changes(self) -> dict[str, tuple[str, str]]:
        """What changed, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, tuple)}


def compare(old: Path, new: Path) -> list[Difference]:
    """The requirements of two dossiers that differ, in the order of the new one, then those that it lacks.

    Args:
        old: folder or zip.
        new: likewise.

    Raises:
        BadInput: one of them is no certification.
        Refused: one of them is damaged.
    """
    before, after = _states(old), _states(new)
    found = []
    for name in [*after, *(name for name in before if name not in after)]:
        if name not in before or name not in after:
            presence = ("absent", "present") if name in after else ("present", "absent")
            found.append(Difference(name, presence=presence))
            continue
        pairs = {key: (before[name][key], after[name][key]) for key in after[name]}
        changed = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        if changed:
            found.append(Difference(name, **changed))
    return found


def _states(path: Path) -> dict[str, dict[str, str]]:
    """What a dossier says of each requirement, or of each model and property where it has no plan."""
    container = open_container(path)
    if verify_dossier(container, levels={"integrity"}, trust={}).kind != "certification":
        raise BadInput(f"{path}: is a folder that somebody sealed: give two certifications")
    read = read_documents(container)
    require_assessment(read)
    try:
        return _by_requirement(read) if PLAN in read else _by_files(read)
    except (KeyError, TypeError, IndexError) as error:
        raise BadInput(f"{path}: {PLAN} or {ASSESSMENT} is none of ours: compare others") from error


def _by_files(read: Mapping[str, Content]) -> dict[str, dict[str, str]]:
    """By model and property; where several results are about the same two, by their order as well."""
    states: dict[str, dict[str, str]] = {}
    seen: Counter[str] = Counter()
    for each in read[RESULTS]["results"]:
        files = f"{each['model']} {each['property']}"
        seen[files] += 1
        name = files if seen[files] == 1 else f"{files} ({seen[files]})"
        states[name] = _state(each["verdict"], "", [each])
    return states


def _by_requirement(read: Mapping[str, Content]) -> dict[str, dict[str, str]]:
    results = read[RESULTS]["results"]
    status = {row["id"]: row["status"] for row in read[ASSESSMENT]["requirements"]}
    return {
        row["id"]: _state(
            status[row["id"]],
            json.dumps([row[name] for name in ("text", "where", "require", "samples", "coverage")]),
            [results[number - 1] for number in row["verifications"]],
        )
        for row in read[PLAN]["requirements"]
    }


def _state(verdict: str, stated: str, results: Sequence[Content]) -> dict[str, str]:
    return {
        "verdict": verdict,
        "models": _joined(result["model_sha256"] for result in results),
        "statement": f"{stated} {_joined(result['property_sha256'] for result in results)}",
        "arguments": _joined(_ordered(result["parameters"]) for result in results),
        "tool": _joined(result["version"] for result in results),
    }


def _joined(texts: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(texts))


def _ordered(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
