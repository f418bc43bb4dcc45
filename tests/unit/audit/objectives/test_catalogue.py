"""Catalogues: what is shipped, what a user's file may say, and what each malformed one is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.objectives.catalogue import (
    Catalogue,
    Objective,
    find,
    read_catalogue,
    shipped,
    with_shipped,
)
from hybrid_ai.audit.objectives.evidence import EVIDENCE

ROOT = Path(__file__).parents[4]
PACKAGE = ROOT / "src" / "hybrid_ai" / "audit" / "objectives"
DOCUMENT = ROOT / "docs" / "formats" / "objectives.md"

ENTRY = {"id": "HR-1", "text": "Outputs stay within limits.", "evidence": ["reach_cert"]}
GOOD = {
    "format": 1,
    "id": "house_rules",
    "title": "House rules",
    "edition": "2026",
    "source": "internal",
    "note": None,
    "entries": [ENTRY],
}
# No word may say that an objective is reached.
FORBIDDEN = re.compile(
    r"\b(compl(y|ies|ied|iant|iance)|satisf\w*|fulfil\w*|conform(s|ed|ing|ity|ance|ant)?)\b", re.I
)


def _written(folder: Path, content: object) -> Path:
    path = folder / "house.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_the_shipped_catalogues_are_those_of_sources_that_were_seen() -> None:
    sizes = {catalogue.id: len(catalogue.entries) for catalogue in shipped()}

    assert sizes == {
        "amlas": 12,
        "easa_concept_paper_issue_02": 60,
        "eu_ai_act": 17,
        "iso_iec_24029_2_2023": 12,
        "iso_iec_24029_3_dis": 1,
        "iso_iec_42001_annex_a": 5,
        "iso_iec_tr_5469_2024": 6,
    }


@pytest.mark.parametrize("catalogue", shipped(), ids=lambda catalogue: catalogue.id)
def test_a_shipped_catalogue_names_its_source_and_whose_words_it_has(catalogue: Catalogue) -> None:
    assert catalogue.title and catalogue.edition and len(catalogue.source) > 40
    assert catalogue.note is not None and "paraphrase" in catalogue.note
    assert "no substitute" in catalogue.note
    texts = [catalogue.title, catalogue.source, catalogue.note, *(entry.text for entry in catalogue.entries)]
    assert not any("/work" in text or "shared" in text for text in texts)


@pytest.mark.parametrize("name", [path.name for path in sorted((PACKAGE / "catalogues").iterdir())])
def test_a_shipped_file_is_one_that_a_user_could_give(name: str) -> None:
    catalogue = read_catalogue(PACKAGE / "catalogues" / name)

    assert f"{catalogue.id}.json" == name
    assert catalogue in shipped()


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    catalogue = read_catalogue(_written(tmp_path, GOOD))

    assert catalogue == Catalogue(
        "house_rules",
        "House rules",
        "2026",
        "internal",
        None,
        (Objective("HR-1", "Outputs stay within limits.", ("reach_cert",)),),
    )
    assert catalogue.name == "House rules, 2026"


def test_the_note_may_be_left_out_and_evidence_may_be_none(tmp_path: Path) -> None:
    content = {name: value for name, value in GOOD.items() if name != "note"}
    content["entries"] = [{**ENTRY, "evidence": []}]

    catalogue = read_catalogue(_written(tmp_path, content))

    assert catalogue.note is None and catalogue.entries[0].evidence == ()


def _with(**members: Any) -> dict[str, Any]:
    return {**GOOD, **members}


def _entries(*changes: dict[str, Any]) -> dict[str, Any]:
    return _with(entries=[{**ENTRY, **change} for change in changes])


MALFORMED = {
    "no JSON": ("{", "not strict JSON"),
    "no object": ([], "must be an object"),
    "a member twice": (json.dumps(GOOD)[:-1] + ', "id": "x"}', "appears twice"),
    "no title": ({name: value for name, value in GOOD.items() if name != "title"}, "lacks 'title'"),
    "an unknown member": (_with(entry=[]), "has the unknown 'entry'"),
    "another format": (_with(format=2), "format: must be 1"),
    "a format that is true": (_with(format=True), "format: must be 1"),
    "an id with a blank": (_with(id="house rules"), "id: 'house rules' is not 1 to 64 of"),
    "an id with an escape sequence": (_with(id="\x1b[2J"), r"id: '\x1b[2J' is not"),
    "an empty title": (_with(title=""), "title: is empty"),
    "a blank source": (_with(source=" \n"), "source: is blank"),
    "a note that is a number": (_with(note=3), "note: must be a string, is a number"),
    "a control character": (_with(edition="1\x07"), "edition: is blank, or has control characters"),
    "a long text": (_with(note="x" * 10_001), "note: has 10001 characters; at most 10000"),
    "no entries": (_with(entries=[]), "entries: is empty"),
    "entries that are an object": (_with(entries={"HR-1": ENTRY}), "entries: must be an array"),
    "an entry that is a text": (_with(entries=["HR-1"]), "entry 1: must be an object"),
    "an entry without text": (
        _with(entries=[{"id": "HR-1", "evidence": []}]),
        "entry 1: lacks 'text'",
    ),
    "an entry with more": (_entries({"status": "seen"}), "entry 1: has the unknown 'status'"),
    "an entry's id with a blank at its end": (_entries({"id": "HR-1 "}), "entry 1: id: 'HR-1 ' is not"),
    "a long id of an entry": (_entries({"id": "x" * 65}), "is not 1 to 64 printable characters"),
    "an empty text of an entry": (_entries({}, {"id": "HR-2", "text": ""}), "entry 2 (HR-2): text: is empty"),
    "evidence that is a text": (_entries({"evidence": "reach_cert"}), "entry 1 (HR-1): evidence: must be"),
    "a tag twice": (_entries({"evidence": ["gsn", "gsn"]}), "entry 1 (HR-1): evidence: names a tag twice"),
    "a misspelt tag": (
        _entries({"evidence": ["reach_certs"]}),
        "entry 1 (HR-1): evidence: there is no kind of evidence 'reach_certs': the nearest is 'reach_cert'",
    ),
    "a tag like no other": (_entries({"evidence": ["zzzz"]}), "'zzzz': there is none like it"),
    "a tag that is no text": (_entries({"evidence": [None]}), "evidence: must be a string, is null"),
    "an id twice": (
        _entries({}, {"text": "Another one."}),
        "entry 2 (HR-1): has the id of entry 1: give each its own",
    ),
    "an id twice but for case": (
        _entries({}, {"id": "hr-1"}),
        "entry 2 (hr-1): has the id of entry 1: give each its own",
    ),
}


@pytest.mark.parametrize(("content", "told"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_catalogue_is_refused_by_file_place_and_remedy(
    content: object, told: str, tmp_path: Path
) -> None:
    path = _written(tmp_path, content)

    with pytest.raises(AuditError) as caught:
        read_catalogue(path)

    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert message.endswith(("section 1, says how it is written", "give each its own"))
    assert message.isprintable()


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"nowhere.json: cannot be read: .*: name a readable file"):
        read_catalogue(tmp_path / "nowhere.json")
    with pytest.raises(AuditError, match="has more than 4194304 bytes: split it"):
        read_catalogue(_written(tmp_path, " " * (2**22 + 1)))


def test_a_user_adds_catalogues_and_replaces_none(tmp_path: Path) -> None:
    path = _written(tmp_path, GOOD)
    taken = tmp_path / "taken.json"
    taken.write_text(json.dumps(_with(id="AMLAS")), encoding="utf-8")

    assert with_shipped([]) == shipped()
    assert with_shipped([path]) == (*shipped(), read_catalogue(path))
    with pytest.raises(AuditError, match=r"taken.json: its id 'AMLAS' is that of a shipped catalogue: give"):
        with_shipped([taken])
    with pytest.raises(AuditError, match=rf"its id 'house_rules' is that of {path}: give it another one"):
        with_shipped([path, path])


def test_an_objective_is_found_by_catalogue_and_id() -> None:
    catalogue, objective = find(shipped(), "easa_concept_paper_issue_02", "LM-12")

    assert catalogue.edition == "Issue 02, March 2024"
    assert objective.text == "Verify the stability of the trained model over the whole ODD."
    assert objective.evidence == ("stability_cert", "lipschitz_cert", "robust_cert")


@pytest.mark.parametrize(
    ("catalogue", "name", "told"),
    [
        ("eu_ai_acts", "Art. 18", "no catalogue 'eu_ai_acts': the nearest is 'eu_ai_act'"),
        ("zzz", "Art. 18", "no catalogue 'zzz': name one of amlas, easa_concept_paper_issue_02, "),
        ("amlas", "[z]", "catalogue amlas: has no objective '[z]': "),
        ("eu_ai_act", "Art. 188", "has no objective 'Art. 188': the nearest is 'Art. 18'"),
        ("eu_ai_act", "zzz", "has no objective 'zzz': name one of its 17 entries"),
    ],
)
def test_an_objective_that_is_not_there_is_refused_with_the_nearest(
    catalogue: str, name: str, told: str
) -> None:
    with pytest.raises(AuditError) as caught:
        find(shipped(), catalogue, name)
    assert told in str(caught.value)


def test_the_document_lists_the_shipped_catalogues_and_every_kind_of_evidence() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()

    for catalogue in shipped():
        assert f"| `{catalogue.id}` | {catalogue.name} | {len(catalogue.entries)} |" in lines
    rows = [f"| `{e.tag}` | {e.meaning} | {e.producer} | {e.remark} |" for e in EVIDENCE.values()]
    start = lines.index(rows[0])
    assert lines[start : start + len(rows)] == rows
    assert lines[start + len(rows)] == ""


def test_the_document_has_an_example_that_can_be_read(tmp_path: Path) -> None:
    block = DOCUMENT.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]

    assert read_catalogue(_written(tmp_path, block)).id == "house_rules"


def test_nothing_claims_that_an_objective_is_reached() -> None:
    files = [DOCUMENT, *PACKAGE.glob("*.py"), *PACKAGE.glob("catalogues/*.json")]
    found = {
        f"{path.name}: {match[0]}"
        for path in files
        for match in FORBIDDEN.finditer(path.read_text(encoding="utf-8"))
    }

    assert len(files) >= 13
    assert found == set()
    assert FORBIDDEN.search("It complies.") and FORBIDDEN.search("satisfies")
