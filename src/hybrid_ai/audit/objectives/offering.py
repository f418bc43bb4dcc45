"""Which evidence a dossier offers for the objectives of its plan (docs/formats/objectives.md, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from hybrid_ai.audit.objectives.catalogue import Catalogue, find
from hybrid_ai.audit.objectives.evidence import EVIDENCE

Content = dict[str, Any]
Bearing = Literal["for", "against"]
Rule = Callable[[Mapping[str, Any], Mapping[str, Any]], Bearing | None]
_Pair = tuple[int, Mapping[str, Any], Mapping[str, Any]]  # number, verification of the plan, result


def objective_members(
    plan: Mapping[str, Any], results: Sequence[Mapping[str, Any]], catalogues: Sequence[Catalogue]
) -> Content:
    """The members `objectives`, `without_objective` and `without_evidence` of `assessment.json`.

    Args:
        plan: content of `plan/plan.json`.
        results: as `results.json` lists them.
        catalogues: those that the plan may name.

    Raises:
        AuditError: the plan names an objective that no catalogue has.
    """
    rows = offered(plan, results, catalogues)
    named = {requirement for row in rows for requirement in row["requirements"]}
    return {
        "objectives": rows,
        "without_objective": [each["id"] for each in plan["requirements"] if each["id"] not in named],
        "without_evidence": without_evidence(rows),
    }


def offered(
    plan: Mapping[str, Any], results: Sequence[Mapping[str, Any]], catalogues: Sequence[Catalogue]
) -> list[Content]:
    """What is offered for each objective of a plan, kind by kind.

    Args:
        plan: content of `plan/plan.json`.
        results: as `results.json` lists them.
        catalogues: those that the plan may name.

    Returns:
        The rows `objectives` of `assessment.json`, in the order of the plan. Of each kind of evidence:
        whether it is offered, `by` which verifications of the objective's requirements (none where the
        dossier as a whole offers it), and which of these speak `against` their requirement.

    Raises:
        AuditError: the plan names an objective that no catalogue has.

    Sound because: only what is proved or refuted is named, never an unknown verdict nor a proof about an
        empty input set; that evidence is offered for an objective does not say that it suffices.
    """
    claims = {row["number"]: row for row in plan["verifications"]}
    of_requirement = {row["id"]: row["verifications"] for row in plan["requirements"]}
    rows = []
    for asked in plan["objectives"]:
        catalogue, objective = find(catalogues, asked["catalogue"], asked["id"])
        numbers = sorted({number for name in asked["requirements"] for number in of_requirement[name]})
        pairs = _speaking([(number, claims[number], results[number - 1]) for number in numbers])
        rows.append(
            {
                "catalogue": catalogue.id,
                "id": objective.id,
                "text": objective.text,
                "source": catalogue.name,
                "requirements": list(asked["requirements"]),
                "evidence": [_evidence(tag, pairs) for tag in objective.evidence],
            }
        )
    return rows


def without_evidence(rows: Sequence[Mapping[str, Any]]) -> list[Content]:
    """The objectives, of rows that `offered` gave, for which no kind of evidence is offered."""
    return [
        {"catalogue": row["catalogue"], "id": row["id"]}
        for row in rows
        if not any(each["offered"] for each in row["evidence"])
    ]


def _speaking(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Leave out cells on which a requirement is proved to hold, and never to hold: they are empty."""
    proved: dict[tuple[object, ...], set[bool]] = {}
    for _, claim, result in pairs:
        if result["verdict"] == "proved":
            proved.setdefault(_cell(claim), set()).add(_holds(claim))
    empty = {cell for cell, both in proved.items() if len(both) == 2}
    return [pair for pair in pairs if _cell(pair[1]) not in empty]


def _holds(claim: Mapping[str, Any]) -> bool:
    return bool(claim["claim"] != "never")


def _cell(claim: Mapping[str, Any]) -> tuple[object, ...]:
    return claim["requirement"], claim["model"], *(claim["cell"] or ())


def _evidence(tag: str, pairs: Sequence[_Pair]) -> Content:
    bearings: dict[int, Bearing] = {}
    if tag in RULES:
        found = [(number, RULES[tag](claim, result)) for number, claim, result in pairs]
        bearings = {number: bearing for number, bearing in found if bearing is not None}
    return {
        "tag": tag,
        "offered": bool(bearings) or EVIDENCE[tag].producer == "dossier",
        "by": list(bearings),
        "against": [number for number, bearing in bearings.items() if bearing == "against"],
    }


def bearing(
    claim: Mapping[str, Any], result: Mapping[str, Any], arithmetic: str | None = None
) -> Bearing | None:
    """Whether a result speaks for its requirement or against it; None when it says neither.

    Args:
        claim: the verification in `plan/plan.json`: that the requirement holds there, or that it never does.
        result: its result.
        arithmetic: "real" or "float32" for the verdict in that one; None for the verdict.

    Sound because: that a requirement never holds somewhere speaks against it when proved; refuted, it only
        says that the requirement holds at one point, which is nothing. An empty input set shows nothing of a
        model.
    """
    if result["verdict"] == "unknown" or result["vacuous"]:
        return None
    verdict = result["verdict"] if arithmetic is None else result["arithmetics"].get(arithmetic, "unknown")
    if not _holds(claim):
        return "against" if verdict == "proved" else None
    if verdict == "unknown":
        return None
    return "for" if verdict == "proved" else "against"


def _of_outputs(claim: Mapping[str, Any], result: Mapping[str, Any]) -> Bearing | None:
    return bearing(claim, result) if claim["sample"] is None else None


def _of_samples(claim: Mapping[str, Any], result: Mapping[str, Any]) -> Bearing | None:
    return bearing(claim, result) if claim["sample"] is not None else None


def _of_cells(claim: Mapping[str, Any], result: Mapping[str, Any]) -> Bearing | None:
    return bearing(claim, result) if claim["cell"] is not None else None


def _in_float32(claim: Mapping[str, Any], result: Mapping[str, Any]) -> Bearing | None:
    return bearing(claim, result, "float32")


def _violations(claim: Mapping[str, Any], result: Mapping[str, Any]) -> Bearing | None:
    # A counterexample to "never" is a point where the requirement holds.
    return "against" if _holds(claim) and result["verdict"] == "refuted" else None


# One for each kind of evidence that verifications offer.
RULES: Mapping[str, Rule] = {
    "reach_cert": _of_outputs,
    "robust_cert": _of_samples,
    "stability_cert": _of_cells,
    "float_bound": _in_float32,
    "attack": _violations,
    "replay": bearing,
}
