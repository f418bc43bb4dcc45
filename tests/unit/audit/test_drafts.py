"""What is added to a dossier, drawn up before it is signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybrid_ai.audit.additions import open_dossier
from hybrid_ai.audit.drafts import (
    ROLES,
    Draft,
    LogState,
    completed,
    draft_attachment,
    draft_seal,
    draft_signature,
    now,
    signed,
)
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.sealing import seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.log import is_time
from tests.audit_builder import sha256, tree_root
from tests.certified import OTHER, RUN, SIGNER, verified

STATE = LogState("0123456789abcdef" * 2, "cd" * 32, [b'{"action":"log/open"}', b"{}"])


def signature(state: LogState = STATE, **more: str | None) -> Draft:
    path = "signatures/0001-reviewer.dsse.json"
    return draft_signature(state, path, "reviewer", "seen", OTHER.public_key, RUN, **more)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"a")
    with Trace(folder / "trace/entries.jsonl"):
        pass
    seal(folder, "folder", SIGNER, RUN)
    return folder


def test_the_checkpoint_is_over_the_log_with_the_new_entry() -> None:
    draft = draft_attachment(STATE, "attachments/0001/b", b"b", "b", "", OTHER.public_key, RUN)
    entry = draft.line.numbered(2)
    origin, size, root, end = draft.checkpoint.decode().split("\n")
    assert (origin, size, end, draft.size) == (f"hybrid-ai.log/{STATE.log}", "3", "", 3)
    import base64

    assert base64.b64decode(root) == tree_root([*STATE.lines, entry])
    told = json.loads(entry)
    assert told["sequence"] == 2 and is_time(told["time"])
    assert told["outputs"] == [{"name": "attachments/0001/b", "sha256": sha256(b"b")}]
    expected = {"key": OTHER.key_id, "manifest": STATE.manifest, "original": "b", "note": ""}
    assert told["parameters"] == expected


def test_a_seal_names_the_manifest_and_nothing_else() -> None:
    draft = draft_seal(STATE, "folder", SIGNER.public_key, RUN)
    told = json.loads(draft.line.numbered(2))
    assert told["parameters"] == {"key": SIGNER.key_id, "manifest": STATE.manifest, "kind": "folder"}
    assert "outputs" not in told and draft.messages == (draft.checkpoint,) and not draft.files


@pytest.mark.parametrize("role", ROLES)
def test_signatures_in_all_roles_verify(root: Path, role: str) -> None:
    with open_dossier(root) as dossier:
        path = dossier.free_path("signatures", f"NNNN-{role}.dsse.json")
        draft = draft_signature(
            dossier.state(), path, role, "ok", OTHER.public_key, RUN, organisation="Ltd", name="A"
        )  # type: ignore[arg-type]
        dossier.add(draft, signed(draft, OTHER))
    (added,) = verified(root, SIGNER, OTHER).additions
    assert (added.role, added.key, added.path) == (role, OTHER.key_id, path)
    said = added.signature
    assert said is not None
    assert (said.statement, said.organisation, said.name) == ("ok", "Ltd", "A")
    assert said.time == added.time


def test_who_declares_nothing_declares_null(root: Path) -> None:
    with open_dossier(root) as dossier:
        draft = signature(dossier.state(), organisation="", name="")
        dossier.add(draft, signed(draft, OTHER))
    (added,) = verified(root, SIGNER, OTHER).additions
    assert added.signature is not None
    assert (added.signature.organisation, added.signature.name) == (None, None)


def test_the_same_is_drawn_up_for_the_same_time() -> None:
    time = now()
    assert signature(time=time) == signature(time=time) != signature(time="2026-01-01T00:00:00.000Z")


def test_there_are_four_roles() -> None:
    with pytest.raises(AuditError, match="role 'owner': give one of author, verifier"):
        draft_signature(STATE, "p", "owner", "", OTHER.public_key, RUN)  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{"name": "\ud800"}, {"organisation": "\udfff"}])
def test_texts_without_utf8_are_refused(more: dict[str, str]) -> None:
    with pytest.raises(AuditError, match="cannot be written"):
        signature(**more)
    with pytest.raises(AuditError, match="cannot be written"):
        draft_attachment(STATE, "attachments/0001/b", b"b", "b", "\ud800", OTHER.public_key, RUN)


def test_only_fitting_signatures_complete_a_draft() -> None:
    draft = signature()
    envelope, checkpoint = (OTHER.sign(message) for message in draft.messages)
    files = completed(draft, [envelope, checkpoint])
    assert set(files) == {"signatures/0001-reviewer.dsse.json", "trace/checkpoints/000000000003.note"}
    changed = bytes([envelope[0] ^ 1]) + envelope[1:]
    for number, signatures in ((1, [checkpoint, envelope]), (1, [changed, checkpoint]), (2, [envelope] * 2)):
        with pytest.raises(AuditError, match=f"signature {number} is not one of the key {OTHER.key_id}"):
            completed(draft, signatures)
    with pytest.raises(AuditError, match="signature 1 is not one"):
        signed(draft, SIGNER)
    for few in ([], [envelope], [envelope, checkpoint, checkpoint]):
        with pytest.raises(AuditError, match="sign each of them"):
            completed(draft, few)
