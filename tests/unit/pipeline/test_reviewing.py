"""Dispositions, what an approver has to wait for, and differences between dossiers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.dispositions import Disposition, read_disposition, write_disposition
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline import comparing, reviewing
from hybrid_ai.pipeline.comparing import Difference, compare
from hybrid_ai.pipeline.dossiers import Signature, attach, dispose, export_payload, sign, zip_dossier
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.reviewing import review
from tests.certified import OTHER, SIGNER, Content, certified_copy, resealed, results_of, verified

ACCEPTED = Disposition("0003", "accepted", "A runway that short is not used.", "reviewer")
APPROVAL = Signature("approver", "approved")


def with_plan(root: Path, target: Path, roles: list[str], status: dict[str, str]) -> Path:
    """A copy with as much of a plan and an assessment as review and comparison read."""

    def add(index: int, result: Content, folder: Path) -> None:
        requirements = [
            {"id": name, "verifications": [number], "text": "", "where": None, "require": "y <= 1",
             "samples": None, "coverage": None}
            for number, name in enumerate(status, start=1)
        ]  # fmt: skip
        (folder / "plan").mkdir(exist_ok=True)
        plan = {"requirements": requirements, "review": {"roles": roles}}
        (folder / "plan/plan.json").write_bytes(encode(plan))
        rows = [{"id": name, "status": verdict} for name, verdict in status.items()]
        (folder / "assessment.json").write_bytes(encode({"requirements": rows}))

    return resealed(root, target, add, SIGNER)


def test_an_approver_waits_for_dispositions(tmp_path: Path) -> None:
    root = certified_copy(tmp_path / "d")
    assert review(root).items == {"0003": "refuted"} and review(root).waiting == ["0003"]
    for signing in (
        lambda: sign(root, APPROVAL, OTHER),
        lambda: export_payload(root, APPROVAL, OTHER.public_key, tmp_path / "payload"),
    ):
        with pytest.raises(AuditError, match="1 items were not proved and have no disposition: 0003"):
            signing()
    sign(root, Signature("reviewer", "read"), OTHER)  # other roles need not wait
    path = dispose(root, ACCEPTED, OTHER)
    assert path == "attachments/0001/disposition.json"
    found = review(root).dispositions["0003"]
    assert found.disposition == ACCEPTED and found.key == OTHER.key_id and review(root).waiting == []
    sign(root, APPROVAL, SIGNER)
    assert [each.role for each in verified(root, SIGNER, OTHER).additions] == ["reviewer", None, "approver"]


def test_the_last_disposition_counts(tmp_path: Path) -> None:
    root = certified_copy(tmp_path / "d")
    dispose(root, ACCEPTED, OTHER)
    later = Disposition("0003", "restricted", "Below 1300 m only by hand.", "author")
    dispose(root, later, SIGNER)
    assert review(root).dispositions["0003"].disposition == later


@pytest.mark.parametrize("item", ["0001", "0004", "3", ""])
def test_what_needs_no_disposition_gets_none(tmp_path: Path, item: str) -> None:
    root = certified_copy(tmp_path / "d")
    with pytest.raises(AuditError, match="is no item that was not proved: give one of 0003"):
        dispose(root, Disposition(item, "accepted", "why", "reviewer"), OTHER)
    assert not verified(root).additions


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of a plan as these tests have gives no assessment."""
    for module in (reviewing, comparing):
        monkeypatch.setattr(module, "require_assessment", lambda documents: None)


def test_a_plan_names_items_and_roles(tmp_path: Path, believed: None) -> None:
    status = {"limit": "proved", "envelope": "unknown", "short": "refuted"}
    root = with_plan(certified_copy(tmp_path / "a"), tmp_path / "d", ["verifier", "approver"], status)
    assert review(root).items == {"envelope": "unknown", "short": "refuted"}
    for item in ("envelope", "short"):
        dispose(root, Disposition(item, "open", "Known.", "verifier"), OTHER)
    with pytest.raises(AuditError, match="its plan asks for signatures as verifier before"):
        sign(root, APPROVAL, SIGNER)
    sign(root, Signature("verifier", ""), OTHER)
    sign(root, APPROVAL, SIGNER)


def test_a_plan_of_somebody_else_is_refused(tmp_path: Path) -> None:
    root = with_plan(certified_copy(tmp_path / "a"), tmp_path / "d", ["approver"], {"limit": "proved"})

    def spoil(index: int, result: Content, folder: Path) -> None:
        (folder / "plan").mkdir(exist_ok=True)
        (folder / "plan/plan.json").write_bytes(b'{"requirements":3}')
        (folder / "assessment.json").write_bytes((root / "assessment.json").read_bytes())

    other = resealed(root, tmp_path / "e", spoil, SIGNER)
    for refused in (lambda: review(other), lambda: compare(root, other)):
        with pytest.raises(BadInput, match=r"plan/plan\.json or assessment\.json is none"):
            refused()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "no disposition of version 1"),
        ({"kind": "ignored"}, "has the kind 'ignored'"),
        ({"role": "boss"}, "and the role 'boss'"),
        ({"item": 3}, "no disposition"),
        ({"rationale": " "}, "no disposition"),
        ({"more": 1}, "has the unknown 'more'"),
    ],
)
def test_files_that_are_no_dispositions_are_refused(change: Content, reason: str) -> None:
    content = json.loads(write_disposition(ACCEPTED)) | change
    with pytest.raises(Refused, match=reason):
        read_disposition(encode(content), "attachments/0001/disposition.json")


@pytest.mark.parametrize("rationale", ["", " \n", "x" * 2**16, "\ud800"])
def test_rationales_that_cannot_be_written_are_refused(rationale: str) -> None:
    with pytest.raises(AuditError, match="rationale"):
        write_disposition(Disposition("0003", "open", rationale, "author"))


def test_a_file_of_that_name_is_attached_only_if_it_is_one(tmp_path: Path) -> None:
    root = certified_copy(tmp_path / "d")
    file = tmp_path / "disposition.json"
    file.write_bytes(b"{}")
    with pytest.raises(BadInput, match="is named like a disposition, and is none"):
        attach(root, file, OTHER, "")
    assert not verified(root).additions


def test_equal_dossiers_do_not_differ(tmp_path: Path) -> None:
    root = certified_copy(tmp_path / "d")
    zip_dossier(root, tmp_path / "d.zip")
    assert compare(root, tmp_path / "d.zip") == []


def test_results_about_the_same_files_are_compared_by_their_order() -> None:
    def result(verdict: str) -> Content:
        digests = {"model_sha256": "ab", "property_sha256": "cd"}
        said = {"model": "models/m", "property": "properties/p", "verdict": verdict}
        return {**said, **digests, "parameters": {}, "version": "1"}

    read = {"results.json": {"results": [result(verdict) for verdict in ("proved", "refuted", "proved")]}}
    states = comparing._by_files(read)
    files = "models/m properties/p"
    assert list(states) == [files, f"{files} (2)", f"{files} (3)"]
    assert [state["verdict"] for state in states.values()] == ["proved", "refuted", "proved"]


def changed(tmp_path: Path, change: Callable[[Content], None]) -> list[Difference]:
    root = certified_copy(tmp_path / "a")

    def alter(index: int, result: Content, folder: Path) -> None:
        if index == 0:
            change(result)

    return compare(root, resealed(root, tmp_path / "b", alter, SIGNER))


def test_another_version_of_the_tool_is_a_difference(tmp_path: Path) -> None:
    (found,) = changed(tmp_path, lambda result: result.update(version="9.9"))
    assert found.requirement == "models/braking.onnx properties/braking_limit.vnnlib"
    assert found.changes() == {"tool": (results_of(tmp_path / "a")[0]["version"], "9.9")}
    assert found.line().endswith("-> 9.9")


def test_other_limits_are_a_difference(tmp_path: Path) -> None:
    (found,) = changed(tmp_path, lambda result: result["parameters"].update(timeout=1))
    assert list(found.changes()) == ["arguments"]


def test_requirements_that_came_or_went_are_differences(tmp_path: Path, believed: None) -> None:
    copy = certified_copy(tmp_path / "a")
    old = with_plan(copy, tmp_path / "b", [], {"one": "proved", "two": "proved", "three": "refuted"})
    new = with_plan(copy, tmp_path / "c", [], {"one": "unknown", "two": "proved", "four": "refuted"})
    lines = [each.line() for each in compare(old, new)]
    assert lines == [
        "one: verdict proved -> unknown", "four: presence absent -> present",
        "three: presence present -> absent",
    ]  # fmt: skip
