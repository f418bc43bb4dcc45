"""Additions to a dossier: whenever one is cut off, the next opening completes or removes it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit import additions
from hybrid_ai.audit.additions import open_dossier, portable_name
from hybrid_ai.audit.drafts import LogState, completed, draft_attachment, draft_signature, signed
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.keys import PublicKey
from hybrid_ai.audit.log_file import LogFile
from hybrid_ai.audit.sealing import is_sealed, seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES
from tests.audit_builder import make_key
from tests.certified import OTHER, RUN, SIGNER, entries, snapshot, verified


def unsealed(root: Path) -> Path:
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.txt").write_bytes(b"a")
    with Trace(root / "trace/entries.jsonl"):
        pass
    return root


def sealed(root: Path) -> Path:
    seal(unsealed(root), "folder", SIGNER, RUN)
    return root


def attach(root: Path, name: str = "b.txt") -> str:
    with open_dossier(root) as dossier:
        path = dossier.free_path("attachments", f"NNNN/{name}")
        draft = draft_attachment(dossier.state(), path, b"b", name, "", OTHER.public_key, RUN)
        dossier.add(draft, signed(draft, OTHER))
    return path


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


STEPS = ("replace", "fsync", "mkdir", "unlink", "rmdir", "write", "ftruncate")


def _no_wait(descriptor: int) -> None:
    """Stands in for `fsync`, as nobody takes the machine's power."""


@contextmanager
def crashing(step: int) -> Iterator[list[str]]:
    """Let call number `step` of those that change something, and all after it, raise; yields the calls."""
    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            inner = getattr(os, name) if name != "fsync" else _no_wait

            def wrapped(*arguments: Any, _name: str = name, _inner: Any = inner, **options: Any) -> Any:
                if len(made) >= step:
                    if _name == "write" and len(made) == step:  # a part of the line got onto the disk
                        _inner(arguments[0], bytes(arguments[1])[:40])
                    made.append(_name)
                    raise Crash
                made.append(_name)
                return _inner(*arguments, **options)

            patch.setattr(os, name, wrapped)
        yield made


def crashed(step: int, action: Any) -> bool:
    """Whether an action was cut off at a step."""
    with crashing(step):
        try:
            action()
        except Crash:
            return True
    return False


def reopen(root: Path) -> None:
    with open_dossier(root):
        pass


def require_told(root: Path) -> None:
    """A dossier with an addition under way verifies as before or after, or is refused for just that."""
    try:
        verified(root)
    except Refused as error:
        assert error.where.startswith("pending/") or (root / "pending").exists(), error


def require_recovers_when_cut_off(root: Path, cut: Path) -> None:
    """The recovery is cut off as well, at each of its steps."""
    ended = False
    for step in range(100):
        shutil.copytree(root, cut)
        ended = not crashed(step, lambda: reopen(cut))
        reopen(cut)
        verified(cut)
        added = (cut / "attachments/0001/b.txt").exists()
        assert len(entries(cut)) == 2 + added and not (cut / "pending").exists()
        shutil.rmtree(cut)
        if ended:
            break
    assert ended


def test_an_addition_cut_off_at_any_step_is_completed_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _no_wait)
    original = sealed(tmp_path / "original")
    before, step, outcomes = snapshot(original), 0, []
    while True:
        root = tmp_path / f"at-{step}"
        shutil.copytree(original, root)
        if not crashed(step, lambda root=root: attach(root)):
            break
        require_told(root)
        if step % 4 == 1:
            require_recovers_when_cut_off(root, tmp_path / "recovery")
        reopen(root)
        after = snapshot(root)
        added = "attachments/0001/b.txt" in after
        assert len(entries(root)) == 2 + added and "pending" not in after
        assert added or after == before
        verified(root)
        attach(root, "c.txt")
        verified(root)
        outcomes.append(added)
        step += 1
    verified(root)
    # Once the entry is written it is never taken back, and there were steps on both sides of that.
    assert outcomes == sorted(outcomes) and outcomes.count(False) > 5 and outcomes.count(True) > 5


def test_a_seal_cut_off_at_any_step_is_completed_or_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _no_wait)
    step = 0
    while True:
        root = unsealed(tmp_path / f"at-{step}")
        if not crashed(step, lambda root=root: seal(root, "folder", SIGNER, RUN)):
            break
        with open_dossier(root) as dossier:
            assert is_sealed(dossier.lines()) == (root / "dossier.json").exists()
        digest = seal(root, "folder", SIGNER, RUN)
        assert verified(root, SIGNER).digest == digest
        assert [entry["action"] for entry in entries(root)] == ["log/open", "dossier/seal"]
        step += 1
    assert step > 10
    verified(root, SIGNER)


def test_what_was_appended_meanwhile_is_not_taken_for_the_seal(tmp_path: Path) -> None:
    def stop(*_: object) -> int:
        raise Crash

    root = unsealed(tmp_path / "d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogFile, "append", stop)
        with pytest.raises(Crash):
            seal(root, "folder", SIGNER, RUN)
    assert (root / "pending/trace/checkpoints/000000000002.note").exists()
    with Trace(root / "trace/entries.jsonl") as trace:
        trace.append("test/entry")
    seal(root, "folder", SIGNER, RUN)
    verified(root, SIGNER)
    assert [entry["action"] for entry in entries(root)] == ["log/open", "test/entry", "dossier/seal"]


def test_a_disk_without_room_leaves_the_dossier_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    root = sealed(tmp_path / "d")
    before = snapshot(root)
    for owner, name in ((LogFile, "append"), (os, "fsync")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(AuditError, match="cannot be written: No space left"):
                attach(root)
        assert snapshot(root) == before
    with monkeypatch.context() as patch:
        patch.setattr("hybrid_ai.audit.log_file.ENTRIES_LIMIT", 2)
        with pytest.raises(AuditError, match="is full"):
            attach(root)
    assert snapshot(root) == before
    verified(root)


def interrupted(root: Path) -> Path:
    """A dossier whose newest addition has its entry, and all of its files in `pending`."""

    def stop(*_: object) -> None:
        raise Crash

    sealed(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(additions, "_move_pending", stop)
        with pytest.raises(Crash):
            attach(root)
    assert (root / "pending/attachments/0001/b.txt").exists()
    return root


NOTE = "pending/trace/checkpoints/000000000003.note"


def test_an_entry_that_cannot_be_taken_back_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sealed(tmp_path / "d")
    inner = os.fsync

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    def fsync(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(ENTRIES):
            broken()
        inner(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(AuditError, match="cannot be written: Input/output error"):
            attach(root)
    assert len(entries(root)) == 3 and (root / NOTE).exists()
    reopen(root)
    assert [added.path for added in verified(root).additions] == ["attachments/0001/b.txt"]


def test_nothing_is_moved_through_a_link(tmp_path: Path) -> None:
    root, victim = interrupted(tmp_path / "d"), tmp_path / "victim"
    victim.mkdir()
    (victim / "config").write_bytes(b"precious")
    (root / "x").symlink_to(victim)
    (root / "pending/x").mkdir()
    (root / "pending/x/config").write_bytes(b"evil")
    before = snapshot(root)
    with pytest.raises(Refused, match="x: is a link"):
        reopen(root)
    assert snapshot(root) == before and (victim / "config").read_bytes() == b"precious"


def test_a_link_put_there_at_the_last_moment_is_not_followed(tmp_path: Path) -> None:
    root, victim = interrupted(tmp_path / "d"), tmp_path / "victim"
    (victim / "0001").mkdir(parents=True)
    (root / "attachments").symlink_to(victim)
    with pytest.raises(OSError, match="attachments"):
        additions._move_pending(root, ["attachments/0001/b.txt"])
    assert snapshot(victim) == {"0001": None} and (root / "pending/attachments/0001/b.txt").exists()


@pytest.mark.parametrize("name", ["README.md", "dossier.json", "keys/a.pem", "attachments/0002/b.txt"])
def test_only_what_the_last_entry_names_is_moved(tmp_path: Path, name: str) -> None:
    root = interrupted(tmp_path / "d")
    (root / "pending" / name).parent.mkdir(exist_ok=True, parents=True)
    (root / "pending" / name).write_bytes(b"evil")
    before = snapshot(root)
    with pytest.raises(AuditError, match=f"pending/{name}: the log's last entry does not name it"):
        reopen(root)
    assert snapshot(root) == before
    (root / "pending" / name).unlink()
    reopen(root)
    verified(root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("unsigned", "signature"),
        ("by another key", "must be signed by the key"),
        ("another key", "holds the key"),
        ("no key", "is missing"),
    ],
)
def test_a_pending_addition_is_signed_by_the_key_of_its_entry(tmp_path: Path, change: str, said: str) -> None:
    root = interrupted(tmp_path / "d")
    note, key = root / NOTE, root / f"pending/keys/{OTHER.key_id}.pem"
    text, _, signature = note.read_text().rpartition("\n\n")
    if change == "unsigned":
        middle = len(signature) // 2
        flipped = "A" if signature[middle] != "A" else "B"
        note.write_text(f"{text}\n\n{signature[:middle]}{flipped}{signature[middle + 1 :]}")
    elif change == "by another key":
        third = (root / "trace/checkpoints/000000000002.note").read_text().rpartition("\n\n")[2]
        note.write_text(f"{text}\n\n{third}")
    elif change == "another key":
        key.write_bytes(PublicKey(make_key(13).public).pem)
    else:
        key.unlink()
    before = snapshot(root)
    with pytest.raises(Refused, match=said):
        reopen(root)
    assert snapshot(root) == before


def test_a_torn_line_is_cut_off_a_log_of_ours_alone(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    log = root / ENTRIES
    whole, torn = log.read_bytes(), b'{"action":"dos'
    first, second, _ = whole.split(b"\n")
    damaged = b"\n".join([first, b"mine", second, torn])
    log.write_bytes(damaged)
    with pytest.raises(Refused, match=r"entries\.jsonl: entry 1"):
        reopen(root)
    assert log.read_bytes() == damaged
    log.write_bytes(whole + torn)
    reopen(root)
    assert log.read_bytes() == whole
    verified(root)


@pytest.mark.parametrize("link", ["trace", ENTRIES])
def test_a_log_elsewhere_is_not_written(tmp_path: Path, link: str) -> None:
    root, elsewhere = sealed(tmp_path / "d"), tmp_path / "elsewhere"
    (root / link).rename(elsewhere)
    (root / link).symlink_to(elsewhere)
    log = elsewhere if link == ENTRIES else elsewhere / "entries.jsonl"
    log.write_bytes(log.read_bytes() + b"{torn")
    before = log.read_bytes()
    with pytest.raises(Refused, match=f"{link}: is a link"):
        reopen(root)
    assert log.read_bytes() == before


def test_what_would_make_a_dossier_too_large_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sealed(tmp_path / "d")
    before = snapshot(root)
    files = [data for data in before.values() if data is not None]
    for limit, most, said in (
        ("FILES_LIMIT", len(files) + 2, "would have more than 7 files: attach one archive"),
        ("TOTAL_SIZE_LIMIT", sum(map(len, files)) + 100, "bytes: attach less"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(additions, limit, most)
            with pytest.raises(AuditError, match=said):
                attach(root)
        assert snapshot(root) == before
    monkeypatch.setattr(additions, "FILES_LIMIT", len(files) + 3)  # the file, the checkpoint, the key
    attach(root)
    after = [data for data in snapshot(root).values() if data is not None]
    assert len(after) == len(files) + 3
    shutil.rmtree(root)
    sealed(root)
    monkeypatch.setattr(additions, "TOTAL_SIZE_LIMIT", sum(map(len, after)))
    attach(root)


def test_a_draft_of_an_older_state_is_refused(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    with open_dossier(root) as dossier:
        state = dossier.state()
    attach(root)
    before = snapshot(root)
    draft = draft_signature(state, "signatures/0001-author.dsse.json", "author", "", SIGNER.public_key, RUN)
    with open_dossier(root) as dossier, pytest.raises(AuditError, match="has grown"):
        dossier.add(draft, signed(draft, SIGNER))
    assert snapshot(root) == before


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    before = snapshot(root)
    with open_dossier(root) as dossier:
        draft = draft_attachment(dossier.state(), "data/a.txt", b"b", "a", "", SIGNER.public_key, RUN)
        with pytest.raises(AuditError, match=r"data/a\.txt: is there already"):
            dossier.add(draft, completed(draft, [SIGNER.sign(draft.checkpoint)]))
    assert snapshot(root) == before


def test_each_key_is_written_once(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    assert attach(root) == "attachments/0001/b.txt" and attach(root) == "attachments/0002/b.txt"
    names = {path.name for path in (root / "keys").iterdir()}
    assert names == {f"{SIGNER.key_id}.pem", f"{OTHER.key_id}.pem"}
    report = verified(root, SIGNER, OTHER)
    assert [added.path for added in report.additions] == ["attachments/0001/b.txt", "attachments/0002/b.txt"]


def test_numbers_run_out_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = sealed(tmp_path / "d")
    monkeypatch.setattr(Path, "glob", lambda *_: [Path(f"{number:04}") for number in range(1, 10_000)])
    with open_dossier(root) as dossier, pytest.raises(AuditError, match="is full: attach one archive"):
        dossier.free_path("attachments", "NNNN/x")


def test_a_folder_without_a_log_is_no_dossier(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is missing: give a dossier"), open_dossier(tmp_path):
        pass
    (tmp_path / "trace").mkdir()
    (tmp_path / "trace/entries.jsonl").write_bytes(b"not a log\n")
    with pytest.raises(AuditError, match="is no log"), open_dossier(tmp_path):
        pass
    assert (tmp_path / "trace/entries.jsonl").read_bytes() == b"not a log\n"


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("report.pdf", "report.pdf"),
        ("mein Bericht (2).pdf", "mein_Bericht_2_.pdf"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a.", "a"),
        ("\u00e4\n\x1b", "_"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("." + "." * 200, "file"),
    ],
)
def test_names_become_portable(name: str, portable: str) -> None:
    assert portable_name(name) == portable


ADDER = """
import sys
from pathlib import Path
from hybrid_ai.audit.additions import open_dossier
from tests.certified import OTHER, RUN
from tests.unit.audit.test_additions import attach
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    print(attach(Path(sys.argv[1]), sys.argv[3]), flush=True)
"""
ROOT = Path(__file__).resolve().parents[3]


def adding(root: Path, count: int, name: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", ADDER, str(root), str(count), name]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_add_at_the_same_time(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    processes = [adding(root, 8, name) for name in ("one", "two")]
    for process in processes:
        begin(process)
    printed = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    report = verified(root, SIGNER, OTHER)
    assert sorted(added.path for added in report.additions) == sorted(printed[0] + printed[1])
    assert len(report.additions) == 16
    assert {path.rpartition("/")[2] for path in printed[0]} == {"one"}


def test_a_process_killed_at_any_moment_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(3)
    root = sealed(tmp_path / "d")
    acknowledged: list[str] = []
    processes = [adding(root, 1000, f"round-{number}") for number in range(5)]
    for process in processes:
        begin(process)
        time.sleep(0.05 + chance.random() * 0.1)
        process.kill()
        acknowledged += process.communicate(timeout=60)[0].split("\n")[:-1]
        reopen(root)
        paths = [added.path for added in verified(root, SIGNER, OTHER).additions]
        assert set(acknowledged) <= set(paths) and len(paths) <= len(acknowledged) + 5
    assert acknowledged


def test_the_state_is_that_of_the_files(tmp_path: Path) -> None:
    root = sealed(tmp_path / "d")
    attach(root)
    with open_dossier(root) as dossier:
        state = dossier.state()
    lines = (root / "trace/entries.jsonl").read_bytes().splitlines()
    assert state == LogState(entries(root)[0]["parameters"]["log"], verified(root).digest, lines)
