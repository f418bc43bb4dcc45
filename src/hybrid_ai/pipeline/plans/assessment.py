"""What became of a plan: verdicts of requirements, volumes of coverage maps, and what is not covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

Content = dict[str, Any]
VERDICTS = ("proved", "refuted", "unknown")
ARITHMETICS = ("real", "float32")


def assess(plan: Content, results: Sequence[Content], objectives: Content) -> Content:
    """The content of `assessment.json` (docs/formats/plan.md).

    Args:
        plan: content of `plan/plan.json`.
        results: as `results.json` lists them.
        objectives: the members about objectives: `objectives`, `without_objective`, `without_evidence`.

    Sound because: a requirement is proved only when every verification that it holds is; a cell only counts
        as refuted when the requirement's negation is proved on all of it.
    """
    claims = {row["number"]: row for row in plan["verifications"]}
    rows = [_requirement(each, claims, results) for each in plan["requirements"]]
    positive = [results[n - 1]["verdict"] for n, row in claims.items() if row["claim"] != "never"]
    return {
        "format": 1,
        "counts": {
            "requirements": _counts(row["status"] for row in rows),
            "verifications": _counts(positive),
        },
        "requirements": rows,
        **objectives,
        "not_covered": _not_covered(plan, rows),
    }


def combined(verdicts: Iterable[str]) -> str:
    """Refuted if one is, proved if all are, else unknown; of nothing, unknown."""
    found = set(verdicts)
    if "refuted" in found:
        return "refuted"
    return "proved" if found == {"proved"} else "unknown"


def _counts(verdicts: Iterable[str]) -> dict[str, int]:
    counted = Counter(verdicts)
    return {name: counted[name] for name in VERDICTS}


def _requirement(requirement: Content, claims: Mapping[int, Content], results: Sequence[Content]) -> Content:
    numbers = [number for number in requirement["verifications"] if claims[number]["claim"] != "never"]
    found = [results[number - 1] for number in numbers]
    asked = [name for name in ARITHMETICS if any(name in result["arithmetics"] for result in found)]
    return {
        "id": requirement["id"],
        "status": combined(result["verdict"] for result in found),
        "arithmetics": {
            name: combined(result["arithmetics"].get(name, "unknown") for result in found) for name in asked
        },
        "counts": _counts(result["verdict"] for result in found),
        "reasons": dict(sorted(Counter(filter(None, (result["reason"] for result in found))).items())),
        "vacuous": len(_vacuous(requirement, claims, results)),
        "coverage": _coverage(requirement, claims, results),
    }


def _vacuous(
    requirement: Content, claims: Mapping[int, Content], results: Sequence[Content]
) -> set[int | tuple[Any, ...]]:
    """What holds of no input: verifications whose certificate says so, and cells that hold and never hold."""
    found: set[int | tuple[Any, ...]] = set()
    proved: dict[tuple[Any, ...], set[str]] = {}
    for number in requirement["verifications"]:
        claim, result = claims[number], results[number - 1]
        if claim["cell"] is None:
            found |= {number} if result["vacuous"] else set()
        elif result["verdict"] == "proved":
            proved.setdefault((claim["model"], *claim["cell"]), set()).add(claim["claim"])
    return found | {cell for cell, both in proved.items() if both == {"holds", "never"}}


def _coverage(
    requirement: Content, claims: Mapping[int, Content], results: Sequence[Content]
) -> list[Content] | None:
    """Each model's cells and volumes; cells of a map are of equal volume."""
    if requirement["coverage"] is None:
        return None
    cells: dict[str, dict[tuple[int, ...], dict[str, str]]] = {}
    for number in requirement["verifications"]:
        claim = claims[number]
        cell = cells.setdefault(claim["model"], {}).setdefault(tuple(claim["cell"]), {})
        cell[claim["claim"]] = results[number - 1]["verdict"]
    rows = []
    for model, found in cells.items():
        counts = _counts(map(cell_verdict, found.values()))
        volume = {name: str(Fraction(count, len(found))) for name, count in counts.items()}
        rows.append({"model": model, "cells": counts, "volume": volume})
    return rows


def cell_verdict(verdicts: Mapping[str, str]) -> str:
    """A cell's verdict from those of the claims that the requirement `holds` and `never` holds on it."""
    if verdicts["holds"] == "proved":
        return "proved"
    return "refuted" if verdicts["never"] == "proved" else "unknown"


def _not_covered(plan: Content, rows: Sequence[Content]) -> list[Content]:
    """What a reader could take for covered and is not, each with its kind and what it is about."""
    found: list[Content] = [{"kind": "outside_domain"}]
    stated = {each["id"]: each for each in plan["requirements"]}
    for row in rows:
        missing = [name for name in ARITHMETICS if name not in row["arithmetics"]]
        found += [{"kind": "arithmetic", "requirement": row["id"], "arithmetic": name} for name in missing]
        if row["counts"]["unknown"]:
            found.append({"kind": "unknown", "requirement": row["id"], "count": row["counts"]["unknown"]})
        if stated[row["id"]]["require"] is None and stated[row["id"]]["samples"] is None:
            found.append({"kind": "not_physical", "requirement": row["id"]})
        if stated[row["id"]]["samples"] is not None:
            found.append({"kind": "samples_only", "requirement": row["id"]})
        if row["vacuous"]:
            found.append({"kind": "vacuous", "requirement": row["id"], "count": row["vacuous"]})
    return found
