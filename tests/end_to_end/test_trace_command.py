"""The command line of logs by themselves: verified, proved to those who do not have them, tampered with."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from hybrid_ai.audit.keys import load_signer
from hybrid_ai.audit.trace import Trace
from tests.certified import SIGNER as AUTHOR
from tests.certified import certified_copy
from tests.end_to_end.command import Command

PASSPHRASE = "correct horse battery"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    """A folder with the keys alice and bob."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("HYBRID_AI_KEYS", str(folder))
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", PASSPHRASE)
    assert command("keys", "new", "alice").code == command("keys", "new", "bob").code == 0
    return folder


@pytest.fixture
def log(tmp_path: Path, keys: Path) -> Path:
    """A log of 6 entries, signed by alice after 3 and after 6."""
    signer = load_signer(keys / "alice.pem", PASSPHRASE)
    with Trace(tmp_path / "run/entries.jsonl") as trace:
        for half in range(2):
            for number in range(3 - (half == 0)):  # the first entry opens the log
                trace.append("step", parameters={"loss": 0.5 * number, "said": "\x1b[31mred"})
            trace.checkpoint(signer)
    return trace.path


def test_a_log_is_verified(command: Command, keys: Path, log: Path) -> None:
    trusted = ("--trust", keys / "alice.pub.pem")
    kept = log.parent / "checkpoints/000000000003.note"
    ended = command("trace", "verify", log)
    assert ended.code == 20 and ended.err == ""
    lines = ended.out.splitlines()
    assert lines[0] == "integrity: established: 6 entries, 2 checkpoints"
    assert lines[1] == "authenticity: not established: no key is pinned: pin one with --trust FILE"
    assert lines[2].startswith("log: ") and len(lines) == 3
    assert command("trace", "verify", log, *trusted).code == 0
    assert command("trace", "verify", log, "--trust", keys / "bob.pub.pem").code == 20
    told = command("trace", "verify", log, *trusted, "--since", kept, "--json")
    content = json.loads(told.out)
    assert (told.code, content["status"], content["entries"]) == (0, "established", 6)
    assert [each["established"] for each in content["levels"]] == [True, True]
    signed = command("keys", "list").out.split()[1]
    assert content["checkpoints"] == [{"size": size, "signers": [signed]} for size in (3, 6)]


def test_what_was_appended_after_the_last_signature_is_not_vouched_for(
    command: Command, keys: Path, log: Path
) -> None:
    with Trace(log) as trace:
        trace.append("more")
    ended = command("trace", "verify", log, "--trust", keys / "alice.pub.pem")
    assert ended.code == 20 and "the other 1 by no pinned key: sign the log" in ended.out


@pytest.mark.parametrize("damage", ["entry", "cut", "checkpoint", "torn"])
def test_tampering_is_seen(command: Command, keys: Path, log: Path, damage: str) -> None:
    lines, note = log.read_bytes().splitlines(keepends=True), log.parent / "checkpoints/000000000006.note"
    if damage == "entry":
        log.write_bytes(b"".join(lines).replace(b'"loss":0.5', b'"loss":0.1'))
    elif damage == "cut":
        log.write_bytes(b"".join(lines[:5]))
    elif damage == "torn":
        log.write_bytes(b"".join(lines)[:-1])
    else:
        note.write_bytes(note.read_bytes()[:-5] + b"AAA=\n")
    options = ("--trust", keys / "alice.pub.pem")
    ended = command("trace", "verify", log, *options)
    assert ended.code == 30 and ended.out.startswith("integrity: refused: ")
    content = json.loads(command("trace", "verify", log, *options, "--json").out)
    assert content["status"] == "refused" and content["level"] == "integrity"
    expected = "entries.jsonl" if damage == "torn" else "00000000000"
    assert content["where"].startswith(expected)


def test_a_log_that_was_rolled_back_is_seen_with_an_earlier_checkpoint(
    command: Command, keys: Path, log: Path
) -> None:
    """All that is signed later is deleted: what is left is true, but not the newest state."""
    trusted = ("--trust", keys / "alice.pub.pem")
    newest = log.parent / "checkpoints/000000000006.note"
    kept = Path(shutil.copy(newest, log.parent.parent / "kept.note"))
    newest.unlink()
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    assert command("trace", "verify", log, *trusted).code == 0
    ended = command("trace", "verify", log, *trusted, "--since", kept)
    assert ended.code == 30
    assert ended.out == f"authenticity: refused: {kept}: counts 6 entries, the log has 3: it was cut\n"


def test_an_entry_is_proved_to_those_who_do_not_have_the_log(
    command: Command, keys: Path, log: Path, tmp_path: Path
) -> None:
    proof, entry = tmp_path / "proof.json", log.read_text().splitlines()[4]
    assert command("trace", "prove", log, "--entry", 4, "-o", proof).out == f"{proof}: written\n"
    held = proof.read_text()
    assert json.loads(held)["entry"] == entry
    shutil.rmtree(log.parent)
    trusted = ("--trust", keys / "alice.pub.pem")
    ended = command("trace", "verify", "--proof", proof, *trusted)
    assert ended.code == 0 and ended.out.splitlines()[3] == f"entry: {entry}"
    content = json.loads(command("trace", "verify", "--proof", proof, *trusted, "--json").out)
    assert (content["status"], content["entry"], content["entries"]) == ("established", entry, 6)
    assert command("trace", "verify", "--proof", proof).code == 20
    assert command("trace", "verify", "--proof", proof, "--trust", keys / "bob.pub.pem").code == 20
    proof.write_text(held.replace('\\"loss\\":0.5', '\\"loss\\":0.1'))
    ended = command("trace", "verify", "--proof", proof, *trusted)
    assert ended.code == 30
    assert ended.out == f"integrity: refused: {proof}: does not show that the checkpoint counts the entry\n"


def test_a_log_is_proved_to_extend_the_checkpoint_that_somebody_kept(
    command: Command, keys: Path, log: Path, tmp_path: Path
) -> None:
    kept = Path(shutil.copy(log.parent / "checkpoints/000000000003.note", tmp_path / "kept.note"))
    proof, trusted = tmp_path / "proof.json", ("--trust", keys / "alice.pub.pem")
    assert command("trace", "prove", log, "--since", kept, "-o", proof).code == 0
    assert "loss" not in proof.read_text()
    ended = command("trace", "verify", "--proof", proof, *trusted, "--since", kept)
    assert ended.code == 0
    assert ended.out.startswith("integrity: established: the log of 6 entries extends the checkpoint of 3\n")
    ended = command("trace", "verify", "--proof", proof, *trusted)
    assert ended.code == 2 and "give yours with --since CHECKPOINT" in ended.err
    kept.write_bytes(kept.read_bytes().replace(b"\n3\n", b"\n4\n"))
    assert command("trace", "verify", "--proof", proof, *trusted, "--since", kept).code == 2
    assert command("trace", "prove", log, "--since", kept, "-o", proof).code == 30


def test_the_log_of_a_dossier_is_one(command: Command, tmp_path: Path) -> None:
    log = certified_copy(tmp_path / "d") / "trace/entries.jsonl"
    (tmp_path / "trust.pem").write_bytes(AUTHOR.public_pem)
    assert command("trace", "verify", log, "--trust", tmp_path / "trust.pem").code == 0
    assert command("trace", "prove", log, "--entry", 2, "-o", tmp_path / "p").code == 0
    ended = command("trace", "verify", "--proof", tmp_path / "p", "--trust", tmp_path / "trust.pem")
    assert ended.code == 0 and '"verdict":"proved"' in ended.out


def test_bad_usage(command: Command, keys: Path, log: Path, tmp_path: Path) -> None:
    proof = tmp_path / "p"
    for arguments, said in (
        (("verify",), "LOGFILE --proof is required"),
        (("verify", log, "--proof", proof), "not allowed with"),
        (("verify", tmp_path / "none"), "none: is no file that can be read"),
        (("verify", "--proof", tmp_path / "none"), "none: is no file that can be read"),
        (("verify", log, "--trust", log), "--trust: .* holds no public key"),
        (("verify", log, "--trust", tmp_path / "none"), "is no file that can be read"),
        (("verify", log, "--since", log), "--since: "),
        (("prove", log, "-o", proof), "one of the arguments --entry --since is required"),
        (("prove", log, "--entry", 1), "-o/--output"),
        (("prove", log, "--entry", 6, "-o", proof), "there is no entry 6"),
        (("prove", log, "--entry", -1, "-o", proof), "there is no entry -1"),
        (("prove", log, "--entry", 1, "-o", log), "is an input file"),
        (("prove", log, "--entry", 1, "-o", tmp_path / "none/p"), "-o .* cannot be written"),
    ):
        ended = command("trace", *arguments)
        assert ended.code == 2 and ended.out == "", arguments
        assert ended.err.count("\n") == 1 and len(ended.err) < 400
        assert re.search(said, ended.err), (said, ended.err)
    assert not proof.exists()
