"""A dossier as text: results, signatures, attachments."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from hybrid_ai.audit.standalone import generate
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import Addition, Report, verify_dossier
from hybrid_ai.audit.verification.program import independence_text, one_line, quoted, verdict_text

Content = dict[str, Any]
LARGEST_RESULTS = 2**30


def contents(path: Path) -> Content:
    """What is in a dossier whose integrity is established, as values that JSON can hold.

    Raises:
        Refused: it is damaged.
    """
    report, results = _read(path)
    kept = ("kind", "digest", "log", "entries", "sealed", "seal_key", "flags")
    told = {name: value for name, value in asdict(report).items() if name in kept}
    return {**told, "results": results, "additions": [_told(each) for each in report.additions]}


def shown(path: Path) -> str:
    """The contents of a dossier as lines for people.

    Raises:
        Refused: it is damaged.
    """
    report, results = _read(path)
    lines = [f"digest {report.digest}", f"sealed {report.sealed} by {report.seal_key}"]
    # `verify_dossier` saw that results.json holds the results of the statements, in their order.
    for result, content in zip(report.results, results, strict=True):
        reason = f" ({quoted(content['reason'])})" if content.get("reason") else ""
        lines.append(f"{result.model} {result.property}: {verdict_text(result)}{reason}")
    lines += [_line(added) for added in report.additions]
    return "\n".join(map(one_line, [*lines, *report.flags]))


def _read(path: Path) -> tuple[Report, list[Content]]:
    """The report on a dossier's integrity, and the contents of its results.json."""
    container = open_container(path)
    own = sha256(generate()).hexdigest()
    report = verify_dossier(container, levels={"integrity"}, trust={}, own_sha256=own)
    results: list[Content] = []
    if report.kind == "certification":
        results = json.loads(container.read("results.json", LARGEST_RESULTS))["results"]
    return report, results


def _told(addition: Addition) -> Content:
    told: Content = {
        name: getattr(addition, name) for name in ("sequence", "time", "action", "path", "key", "role")
    }
    if addition.signature is not None:
        told |= asdict(addition.signature)
        told["independence"] = "same key as the seal" if addition.seals else "different key"
        told["same_key"] = list(addition.same_key)
        told["same_organisation"] = list(addition.same_organisation)
    return told


def _line(added: Addition) -> str:
    said = added.signature
    if said is None:
        return f"attached {added.time}: {added.path} by {added.key}"
    name = "no declared name" if said.name is None else f"declared name {quoted(said.name)}"
    statement = f": {quoted(said.statement)}" if said.statement else ""
    return f"signed {added.time} as {added.role} ({independence_text(added)}, {name}){statement}"
