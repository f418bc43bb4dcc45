"""Certifications that were interrupted, prepared by others or asked for again."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.log_file import sync_folder
from hybrid_ai.audit.sealing import seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.pipeline import certification, staging
from hybrid_ai.pipeline.certification import certify
from hybrid_ai.pipeline.errors import BadInput, CheckerFailure
from hybrid_ai.pipeline.instances import Case
from tests.certified import (
    BRAKING,
    DEMO,
    LIMIT,
    PROPERTIES,
    QUIET,
    RUN,
    SIGNER,
    VERDICTS,
    Content,
    Stub,
    Told,
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


def test_a_folder_renamed_while_it_was_opened_is_not_written(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if operation & fcntl.LOCK_NB:  # the other process ends just now
            (tmp_path / "d.partial").rename(tmp_path / "other")
        inner(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BadInput, match="another process writes it"):
        run(tmp_path / "d")
    assert not list((tmp_path / "other").iterdir()) and stub.done == []


def test_nothing_is_begun_for_what_cannot_be_done(tmp_path: Path, stub: Stub) -> None:
    malformed = tmp_path / "bad.vnnlib"
    malformed.write_text("(assert (<= X_0 0.1)")
    case = Case(BRAKING, LIMIT, 60.0)
    there, link = tmp_path / "there", tmp_path / "link"
    there.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    for request, output, said in (
        (demo_request(), there, "is there already: name another folder"),
        (demo_request(), link, "is there already: name another folder"),
        (demo_request(jobs=0), tmp_path / "d", "0 jobs: give at least 1"),
        (demo_request(cases=[]), tmp_path / "d", "0 verifications: give at least 1"),
        (demo_request(cases=[case] * 10_000), tmp_path / "d", "10000 verifications: .* at most 9999"),
        (demo_request(cases=[case, Case(BRAKING, malformed, 1.0)]), tmp_path / "d", r"bad\.vnnlib"),
        (demo_request(cases=[Case(BRAKING, tmp_path / "none", 1.0)]), tmp_path / "d", "No such file"),
    ):
        with pytest.raises(BadInput, match=said):
            certify(request, output, SIGNER, QUIET, ignore)
    assert {path.name for path in tmp_path.iterdir()} == {"bad.vnnlib", "there", "link"} and not stub.done


def test_equal_names_of_different_files_are_told_apart(tmp_path: Path, stub: Stub) -> None:
    cases = []
    for folder, name in zip("abc", PROPERTIES, strict=True):
        (tmp_path / folder).mkdir()
        shutil.copy(BRAKING, tmp_path / folder / "model 1.onnx")
        target = tmp_path / folder / ("P.vnnlib" if folder == "b" else "p.vnnlib")
        shutil.copy(DEMO / f"{name}.vnnlib", target)
        cases.append(Case(tmp_path / folder / "model 1.onnx", target, 60.0))
    root = run(tmp_path / "d", request=demo_request(cases=cases))
    found = [(result["model"], result["property"]) for result in results_of(root)]
    names = ("p.vnnlib", "2-P.vnnlib", "3-p.vnnlib")
    assert found == [("models/model_1.onnx", f"properties/{name}") for name in names]
    verified(root, SIGNER)


def test_equal_files_are_there_once(tmp_path: Path, stub: Stub) -> None:
    case = demo_request().cases[0]
    shutil.copy(LIMIT, tmp_path / "other.vnnlib")
    cases = [case, case, Case(BRAKING, tmp_path / "other.vnnlib", 60.0)]
    root = run(tmp_path / "d", request=demo_request(cases=cases))
    assert [path.name for path in (root / "properties").iterdir()] == ["braking_limit.vnnlib"]
    assert len(results_of(root)) == 3
    verified(root, SIGNER)


def test_a_file_that_changes_meanwhile_is_refused(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "p.vnnlib"
    shutil.copy(LIMIT, source)
    inner = certification.locked

    def locked(staging: Path) -> object:
        shutil.copy(DEMO / "braking_envelope.vnnlib", source)
        return inner(staging)

    monkeypatch.setattr(certification, "locked", locked)
    with pytest.raises(BadInput, match=r"p\.vnnlib: was changed while it was read"):
        run(tmp_path / "d", request=demo_request(cases=[Case(BRAKING, source, 60.0)]))
    assert stub.done == []


def test_the_final_name_taken_meanwhile_keeps_all(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(result: Content, resumed: bool) -> None:
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d/file").write_bytes(b"")

    with pytest.raises(BadInput, match=r"cannot be written: .*; all is in .*d\.partial"):
        certify(demo_request(), tmp_path / "d", SIGNER, QUIET, taken)
    verified(tmp_path / "d.partial", SIGNER)
    shutil.rmtree(tmp_path / "d")
    run(tmp_path / "d")
    assert stub.done == [1, 2, 3]


def test_names_that_are_ours_cannot_come_in(tmp_path: Path, stub: Stub) -> None:
    (interrupted(tmp_path / "d", stub, 1) / "Keys").write_bytes(b"")
    with pytest.raises(AuditError, match="a dossier needs the name keys"):
        run(tmp_path / "d")
    assert not (tmp_path / "d").exists()


KILLED = """
import sys
from pathlib import Path
from hybrid_ai.pipeline import certification
from hybrid_ai.pipeline.certification import certify
from tests.certified import QUIET, SIGNER, demo_request
def told(result, resumed):
    print(result["verdict"], resumed, flush=True)
    sys.stdin.readline()
certify(demo_request(jobs=int(sys.argv[2])), Path(sys.argv[1]), SIGNER, QUIET, told)
"""
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_process_is_taken_up_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    output = tmp_path / "d"
    command = [sys.executable, "-c", KILLED, str(output), str(jobs)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    (verdict, resumed), _ = process.stdout.readline().split(), process.kill()
    process.communicate(timeout=60)
    assert resumed == "False" and not output.exists()
    again = Stub()
    monkeypatch.setattr(certification, "verify_all", again)
    told = Told()
    run(output, told)
    assert told[0] == (verdict, True) and len(again.done) == 2
    assert [result["verdict"] for result in results_of(output)] == VERDICTS
    verified(output, SIGNER)


def test_a_folder_that_somebody_sealed_is_not_renamed(tmp_path: Path, stub: Stub) -> None:
    staging = interrupted(tmp_path / "d", stub, 1)
    seal(staging, "folder", SIGNER, RUN)
    before = snapshot(staging)
    with pytest.raises(BadInput, match=r"d\.partial: is a folder that somebody sealed: remove it"):
        run(tmp_path / "d")
    assert snapshot(staging) == before and not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["stray.txt", "evidence/0001.counterexample.json", "models/x.onnx"])
def test_a_stray_file_is_not_sealed(tmp_path: Path, stub: Stub, name: str) -> None:
    staging = interrupted(tmp_path / "d", stub, 2)
    (staging / name).write_bytes(b"stray")
    with pytest.raises(BadInput, match=f"{name}: is not of this certification: remove it"):
        run(tmp_path / "d")
    assert "dossier/seal" not in {entry["action"] for entry in entries(staging)}
    (staging / name).unlink()
    run(tmp_path / "d")
    assert stub.done == [1, 2, 3]
    verified(tmp_path / "d", SIGNER)


def test_what_does_not_verify_gets_no_name(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sealed_badly(staging: Path, *arguments: object) -> str:
        digest = seal(staging, *arguments)  # type: ignore[arg-type]
        (staging / "README.md").write_bytes(b"changed")
        return digest

    monkeypatch.setattr(certification, "seal", sealed_badly)
    for _ in range(2):  # also when it is taken up again
        with pytest.raises(CheckerFailure, match=r"d\.partial: was sealed, but does not verify: README\.md"):
            run(tmp_path / "d")
        assert not (tmp_path / "d").exists() and (tmp_path / "d.partial/dossier.json").exists()


@pytest.mark.parametrize("inside", ["link", "trace", "models", ".hybrid-ai-link", "pipe", ""])
def test_a_prepared_folder_with_links_is_refused(tmp_path: Path, stub: Stub, inside: str) -> None:
    victim, staging = tmp_path / "victim", tmp_path / "d.partial"
    victim.mkdir()
    (victim / "file").write_bytes(b"precious")
    if inside:
        staging.mkdir()
    if inside == "pipe":
        os.mkfifo(staging / inside)
    else:
        (staging / inside).symlink_to(victim)
    if inside == ".hybrid-ai-link":  # what is unfinished is removed: the link, not what it leads to
        run(tmp_path / "d")
    else:
        said = r"is a link or a special file|is no folder that can be used|no interrupted run left it"
        with pytest.raises(BadInput, match=said):
            run(tmp_path / "d")
        assert stub.done == []
    assert snapshot(victim) == {"file": b"precious"}


@pytest.mark.parametrize("inside", ["notes.txt", "trace/notes.txt", "models/notes.txt"])
@pytest.mark.parametrize("logs", [False, True])
def test_a_folder_that_no_run_left_is_refused_as_it_is(
    tmp_path: Path, stub: Stub, inside: str, logs: bool
) -> None:
    staging = tmp_path / "d.partial"
    (staging / inside).parent.mkdir(parents=True)
    (staging / inside).write_bytes(b"precious")
    (staging / ".hybrid-ai-own").write_bytes(b"precious")
    if logs:
        with Trace(staging / "trace/entries.jsonl") as trace:
            trace.append("measure", parameters={"run": 1}).wait()
    before = snapshot(staging)
    with pytest.raises(
        BadInput, match=r"d\.partial: is there, and no interrupted run left it: remove it, or"
    ):
        run(tmp_path / "d")
    assert snapshot(staging) == before and stub.done == [] and not (tmp_path / "d").exists()


def test_a_run_that_was_ended_before_it_logged_goes_on(tmp_path: Path, stub: Stub) -> None:
    with Trace(tmp_path / "d.partial/trace/entries.jsonl"):
        (tmp_path / "d.partial/.hybrid-ai-scratch").mkdir()
    verified(run(tmp_path / "d"), SIGNER)


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.partial").mkdir()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(BadInput, match="is of another user: name another folder"):
        run(tmp_path / "d")
    assert not list((tmp_path / "d.partial").iterdir()) and stub.done == []


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_until_it_is_whole_it_is_for_its_owner(tmp_path: Path, stub: Stub, mask: int) -> None:
    modes = []

    def look(result: Content, resumed: bool) -> None:
        modes.append((tmp_path / "d.partial").stat().st_mode & 0o777)

    before = os.umask(mask)
    try:
        certify(demo_request(), tmp_path / "d", SIGNER, QUIET, look)
    finally:
        os.umask(before)
    assert modes == [0o700] * 3 and (tmp_path / "d").stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize(("kept", "done"), [(3, [1, 2, 2, 3]), (2, [1, 2, 1, 2, 3])])
def test_a_result_that_the_log_has_lost_is_computed_again(
    tmp_path: Path, stub: Stub, kept: int, done: list[int]
) -> None:
    """The log is an older copy; what is appended next takes the numbers that the results name."""
    log = interrupted(tmp_path / "d", stub, 2) / "trace/entries.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:kept]))
    run(tmp_path / "d")
    assert stub.done == done
    verified(tmp_path / "d", SIGNER)


def test_a_result_must_be_what_its_entry_says(tmp_path: Path, stub: Stub) -> None:
    """An older log went on: its entry of that number is about the other property."""
    log = interrupted(tmp_path / "d", stub, 2) / "trace/entries.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    old = lines[3].replace(b'"sequence":3', b'"sequence":2')
    log.write_bytes(b"".join([*lines[:2], old, lines[2].replace(b'"sequence":2', b'"sequence":3')]))
    run(tmp_path / "d")
    assert stub.done == [1, 2, 1, 2, 3]
    verified(tmp_path / "d", SIGNER)


def test_names_are_on_disk_before_the_seal_and_after_the_renaming(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, inner: object) -> object:
        def call(path: Path, *arguments: object) -> object:
            done.append(f"{name} {path.relative_to(tmp_path)}")
            return inner(path, *arguments)  # type: ignore[operator]

        return call

    for module in (certification, staging):
        monkeypatch.setattr(module, "sync_folder", noted("sync", sync_folder))
    monkeypatch.setattr(certification, "seal", noted("seal", seal))
    monkeypatch.setattr(os, "rename", noted("rename", os.rename))
    run(tmp_path / "d")
    folders = [f"sync d.partial/{name}" for name in ("models", "properties", "evidence")]
    assert done == [*folders, "sync d.partial", "seal d.partial", "rename d.partial", "sync ."]
