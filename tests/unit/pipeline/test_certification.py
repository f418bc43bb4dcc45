"""Certification: interrupted and resumed, refused, and what of this machine gets into a dossier."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from hybrid_ai.pipeline import certification
from hybrid_ai.pipeline.certification import certify
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure
from hybrid_ai.pipeline.instances import Case, Job
from hybrid_ai.pipeline.limits import Limits
from tests.certified import (
    BRAKING,
    DEMO,
    LIMIT,
    OTHER,
    PROPERTIES,
    QUIET,
    SIGNER,
    VERDICTS,
    Content,
    Stub,
    Told,
    certified_copy,
    demo_request,
    entries,
    ignore,
    interrupted,
    results_of,
    run,
    snapshot,
    stubbed,
    verified,
)

stub = pytest.fixture(stubbed, name="stub")


def unknown(job: Job, result: Content, file: Path) -> None:
    file.unlink()
    result |= {"verdict": "unknown", "certificate": None, "counterexample": None, "reason": "timeout"}
    result["arithmetics"] = dict.fromkeys(result["arithmetics"], "unknown")
    result["reasons"] = dict.fromkeys(result["arithmetics"], "timeout")


def test_what_is_certified_verifies_and_holds_all_that_was_given(tmp_path: Path) -> None:
    root = certified_copy(tmp_path / "d")
    report = verified(root, SIGNER)
    assert report.kind == "certification" and not report.additions
    results = results_of(root)
    assert [result["verdict"] for result in results] == VERDICTS
    assert (root / "models/braking.onnx").read_bytes() == BRAKING.read_bytes()
    for name in PROPERTIES:
        assert (root / f"properties/{name}.vnnlib").read_bytes() == (DEMO / f"{name}.vnnlib").read_bytes()
    actions = [entry["action"] for entry in entries(root)]
    assert actions == ["log/open", "certify/start", *["verify"] * 3, "dossier/seal"]
    asked = {"arithmetic", "timeout", "memory", "threads", "seed", "allow_vacuous"}
    assert all(set(result["parameters"]) == asked for result in results)
    assert {path.name for path in (root / "evidence").iterdir()} == {
        "0001.certificate", "0001.dsse.json", "0002.certificate", "0002.dsse.json",
        "0003.counterexample.json", "0003.dsse.json",
    }  # fmt: skip


def test_descriptions_are_of_the_files_that_are_there(tmp_path: Path, stub: Stub) -> None:
    staging = interrupted(tmp_path / "d", stub, 1)
    for name in ("bom.cdx.json", "ro-crate-metadata.json"):  # of a run that was cut off while it described
        (staging / name).write_bytes(b"stale")
    root = run(tmp_path / "d")
    listed = {
        file["path"]: file["sha256"] for file in json.loads((root / "dossier.json").read_bytes())["files"]
    }
    crate = (root / "ro-crate-metadata.json").read_text()
    bom = (root / "bom.cdx.json").read_text()
    for path, digest in listed.items():
        if path.startswith(("models/", "properties/", "evidence/")):
            assert path in crate and digest in bom + crate
    assert listed["bom.cdx.json"] in crate and "ro-crate-metadata.json" not in bom


def test_nothing_of_this_machine_gets_in(tmp_path: Path, stub: Stub) -> None:
    import getpass
    import socket

    root = run(tmp_path / "d")
    for path, data in snapshot(root).items():
        for text in (str(tmp_path), str(DEMO), str(Path.home()) + "/", ".hybrid-ai-"):
            assert data is None or path == "verify.py" or text.encode() not in data, (path, text)
    told = (root / "trace/entries.jsonl").read_text() + (root / "results.json").read_text()
    # A word of its own: short host names occur by chance in digests.
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", told)
    assert '"actor"' not in told and '"host"' not in told and getpass.getuser() + '"' not in told


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_run_interrupted_after_a_result_goes_on_there(tmp_path: Path, stub: Stub, k: int) -> None:
    output = tmp_path / "d"
    told = Told()

    def stop(result: Content, resumed: bool) -> None:
        told(result, resumed)
        if len(told) == k:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        certify(demo_request(), output, SIGNER, QUIET, stop)
    assert not output.exists() and stub.done == [1, 2, 3][:k]
    before = entries(output.with_name("d.partial"))
    again = Told()
    run(output, again)
    assert stub.done == [1, 2, 3]
    assert sorted(again) == sorted(zip(VERDICTS, [True] * k + [False] * (3 - k), strict=True))
    assert again[:k] == [(verdict, True) for verdict in VERDICTS[:k]]
    after = entries(output)
    assert after[: len(before)] == before
    assert [entry["action"] for entry in after].count("certify/start") == 2
    assert [entry["action"] for entry in after].count("verify") == 3
    verified(output, SIGNER)
    assert not output.with_name("d.partial").exists()


def test_a_run_interrupted_in_a_search_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certification, "verify_all", Stub(stop_after=2))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "d")
    again = Stub()
    monkeypatch.setattr(certification, "verify_all", again)
    run(tmp_path / "d")
    assert again.done == [3]
    verified(tmp_path / "d", SIGNER)


class Crash(BaseException):
    pass


def test_a_run_cut_off_anywhere_ends_in_one_sealed_dossier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each renaming, the steps by which anything becomes visible, or right after it."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for step in range(200):
        output = tmp_path / f"d{step}"
        calls = [0]

        def limited(inner: object, calls: list[int] = calls, step: int = step) -> object:
            def call(*arguments: object, **options: object) -> object:
                calls[0] += 1
                if calls[0] > step:
                    raise Crash
                return inner(*arguments, **options)  # type: ignore[operator]

            return call

        with monkeypatch.context() as patch:
            patch.setattr(certification, "verify_all", Stub())
            patch.setattr(os, "replace", limited(os.replace))
            patch.setattr(os, "rename", limited(os.rename))
            try:
                run(output)
                break
            except Crash:
                assert not output.exists()
        leave_litter(output.with_name(f"d{step}.partial"))
        with monkeypatch.context() as patch:
            patch.setattr(certification, "verify_all", Stub())
            run(output)
        verified(output, SIGNER)
        assert [entry["action"] for entry in entries(output)].count("dossier/seal") == 1
        assert [result["verdict"] for result in results_of(output)] == VERDICTS
    assert 15 < step < 199


def leave_litter(staging: Path) -> None:
    """What a killed process leaves beside: unfinished files, and scratch folders."""
    (staging / "evidence").mkdir(exist_ok=True)
    (staging / "evidence/.hybrid-ai-abc").write_bytes(b"half")
    (staging / ".hybrid-ai-scratch").mkdir()
    (staging / ".hybrid-ai-scratch/0001.evidence").write_bytes(b"half")


def test_sealed_but_not_renamed_is_only_renamed(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Crash

    output = tmp_path / "d"
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(os, "rename", stop)
        run(output)
    before = snapshot(tmp_path / "d.partial")
    with pytest.raises(BadInput, match=f"sealed by the key {SIGNER.key_id}: give that one"):
        certify(demo_request(), output, OTHER, QUIET, ignore)
    told = Told()
    run(output, told)
    assert snapshot(output) == before and stub.done == [1, 2, 3]
    assert told == [(verdict, True) for verdict in VERDICTS]
    verified(output, SIGNER)


def test_a_seal_cut_off_before_its_entry_is_made_again(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr("hybrid_ai.audit.additions._sync_folders", stop)
        run(tmp_path / "d")
    # What comes next is entry 6, the number that the seal would have had.
    assert (tmp_path / "d.partial/pending/trace/checkpoints/000000000006.note").exists()
    assert len(entries(tmp_path / "d.partial")) == 5
    run(tmp_path / "d")
    verified(tmp_path / "d", SIGNER)


@pytest.mark.parametrize("damage", ["cut", "empty", "other key", "evidence"])
def test_a_damaged_result_is_computed_again(tmp_path: Path, stub: Stub, damage: str) -> None:
    output = tmp_path / "d"
    staging = interrupted(output, stub, 2)
    statement = staging / "evidence/0001.dsse.json"
    if damage == "cut":
        statement.write_bytes(statement.read_bytes()[:-20])
    elif damage == "empty":
        statement.write_bytes(b"")
    elif damage == "evidence":
        (staging / "evidence/0001.certificate").write_bytes(b"half")
    if damage == "other key":
        certify(demo_request(), output, OTHER, QUIET, ignore)
        assert stub.done == [1, 2, 1, 2, 3]
        verified(output, OTHER)
    else:
        run(output)
        assert stub.done == [1, 2, 1, 3]
        verified(output, SIGNER)


def test_what_is_unknown_is_tried_again(tmp_path: Path, stub: Stub) -> None:
    output = tmp_path / "d"
    stub.change = unknown
    interrupted(output, stub, 2)
    stub.change = None
    told = Told()
    run(output, told)
    assert stub.done == [1, 2, 1, 2, 3] and told == [(verdict, False) for verdict in VERDICTS]
    verified(output, SIGNER)
    assert [entry.get("verdict") for entry in entries(output) if entry["action"] == "verify"] == [
        "unknown", "unknown", *VERDICTS
    ]  # fmt: skip


def test_leftover_evidence_of_another_kind_does_not_stay(tmp_path: Path, stub: Stub) -> None:
    staging = interrupted(tmp_path / "d", stub, 2)
    (staging / "evidence/0003.certificate").write_bytes(b"of a run that was killed")
    run(tmp_path / "d")
    assert not (tmp_path / "d/evidence/0003.certificate").exists()
    verified(tmp_path / "d", SIGNER)


def test_unknown_results_have_their_place_in_a_dossier(tmp_path: Path, stub: Stub) -> None:
    stub.change = unknown
    root = run(tmp_path / "d")
    assert [(result["verdict"], result["evidence"]) for result in results_of(root)] == [("unknown", None)] * 3
    verified(root, SIGNER)


def rejected(job: Job, result: Content, file: Path) -> None:
    """A certificate that was rejected and kept; both reasons name its file."""
    kept = result["certificate"] or {"path": str(file), "sha256": result["counterexample"]["file"]["sha256"]}
    reason = f"certificate rejected: rule at tree 0; certificate kept in {file}"
    arithmetics = dict.fromkeys(result["arithmetics"], "unknown")
    result |= {"verdict": "unknown", "reason": reason, "failed": True, "arithmetics": arithmetics}
    result |= {"reasons": dict.fromkeys(arithmetics, reason), "certificate": kept, "counterexample": None}


def test_a_kept_certificate_is_named_by_its_place_in_the_dossier(tmp_path: Path, stub: Stub) -> None:
    stub.change = rejected
    root = run(tmp_path / "d", request=demo_request(PROPERTIES[:1]))
    (result,) = results_of(root)
    assert result["evidence"] == "evidence/0001.certificate" and result["failed"]
    for text in (result["reason"], *result["reasons"].values()):
        assert text.endswith("certificate kept in evidence/0001.certificate")
    assert str(tmp_path).encode() not in b"".join(filter(None, snapshot(root).values()))
    verified(root, SIGNER)


def late(job: Job, result: Content, file: Path) -> None:
    """A counterexample was written, but its check came too late: the result tells of no evidence."""
    keep = file.read_bytes()
    unknown(job, result, file)
    file.write_bytes(keep)


def stale(job: Job, result: Content, file: Path) -> None:
    """The search went on after a rejected certificate, whose description is still there."""
    other = {"path": str(file), "sha256": "00" * 32, "bytes": 1}
    if result["counterexample"] is not None:
        result["certificate"] = other
    else:
        unknown(job, result, file)
        file.write_bytes(b"a counterexample that was rejected")
        result["certificate"] = other


@pytest.mark.parametrize("change", [late, stale])
def test_evidence_that_the_result_does_not_tell_of_is_left_out(
    tmp_path: Path, stub: Stub, change: object
) -> None:
    stub.change = change  # type: ignore[assignment]
    root = run(tmp_path / "d")
    verified(root, SIGNER)
    assert [result["evidence"] for result in results_of(root)[:2]] == [None, None]


def test_a_decided_result_without_its_evidence_is_a_failure(tmp_path: Path, stub: Stub) -> None:
    stub.change = lambda job, result, file: file.write_bytes(b"other") and None
    with pytest.raises(CheckerFailure, match=r"braking_limit\.vnnlib: proved, but the evidence is not there"):
        run(tmp_path / "d")


def test_another_request_in_the_same_folder_is_refused(tmp_path: Path, stub: Stub) -> None:
    output = tmp_path / "d"
    staging = interrupted(output, stub, 1)
    before = snapshot(staging)
    other = tmp_path / "renamed.vnnlib"
    shutil.copy(LIMIT, other)
    for request in (
        demo_request(PROPERTIES[:2]),
        demo_request(arithmetic="real"),
        demo_request(allow_vacuous=True),
        demo_request(limits=Limits(60.0, seed=1)),
        demo_request(cases=[*demo_request().cases[:2], Case(BRAKING, other, 60.0)]),
        demo_request(cases=[Case(case.model, case.property, 61.0) for case in demo_request().cases]),
    ):
        with pytest.raises(BadInput, match="holds another certification, interrupted: remove it"):
            certify(request, output, SIGNER, QUIET, ignore)
        assert snapshot(staging) == before
    run(output, request=demo_request(jobs=2))  # how many at a time changes no verdict
    verified(output, SIGNER)


def test_two_processes_at_once_are_one_too_many(tmp_path: Path, stub: Stub) -> None:
    staging = tmp_path / "d.partial"
    staging.mkdir()
    descriptor = os.open(staging, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another process writes it: name another folder"):
            run(tmp_path / "d")
        assert not list(staging.iterdir()) and stub.done == []
    finally:
        os.close(descriptor)

    def begin_again(result: Content, resumed: bool) -> None:
        with pytest.raises(BadInput, match="another process writes it"):
            run(tmp_path / "d")

    certify(demo_request(), tmp_path / "d", SIGNER, QUIET, begin_again)
    assert stub.done == [1, 2, 3]
    verified(tmp_path / "d", SIGNER)
