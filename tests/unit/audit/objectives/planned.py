"""A certified plan, as the files of a dossier have it, that tests change one thing of."""

from __future__ import annotations

from typing import Any

Content = dict[str, Any]

GROUND = "arithmetic real: the network over the real numbers"
CATALOGUE = "easa_concept_paper_issue_02"


def requirement(name: str, numbers: list[int], **members: Any) -> Content:
    return {
        "id": name,
        "text": f"Text of {name}.",
        "rationale": None,
        "source": None,
        "parent": None,
        "criticality": None,
        "acceptance": None,
        "method": None,
        "assumptions": [],
        "where": None,
        "require": None,
        "coverage": None,
        "verifications": numbers,
        **members,
    }


def claim(number: int, name: str, model: str, **members: Any) -> Content:
    return {
        "number": number,
        "requirement": name,
        "model": model,
        "path": f"properties/{number:04}.vnnlib",
        "claim": "holds",
        "sample": None,
        "cell": None,
        "box": [
            {"name": "rho", "minimum": "0", "maximum": "10", "network": ["0", "1"]},
            {"name": "theta", "minimum": "-1", "maximum": "1", "network": ["-1", "1"]},
        ],
        **members,
    }


def result(number: int, real: str, float32: str | None = None, vacuous: bool = False) -> Content:
    arithmetics = {"real": real} | ({} if float32 is None else {"float32": float32})
    verdicts = set(arithmetics.values())
    verdict = "refuted" if "refuted" in verdicts else "proved" if verdicts == {"proved"} else "unknown"
    suffix = ".counterexample.json" if verdict == "refuted" else ".certificate"
    evidence = f"evidence/{number:04}{suffix}" if "proved" in verdicts or "refuted" in verdicts else None
    described = {"path": evidence, "sha256": f"{number:064x}", "bytes": 1}
    return {
        "verdict": verdict,
        "arithmetics": arithmetics,
        "vacuous": vacuous,
        "reason": "timeout" if verdict == "unknown" else None,
        "evidence": evidence,
        "certificate": described if evidence is not None and verdict != "refuted" else None,
        "counterexample": {"file": described} if verdict == "refuted" else None,
        "checked_by": None if verdict == "unknown" else "fast 0.1.0",
        "assumptions": [GROUND],
    }


# R1: of outputs, for both models; R2: of samples; R3: of a map with four cells; R4: a property file.
CLAIMS = [
    claim(1, "R1", "a"),
    claim(2, "R1", "b"),
    claim(3, "R2", "a", sample=1),
    claim(4, "R2", "a", sample=2),
    claim(5, "R2", "a", sample=3),
    claim(6, "R3", "a", cell=[0]),
    claim(7, "R3", "a", cell=[0], claim="never"),
    claim(8, "R3", "a", cell=[1]),
    claim(9, "R3", "a", cell=[1], claim="never"),
    claim(10, "R3", "a", cell=[2]),
    claim(11, "R3", "a", cell=[2], claim="never"),
    claim(12, "R3", "a", cell=[3]),
    claim(13, "R3", "a", cell=[3], claim="never"),
    claim(14, "R4", "b", claim="file", box=None),
]

RESULTS = [
    result(1, "proved", "proved"),
    result(2, "proved", "proved"),
    result(3, "proved", "proved"),
    result(4, "refuted", "proved"),
    result(5, "unknown", "unknown"),
    result(6, "proved", "proved"),  # the requirement holds on the first cell
    result(7, "refuted", "refuted"),
    result(8, "unknown", "unknown"),  # and nowhere on the second
    result(9, "proved", "proved"),
    result(10, "unknown", "unknown"),  # undecided on the third
    result(11, "refuted", "refuted"),
    result(12, "proved", "proved", vacuous=True),  # the fourth is empty
    result(13, "proved", "proved", vacuous=True),
    result(14, "proved", "unknown"),  # decided in one arithmetic: unknown
]


def objective(name: str, requirements: list[str]) -> Content:
    return {"catalogue": CATALOGUE, "id": name, "requirements": requirements, "note": None}


def plan(**members: Any) -> Content:
    """The plan, with the members given instead of its own."""
    inputs = [
        {"name": "rho", "unit": "ft", "minimum": "0", "maximum": "40", "source": None},
        {"name": "theta", "unit": "1", "minimum": "-1", "maximum": "1", "source": None},
    ]
    return {
        "format": 1,
        "system": {
            "id": "avoider",
            "version": "3",
            "name": "Example avoider",
            "intended_use": "Advice to a pilot who decides.",
            "exclusions": ["taxiing"],
            "organisation": None,
        },
        "models": [
            {"id": "a", "path": "models/a.onnx", "sha256": "a" * 64},
            {"id": "b", "path": "models/b.onnx", "sha256": "b" * 64},
        ],
        "odd": {
            "description": "Cruise.",
            "inputs": inputs,
            "constraints": [{"formula": "rho >= 10 * theta", "source": None}],
        },
        "requirements": [
            requirement("R1", [1, 2], require="COC <= 1500", where="rho >= 5", rationale="Nuisance."),
            requirement("R2", [3, 4, 5], parent="R1", assumptions=["A1"]),
            requirement(
                "R3",
                [6, 7, 8, 9, 10, 11, 12, 13],
                require="COC <= 100",
                coverage={"inputs": ["rho"], "cells": [4]},
            ),
            requirement("R4", [14]),
        ],
        "verifications": CLAIMS,
        "assumptions": [{"id": "A1", "text": "Sensors are calibrated.", "source": None}],
        "objectives": [objective("LM-12", ["R2", "R3"])],
        **members,
    }


def assessment(objectives: list[Content]) -> Content:
    """What the argument reads of `assessment.json`."""
    statuses = {"R1": "proved", "R2": "refuted", "R3": "unknown", "R4": "unknown"}
    return {
        "requirements": [{"id": name, "status": status} for name, status in statuses.items()],
        "objectives": objectives,
    }
