"""A plan by hand, and what became of it by the words of its format."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

Json = dict[str, Any]

INPUTS = [  # name, unit, offset, scale, minimum, maximum
    ("rho", "ft", "19791.091", "60261", "0", "60760"),
    ("theta", "rad", "0", "6.28318530718", "-3.141592", "3.141592"),
    ("psi", "rad", "0", "6.28318530718", "-3.141592", "3.141592"),
    ("v_own", "ft/s", "650", "1100", "100", "1200"),
    ("v_int", "ft/s", "600", "1200", "0", "1200"),
]
OUTPUTS = ["COC", "WL", "WR", "SL", "SR"]
MODELS = {"clear": "models/clear.onnx", "left": "models/left.onnx", "spare": None}
CATALOGUE = "easa-concept-paper-2"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def plan(requirements: list[Json], verifications: list[Json]) -> Json:
    """The content of `plan/plan.json`."""
    inputs = [
        {"name": row[0], "unit": row[1], "minimum": row[4], "maximum": row[5], "source": None}
        for row in INPUTS
    ]
    inputs[0]["source"] = "Range of the surveillance sensor."
    statement = "I have read every requirement against the specification."
    return {
        "format": 1,
        "system": {
            "id": "collision-advisory",
            "version": "2.1",
            "name": "Collision advisory for small aircraft",
            "intended_use": "Advises the pilot on horizontal manoeuvres in encounters with one intruder.\n"
            "It never acts on the controls.",
            "exclusions": ["Encounters with several intruders.", "Vertical advisories."],
            "organisation": "Example Avionics",
        },
        "models": [_model(name, path) for name, path in MODELS.items()],
        "odd": {
            "description": "Encounters with one intruder at the same altitude.",
            "inputs": inputs,
            "constraints": [{"formula": "v_own >= v_int - 1000", "source": "performance of the aircraft"}],
        },
        "requirements": requirements,
        "verifications": verifications,
        "assumptions": [{"id": "A-1", "text": "Sensors report within their tolerance.", "source": None}],
        "objectives": [
            _planned_objective("LM-10", ["R-1", "R-2", "R-3", "R-7"], None),
            _planned_objective("LM-12", ["R-4", "R-5"], "Volumes are those of the maps."),
            _planned_objective("LM-13", ["R-6"], None),
        ],
        "budget": {"timeout": "600", "memory": 2147483648, "threads": None, "seed": 0, "arithmetic": None},
        "review": {"statement": statement, "roles": ["reviewer", "approver"]},
    }


def _model(name: str, path: str | None) -> Json:
    inputs = [{"name": row[0], "unit": row[1], "offset": row[2], "scale": row[3]} for row in INPUTS]
    scaled = {"unit": "1", "offset": "7.5188840201005975", "scale": "373.94992"}
    return {
        "id": name,
        "path": path,
        "sha256": sha256(f"model {name}".encode()),
        "preprocessing": "declared",
        "inputs": inputs,
        "outputs": [{"name": output, **scaled} for output in OUTPUTS],
    }


def _planned_objective(identifier: str, requirements: list[str], note: str | None) -> Json:
    return {"catalogue": CATALOGUE, "id": identifier, "requirements": requirements, "note": note}


def assess(planned: Json, results: list[Json]) -> Json:
    """The content of `assessment.json`."""
    requirements = [_requirement(each, planned, results) for each in planned["requirements"]]
    held = [
        result["verdict"]
        for verification, result in zip(planned["verifications"], results, strict=True)
        if verification["claim"] != "never"
    ]
    return {
        "format": 1,
        "counts": {
            "requirements": _counts(each["status"] for each in requirements),
            "verifications": _counts(held),
        },
        "requirements": requirements,
        "outside": [],
        "objectives": [_objective(objective, planned) for objective in planned["objectives"]],
        "without_objective": ["R-8"],
        "without_evidence": [{"catalogue": CATALOGUE, "id": "LM-13"}],
        "not_covered": [
            {"kind": "outside_domain"},
            {"kind": "arithmetic", "requirement": "R-7", "arithmetic": "float32"},
            {"kind": "unknown", "requirement": "R-3", "count": 2},
            {"kind": "not_physical", "requirement": "R-7"},
            {"kind": "scaling", "count": 1},
            {"kind": "samples_only", "requirement": "R-6"},
            {"kind": "vacuous", "requirement": "R-4", "count": 1},
        ],
    }


def _counts(verdicts: Iterable[str]) -> Json:
    found = list(verdicts)
    return {verdict: found.count(verdict) for verdict in ("proved", "refuted", "unknown")}


def _requirement(requirement: Json, planned: Json, results: list[Json]) -> Json:
    held = [
        results[number - 1]
        for number in requirement["verifications"]
        if planned["verifications"][number - 1]["claim"] != "never"
    ]
    reasons = [result["reason"] for result in held if result["reason"]]
    return {
        "id": requirement["id"],
        "status": _together([result["verdict"] for result in held]),
        "arithmetics": {
            name: _together([result["arithmetics"][name] for result in held]) for name in ("real", "float32")
        },
        "counts": _counts(result["verdict"] for result in held),
        "reasons": {reason: reasons.count(reason) for reason in reasons},
        "vacuous": 1 if requirement["id"] == "R-4" else 0,
        "coverage": _coverage(requirement, planned, results) if requirement["coverage"] else None,
    }


def _together(verdicts: list[str]) -> str:
    if "refuted" in verdicts:
        return "refuted"
    return "proved" if set(verdicts) <= {"proved"} else "unknown"


def cell_verdicts(
    requirement: Json, planned: Json, results: list[Json]
) -> dict[str, dict[tuple[int, ...], str]]:
    """By model and cell: proved where it holds, else refuted where it never holds, else unknown."""
    proved: dict[str, dict[tuple[int, ...], set[str]]] = {}
    for number in requirement["verifications"]:
        verification = planned["verifications"][number - 1]
        claims = proved.setdefault(verification["model"], {}).setdefault(tuple(verification["cell"]), set())
        if results[number - 1]["verdict"] == "proved":
            claims.add(verification["claim"])
    return {
        model: {
            cell: "proved" if "holds" in claims else "refuted" if "never" in claims else "unknown"
            for cell, claims in cells.items()
        }
        for model, cells in proved.items()
    }


def _coverage(requirement: Json, planned: Json, results: list[Json]) -> list[Json]:
    found = []
    for model, verdicts in cell_verdicts(requirement, planned, results).items():
        counts = _counts(verdicts.values())
        volume = {verdict: str(Fraction(count, len(verdicts))) for verdict, count in counts.items()}
        found.append({"model": model, "cells": counts, "volume": volume})
    return found


def _objective(objective: Json, planned: Json) -> Json:
    numbers = [
        number
        for requirement in planned["requirements"]
        if requirement["id"] in objective["requirements"]
        for number in requirement["verifications"]
    ]
    return {
        **{name: objective[name] for name in ("catalogue", "id", "requirements")},
        "text": f"Paraphrase of {objective['id']}.",
        "source": "a transcription, not the official text",
        "evidence": [
            {"tag": "reach_cert", "offered": True, "by": numbers, "against": numbers[:1]},
            {"tag": "signature", "offered": True, "by": [], "against": []},
            {"tag": "metrics", "offered": False, "by": [], "against": []},
        ],
    }
