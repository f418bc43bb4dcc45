"""Signed checkpoints of a log that is being written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hybrid_ai.audit.keys import Signer
from hybrid_ai.audit.trace import NotATrace, Trace, TraceError, WriteFailed
from hybrid_ai.audit.verification.log import verify_log


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    with Trace(tmp_path / "trace" / "entries.jsonl") as trace:
        yield trace


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate())


def test_a_checkpoint_signs_all_entries(trace: Trace, signer: Signer) -> None:
    for number in range(1, 6):
        trace.append("a")
        note = trace.checkpoint(signer)
        assert note == trace.path.parent / "checkpoints" / f"{number + 1:012}.note"
    log, found = verify_log(trace.path, note.parent, {signer.key_id: signer.public_key})
    assert [(one.size, one.signers) for one in found] == [(n, (signer.key_id,)) for n in range(2, 7)]
    assert note.read_text().startswith(f"hybrid-ai.log/{trace.log}\n6\n")
    assert log.identifier == trace.log


def test_signing_the_same_state_again_changes_nothing(trace: Trace, signer: Signer) -> None:
    note = trace.checkpoint(signer)
    before = note.stat().st_mtime_ns
    assert trace.checkpoint(signer) == note and note.stat().st_mtime_ns == before
    with pytest.raises(TraceError, match="is there already"):
        trace.checkpoint(Signer(Ed25519PrivateKey.generate()))
    assert [path.name for path in note.parent.iterdir()] == ["000000000001.note"]


def test_a_checkpoint_is_there_as_a_whole_or_not_at_all(
    trace: Trace, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(WriteFailed, match="No space left"):
            trace.checkpoint(signer)
    folder = trace.path.parent / "checkpoints"
    assert list(folder.iterdir()) == []
    assert [path.name for path in folder.parent.iterdir() if path.is_file()] == ["entries.jsonl"]
    (folder.parent / "entries.jsonl.unfinished").write_text("left by a process that was killed")
    trace.checkpoint(signer)
    assert [path.name for path in folder.iterdir()] == ["000000000001.note"]
    assert [path.name for path in folder.parent.iterdir() if path.is_file()] == ["entries.jsonl"]


def test_a_log_with_gaps_is_not_signed(trace: Trace, signer: Signer) -> None:
    for action in ("a", "b", "c"):
        trace.append(action).wait()
    lines = trace.path.read_bytes().splitlines(keepends=True)
    trace.path.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(NotATrace, match="has 3 lines, but its last number is 3"):
        trace.checkpoint(signer)


def test_another_log_in_its_place_is_not_signed(trace: Trace, signer: Signer, tmp_path: Path) -> None:
    with Trace(tmp_path / "other"):
        pass
    (tmp_path / "other").replace(trace.path)
    with pytest.raises(NotATrace, match="holds another log"):
        trace.checkpoint(signer)
    trace.path.unlink()
    with pytest.raises(WriteFailed, match="No such file"):
        trace.checkpoint(signer)
    assert not trace.path.exists()
