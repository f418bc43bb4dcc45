"""A dossier to which another process adds while it is read: that is said, and excuses nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybrid_ai.audit.verification import program
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.cli.main import main
from hybrid_ai.pipeline.busy import is_busy
from hybrid_ai.pipeline.checking import COMMAND
from hybrid_ai.pipeline.dossiers import attach, zip_dossier
from tests.certified import OTHER, SIGNER, certified_copy, snapshot, verified

ROOT = Path(__file__).resolve().parents[3]
BUSY = "busy: another process adds to it; run this again\n"
PENDING = Refused("integrity", "pending/x", "an addition was interrupted")

# Attaches a file; stops before the files of the addition are moved to their places.
ATTACHING = """
import os, sys
from pathlib import Path
from hybrid_ai.pipeline.dossiers import attach
from tests.certified import OTHER

replace = os.replace

def wait(*arguments, **options):
    os.replace = replace
    print("at work", flush=True)
    sys.stdin.readline()
    replace(*arguments, **options)

os.replace = wait
attach(Path(sys.argv[1]), Path(sys.argv[2]), OTHER, "")
"""

LOCKING = """
import sys
from pathlib import Path
from hybrid_ai.audit.additions import open_dossier

with open_dossier(Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.readline()
"""

ATTACHING_OFTEN = """
import sys
from pathlib import Path
from hybrid_ai.pipeline.dossiers import attach
from tests.certified import OTHER

print("at work", flush=True)
for _ in range(12):
    attach(Path(sys.argv[1]), Path(sys.argv[2]), OTHER, "")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return certified_copy(tmp_path / "d")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "note.txt").write_text("a note")
    return tmp_path / "note.txt"


@contextmanager
def at_work(script: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has come to where it says so; it goes on when its input ends."""
    command, pipe = [sys.executable, "-c", script, *map(str, arguments)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process


def verify(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main(["dossier", "verify", str(root), "--level", "integrity", *options])
    return code, capsys.readouterr().out


def test_an_addition_under_way_is_no_tampering(
    root: Path, note: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(ATTACHING, root, note):
        assert (root / "pending").is_dir()
        assert verify(root, capsys) == (20, BUSY)
        code, told = verify(root, capsys, "--json")
        assert (code, json.loads(told)["status"]) == (20, "busy")
        archive = tmp_path / "d.zip"
        for more in (["show"], ["replay"], ["zip", "-o", str(archive)]):
            assert main(["dossier", more[0], str(root), *more[1:]]) == 20
            assert capsys.readouterr().out == BUSY
        assert not archive.exists()
        # The stand-alone verifier knows nothing of locks.
        assert program.main([str(root), "--level", "integrity"], COMMAND, None) == 30
        assert "pending/" in capsys.readouterr().out
    code, told = verify(root, capsys)
    assert code == 0 and "attachments/0001/note.txt" in told


def test_an_addition_that_was_killed_is_not_under_way(
    root: Path, note: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(ATTACHING, root, note) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        code, told = verify(root, capsys)
    assert code == 30 and "pending/" in told and "an addition was interrupted" in told


def test_what_is_sealed_is_never_excused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "README.md").write_text("changed")
    with at_work(LOCKING, root):
        code, told = verify(root, capsys)
    assert code == 30 and "README.md" in told


def test_what_is_added_is_excused_while_the_lock_is_held_alone(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "attachments/0001").mkdir(parents=True)
    (root / "attachments/0001/x").write_text("nobody signed this")
    with at_work(LOCKING, root):
        assert verify(root, capsys) == (20, BUSY)
    code, told = verify(root, capsys)
    assert code == 30 and "attachments/0001/x" in told


def test_who_verifies_beside_many_additions_is_never_told_of_tampering(
    root: Path, note: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = []
    with at_work(ATTACHING_OFTEN, root, note) as process:
        while process.poll() is None:
            codes.append(verify(root, capsys)[0])
        assert process.returncode == 0
    assert set(codes) <= {0, 20} and codes
    report = verified(root, SIGNER, OTHER)
    assert len(report.additions) == 12


def test_an_addition_that_has_ended_since_is_one_only_where_the_dossier_is_whole(root: Path) -> None:
    before = snapshot(root)
    gone = FileNotFoundError(2, "is missing", str(root / "pending/x"))
    for error in (PENDING, Refused("integrity", "trace/entries.jsonl: entry 7", "x"), gone):
        assert is_busy(root, error)
    elsewhere = FileNotFoundError(2, "is missing", str(root.parent / "pending/x"))
    others = (
        Refused("proof", "attachments/0001/x", "x"),
        Refused("authenticity", "trace/entries.jsonl: entry 7", "x"),
        Refused("integrity", "models/braking.onnx", "x"),
        Refused("integrity", "dossier", "x"),
        elsewhere,
        PermissionError(13, "not permitted", str(root / "pending/x")),
    )
    for error in others:
        assert not is_busy(root, error)
    assert snapshot(root) == before
    (root / "README.md").write_text("changed")
    assert not is_busy(root, PENDING)


def test_a_zip_and_a_folder_without_a_log_are_never_busy(root: Path, tmp_path: Path) -> None:
    zip_dossier(root, tmp_path / "d.zip")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "d.zip", tmp_path / "empty", tmp_path / "none"):
        assert not is_busy(path, PENDING)


@pytest.mark.parametrize("place", ["trace", "trace/entries.jsonl"])
def test_the_lock_of_another_file_says_nothing(root: Path, tmp_path: Path, place: str) -> None:
    other = certified_copy(tmp_path / "other")
    (root / place).rename(tmp_path / "moved")
    (root / place).symlink_to(other / place)
    with at_work(LOCKING, other):
        assert is_busy(other, PENDING) and not is_busy(root, PENDING)


def test_a_pipe_in_place_of_the_log_is_not_waited_for(root: Path) -> None:
    (root / "trace/entries.jsonl").unlink()
    os.mkfifo(root / "trace/entries.jsonl")
    assert not is_busy(root, PENDING)


def test_who_adds_is_told_of_damage(
    root: Path, note: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever adds had the lock itself: that another process has it now is no excuse."""
    (root / "attachments").mkdir()
    (root / "attachments/x").write_text("nobody signed this")
    with pytest.raises(Refused, match="attachments/x"):
        attach(root, note, OTHER, "")

    def attached_while_locked(*_: object) -> str:
        raise Refused("integrity", "attachments/x", "neither the manifest nor the log names it")

    monkeypatch.setattr("hybrid_ai.pipeline.dossiers.attach", attached_while_locked)
    monkeypatch.setattr("hybrid_ai.cli.dossier.signer_of", lambda options: OTHER)
    with at_work(LOCKING, root):
        assert main(["dossier", "attach", str(root), str(note)]) == 30
    assert "attachments/x" in capsys.readouterr().out
