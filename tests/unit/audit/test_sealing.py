"""The seal: what a manifest lists, and what is refused before anything is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.sealing import files_to_seal, is_begun_certification, is_sealed, seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.pipeline.dossiers import attach
from tests.audit_builder import sha256
from tests.certified import OTHER, RUN, SIGNER, entries, snapshot, verified


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "d"
    (folder / "b/c").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a")
    (folder / "b/c/d").write_bytes(b"")
    (folder / "empty").mkdir()
    return folder


def logged(root: Path) -> Path:
    with Trace(root / "trace/entries.jsonl"):
        pass
    return root


def test_the_manifest_lists_every_file_but_itself_log_and_keys(root: Path) -> None:
    digest = seal(logged(root), "folder", SIGNER, RUN)
    data = (root / "dossier.json").read_bytes()
    content = json.loads(data)
    assert content["files"] == [
        {"path": "a.txt", "bytes": 1, "sha256": sha256(b"a")},
        {"path": "b/c/d", "bytes": 0, "sha256": sha256(b"")},
    ]
    assert content["log"] == entries(root)[0]["parameters"]["log"] and digest == sha256(data)
    report = verified(root, SIGNER)
    assert (report.kind, report.digest) == ("folder", digest)


def test_a_dossier_is_sealed_once(root: Path) -> None:
    digest = seal(logged(root), "folder", SIGNER, RUN)
    before = snapshot(root)
    assert seal(root, "folder", OTHER, RUN) == digest
    assert snapshot(root) == before


def test_only_a_sealing_entry_is_a_seal(root: Path) -> None:
    with Trace(root / "trace/entries.jsonl") as trace:
        trace.append("test/entry", parameters={"action": "dossier/seal", "text": '{"action":"dossier/seal",'})
    assert not is_sealed((root / "trace/entries.jsonl").read_bytes().splitlines())
    seal(root, "folder", SIGNER, RUN)
    assert is_sealed((root / "trace/entries.jsonl").read_bytes().splitlines())
    verified(root)


def test_a_certification_is_begun_until_it_is_sealed(root: Path) -> None:
    def lines() -> list[bytes]:
        return (root / "trace/entries.jsonl").read_bytes().splitlines()

    logged(root)
    assert not is_begun_certification([]) and not is_begun_certification(lines())
    with Trace(root / "trace/entries.jsonl") as trace:
        trace.append("certify/start")
    assert is_begun_certification(lines())
    seal(root, "certification", SIGNER, RUN)
    assert not is_begun_certification(lines())


def test_the_order_is_that_of_paths(root: Path) -> None:
    for name in ("b-", "b0", "B1", "b.x"):
        (root / name).write_bytes(b"")
    assert files_to_seal(root) == ["B1", "a.txt", "b-", "b.x", "b/c/d", "b0"]
    seal(logged(root), "folder", SIGNER, RUN)
    verified(root)


BAD = [
    ("a b.txt", r"a b\.txt: no name"),
    ("\u00e4.txt", "no name"),
    (".hidden", r"\.hidden: no name"),
    ("b/.git/config", r"b/\.git/config: no name"),
    ("ends.", r"ends\.: no name"),
    ("x" * 121, "no name"),
    ("/".join(["d"] * 17), "too deep|no name"),
    ("A.txt", "but for letters' case"),
    ("B/x", "another case of letters"),
    ("dossier.json", r"dossier\.json: a dossier needs the name"),
    ("Dossier.JSON", "a dossier needs the name"),
    ("keys/x.pem", r"keys/x\.pem: a dossier needs the name keys"),
    ("Keys", "a dossier needs the name keys"),
    ("trace/x", "trace/x: a dossier needs the name trace"),
    ("trace/checkpoints/000000000001.note", "a dossier needs the name trace"),
    ("TRACE/entries.jsonl", "a dossier needs the name trace|but for letters' case"),
    ("Pending/x", "a dossier needs the name pending"),
    ("attachments", "a dossier needs the name attachments"),
    ("Signatures/x", "a dossier needs the name signatures"),
]


@pytest.mark.parametrize(("name", "said"), BAD)
def test_names_that_a_dossier_does_not_allow_are_refused(root: Path, name: str, said: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(b"mine")
    before = snapshot(root)
    with pytest.raises(AuditError, match=said) as caught:
        files_to_seal(root)
    assert name in str(caught.value) or (len(name) > 20 and name[:20] in str(caught.value)) or "case" in said
    assert snapshot(root) == before
    with pytest.raises(AuditError, match=said):
        seal(logged(root), "folder", SIGNER, RUN)
    assert (root / name).read_bytes() == b"mine" and not (root / "pending").exists()


def test_links_and_special_files_are_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name, make in (
        ("file-link", lambda path: path.symlink_to(root / "a.txt")),
        ("folder-link", lambda path: path.symlink_to(tmp_path / "elsewhere")),
        ("dangling", lambda path: path.symlink_to(tmp_path / "nowhere")),
        ("keys", lambda path: path.symlink_to(tmp_path / "elsewhere")),
        ("pipe", os.mkfifo),
    ):
        make(root / name)
        with pytest.raises(AuditError, match=f"{name}: is a link or a special file"):
            files_to_seal(root)
        (root / name).unlink()
    assert files_to_seal(root) == ["a.txt", "b/c/d"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(AuditError, match="holds no file: there is nothing to seal"):
        files_to_seal(tmp_path / "d")
    with pytest.raises(AuditError, match="nothing to seal"):
        seal(logged(tmp_path / "d"), "folder", SIGNER, RUN)


def test_shared_folders_of_its_own_stay_and_their_numbers_are_taken(root: Path) -> None:
    from hybrid_ai.audit.additions import open_dossier

    (root / "attachments/0001").mkdir(parents=True)
    (root / "attachments/0001/x").write_bytes(b"x")
    seal(logged(root), "folder", SIGNER, RUN)
    with open_dossier(root) as dossier:
        assert dossier.free_path("attachments", "NNNN/y") == "attachments/0002/y"
    verified(root)


def test_a_log_that_others_append_to_after_the_seal_is_refused_until_they_take_it_back(
    tmp_path: Path, root: Path
) -> None:
    seal(logged(root), "folder", SIGNER, RUN)
    log, own = root / "trace/entries.jsonl", tmp_path / "own.jsonl"
    own.write_bytes(b"a log")
    attach(root, own, SIGNER, "")
    with Trace(log) as trace:
        trace.append("mine")
        trace.append("mine")
    said = r"^trace/entries\.jsonl: entry 4: ends the log, .*; remove the lines after entry 2, and"
    with pytest.raises(Refused, match=said):
        attach(root, own, SIGNER, "")
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    assert attach(root, own, SIGNER, "") == "attachments/0002/own.jsonl"
    verified(root, SIGNER)
