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

Content = dict[str, Any]
LARGEST_RESULTS = 2**30


def contents(path: Path) -> Content:
    """What is in a dossier whose integrity is established, as values that JSON can hold.

    Raises:
        Refused: it is damaged.
    """
    container = open_container(path)
    own = sha256(generate()).hexdigest()
    report = verify_dossier(container, levels={"integrity"}, trust={}, own_sha256=own)
    results: list[Content] = []
    if report.kind == "certification":
        results = json.loads(container.read("results.json", LARGEST_RESULTS))["results"]
    kept = ("kind", "digest", "log", "entries", "sealed", "seal_key", "flags")
    told = {name: value for name, value in asdict(report).items() if name in kept}
    return {**told, "results": results, "additions": [_told(each, report) for each in report.additions]}


def _told(addition: Addition, report: Report) -> Content:
    told: Content = {
        name: getattr(addition, name) for name in ("sequence", "time", "action", "path", "key", "role")
    }
    if addition.signature is not None:
        told |= asdict(addition.signature)
        told["independence"] = "same key as the seal" if addition.key == report.seal_key else "different key"
    return told


def shown(path: Path) -> str:
    """The contents of a dossier as lines for people.

    Raises:
        Refused: it is damaged.
    """
    content = contents(path)
    lines = [f"digest {content['digest']}", f"sealed {content['sealed']} by {content['seal_key']}"]
    for result in content["results"]:
        reason = f" ({result['reason']})" if result.get("reason") else ""
        lines.append(f"{result['model']} {result['property']}: {result['verdict']}{reason}")
    for added in content["additions"]:
        lines.append(_line(added))
    return "\n".join(map(_printable, [*lines, *content["flags"]]))


def _printable(line: str) -> str:
    """One line on a terminal: whoever signs may write what he likes, but not lines or colours of ours."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


def _line(added: Content) -> str:
    if added["role"] is None:
        return f"attached {added['time']}: {added['path']} by {added['key']}"
    who = ", ".join(text for text in (added["name"], added["organisation"]) if text)
    declared = f"declared {who}" if who else "nobody declared"
    said = f": {added['statement']}" if added["statement"] else ""
    return f"signed {added['time']} as {added['role']} ({added['independence']}, {declared}){said}"
