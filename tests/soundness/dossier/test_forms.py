"""The same attacks on a zip, and before the stand-alone verify.py: exit status and what it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import AUTHOR, REVIEWER, write_zip
from tests.soundness.dossier.attacks import Attack, judged
from tests.soundness.dossier.attacks_on_zips import ON_ZIPS, ZipAttack
from tests.soundness.dossier.conftest import Real
from tests.soundness.dossier.copies import STATEMENTS, Copy, checkpoint, files_of
from tests.soundness.dossier.table import TABLE

DOZEN = (
    "a file is added",
    "a file in another case beside",
    "an interrupted addition is left",
    "an entry is edited and the root mended",
    "an addition before the seal",
    "S + L: role",
    "a key of order one",
    "JSON of statement: a key twice",
    "refuted is called proved",
    "a stranger makes all anew",
    "a stranger approves",
    "the last addition is stripped off",
    "an older copy of all",
    "a refuted property is called proved",
)
ROWS = {attack.name: attack for attack in TABLE}
ZIPS = ("a way out", "a name twice", "another local size", "a bomb that lies", "bytes before")


def verified(real: Real, path: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """verify.py, obtained apart, run by a Python that sees nothing but its standard library."""
    command = [sys.executable, "-I", "-S", real.verifier, path, *options]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=path.parent
    )


def asked(attack: Attack, folder: Path, real: Real) -> list[object]:
    """The options of a level."""
    if attack.level in ("integrity", "proof"):
        return ["--level", attack.level, "--json"]
    trust, since = folder / "trust.pem", folder / "kept.note"
    trust.write_bytes(AUTHOR.pem + REVIEWER.pem)
    since.write_bytes(real.newest)
    options: list[object] = ["--level", "authenticity", "--trust", trust, "--json"]
    return [*options, "--since", since] if attack.level == "since" else options


@pytest.mark.parametrize("name", DOZEN)
def test_attack_before_verify_py(name: str, attacked: Callable[[], Copy], real: Real, tmp_path: Path) -> None:
    attack, copy = ROWS[name], attacked()
    attack.act(copy)
    ended = verified(real, copy.root, *asked(attack, tmp_path, real))
    said = json.loads(ended.stdout)
    assert ended.stderr == ""
    if not attack.refused:
        assert (ended.returncode, said["status"]) == (20, "not established")
        assert re.search(attack.reason, said["levels"][0]["detail"])
        return
    assert (ended.returncode, said["status"]) == (30, "refused")
    where = attack.where.replace("kept.note", ".*kept.note")
    assert re.fullmatch(where, said["where"]) and re.search(attack.reason, said["reason"])


@pytest.mark.parametrize("name", DOZEN)
def test_attack_in_a_zip(name: str, attacked: Callable[[], Copy], real: Real, tmp_path: Path) -> None:
    attack, copy = ROWS[name], attacked()
    attack.act(copy)
    path = write_zip(files_of(copy.root), tmp_path / "dossier.zip")
    if not attack.refused:
        assert not judged(path, attack.level, real.newest).established
        return
    with pytest.raises(Refused) as caught:
        judged(path, attack.level, real.newest)
    assert re.fullmatch(attack.where, caught.value.where), str(caught.value)
    assert re.search(attack.reason, caught.value.reason), str(caught.value)


@pytest.mark.parametrize("attack", [row for row in ON_ZIPS if row.name in ZIPS], ids=lambda row: row.name)
def test_attack_on_a_zip_before_verify_py(attack: ZipAttack, real: Real, tmp_path: Path) -> None:
    path = tmp_path / "dossier.zip"
    path.write_bytes(attack.act(files_of(real.root)))
    ended = verified(real, path, "--level", "integrity")
    assert (ended.returncode, ended.stderr) == (30, "")
    assert re.fullmatch(r"integrity: refused: .+: .+\n", ended.stdout)
    assert re.search(attack.reason, ended.stdout)


def test_the_untouched_dossier_is_accepted_by_the_same_calls(real: Real, tmp_path: Path) -> None:
    path = write_zip(files_of(real.root), tmp_path / "dossier.zip")
    for name in ("an older copy of all", "certificates change places"):
        options = asked(ROWS[name], tmp_path, real)
        for form in (real.root, path):
            ended = verified(real, form, *options)
            assert (ended.returncode, json.loads(ended.stdout)["status"]) == (0, "established")


def test_without_a_pinned_key_nothing_is_authentic(real: Real) -> None:
    ended = verified(real, real.root, "--level", "authenticity")
    assert ended.returncode == 20
    assert f"pin a key with --trust FILE; it was sealed by {AUTHOR.name}" in ended.stdout


def test_one_pinned_key_of_two(real: Real, tmp_path: Path) -> None:
    (tmp_path / "trust.pem").write_bytes(AUTHOR.pem)
    ended = verified(real, real.root, "--level", "authenticity", "--trust", tmp_path / "trust.pem")
    assert ended.returncode == 20
    assert f"signatures/0001-reviewer.dsse.json by {REVIEWER.name}" in ended.stdout


@pytest.mark.parametrize(
    ("option", "data", "reason"),
    [
        ("--trust", b"", "holds no public key"),
        ("--trust", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "public keys alone"),
        ("--trust", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no Ed25519 public key"),
        ("--since", b"", "must be a text"),
        ("--since", b"x" * 100_000, "more than"),
    ],
)
def test_what_the_verifier_is_given_must_make_sense(
    option: str, data: bytes, reason: str, real: Real, tmp_path: Path
) -> None:
    (tmp_path / "given").write_bytes(data)
    ended = verified(real, real.root, "--level", "authenticity", option, tmp_path / "given")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert reason in ended.stderr and "given" in ended.stderr


def test_a_checkpoint_by_nobody_pinned(real: Real, tmp_path: Path) -> None:
    (tmp_path / "trust.pem").write_bytes(AUTHOR.pem)
    options = ["--level", "authenticity", "--trust", tmp_path / "trust.pem", "--since"]
    assert verified(real, real.root, *options, real.root / checkpoint(7)).returncode == 20
    ended = verified(real, real.root, *options, real.root / checkpoint(8))
    assert ended.returncode == 30
    assert f"{checkpoint(8)}: no pinned key has signed it" in ended.stdout


def test_what_a_signer_says_forges_no_line(attacked: Callable[[], Copy], real: Real, tmp_path: Path) -> None:
    forged = "fine\nauthenticity: established: \x1b[2J by all\u2028proof: established\u202e"
    copy = attacked()
    writer = copy.maker().sealed()
    writer.sign("reviewer", statement=forged, name=forged, organisation=forged)
    copy.replace(writer.finish())
    ended = verified(real, copy.root, "--level", "integrity")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    kinds = ["integrity", "digest", "sealed", "later", "result", "result", "result", "note"]
    assert [line.partition(":")[0] for line in lines] == kinds
    assert all(sign.isprintable() for line in lines for sign in line)


def test_without_time_nothing_is_proved(real: Real) -> None:
    ended = verified(real, real.root, "--level", "proof", "--budget", "0.000001", "--json")
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["status"]) == (20, "not established")
    assert said["proof"]["not_reproved"] == [[path, "budget"] for path in STATEMENTS]
