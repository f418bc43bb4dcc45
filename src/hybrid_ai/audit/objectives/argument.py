"""The argument from a system's claim to the evidence (docs/formats/objectives.md, section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.gsn import CONTEXT, Node, artefact, element, references
from hybrid_ai.audit.objectives.offering import bearing
from hybrid_ai.audit.results import statement_path
from hybrid_ai.audit.verification.canonical import encode

PLAN = "plan/plan.json"

_Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Run:
    """A verification: its number, what it claims (of the plan), its result."""

    number: int
    claim: _Json
    result: _Json

    @property
    def solution(self) -> str:
        return f"#verification/{self.number:04}"


def argument(plan: _Json, assessment: _Json, results: Sequence[_Json]) -> bytes:
    """Write `argument.jsonld`.

    Args:
        plan: content of `plan/plan.json`.
        assessment: content of `assessment.json`.
        results: as `results.json` lists them.

    Returns:
        Canonical JSON, the same for the same content. Ids follow from those of the plan.

    Raises:
        AuditError: the plan verifies one part of a requirement twice.

    Sound because: a goal is supported only by a proved result, and challenged by what refutes it; what is
        neither is undeveloped, and says so.
    """
    runs = {
        claim["number"]: _Run(claim["number"], claim, results[claim["number"] - 1])
        for claim in plan["verifications"]
    }
    objectives = _objectives(assessment)
    arguments = [_requirement(each, plan, assessment, runs, objectives) for each in plan["requirements"]]
    goals = {each["id"]: nodes[0] for each, nodes in zip(plan["requirements"], arguments, strict=True)}
    _mark_doubt(goals, plan["requirements"])
    elements = [
        *_top(plan, goals),
        *_contexts(plan),
        *(node for node, _ in objectives),
        *_assumptions(plan, results),
        *(node for nodes in arguments for node in nodes),
    ]
    artefacts = _artefacts(plan, runs.values())
    graph = [*_case(plan, elements, artefacts), *elements, *artefacts]
    _require_distinct(graph)
    return encode({"@context": CONTEXT, "@graph": graph})


def _case(plan: _Json, elements: Sequence[Node], artefacts: Sequence[Node]) -> list[Node]:
    system = plan["system"]
    return [
        {
            "@id": "#case",
            "@type": "AssuranceCase",
            "identifier": "case",
            "statement": f"Assurance case of {system['name']}, version {system['version']}",
            "contains": references(["#argument", *(node["@id"] for node in artefacts)]),
        },
        {
            "@id": "#argument",
            "@type": "Argument",
            "identifier": "argument",
            "statement": "The argument from the requirements of the plan to the evidence for them",
            "argumentType": "risk",
            "structured": True,
            "contains": references(node["@id"] for node in elements),
        },
    ]


def _top(plan: _Json, goals: Mapping[str, Node]) -> list[Node]:
    system = plan["system"]
    roots = [goals[each["id"]]["@id"] for each in plan["requirements"] if each["parent"] is None]
    context = ["#intended-use", "#domain", *(_model_id(each["id"]) for each in plan["models"])]
    return [
        element(
            "Goal",
            "#system",
            f"{system['name']}, version {system['version']}, has every property that its requirements "
            "state, on its operational design domain.",
            top=True,
            defeated=any(goal.get("defeated") for goal in goals.values()),
            supportedBy=references(["#strategy"]),
            inContextOf=references(context + (["#exclusions"] if system["exclusions"] else [])),
        ),
        element("Strategy", "#strategy", "Argument over each requirement", supportedBy=references(roots)),
    ]


def _contexts(plan: _Json) -> list[Node]:
    system, domain = plan["system"], plan["odd"]
    of_plan = references([PLAN])
    ranges = [f"{_range(entry, entry['unit'])}" for entry in domain["inputs"]]
    ranges += [entry["formula"] for entry in domain["constraints"]]
    about = "" if domain["description"] is None else f"{domain['description']} "
    nodes = [
        element("Context", "#intended-use", f"Intended use: {system['intended_use']}", refersTo=of_plan),
        element(
            "Context",
            "#domain",
            f"Operational design domain: {about}{'; '.join(ranges)}",
            refersTo=of_plan,
        ),
    ]
    if system["exclusions"]:
        text = f"Not covered: {'; '.join(system['exclusions'])}"
        nodes.append(element("Context", "#exclusions", text, refersTo=of_plan))
    for model in plan["models"]:
        text = f"Model {model['id']}: {model['path']}, SHA-256 {model['sha256']}"
        nodes.append(element("Context", _model_id(model["id"]), text, refersTo=references([model["path"]])))
    return nodes


def _objectives(assessment: _Json) -> list[tuple[Node, list[str]]]:
    """A context for each objective that evidence is offered for, and the requirements that it is about."""
    merged: dict[str, tuple[_Json, list[str], list[str]]] = {}
    for row in assessment["objectives"]:
        tags = [each["tag"] for each in row["evidence"] if each["offered"]]
        node_id = f"#objective/{row['catalogue']}/{quote(row['id'], safe='')}"
        _, all_tags, requirements = merged.setdefault(node_id, (row, [], []))
        all_tags += tags
        requirements += row["requirements"]
    nodes = []
    for node_id, (row, tags, requirements) in merged.items():
        if tags:
            kinds = ", ".join(dict.fromkeys(tags))
            text = f"Evidence offered for {row['id']} ({row['source']}): {row['text']} Kinds: {kinds}"
            nodes.append((element("Context", node_id, text), requirements))
    return nodes


def _assumptions(plan: _Json, results: Sequence[_Json]) -> list[Node]:
    stated = [element("Assumption", _assumption_id(each["id"]), each["text"]) for each in plan["assumptions"]]
    texts = dict.fromkeys(text for result in results for text in result.get("assumptions", ()))
    return stated + [element("Assumption", _ground_id(text), text) for text in texts]


def _requirement(
    requirement: _Json,
    plan: _Json,
    assessment: _Json,
    runs: Mapping[int, _Run],
    objectives: Iterable[tuple[Node, list[str]]],
) -> list[Node]:
    """The goal of a requirement, and all below it but the goals of the requirements derived from it."""
    name = requirement["id"]
    goal_id = _requirement_id(name)
    status = next(row["status"] for row in assessment["requirements"] if row["id"] == name)
    derived = [_requirement_id(each["id"]) for each in plan["requirements"] if each["parent"] == name]
    by_model: dict[str, list[_Run]] = {}
    for number in requirement["verifications"]:
        by_model.setdefault(runs[number].claim["model"], []).append(runs[number])
    parts = [_of_model(requirement, model, group, plan) for model, group in by_model.items()]
    context = _about(requirement, goal_id)
    strategies = []
    if parts:
        below = references(nodes[0]["@id"] for nodes in parts)
        text = "Argument over each model that the requirement is about"
        strategies.append(element("Strategy", f"{goal_id}/models", text, supportedBy=below))
    if derived:
        text = "Argument over each requirement derived from it"
        strategies.append(element("Strategy", f"{goal_id}/derived", text, supportedBy=references(derived)))
    goal = element(
        "Goal",
        goal_id,
        requirement["text"],
        status=status,
        defeated=status == "refuted" or any(nodes[0].get("defeated") for nodes in parts),
        undeveloped=not strategies,
        supportedBy=references(node["@id"] for node in strategies),
        inContextOf=references(
            [
                "#domain",
                *(node["@id"] for node in context),
                *map(_assumption_id, requirement["assumptions"]),
                *(node["@id"] for node, names in objectives if name in names),
            ]
        ),
    )
    return [goal, *context, *strategies, *(node for nodes in parts for node in nodes)]


def _about(requirement: _Json, goal_id: str) -> list[Node]:
    """What a requirement means in formulas, and why it is there."""
    nodes = []
    if requirement["require"] is not None:
        where = (
            "everywhere on the domain" if requirement["where"] is None else f"where {requirement['where']}"
        )
        text = f"The formula {requirement['require']}, {where}, in physical units"
        nodes.append(element("Context", f"{goal_id}/formula", text, refersTo=references([PLAN])))
    if requirement["rationale"] is not None:
        nodes.append(element("Justification", f"{goal_id}/rationale", requirement["rationale"]))
    return nodes


def _of_model(requirement: _Json, model: str, runs: Sequence[_Run], plan: _Json) -> list[Node]:
    """The goal that a requirement holds for a model, and all below it."""
    goal_id = f"{_requirement_id(requirement['id'])}/model/{model}"
    groups: dict[str, list[_Run]] = {}
    for run in runs:
        groups.setdefault(_part(run.claim), []).append(run)
    arithmetics = " and ".join(dict.fromkeys(name for run in runs for name in run.result["arithmetics"]))
    claim = f"{requirement['id']} holds for the model {model}"
    context = [_model_id(model)]
    grounds = [_ground_id(text) for run in runs for text in run.result.get("assumptions", ())]
    if list(groups) == [""]:
        return _leaf(goal_id, f"{claim}, in {arithmetics} arithmetic.", runs, context + grounds)
    leaves = [
        _leaf(f"{goal_id}/{part}", f"{claim} {_place(group[0].claim, requirement, plan)}.", group, context)
        for part, group in groups.items()
    ]
    kind = "sample, within its radius" if runs[0].claim["sample"] is not None else "cell of the map"
    strategy = element(
        "Strategy",
        f"{goal_id}/parts",
        f"Argument over each {kind}",
        supportedBy=references(nodes[0]["@id"] for nodes in leaves),
    )
    goal = element(
        "Goal",
        goal_id,
        f"{claim}, in {arithmetics} arithmetic.",
        defeated=any(nodes[0].get("defeated") for nodes in leaves),
        supportedBy=references([strategy["@id"]]),
        inContextOf=references(context + grounds),
    )
    return [goal, strategy, *(node for nodes in leaves for node in nodes)]


def _leaf(goal_id: str, statement: str, runs: Sequence[_Run], context: Sequence[str]) -> list[Node]:
    """A goal that results decide, or leave undeveloped, and its solutions."""
    positive = [run for run in runs if run.claim["claim"] != "never"]
    if len(positive) != 1 or len(runs) > 2:
        numbers = ", ".join(str(run.number) for run in runs)
        reason = f"verifications {numbers} are of the same part of a requirement"
        raise AuditError(f"{PLAN}: {reason}: one that it holds and one that it never does are allowed")
    held = positive[0].result["verdict"] == "proved"
    against = [] if held else [run for run in runs if bearing(run.claim, run.result) == "against"]
    undeveloped = not held and not against
    goal = element(
        "Goal",
        goal_id,
        statement,
        status="proved" if held else "refuted" if against else "unknown",
        defeated=bool(against),
        undeveloped=undeveloped,
        reason=positive[0].result["reason"] if undeveloped else None,
        supportedBy=references([positive[0].solution] if held else []),
        inContextOf=references(context),
    )
    used = positive if held else against
    return [goal, *(_solution(run, None if held else goal_id) for run in used)]


def _solution(run: _Run, challenged: str | None) -> Node:
    result = run.result
    decided = [name for name, verdict in result["arithmetics"].items() if verdict == result["verdict"]]
    if result["verdict"] == "refuted":
        text = f"Counterexample of verification {run.number}"
    elif run.claim["claim"] == "never":
        text = f"Certificate of verification {run.number}, that the requirement holds nowhere there"
    else:
        text = f"Certificate of verification {run.number}"
    text += f", in {' and '.join(decided)} arithmetic"
    if result.get("checked_by") is not None:
        text += f", checked by {result['checked_by']}"
    if result["vacuous"]:
        text += "; the input set is empty"
    return element(
        "Solution",
        run.solution,
        text,
        status=result["verdict"],
        verification=run.number,
        refersTo=references([result["evidence"], statement_path(run.number)]),
        challenges=references([] if challenged is None else [challenged]),
    )


def _artefacts(plan: _Json, runs: Iterable[_Run]) -> list[Node]:
    nodes = [artefact(PLAN)]
    seen = set()
    for model in plan["models"]:
        if model["path"] not in seen:
            nodes.append(artefact(model["path"], model["sha256"]))
            seen.add(model["path"])
    for run in runs:
        if run.result["evidence"] is not None:
            described = run.result["certificate"] or run.result["counterexample"]["file"]
            nodes.append(artefact(run.result["evidence"], described["sha256"]))
        nodes.append(artefact(statement_path(run.number)))
    return nodes


def _mark_doubt(goals: Mapping[str, Node], requirements: Iterable[_Json]) -> None:
    """Mark every requirement in doubt that is not defeated itself, while one derived from it is."""
    parents = {each["id"]: each["parent"] for each in requirements}
    for name, goal in goals.items():
        above = parents[name] if goal.get("defeated") else None
        while above is not None:
            if not goals[above].get("defeated"):
                goals[above]["inDoubt"] = True
            above = parents[above]


def _require_distinct(graph: Iterable[Node]) -> None:
    repeated = [node_id for node_id, count in Counter(node["@id"] for node in graph).items() if count > 1]
    if repeated:
        raise AuditError(
            f"{PLAN}: {repeated[0]} stands for two things in the argument: rename one in the plan"
        )


def _part(claim: _Json) -> str:
    if claim["sample"] is not None:
        return f"sample/{claim['sample']}"
    return "" if claim["cell"] is None else "cell/" + "/".join(map(str, claim["cell"]))


def _place(claim: _Json, requirement: _Json, plan: _Json) -> str:
    """Where in the domain a part lies."""
    if claim["sample"] is not None:
        return f"around sample {claim['sample']}"
    units = {entry["name"]: entry["unit"] for entry in plan["odd"]["inputs"]}
    cut = requirement["coverage"]["inputs"]
    ranges = [_range(entry, units[entry["name"]]) for entry in claim["box"] if entry["name"] in cut]
    return f"on the cell of {' and '.join(ranges)}"


def _range(entry: _Json, unit: str) -> str:
    shown = "" if unit == "1" else f" {unit}"
    return f"{entry['name']} from {entry['minimum']} to {entry['maximum']}{shown}"


def _requirement_id(name: str) -> str:
    return f"#requirement/{name}"


def _model_id(name: str) -> str:
    return f"#model/{name}"


def _assumption_id(name: str) -> str:
    return f"#assumption/{name}"


def _ground_id(text: str) -> str:
    """The id of an assumption that results rest on, which has no name of its own."""
    return f"#ground/{sha256(text.encode()).hexdigest()[:12]}"
