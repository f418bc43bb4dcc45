"""The argument: its shape as JSON-LD and as GSN, and what it makes of each verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.argument import argument
from hybrid_ai.audit.objectives.catalogue import shipped
from hybrid_ai.audit.objectives.offering import offered
from hybrid_ai.audit.verification.canonical import decode_canonical
from tests.unit.audit.objectives.planned import (
    CLAIMS,
    GROUND,
    RESULTS,
    Content,
    assessment,
    objective,
    plan,
    requirement,
    result,
)
from tests.unit.audit.objectives.test_catalogue import FORBIDDEN

Nodes = dict[str, dict[str, Any]]

ELEMENTS = {"Goal", "Strategy", "Solution", "Context", "Assumption", "Justification"}
# By OntoGSN's restrictions on the classes: what a relation may lead from and to.
RELATIONS = {
    ("Goal", "supportedBy"): {"Goal", "Strategy", "Solution"},
    ("Strategy", "supportedBy"): {"Goal"},
    ("Goal", "inContextOf"): {"Context", "Assumption", "Justification"},
    ("Solution", "challenges"): ELEMENTS,
    ("Solution", "refersTo"): {"Artefact"},
    ("Context", "refersTo"): {"Artefact"},
    ("AssuranceCase", "contains"): {"Argument", "Artefact"},
    ("Argument", "contains"): ELEMENTS,
}


def _document(content: Content | None = None, results: list[Content] | None = None) -> bytes:
    planned = plan() if content is None else content
    found = RESULTS if results is None else results
    return argument(planned, assessment(offered(planned, found, shipped())), found)


def _nodes(data: bytes) -> Nodes:
    graph = json.loads(data)["@graph"]
    nodes = {node["@id"]: node for node in graph}
    assert len(nodes) == len(graph)  # one node for each id
    return nodes


def _ids(node: dict[str, Any], relation: str) -> list[str]:
    return [reference["@id"] for reference in node.get(relation, [])]


def _relations(nodes: Nodes) -> list[tuple[str, str, str]]:
    return [
        (node_id, name, reference["@id"])
        for node_id, node in nodes.items()
        for name, value in node.items()
        if isinstance(value, list)
        for reference in value
    ]


NODES = _nodes(_document())


def test_the_document_is_canonical_and_the_same_for_the_same_content() -> None:
    decode_canonical(_document(), "argument.jsonld")
    assert _document() == _document(plan(), [dict(reversed(each.items())) for each in RESULTS])


def test_the_context_is_within_and_defines_every_term() -> None:
    document = json.loads(_document())
    context = document["@context"]
    prefixes = {"gsn": "https://w3id.org/OntoGSN/ontology#", "schema": "http://schema.org/"}

    assert {name: context[name] for name in prefixes} == prefixes
    used = {name for node in NODES.values() for name in node} | {node["@type"] for node in NODES.values()}
    assert used - {"@id", "@type"} <= set(context)
    for term, value in context.items():
        if term not in (*prefixes, "@version"):
            assert value.startswith(("gsn:", "schema:", "urn:hybrid-ai:argument:v1:"))
            assert value.endswith(f":{term}")


def test_every_reference_leads_to_a_node_of_a_class_that_it_may_lead_to() -> None:
    relations = _relations(NODES)

    assert len(relations) > 100
    assert len(set(relations)) == len(relations)
    for source, name, target in relations:
        assert target in NODES, f"{source} {name} {target}"
        assert NODES[target]["@type"] in RELATIONS[NODES[source]["@type"], name]


def test_the_argument_has_no_cycle_and_one_top_goal_that_reaches_every_goal() -> None:
    below = {node_id: _ids(node, "supportedBy") for node_id, node in NODES.items()}
    finished: set[str] = set()

    def visit(node_id: str, path: tuple[str, ...]) -> None:
        assert node_id not in path
        for target in () if node_id in finished else below[node_id]:
            visit(target, (*path, node_id))
        finished.add(node_id)

    visit("#system", ())
    goals = {node_id for node_id, node in NODES.items() if node["@type"] == "Goal"}
    assert goals <= finished
    assert [node_id for node_id in goals if NODES[node_id].get("top")] == ["#system"]


def test_every_requirement_is_a_goal_with_its_text_status_and_model_goals() -> None:
    statuses = {"R1": "proved", "R2": "refuted", "R3": "unknown", "R4": "unknown"}
    for each in plan()["requirements"]:
        goal = NODES[f"#requirement/{each['id']}"]
        assert (goal["@type"], goal["statement"]) == ("Goal", each["text"])
        assert goal["status"] == statuses[each["id"]]
        assert "#domain" in _ids(goal, "inContextOf")
        models = {CLAIMS[number - 1]["model"] for number in each["verifications"]}
        expected = [f"#requirement/{each['id']}/model/{model}" for model in sorted(models)]
        assert _ids(NODES[f"#requirement/{each['id']}/models"], "supportedBy") == expected


def test_every_element_is_contained_identified_and_stated_once() -> None:
    elements = [node for node in NODES.values() if node["@type"] in ELEMENTS]

    assert _ids(NODES["#argument"], "contains") == [node["@id"] for node in elements]
    identifiers = [node["identifier"] for node in elements]
    assert len(set(identifiers)) == len(identifiers)
    assert all(node["statement"] for node in elements)
    for node in elements:
        if node["@type"] == "Goal":
            kinds = {NODES[target]["@type"] for target in _ids(node, "inContextOf")}
            assert "Context" in kinds


def test_every_file_of_models_evidence_and_statements_is_in_the_case() -> None:
    contained = set(_ids(NODES["#case"], "contains")) - {"#argument"}
    evidence = {each["evidence"] for each in RESULTS} - {None}

    assert contained == evidence | {"models/a.onnx", "models/b.onnx", "plan/plan.json"} | {
        f"evidence/{number:04}.dsse.json" for number in range(1, 15)
    }
    assert NODES["models/a.onnx"]["sha256"] == "a" * 64
    assert NODES["evidence/0004.counterexample.json"]["sha256"] == f"{4:064x}"


def _decorations(node_id: str) -> dict[str, Any]:
    names = ("defeated", "undeveloped", "inDoubt", "status", "reason")
    return {name: NODES[node_id][name] for name in names if name in NODES[node_id]}


def test_a_proved_result_supports_its_goal_with_its_certificate() -> None:
    goal = "#requirement/R1/model/a"

    assert _ids(NODES[goal], "supportedBy") == ["#verification/0001"]
    assert _decorations(goal) == {"status": "proved"}
    assert NODES[goal]["statement"] == "R1 holds for the model a, in real and float32 arithmetic."
    solution = NODES["#verification/0001"]
    assert _ids(solution, "refersTo") == ["evidence/0001.certificate", "evidence/0001.dsse.json"]
    assert _ids(solution, "challenges") == []
    assert solution["statement"] == (
        "Certificate of verification 1, in real and float32 arithmetic, checked by fast 0.1.0"
    )


def test_a_refuted_result_challenges_its_goal_which_is_defeated() -> None:
    goal = "#requirement/R2/model/a/sample/2"

    assert _ids(NODES[goal], "supportedBy") == []
    assert _decorations(goal) == {"status": "refuted", "defeated": True}
    solution = NODES["#verification/0004"]
    assert _ids(solution, "challenges") == [goal]
    assert _ids(solution, "refersTo") == ["evidence/0004.counterexample.json", "evidence/0004.dsse.json"]
    assert solution["statement"].startswith("Counterexample of verification 4, in real arithmetic")


def test_defeat_rises_to_the_model_the_requirement_and_the_system_and_leaves_others_in_doubt() -> None:
    assert _decorations("#requirement/R2/model/a") == {"defeated": True}
    assert _decorations("#requirement/R2") == {"status": "refuted", "defeated": True}
    assert _decorations("#system") == {"defeated": True}
    assert _decorations("#requirement/R1") == {"status": "proved", "inDoubt": True}  # R2 is derived from it


def test_what_is_defeated_itself_is_not_in_doubt() -> None:
    results = [result(1, "refuted", "refuted"), *RESULTS[1:]]
    node = _nodes(_document(results=results))["#requirement/R1"]

    assert node["defeated"] is True
    assert "inDoubt" not in node


def test_a_cell_on_which_both_claims_are_proved_counts_as_proved() -> None:
    results = [*RESULTS[:6], result(7, "proved", "proved"), *RESULTS[7:]]
    nodes = _nodes(_document(results=results))

    assert _ids(nodes["#requirement/R3/model/a/cell/0"], "supportedBy") == ["#verification/0006"]
    assert "defeated" not in nodes["#requirement/R3/model/a/cell/0"]
    assert "#verification/0007" not in nodes


def test_nothing_is_defeated_where_nothing_is_refuted() -> None:
    requirements = [requirement("R1", [1, 2])]
    nodes = _nodes(_document(plan(requirements=requirements, objectives=[])))

    assert not any(node.get("defeated") or node.get("inDoubt") for node in nodes.values())


def test_an_unknown_result_leaves_its_goal_undeveloped_with_the_reason() -> None:
    expected = {"status": "unknown", "undeveloped": True, "reason": "timeout"}
    for goal in ("#requirement/R2/model/a/sample/3", "#requirement/R4/model/b"):
        assert _decorations(goal) == expected
        assert _ids(NODES[goal], "supportedBy") == []
    assert "#verification/0005" not in NODES
    assert "#verification/0014" not in NODES  # proved in one arithmetic of two


def test_cells_are_decided_by_both_of_their_claims() -> None:
    cell = "#requirement/R3/model/a/cell/"

    assert _ids(NODES["#requirement/R3/model/a/parts"], "supportedBy") == [f"{cell}{n}" for n in range(4)]
    assert NODES[f"{cell}0"]["statement"] == "R3 holds for the model a on the cell of rho from 0 to 10 ft."
    assert _decorations(f"{cell}0") == {"status": "proved"}
    assert _ids(NODES[f"{cell}0"], "supportedBy") == ["#verification/0006"]
    assert _decorations(f"{cell}1") == {"status": "refuted", "defeated": True}
    assert _ids(NODES["#verification/0009"], "challenges") == [f"{cell}1"]
    assert "holds nowhere there" in NODES["#verification/0009"]["statement"]
    assert _decorations(f"{cell}2") == {"status": "unknown", "undeveloped": True, "reason": "timeout"}
    assert _decorations(f"{cell}3") == {"status": "proved"}
    assert NODES["#verification/0012"]["statement"].endswith("; the input set is empty")
    # That "never" is refuted, or proved of nothing, speaks for no goal.
    assert not {"#verification/0007", "#verification/0011", "#verification/0013"} & set(NODES)


def test_context_is_the_use_the_domain_the_models_and_what_is_left_out() -> None:
    assert _ids(NODES["#system"], "inContextOf") == [
        "#intended-use",
        "#domain",
        "#model/a",
        "#model/b",
        "#exclusions",
    ]
    assert NODES["#intended-use"]["statement"] == "Intended use: Advice to a pilot who decides."
    assert NODES["#domain"]["statement"] == (
        "Operational design domain: Cruise. rho from 0 to 40 ft; theta from -1 to 1; rho >= 10 * theta"
    )
    assert NODES["#exclusions"]["statement"] == "Not covered: taxiing"
    assert NODES["#model/b"]["statement"] == f"Model b: models/b.onnx, SHA-256 {'b' * 64}"


def test_requirements_have_their_formulas_rationales_assumptions_and_children() -> None:
    assert NODES["#requirement/R1/formula"]["statement"] == (
        "The formula COC <= 1500, where rho >= 5, in physical units"
    )
    assert NODES["#requirement/R3/formula"]["statement"] == (
        "The formula COC <= 100, everywhere on the domain, in physical units"
    )
    assert NODES["#requirement/R1/rationale"]["statement"] == "Nuisance."
    assert "#assumption/A1" in _ids(NODES["#requirement/R2"], "inContextOf")
    assert "#assumption/A1" not in _ids(NODES["#requirement/R1"], "inContextOf")
    assert _ids(NODES["#requirement/R1/derived"], "supportedBy") == ["#requirement/R2"]
    assert _ids(NODES["#strategy"], "supportedBy") == [
        "#requirement/R1",
        "#requirement/R3",
        "#requirement/R4",
    ]


def test_what_results_rest_on_is_an_assumption_of_the_model_goals() -> None:
    [ground] = [node_id for node_id, node in NODES.items() if node.get("statement") == GROUND]

    assert NODES[ground]["@type"] == "Assumption"
    assert ground in _ids(NODES["#requirement/R1/model/b"], "inContextOf")
    assert ground in _ids(NODES["#requirement/R3/model/a"], "inContextOf")


def test_objectives_that_evidence_is_offered_for_are_context_of_their_requirements() -> None:
    asked = [objective("LM-12", ["R2"]), objective("LM-12", ["R3"]), objective("DM-06", ["R3"])]
    nodes = _nodes(_document(plan(objectives=asked)))
    node_id = "#objective/easa_concept_paper_issue_02/LM-12"

    assert nodes[node_id]["statement"].startswith("Evidence offered for LM-12 (EASA Concept Paper: ")
    assert nodes[node_id]["statement"].endswith(" Kinds: robust_cert, stability_cert")
    holders = [name for name, node in nodes.items() if node_id in _ids(node, "inContextOf")]
    assert holders == ["#requirement/R2", "#requirement/R3"]
    assert not any("DM-06" in name for name in nodes)  # nothing is offered for it


def test_ids_of_objectives_are_encoded() -> None:
    asked = {"catalogue": "amlas", "id": "[Z]", "requirements": ["R1"], "note": None}

    assert "#objective/amlas/%5BZ%5D" in _nodes(_document(plan(objectives=[asked])))


def test_a_requirement_without_verifications_is_undeveloped() -> None:
    nodes = _nodes(_document(plan(requirements=[requirement("R1", [])], objectives=[])))

    assert nodes["#requirement/R1"]["undeveloped"] is True
    assert "supportedBy" not in nodes["#requirement/R1"]


def test_ids_stay_the_same_when_requirements_are_added() -> None:
    fewer = plan(requirements=plan()["requirements"][:2], objectives=[])

    assert set(_nodes(_document(fewer))) <= set(NODES)


def test_a_part_that_is_verified_twice_is_refused() -> None:
    twice = [*CLAIMS[:1], {**CLAIMS[1], "model": "a"}, *CLAIMS[2:]]

    with pytest.raises(AuditError, match=r"plan/plan.json: verifications 1, 2 are of the same part"):
        _document(plan(verifications=twice))


def test_models_of_one_name_are_refused() -> None:
    models = [plan()["models"][0], {**plan()["models"][1], "id": "a"}]

    with pytest.raises(AuditError, match="#model/a stands for two things in the argument: rename one"):
        _document(plan(models=models))


def test_the_argument_never_says_that_an_objective_is_reached() -> None:
    assert FORBIDDEN.search(_document().decode()) is None


@pytest.mark.parametrize("number", range(1, 15))
def test_any_single_verdict_gives_an_argument_without_loose_ends(number: int) -> None:
    for verdict in ("proved", "refuted", "unknown"):
        changed = [*RESULTS[: number - 1], result(number, verdict, verdict), *RESULTS[number:]]
        nodes = _nodes(_document(results=changed))
        assert all(target in nodes for _, _, target in _relations(nodes))
        supporting = {target for _, name, target in _relations(nodes) if name == "supportedBy"}
        for node_id, node in nodes.items():
            if node["@type"] == "Solution":
                assert (node_id in supporting) != ("challenges" in node)
        for node in nodes.values():
            if node["@type"] == "Goal" and not node.get("supportedBy"):
                assert node.get("undeveloped") is True or node.get("defeated") is True
