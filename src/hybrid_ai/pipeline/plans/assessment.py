"""What became of a plan: verdicts of requirements, volumes of coverage maps, and what is not covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from hybrid_ai import rules
from hybrid_ai.audit.results import cell_verdict
from hybrid_ai.pipeline.documents import ASSESSMENT, PLAN, RESULTS
from hybrid_ai.pipeline.errors import BadInput

Content = dict[str, Any]
VERDICTS = ("proved", "refuted", "unknown")
ARITHMETICS = ("real", "float32")
OUTSIDE = "the counterexample lies outside of the stated domain"


def assess(plan: Content, results: Sequence[Content], objectives: Content) -> Content:
    """The content of `assessment.json` (docs/formats/plan.md).

    Args:
        plan: content of `plan/plan.json`.
        results: as `results.json` lists them.
        objectives: the members about objectives: `objectives`, `without_objective`, `without_evidence`.

    Sound because: a requirement is proved only when every verification that it holds is, and not all of them
        are vacuous; a cell only counts as refuted when the requirement's negation is proved on all of it; a
        counterexample counts only where it lies in the domain as the plan states it, for what was verified
        may be a stronger claim.
    """
    outside = _outside(plan, results)
    results = _without(outside, results)
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
        "outside": outside,
        **objectives,
        "not_covered": _not_covered(plan, rows, claims, results),
    }


def require_assessment(documents: Mapping[str, Content]) -> None:
    """Require that an assessment is what plan and results give, its members about objectives apart.

    Args:
        documents: plan, assessment and results by the names of their files.

    Raises:
        BadInput: it says something else, or one of them is none of ours.
    """
    if ASSESSMENT not in documents and PLAN not in documents:
        return
    try:
        told = documents[ASSESSMENT]
        found = assess(documents[PLAN], documents[RESULTS]["results"], {})
    except (KeyError, TypeError, IndexError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise BadInput(f"{PLAN} or {ASSESSMENT} is none that certify made: certify again") from error
    for name, value in found.items():
        if told.get(name) != value:
            raise BadInput(f"{ASSESSMENT}: {name}: is not what {PLAN} and {RESULTS} give: certify again")


def _outside(plan: Content, results: Sequence[Content]) -> list[int]:
    """Numbers of the refuted verifications whose counterexample is not in the domain that the plan states."""
    constraints = [rules.parse(each["formula"]) for each in plan["odd"]["constraints"]]
    stated = {
        each["id"]: constraints if each["where"] is None else [*constraints, rules.parse(each["where"])]
        for each in plan["requirements"]
    }
    models = {each["id"]: each for each in plan["models"]}
    found = []
    for row in plan["verifications"]:
        result = results[row["number"] - 1]
        if row["claim"] == "holds" and result["verdict"] == "refuted":
            point = result["counterexample"]["x"]
            if not _is_inside(row, models[row["model"]], stated[row["requirement"]], point):
                found.append(row["number"])
    return found


def _is_inside(row: Content, model: Content, formulas: Sequence[rules.Formula], point: Sequence[str]) -> bool:
    """Whether a point of the network's inputs is, in physical units, in a box and satisfies formulas.

    A formula over an input that the model lacks says nothing for sure: then it is not.
    """
    physical = {
        each["name"]: Fraction(value) * Fraction(each["scale"]) + Fraction(each["offset"])
        for each, value in zip(model["inputs"], point, strict=True)
    }
    within = all(
        Fraction(each["minimum"]) <= physical[each["name"]] <= Fraction(each["maximum"])
        for each in row["box"]
    )
    return within and all(
        rules.names(formula) <= physical.keys() and rules.evaluate(formula, physical) for formula in formulas
    )


def _without(outside: Sequence[int], results: Sequence[Content]) -> list[Content]:
    left_out = set(outside)
    numbered = enumerate(results, start=1)
    return [_not_refuted(result) if number in left_out else result for number, result in numbered]


def _not_refuted(result: Content) -> Content:
    verdicts = {
        name: "unknown" if verdict == "refuted" else verdict
        for name, verdict in result["arithmetics"].items()
    }
    return {**result, "verdict": "unknown", "arithmetics": verdicts, "reason": OUTSIDE}


def as_stated(plan: Content, results: Sequence[Content]) -> list[Content]:
    """The results, refuted no more where the counterexample is not in the domain that the plan states."""
    return _without(_outside(plan, results), results)


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
    vacuous = _vacuous(requirement, claims, results)
    says_nothing = len(vacuous) == len(found)
    return {
        "id": requirement["id"],
        "status": "unknown" if says_nothing else combined(result["verdict"] for result in found),
        "arithmetics": {
            name: "unknown"
            if says_nothing
            else combined(result["arithmetics"].get(name, "unknown") for result in found)
            for name in asked
        },
        "counts": _counts(result["verdict"] for result in found),
        "reasons": dict(sorted(Counter(filter(None, (result["reason"] for result in found))).items())),
        "vacuous": len(vacuous),
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
            claimed = {"holds", "never"} if result["vacuous"] else {claim["claim"]}
            proved.setdefault((claim["model"], *claim["cell"]), set()).update(claimed)
    return found | {cell for cell, both in proved.items() if both == {"holds", "never"}}


def _coverage(
    requirement: Content, claims: Mapping[int, Content], results: Sequence[Content]
) -> list[Content] | None:
    """Each model's cells and volumes; cells of a map are of equal volume."""
    if requirement["coverage"] is None:
        return None
    cells: dict[str, dict[tuple[int, ...], dict[str, tuple[str, bool]]]] = {}
    for number in requirement["verifications"]:
        claim, result = claims[number], results[number - 1]
        cell = cells.setdefault(claim["model"], {}).setdefault(tuple(claim["cell"]), {})
        cell[claim["claim"]] = result["verdict"], result["vacuous"]
    rows = []
    for model, found in cells.items():
        counts = _counts(map(cell_verdict, found.values()))
        volume = {name: str(Fraction(count, len(found))) for name, count in counts.items()}
        rows.append({"model": model, "cells": counts, "volume": volume})
    return rows


def _not_covered(
    plan: Content, rows: Sequence[Content], claims: Mapping[int, Content], results: Sequence[Content]
) -> list[Content]:
    """What a reader could take for covered and is not, each with its kind and what it is about."""
    found: list[Content] = [{"kind": "outside_domain"}]
    scaled = sum(map(_is_scaled, plan["models"]))
    if scaled and any("float32" in result["arithmetics"] for result in results):
        found.append({"kind": "scaling", "count": scaled})
    stated = {each["id"]: each for each in plan["requirements"]}
    for row in rows:
        held = [
            results[number - 1]
            for number in stated[row["id"]]["verifications"]
            if claims[number]["claim"] != "never"
        ]
        missing = [name for name in ARITHMETICS if any(name not in each["arithmetics"] for each in held)]
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


def _is_scaled(model: Content) -> bool:
    """Whether the network's values are not the physical ones."""
    quantities = [*model["inputs"], *model["outputs"]]
    return any(Fraction(each["scale"]) != 1 or Fraction(each["offset"]) != 0 for each in quantities)
