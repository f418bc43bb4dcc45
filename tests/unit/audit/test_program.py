"""The command line of verification: exit status, and the report for people and programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.program import main
from tests.audit_builder import (
    AUTHOR,
    REVIEWER,
    STRANGER,
    made_up_writer,
    sha256,
    write_folder,
)
from tests.unit.audit.dossiers import (
    NOTE5,
    pretender,
    sealed_writer,
    whole_writer,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "both.pem").write_bytes(AUTHOR.pem + b"and\n" + REVIEWER.pem)
    (tmp_path / "author.pem").write_bytes(AUTHOR.pem)
    (tmp_path / "stranger.pem").write_bytes(STRANGER.pem)
    files = whole_writer().finish()
    (tmp_path / "old.note").write_bytes(files[NOTE5])
    write_folder(files, tmp_path / "d")
    return tmp_path


def run(folder: Path, *arguments: str, **options: Any) -> int:
    words = [str(folder / word) if os.path.lexists(folder / word) else word for word in arguments]
    return main(words, pretender(), None, **options)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("d --trust both.pem", 0),
        ("d --trust both.pem --since old.note", 0),
        ("d", 20),
        ("d --trust author.pem", 20),
        ("d --trust stranger.pem", 30),
        ("d --level integrity", 0),
        ("--level integrity d", 0),
        ("d --trust author.pem --trust both.pem", 0),
        ("d --trust author.pem --trust absent.pem", 2),
        ("d --trust both.pem --sealed-by author.pem", 0),
        ("d --trust both.pem --sealed-by stranger.pem", 30),
        ("d --level integrity --sealed-by author.pem", 2),
        ("d --level integrity --level proof --engine exact --budget 60", 0),
        ("d --level authenticity", 20),
        ("absent", 2),
        ("both.pem", 30),
        ("d --trust absent.pem", 2),
        ("d --trust old.note", 2),
        ("d --trust both.pem --since both.pem", 2),
        ("d --level integrity --trust both.pem", 2),
        ("d --level proof --since old.note", 2),
        ("d --level integrity --budget 3", 2),
        ("d --budget 0", 2),
        ("d --budget nan", 2),
    ],
)
def test_exit_status(arguments: str, status: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, *arguments.split()) == status
    output = capsys.readouterr()
    assert bool(output.out) == (status != 2)
    assert bool(output.err) == (status == 2)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "d --level all",
        "d --level integrity proof",
        "d --engine slow",
        "d e",
        "d --budget x",
        "d --trus both.pem",
    ],
)
def test_bad_usage(arguments: str, folder: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run(folder, *arguments.split())
    assert caught.value.code == 2


def test_the_report_for_people(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "d", "--trust", "author.pem")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("integrity: established: ")
    assert lines[1].startswith("authenticity: not established: later entries by keys that are not pinned")
    assert lines[2] == "proof: established: 2 of 2 re-proved, 1 not re-evaluated in float32, 1 unknown"
    assert lines[3].startswith("digest: ")
    assert lines[4].startswith("sealed: ") and lines[4].endswith(f"by {AUTHOR.name} (pinned)")
    assert lines[6].endswith(
        f"{REVIEWER.name} (not pinned) as reviewer; different key, declared organisation "
        '"Example", which no other signer declares; declared name "R."; says: "seen"'
    )
    assert [line.rpartition(": ")[2] for line in lines[7:10]] == [
        "proved in real and float32",
        "refuted in real and float32",
        "unknown",
    ]
    assert lines[10].startswith("note: ")
    assert lines[11].startswith("not re-evaluated: evidence/0002.dsse.json")
    assert len(lines) == 12


def test_the_report_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "d", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "not established"
    assert [(level["level"], level["established"]) for level in report["levels"]] == [
        ("integrity", True),
        ("authenticity", False),
        ("proof", True),
    ]
    (folder / "d/README.md").write_bytes(b"# READ ME\n")
    assert run(folder, "d", "--json") == 30
    report = json.loads(capsys.readouterr().out)
    assert (report["status"], report["level"], report["where"]) == ("refused", "integrity", "README.md")


def test_texts_of_signers_forge_no_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = sealed_writer()
    writer.sign("reviewer", organisation="\x1b[2J", statement="fine\nproof: established", name="\u202eevil")
    write_folder(writer.finish(), tmp_path / "d")
    run(tmp_path, "d", "--level", "integrity")
    output = capsys.readouterr().out
    assert "fine\\nproof: established" in output and "\\u001b[2J" in output and "\\u202eevil" in output
    assert "\x1b" not in output and "\u202e" not in output


def test_a_verifier_that_came_with_the_dossier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = made_up_writer()
    writer.files["verify.py"] = b"x"
    writer.seal()
    root = write_folder(writer.finish(), tmp_path / "d")
    arguments = [str(root), "--level", "integrity"]
    own = sha256(b"x")
    assert main(arguments, pretender(), own, own_file=tmp_path / "verify.py") == 0
    output = capsys.readouterr()
    assert output.err == "" and "flag" not in output.out
    assert main(arguments, pretender(), own, own_file=root / "verify.py") == 0
    output = capsys.readouterr()
    assert "came with the dossier" in output.err and "no released version" in output.out
