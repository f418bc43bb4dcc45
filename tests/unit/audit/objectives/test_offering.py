"""What is offered: kind by kind, by decided results alone, and never by those that say nothing."""

from __future__ import annotations

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.catalogue import Catalogue, Objective, shipped
from hybrid_ai.audit.objectives.evidence import EVIDENCE
from hybrid_ai.audit.objectives.offering import RULES, objective_members, offered, without_evidence
from tests.unit.audit.objectives.planned import CLAIMS, RESULTS, Content, objective, plan, result

BY_VERIFICATIONS = {"reach_cert", "robust_cert", "stability_cert", "float_bound", "attack", "replay"}
BY_THE_DOSSIER = {"odd_spec", "model_desc", "onnx_profile", "sbom", "signature", "config", "gsn"}
NOT_OFFERED = {
    "sens_cert",
    "relevance_cert",
    "constraint_proof",
    "lipschitz_cert",
    "corruption",
    "metrics",
    "conformal",
    "ood_monitor",
    "odd_monitor",
    "out_monitor",
    "xai_formal",
    "xai_metrics",
    "fair_metrics",
    "fair_cert",
    "data_profile",
    "split_check",
    "label_check",
    "train_record",
    "conversion_equiv",
    "runtime_log",
    "tool_qual",
    "risk_layer",
}

# Asks for every kind there is.
ALL = Catalogue("all", "All kinds", "1", "made up", None, (Objective("1", "Everything.", tuple(EVIDENCE)),))
ASKED = {"catalogue": "all", "id": "1", "requirements": ["R1", "R2", "R3", "R4"], "note": None}


def _row(results: list[Content], requirements: list[str]) -> dict[str, tuple[bool, list[int], list[int]]]:
    asked = plan(objectives=[{**ASKED, "requirements": requirements}])
    [row] = offered(asked, results, [ALL])
    return {each["tag"]: (each["offered"], each["by"], each["against"]) for each in row["evidence"]}


def _changed(number: int, *verdicts: str, vacuous: bool = False) -> list[Content]:
    changed = result(number, *verdicts, vacuous=vacuous)
    return [*RESULTS[: number - 1], changed, *RESULTS[number:]]


def test_every_kind_has_a_producer_or_is_not_offered() -> None:
    producers = {
        producer: {tag for tag, entry in EVIDENCE.items() if entry.producer == producer}
        for producer in ("verifications", "dossier", "not offered")
    }

    assert producers == {
        "verifications": BY_VERIFICATIONS,
        "dossier": BY_THE_DOSSIER,
        "not offered": NOT_OFFERED,
    }
    assert set(RULES) == BY_VERIFICATIONS
    assert len(EVIDENCE) == len(BY_VERIFICATIONS) + len(BY_THE_DOSSIER) + len(NOT_OFFERED)


@pytest.mark.parametrize("tag", EVIDENCE)
def test_a_kind_has_a_meaning_of_one_sentence_and_a_remark(tag: str) -> None:
    entry = EVIDENCE[tag]

    assert entry.tag == tag
    assert entry.meaning.endswith(".") and ". " not in entry.meaning
    assert entry.remark.endswith(".")


@pytest.mark.parametrize("catalogue", shipped(), ids=lambda catalogue: catalogue.id)
def test_every_tag_of_a_shipped_catalogue_is_in_the_list(catalogue: Catalogue) -> None:
    assert {tag for entry in catalogue.entries for tag in entry.evidence} <= set(EVIDENCE)


def test_each_kind_is_offered_by_its_own_results_alone() -> None:
    row = _row(RESULTS, ["R1", "R2", "R3", "R4"])

    assert row["reach_cert"] == (True, [1, 2, 6, 9], [9])
    assert row["robust_cert"] == (True, [3, 4], [4])
    assert row["stability_cert"] == (True, [6, 9], [9])
    assert row["attack"] == (True, [4], [4])
    assert row["float_bound"] == (True, [1, 2, 3, 4, 6, 9], [9])  # the fourth is refuted in real alone
    assert row["replay"] == (True, [1, 2, 3, 4, 6, 9], [4, 9])
    assert all(row[tag] == (True, [], []) for tag in BY_THE_DOSSIER)
    assert all(row[tag] == (False, [], []) for tag in NOT_OFFERED)


def test_results_of_other_requirements_offer_nothing() -> None:
    row = _row(RESULTS, ["R2"])

    assert row["robust_cert"] == (True, [3, 4], [4])
    assert row["reach_cert"] == (False, [], [])
    assert row["stability_cert"] == (False, [], [])


def test_a_requirement_that_is_named_twice_counts_once() -> None:
    assert _row(RESULTS, ["R1", "R1"])["reach_cert"] == (True, [1, 2], [])


@pytest.mark.parametrize(
    ("number", "verdicts", "vacuous", "names", "against"),
    [
        (1, ("unknown", "unknown"), False, [], []),
        (1, ("proved", "unknown"), False, [], []),  # undecided
        (1, ("unknown", "proved"), False, [], []),
        (1, ("proved",), False, ["reach_cert", "replay"], []),  # float32 was not asked for
        (1, ("proved", "proved"), True, [], []),  # of an empty input set
        (1, ("proved", "proved"), False, ["reach_cert", "float_bound", "replay"], []),
        (
            1,
            ("refuted", "refuted"),
            False,
            ["reach_cert", "float_bound", "attack", "replay"],
            ["reach_cert", "float_bound", "attack", "replay"],
        ),
        (
            1,
            ("refuted", "unknown"),
            False,
            ["reach_cert", "attack", "replay"],
            ["reach_cert", "attack", "replay"],
        ),
        (
            3,
            ("unknown", "refuted"),
            False,
            ["robust_cert", "float_bound", "attack", "replay"],
            ["robust_cert", "float_bound", "attack", "replay"],
        ),
        (9, ("refuted", "refuted"), False, [], []),  # that it never holds
        (9, ("proved", "proved"), True, [], []),
        (14, ("proved", "proved"), False, ["reach_cert", "float_bound", "replay"], []),
    ],
)
def test_a_result_offers_what_it_decides(
    number: int, verdicts: tuple[str, ...], vacuous: bool, names: list[str], against: list[str]
) -> None:
    requirements = [CLAIMS[number - 1]["requirement"]]

    row = _row(_changed(number, *verdicts, vacuous=vacuous), requirements)

    assert [tag for tag in BY_VERIFICATIONS if number in row[tag][1]] == [
        tag for tag in BY_VERIFICATIONS if tag in names
    ]
    assert [tag for tag in BY_VERIFICATIONS if number in row[tag][2]] == [
        tag for tag in BY_VERIFICATIONS if tag in against
    ]


def test_a_cell_on_which_both_claims_are_proved_is_empty_and_says_nothing() -> None:
    results = _changed(7, "proved", "proved")  # the emptiness went unnoticed: not called vacuous

    assert _row(results, ["R3"])["stability_cert"] == (True, [9], [9])


def test_a_cell_is_that_of_its_model_and_requirement() -> None:
    of_b = [{**claim, "model": "b", "cell": [0]} for claim in CLAIMS[7:9]]
    asked = plan(
        verifications=[*CLAIMS[:7], *of_b, *CLAIMS[9:]], objectives=[{**ASKED, "requirements": ["R3"]}]
    )

    [row] = offered(asked, RESULTS, [ALL])

    [found] = [each for each in row["evidence"] if each["tag"] == "stability_cert"]
    assert (found["by"], found["against"]) == ([6, 9], [9])


def test_a_row_names_the_objective_its_source_and_edition() -> None:
    [row] = offered(plan(), RESULTS, shipped())

    assert row == {
        "catalogue": "easa_concept_paper_issue_02",
        "id": "LM-12",
        "text": "Verify the stability of the trained model over the whole ODD.",
        "source": "EASA Concept Paper: guidance for Level 1 & 2 machine learning applications, "
        "Issue 02, March 2024",
        "requirements": ["R2", "R3"],
        "evidence": [
            {"tag": "stability_cert", "offered": True, "by": [6, 9], "against": [9]},
            {"tag": "lipschitz_cert", "offered": False, "by": [], "against": []},
            {"tag": "robust_cert", "offered": True, "by": [3, 4], "against": [4]},
        ],
    }


def test_objectives_without_evidence_and_requirements_without_objective_are_listed() -> None:
    asked = [objective("LM-12", ["R1"]), objective("LM-12", ["R3"]), objective("DM-06", ["R3"])]

    members = objective_members(plan(objectives=asked), RESULTS, shipped())

    assert [row["id"] for row in members["objectives"]] == ["LM-12", "LM-12", "DM-06"]
    assert members["without_evidence"] == [
        {"catalogue": "easa_concept_paper_issue_02", "id": "LM-12"},
        {"catalogue": "easa_concept_paper_issue_02", "id": "DM-06"},
    ]
    assert members["without_objective"] == ["R2", "R4"]
    assert set(members) == {"objectives", "without_objective", "without_evidence"}


def test_an_objective_of_no_kind_is_without_evidence() -> None:
    none = Catalogue("none", "None", "1", "made up", None, (Objective("1", "Something else.", ()),))
    asked = plan(objectives=[{**ASKED, "catalogue": "none"}])

    rows = offered(asked, RESULTS, [none])

    assert rows[0]["evidence"] == []
    assert without_evidence(rows) == [{"catalogue": "none", "id": "1"}]


def test_an_objective_that_no_catalogue_has_is_refused() -> None:
    with pytest.raises(AuditError, match="has no objective 'LM-112': the nearest is 'LM-12'"):
        offered(plan(objectives=[objective("LM-112", ["R1"])]), RESULTS, shipped())
