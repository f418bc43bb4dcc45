"""The command line of signed dossiers: keys, certify, dossier."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hybrid_ai.audit.verification.keys import read_trust
from tests.audit_builder import make_key
from tests.certified import (
    DEMO,
    OTHER,
    PROPERTIES,
    SIGNER,
    VERDICTS,
    certified_copy,
    entries,
    resealed,
    results_of,
    snapshot,
    verified,
)
from tests.end_to_end.command import Command, Ended, start
from tests.end_to_end.problems import box, write_identity, write_property

MODEL = DEMO / "braking.onnx"
CLAIMS = [DEMO / f"{name}.vnnlib" for name in PROPERTIES]
PASSPHRASE = "correct horse battery"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Path:
    """A folder with one key, which the environment names with its passphrase."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("HYBRID_AI_KEYS", str(folder))
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", PASSPHRASE)
    assert command("keys", "new", "alice").code == 0
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return certified_copy(tmp_path / "shared")


def process(*arguments: object, **options: object) -> Ended:
    running = start(arguments, **options)
    out, err = running.communicate(timeout=120)
    return Ended(running.returncode, out, err)


def key_of(folder: Path, name: str) -> dict[str, bytes]:
    return read_trust((folder / f"{name}.pub.pem").read_bytes(), name)


def test_from_keys_to_an_archive_in_processes(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE + "\nmore\n")
    secret.chmod(0o600)
    opens = ("--keys", "keys", "--passphrase-file", secret)
    here = {"cwd": tmp_path}
    for name in ("alice", "bob"):
        made = process("keys", "new", name, *opens, **here)
        assert made.code == 0 and f"public: keys/{name}.pub.pem" in made.out
    (alice, _), (bob, _) = (next(iter(key_of(tmp_path / "keys", name).items())) for name in ("alice", "bob"))
    assert process("keys", "list", "--keys", "keys", **here).out == f"alice {alice}\nbob {bob}\n"
    trusting = process("keys", "trust", "keys/alice.pub.pem", "keys/bob.pub.pem", "-o", "trust.pem", **here)
    assert trusting.code == 0
    assert set(read_trust((tmp_path / "trust.pem").read_bytes(), "")) == {alice, bob}
    certified = process("certify", MODEL, *CLAIMS, "-o", "d", "--key", "alice", *opens, **here)
    assert certified.code == 0, certified.err
    assert certified.out.startswith("d: 2 proved, 1 refuted, 0 unknown; digest ") and alice in certified.out
    lines = [line for line in certified.err.splitlines() if line.startswith("models/braking.onnx ")]
    assert [line.split(": ")[1].split(",")[0] for line in lines] == VERDICTS
    root = tmp_path / "d"
    assert [result["verdict"] for result in results_of(root)] == VERDICTS
    (tmp_path / "report.txt").write_text("measured\n")
    added = process(
        "dossier", "attach", "d", "report.txt", "--note", "of today", "--key", "bob", *opens, **here
    )
    assert (added.code, added.out) == (0, f"attached attachments/0001/report.txt, signed by {bob}\n")
    said = ("--role", "reviewer", "--statement", "seen", "--name", "Bob", "--organisation", "Ltd")
    signed = process("dossier", "sign", "d", *said, "--key", "bob", *opens, **here)
    digest = verified(tmp_path / "d").digest
    said_of_it = f"signed: signatures/0001-reviewer.dsse.json, by {bob}; digest {digest}\n"
    assert (signed.code, signed.out) == (0, said_of_it) and f"digest {digest}" in certified.out
    assert process("dossier", "zip", "d", "-o", "d.zip", **here).code == 0
    for path in ("d", "d.zip"):
        shown = process("dossier", "show", path, **here)
        (line,) = [line for line in shown.out.splitlines() if "as reviewer (different key" in line]
        assert shown.code == 0 and all(word in line for word in ("Bob", "Ltd", "seen"))
        replayed = process("dossier", "replay", path, **here)
        assert replayed.code == 0 and replayed.out.splitlines()[-1] == "3 agrees"
        verify = process("dossier", "verify", path, "--level", "authenticity", "--trust", "trust.pem", **here)
        assert verify.code == 0, verify.out + verify.err
    for path, data in snapshot(root).items():
        assert data is None or str(tmp_path).encode() not in data, path
        assert data is None or PASSPHRASE.encode() not in data, path


def test_keys_are_listed_and_trusted_once(keys: Path, command: Command, tmp_path: Path) -> None:
    assert command("keys", "new", "alice").code == 2
    assert command("keys", "new", "../bob").code == 2
    command("keys", "new", "bob")
    assert [line.split()[0] for line in command("keys", "list").out.splitlines()] == ["alice", "bob"]
    trust = tmp_path / "trust.pem"
    for name in ("alice", "bob", "alice"):
        assert command("keys", "trust", keys / f"{name}.pub.pem", "-o", trust).code == 0
        trust.write_bytes(trust.read_bytes().rstrip(b"\n"))  # as an editor may leave it
    assert list(read_trust(trust.read_bytes(), "")) == [
        next(iter(key_of(keys, name))) for name in ("alice", "bob")
    ]
    before = trust.read_bytes()
    for wrong in (keys / "alice.pem", keys / "none.pub.pem", MODEL):
        assert command("keys", "trust", wrong, "-o", trust).code == 2
    assert trust.read_bytes() == before
    (tmp_path / "text").write_text("no key")
    ended = command("keys", "trust", keys / "bob.pub.pem", "-o", tmp_path / "text")
    assert ended.code == 2 and (tmp_path / "text").read_text() == "no key"
    assert command("keys", "list", "--keys", tmp_path / "none").code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty: write the passphrase"),
        ("short\n", "use at least"),
        (None, "cannot be read"),
        (b"\xff\xfe\n", "write it as UTF-8"),
    ],
)
def test_passphrases_come_from_a_file(
    tmp_path: Path, command: Command, content: str | bytes | None, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o600)
    ended = command("keys", "new", "a", "--keys", tmp_path / "k", "--passphrase-file", file)
    assert ended.code == 2 and said in ended.err and "internal" not in ended.err
    assert not list((tmp_path / "k").glob("*"))


def test_a_passphrase_file_that_others_may_read_is_refused(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSPHRASE)
    new = ("keys", "new", "a", "--keys", tmp_path / "k", "--passphrase-file", file)
    for mode in (0o640, 0o604):
        file.chmod(mode)
        ended = command(*new)
        assert ended.code == 2 and f"others may use it (mode {mode:04o}): chmod 600" in ended.err
    assert not list((tmp_path / "k").glob("*")) and PASSPHRASE not in ended.err
    file.chmod(0o600)
    assert command(*new).code == 0


def test_what_is_signed_can_be_told(tmp_path: Path, command: Command, keys: Path, root: Path) -> None:
    sign, digest = ("dossier", "sign", root, "--role", "author"), verified(root).digest
    other = command(*sign, "--digest", "ab")
    assert other.code == 2 and f"its digest is {digest}, not ab" in other.err
    ended = command(*sign, "--digest", digest)
    assert ended.code == 0 and ended.out.endswith(f"; digest {digest}\n")
    assert command("dossier", "zip", root, "-o", tmp_path / "d.zip").code == 0
    for arguments in (
        ("sign", tmp_path / "d.zip", "--role", "author"),
        ("attach", tmp_path / "d.zip", MODEL),
    ):
        ended = command("dossier", *arguments)
        assert ended.code == 2 and "unzip it first" in ended.err
        assert "folder or zip" not in command("dossier", arguments[0], "--help").out


def test_without_a_terminal_the_passphrase_must_be_given(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HYBRID_AI_PASSPHRASE"}
    arguments = ("keys", "new", "a", "--keys", tmp_path / "k")
    ended = process(*arguments, env=environment, stdin=subprocess.DEVNULL)
    assert ended.code == 2 and "give --passphrase-file or set HYBRID_AI_PASSPHRASE" in ended.err
    there = {**environment, "XDG_CONFIG_HOME": str(tmp_path), "HYBRID_AI_PASSPHRASE": PASSPHRASE}
    there.pop("HYBRID_AI_KEYS", None)
    assert process("keys", "new", "a", env=there).code == 0
    assert (tmp_path / "hybrid-ai/keys/a.pem").exists()


def test_which_key_signs_is_never_guessed(
    tmp_path: Path, command: Command, keys: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = ("dossier", "sign", root, "--role", "author")
    before = snapshot(root)
    none = command(*sign, "--keys", tmp_path / "none")
    assert none.code == 2 and "no signing key: make one with: hybrid-ai keys new NAME" in none.err
    command("keys", "new", "bob")
    several = command(*sign)
    assert several.code == 2 and "several keys: give --key alice or bob" in several.err
    assert command(*sign, "--key", "carol").code == 2
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", "wrong horse battery")
    wrong = command(*sign, "--key", "bob")
    assert wrong.code == 2 and "the passphrase does not open it" in wrong.err
    no_role = command("dossier", "sign", root, "--key", "bob")
    assert no_role.code == 2 and "--role is missing" in no_role.err
    assert snapshot(root) == before
    monkeypatch.setenv("HYBRID_AI_PASSPHRASE", PASSPHRASE)
    assert command(*sign, "--key", "bob").code == 0
    (added,) = verified(root).additions
    assert {added.key} == set(key_of(keys, "bob"))


def test_what_cannot_be_certified_is_refused_before_anything_is_there(
    tmp_path: Path, command: Command, keys: Path
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    malformed, empty = tmp_path / "bad.vnnlib", tmp_path / "empty.vnnlib"
    malformed.write_text("(assert (<= X_0 0.1)\n")
    empty.write_text(CLAIMS[0].read_text() + "\n(assert (>= X_0 10000.0))\n")
    out = tmp_path / "d"
    suite = tmp_path / "suite.csv"
    suite.write_text("onnx,vnnlib,timeout_s\n")
    for arguments, said in (
        ((MODEL, CLAIMS[0], "-o", folder), "is there already: name another folder"),
        ((MODEL, malformed, "-o", out), "bad.vnnlib"),
        ((MODEL, CLAIMS[0], malformed, "-o", out), "bad.vnnlib"),
        ((tmp_path / "none.onnx", CLAIMS[0], "-o", out), "none.onnx"),
        ((CLAIMS[0], CLAIMS[0], "-o", out), "braking_limit.vnnlib"),
        ((MODEL, "-o", out), "give PLAN.toml, or MODEL.onnx PROPERTY.vnnlib"),
        (("-o", out), "or --suite"),
        ((MODEL, CLAIMS[0], "--suite", suite, "-o", out), "--suite goes without"),
        (("--suite", suite, "-o", out), "0 verifications"),
        ((MODEL, CLAIMS[0], "-o", out, "--jobs", "0"), "0 jobs: give at least 1"),
        ((MODEL, CLAIMS[0], "-o", out, "--timeout", "0"), "time limit 0"),
        ((MODEL, CLAIMS[0]), "-o"),
    ):
        ended = command("certify", *arguments)
        assert ended.code == 2 and said in ended.err and ended.out == "", (arguments, ended)
    assert not out.exists() and not out.with_name("d.partial").exists() and not list(folder.iterdir())
    ended = command("certify", MODEL, empty, "-o", out)
    assert ended.code == 2 and "empty.vnnlib: the input set is empty" in ended.err and not out.exists()
    shutil.rmtree(tmp_path / "d.partial")
    assert command("certify", MODEL, empty, "-o", out, "--allow-vacuous").code == 0
    (result,) = results_of(out)
    assert result["vacuous"] and result["verdict"] == "proved"
    verified(out)


def test_what_is_not_supported_is_unknown_in_the_dossier(
    tmp_path: Path, command: Command, keys: Path
) -> None:
    model = write_identity(tmp_path / "strange.onnx", "Celu")
    claim = write_property(tmp_path / "p.vnnlib", [*box(0, 1), "(<= Y_0 -1)"])
    ended = command("certify", model, claim, "-o", tmp_path / "d")
    assert ended.code == 0 and "0 proved, 0 refuted, 1 unknown" in ended.out, ended
    (result,) = results_of(tmp_path / "d")
    assert result["verdict"] == "unknown" and "Celu" in result["reason"] and result["evidence"] is None
    verified(tmp_path / "d")
    for path, data in snapshot(tmp_path / "d").items():
        assert data is None or str(tmp_path).encode() not in data, path
    assert "Celu" in command("dossier", "show", tmp_path / "d").out
    replayed = command("dossier", "replay", tmp_path / "d")
    assert (replayed.code, replayed.out.splitlines()[-1]) == (0, "1 nothing to replay")


def test_a_suite_of_several_models_in_two_processes_at_a_time(
    tmp_path: Path, command: Command, keys: Path
) -> None:
    """Three models, two of them and two properties of the same name in other folders."""
    rows = ["onnx,vnnlib,timeout_s,comment"]
    for folder, weight in (("a", 1.0), ("b", 2.0)):
        (tmp_path / folder).mkdir()
        write_identity(tmp_path / folder / "net.onnx", weight=weight)
        # Y_0 is at most 2 in the first, 4 in the second.
        write_property(tmp_path / folder / "p.vnnlib", [*box(0, 1), f"(>= Y_0 {2 + 2 * weight})"])
        write_property(tmp_path / folder / "q.vnnlib", [*box(0, 1), "(>= Y_0 1.5)"])
        rows += [f"{folder}/net.onnx,{folder}/p.vnnlib,50,x", f"{folder}/net.onnx,{folder}/q.vnnlib,500,x"]
    for name in ("braking.onnx", "braking_limit.vnnlib"):
        shutil.copy(DEMO / name, tmp_path)
    rows.append("braking.onnx,braking_limit.vnnlib,500,x")
    (tmp_path / "suite.csv").write_text("\n".join(rows) + "\n")
    found = []
    for jobs in (1, 2):
        out = tmp_path / f"d{jobs}"
        options = ("--suite", tmp_path / "suite.csv", "-o", out, "--jobs", jobs, "--timeout", 60, "--seed", 3)
        ended = command("certify", *options, "--arithmetic", "real")
        assert ended.code == 0 and "3 proved, 2 refuted, 0 unknown" in ended.out, ended
        verified(out)
        results = results_of(out)
        assert [result["verdict"] for result in results] == ["proved", "refuted"] * 2 + ["proved"]
        assert [result["parameters"]["timeout"] for result in results] == [50, 60, 50, 60, 60]
        found.append([(each["model"], each["property"], each["arithmetics"]) for each in results])
    assert found[0] == found[1]
    assert [model for model, _, _ in found[0]] == [
        *["models/net.onnx"] * 2, *["models/2-net.onnx"] * 2, "models/braking.onnx"
    ]  # fmt: skip
    assert [claim for _, claim, _ in found[0]][:4] == [
        f"properties/{name}.vnnlib" for name in ("p", "q", "2-p", "q")
    ]
    replayed = command("dossier", "replay", tmp_path / "d2", "--search")
    assert (replayed.code, replayed.out.splitlines()[-1]) == (0, "5 agrees")


def test_a_killed_certification_goes_on(tmp_path: Path, keys: Path) -> None:
    chance = random.Random(1)
    out = tmp_path / "d"
    seen: list[str] = []
    for attempt in range(4):
        arguments = ("certify", MODEL, *CLAIMS, "-o", out, "--jobs", 1 + attempt % 2)
        running = start(arguments)
        assert running.stderr is not None
        for line in running.stderr:  # killed some time after its first new result
            if line.startswith("models/") and "from an earlier run" not in line:
                break
        else:
            running.communicate()
            break
        time.sleep(chance.random() * 0.2)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        if out.exists():
            break
        verdicts = [
            entry["verdict"] for entry in entries(tmp_path / "d.partial") if entry["action"] == "verify"
        ]
        assert verdicts[: len(seen)] == seen and len(verdicts) > len(seen)
        seen = verdicts
        again = process("certify", MODEL, CLAIMS[0], "-o", out)
        assert again.code == 2 and "holds another certification, interrupted" in again.err
    if not out.exists():
        last = process("certify", MODEL, *CLAIMS, "-o", out)
        assert last.code == 0, last.err
        assert "from an earlier run" in last.err
    time.sleep(1)  # what outlived a killed process must not write into it
    verified(out)
    assert [result["verdict"] for result in results_of(out)] == VERDICTS
    assert not (tmp_path / "d.partial").exists()


def test_ctrl_c_keeps_what_was_found(tmp_path: Path, keys: Path) -> None:
    out = tmp_path / "d"
    running = start(("certify", MODEL, *CLAIMS, "-o", out))
    assert running.stderr is not None
    while not running.stderr.readline().startswith("models/"):
        pass
    running.send_signal(signal.SIGINT)
    text, _ = running.communicate(timeout=60)
    assert (running.returncode, text) == (20, "unknown: interrupted\n") or out.exists()
    ended = process("certify", MODEL, *CLAIMS, "-o", out)
    assert (ended.code == 0 and "from an earlier run" in ended.err) or "is there already" in ended.err
    verified(out)


def test_a_second_process_at_once_is_refused(tmp_path: Path, keys: Path, command: Command) -> None:
    import fcntl

    (tmp_path / "d.partial").mkdir()
    descriptor = os.open(tmp_path / "d.partial", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    ended = command("certify", MODEL, CLAIMS[0], "-o", tmp_path / "d")
    os.close(descriptor)
    assert ended.code == 2 and "another process writes it" in ended.err
    assert not list((tmp_path / "d.partial").iterdir())


def test_a_signature_is_made_elsewhere(tmp_path: Path, command: Command, root: Path) -> None:
    public = tmp_path / "other.pub.pem"
    public.write_bytes(OTHER.public_pem)
    folder = tmp_path / "request"
    export = ("dossier", "sign", root, "--role", "verifier", "--export-payload", folder)
    assert command(*export).code == 2
    ended = command(*export, "--public-key", public)
    assert ended.code == 0 and f"to be signed: {folder}/envelope.bin" in ended.out
    assert command(*export, "--public-key", public).code == 2
    private = make_key(12).private
    for name in ("envelope", "checkpoint"):
        (folder / f"{name}.sig").write_bytes(private.sign((folder / f"{name}.bin").read_bytes()))
    imported = command("dossier", "sign", root, "--import-signature", folder)
    digest = verified(root, SIGNER, OTHER).digest
    told = f"signed: signatures/0001-verifier.dsse.json; digest {digest}\n"
    assert (imported.code, imported.out) == (0, told) and digest in ended.out
    again = command("dossier", "sign", root, "--import-signature", folder)
    assert again.code == 2 and "has grown since" in again.err


def test_what_is_damaged_ends_with_30(tmp_path: Path, command: Command, root: Path, keys: Path) -> None:
    (tmp_path / "file").write_text("x")
    (root / "evidence/0002.certificate").write_bytes(b"changed")
    for arguments in (
        ("show", root),
        ("show", root, "--json"),
        ("replay", root),
        ("attach", root, tmp_path / "file"),
        ("sign", root, "--role", "author"),
        ("zip", root, "-o", tmp_path / "d.zip"),
    ):
        ended = command("dossier", *arguments)
        assert ended.code == 30 and "evidence/0002.certificate" in ended.out, arguments
    assert not (tmp_path / "d.zip").exists()
    (tmp_path / "no.zip").write_bytes(b"PK no")
    assert command("dossier", "show", tmp_path / "no.zip").code == 30
    for name in ("show", "replay"):
        missing = command("dossier", name, tmp_path / "none")
        assert missing.code == 2 and "is missing: give a dossier" in missing.err


def test_what_contradicts_ends_with_30(tmp_path: Path, command: Command, root: Path) -> None:
    def change(index: int, result: object, target: Path) -> None:
        if index == 0:
            path = target / "evidence/0001.certificate"
            path.write_bytes(path.read_bytes()[:-4])

    forged = resealed(root, tmp_path / "forged", change, OTHER)
    ended = command("dossier", "replay", forged, "--engine", "exact")
    assert ended.code == 30 and ended.out.splitlines()[-1] == "1 contradicts, 2 agrees"
    assert "braking_limit.vnnlib: proved, contradicts: rejected" in ended.out.splitlines()[0]


def test_searches_are_repeated_within_the_time_that_is_given(command: Command, root: Path) -> None:
    replayed = command("dossier", "replay", root, "--search", "--timeout", 20)
    assert (replayed.code, replayed.out.splitlines()[-1]) == (0, "3 agrees")
    assert "repeating at most 3 searches, 60.0 s in all at most\n" in replayed.err
    for options, said in ((["--timeout", 5], "--search"), (["--search", "--timeout", 0], "time limit 0")):
        ended = command("dossier", "replay", root, *options)
        assert (ended.code, ended.out) == (2, "") and said in ended.err


def test_a_foreign_folder_is_attached_to_and_shown(tmp_path: Path, command: Command, keys: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "data.csv").write_text("1\n")
    (tmp_path / "r.txt").write_text("x")
    assert command("dossier", "attach", folder, tmp_path / "r.txt").code == 0
    shown = command("dossier", "show", folder, "--json")
    told = json.loads(shown.out)
    assert (told["kind"], told["results"]) == ("folder", [])
    assert [added["path"] for added in told["additions"]] == ["attachments/0001/r.txt"]
    replayed = command("dossier", "replay", folder)
    assert (replayed.code, replayed.out) == (0, "no results\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/a b").write_text("")
    ended = command("dossier", "attach", tmp_path / "bad", tmp_path / "r.txt")
    assert ended.code == 2 and "a b: no name" in ended.err
    assert [path.name for path in (tmp_path / "bad").iterdir()] == ["a b"]
    for missing in (tmp_path / "none", tmp_path / "r.txt"):
        assert command("dossier", "attach", missing, tmp_path / "r.txt").code == 2
