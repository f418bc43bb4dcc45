"""What is done with a dossier after its seal: attach, sign, export and import, zip."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.sealing import seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.checkpoint import read_checkpoint
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import Since, verify_dossier
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ROLES
from hybrid_ai.pipeline.dossiers import (
    Signature,
    attach,
    export_payload,
    import_signature,
    sign,
    unpacked,
    zip_dossier,
)
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.showing import contents, shown
from tests.audit_builder import make_key
from tests.certified import OTHER, RUN, SIGNER, certified_copy, entries, snapshot, verified
from tests.unit.audit.test_additions import Crash, crashing

SEEN = Signature("reviewer", "seen", "Ltd", "A. Person")
# An approver waits for dispositions: test_reviewing.py.
EARLY = tuple(role for role in ROLES if role != "approver")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return certified_copy(tmp_path / "d")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    file = tmp_path / "my note.txt"
    file.write_bytes(b"a note")
    return file


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "foreign"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/data.csv").write_bytes(b"1,2\n")
    (folder / "results.json").write_bytes(b"not ours")
    return folder


def test_a_dossier_verifies_after_every_addition(root: Path, note: Path) -> None:
    digest, chance = verified(root, SIGNER).digest, random.Random(5)
    paths = []
    for _ in range(12):
        signer = chance.choice([SIGNER, OTHER])
        if chance.random() < 0.5:
            paths.append(attach(root, note, signer, chance.choice(["", "said \u2028 \x1b[31m"])))
        else:
            paths.append(sign(root, Signature(chance.choice(EARLY), chance.choice(["", "ok"])), signer).path)
        report = verified(root, SIGNER, OTHER)
        assert report.digest == digest and [added.path for added in report.additions] == paths
    assert len(set(paths)) == 12
    assert (root / "attachments/0001/my_note.txt").read_bytes() == b"a note"


def test_later_states_extend_earlier_ones(root: Path, note: Path) -> None:
    trust = {each.key_id: each.public_key for each in (SIGNER, OTHER)}
    path = sorted((root / "trace/checkpoints").iterdir())[-1]
    since = Since(*read_checkpoint(path.read_bytes(), path.name), path.name)
    old = shutil.copytree(root, root.with_name("old"))
    attach(root, note, OTHER, "")
    newer = sorted((root / "trace/checkpoints").iterdir())[-1]
    levels = {"authenticity"}
    assert verify_dossier(open_container(root), levels=levels, trust=trust, since=since).established  # type: ignore[arg-type]
    late = Since(*read_checkpoint(newer.read_bytes(), newer.name), newer.name)
    with pytest.raises(Refused):
        verify_dossier(open_container(old), levels=levels, trust=trust, since=late)  # type: ignore[arg-type]


def test_a_stranger_who_adds_is_named(root: Path, note: Path) -> None:
    attach(root, note, OTHER, "")
    trust = {SIGNER.key_id: SIGNER.public_key}
    report = verify_dossier(open_container(root), levels={"authenticity"}, trust=trust)
    assert not report.established and OTHER.key_id in report.levels[0].detail


def test_a_zip_of_a_dossier_that_grows_meanwhile_is_not_written(
    root: Path, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfileobj

    def copied(source: Any, target: Any) -> None:
        if source.name.endswith("entries.jsonl"):
            attach(root, note, OTHER, "")
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", copied)
    with pytest.raises(Refused, match=r"^keys/.* is missing"):
        zip_dossier(root, tmp_path / "d.zip")
    assert {path.name for path in tmp_path.iterdir()} == {"d", note.name}


def test_what_is_damaged_is_neither_signed_nor_extended(root: Path, note: Path, tmp_path: Path) -> None:
    (root / "README.md").write_bytes(b"changed")
    before = snapshot(root)
    actions = [
        lambda: attach(root, note, OTHER, ""),
        lambda: sign(root, SEEN, OTHER),
        lambda: export_payload(root, SEEN, OTHER.public_key, tmp_path / "request"),
        lambda: zip_dossier(root, tmp_path / "d.zip"),
    ]
    for action in actions:
        with pytest.raises(Refused, match=r"README\.md"):
            action()
    assert snapshot(root) == before
    assert {path.name for path in tmp_path.iterdir()} == {"d", note.name}


def test_a_foreign_folder_becomes_a_dossier_of_its_own_kind(foreign: Path, note: Path) -> None:
    before = {path: data for path, data in snapshot(foreign).items() if data is not None}
    assert attach(foreign, note, SIGNER, "said") == "attachments/0001/my_note.txt"
    report = verified(foreign, SIGNER)
    assert (report.kind, report.seal_key) == ("folder", SIGNER.key_id)
    assert before.items() <= snapshot(foreign).items()
    assert [entry["action"] for entry in entries(foreign)] == ["log/open", "dossier/seal", "dossier/attach"]
    assert entries(foreign)[2]["parameters"]["original"] == "my note.txt"
    assert attach(foreign, note, OTHER, "") == "attachments/0002/my_note.txt"
    verified(foreign, SIGNER, OTHER)
    with unpacked(foreign) as folder:
        assert contents(folder)["results"] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b.txt", r"a b\.txt: no name for a file of a dossier"),
        ("sub/.hidden", r"sub/\.hidden: no name"),
        ("SUB/x", "another case of letters"),
        ("Results.json", r"[Rr]esults\.json"),
        ("dossier.json", r"foreign/dossier\.json: a dossier needs the name"),
        ("keys/mine.pem", r"keys/mine\.pem: a dossier needs the name keys"),
        ("trace/log.txt", r"trace/log\.txt: a dossier needs the name trace"),
        ("pending/work.txt", r"pending/work\.txt: a dossier needs the name pending"),
        ("attachments", "a dossier needs the name attachments"),
        ("Signatures/s", "a dossier needs the name signatures"),
    ],
)
def test_a_foreign_folder_that_cannot_be_sealed_stays_as_it_is(
    foreign: Path, note: Path, name: str, said: str
) -> None:
    (foreign / name).parent.mkdir(exist_ok=True)
    (foreign / name).write_bytes(b"mine")
    before = snapshot(foreign)
    with pytest.raises(AuditError, match=said):
        attach(foreign, note, SIGNER, "")
    assert snapshot(foreign) == before


@pytest.mark.parametrize("name", ["a b.txt", "caf\u00e9.csv", ".git", "x\nproof: established"])
def test_what_cannot_be_named_can_be_packed(foreign: Path, note: Path, tmp_path: Path, name: str) -> None:
    """What is refused is named with the rule and what can be done, which then works."""
    (foreign / name).write_bytes(b"mine")
    with pytest.raises(AuditError) as refused:
        attach(foreign, note, SIGNER, "")
    said = str(refused.value)
    assert name.replace("\n", "\\n") in said and "\n" not in said
    for words in ("A-Z a-z 0-9 . _ -", "rename or remove it", "put the archive into a folder of its own"):
        assert words in said
    (tmp_path / "packed").mkdir()
    shutil.make_archive(str(tmp_path / "packed/all"), "zip", foreign)
    attach(tmp_path / "packed", note, SIGNER, "")
    assert verified(tmp_path / "packed", SIGNER).kind == "folder"


def test_an_interrupted_certification_is_no_foreign_folder(foreign: Path, note: Path) -> None:
    with Trace(foreign / "trace/entries.jsonl") as trace:
        trace.append("certify/start", parameters={"request": "x"})
    before = snapshot(foreign)
    with pytest.raises(BadInput, match="foreign: an interrupted certification: run certify again"):
        attach(foreign, note, SIGNER, "")
    assert snapshot(foreign) == before


def test_a_hostile_dossier_writes_nothing_elsewhere(root: Path, note: Path, tmp_path: Path) -> None:
    """The note is as that of an addition whose entry is there, but nobody has signed it."""
    victim, at = tmp_path / "victim", len(entries(root))
    victim.mkdir()
    (victim / "config").write_bytes(b"precious")
    body = (root / f"trace/checkpoints/{at:012}.note").read_text().partition("\n\n")[0]
    (root / "pending/trace/checkpoints").mkdir(parents=True)
    (root / f"pending/trace/checkpoints/{at:012}.note").write_text(body + "\n\nunsigned\n")
    (root / "pending/x").mkdir()
    (root / "pending/x/config").write_bytes(b"evil")
    for link in (True, False):
        if link:
            (root / "x").symlink_to(victim)
        for action in (lambda: sign(root, SEEN, OTHER), lambda: attach(root, note, OTHER, "")):
            before = snapshot(root)
            with pytest.raises(Refused):
                action()
            assert snapshot(root) == before and (victim / "config").read_bytes() == b"precious"
        if link:
            (root / "x").unlink()


def test_a_log_of_somebody_else_is_not_made_ours_through_a_link(
    foreign: Path, note: Path, tmp_path: Path
) -> None:
    with Trace(tmp_path / "elsewhere/entries.jsonl"):
        pass
    (foreign / "trace").symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="trace: is a link"):
        attach(foreign, note, SIGNER, "")
    assert snapshot(tmp_path / "elsewhere") == before


def test_only_the_dossier_that_was_meant_is_signed(root: Path, tmp_path: Path) -> None:
    digest, before, folder = verified(root).digest, snapshot(root), tmp_path / "request"
    other = "0" * 64
    for action in (
        lambda: sign(root, SEEN, OTHER, other),
        lambda: export_payload(root, SEEN, OTHER.public_key, folder, other),
    ):
        with pytest.raises(AuditError, match=f"its digest is {digest}, not {other}"):
            action()
    assert snapshot(root) == before and not folder.exists()
    assert export_payload(root, SEEN, OTHER.public_key, folder, digest) == digest
    sign_elsewhere(folder)
    with pytest.raises(AuditError, match="it is another dossier"):
        import_signature(root, folder, other)
    assert snapshot(root) == before
    assert import_signature(root, folder, digest).digest == digest
    assert sign(root, SEEN, OTHER, digest.upper()).digest == digest


def test_a_zip_is_not_added_to(root: Path, note: Path, tmp_path: Path) -> None:
    file = tmp_path / "d.zip"
    zip_dossier(root, file)
    for action in (
        lambda: attach(file, note, SIGNER, ""),
        lambda: sign(file, SEEN, SIGNER),
        lambda: export_payload(file, SEEN, OTHER.public_key, tmp_path / "request"),
    ):
        with pytest.raises(BadInput, match="unzip it first"):
            action()


def test_links_in_a_foreign_folder_are_refused(foreign: Path, note: Path, tmp_path: Path) -> None:
    for target in (note, tmp_path, tmp_path / "nowhere"):
        (foreign / "sub/link").symlink_to(target)
        with pytest.raises(AuditError, match="sub/link: is a link"):
            attach(foreign, note, SIGNER, "")
        (foreign / "sub/link").unlink()
    assert {path.name for path in foreign.iterdir()} == {"sub", "results.json"}


def test_an_empty_folder_is_nothing_to_seal(tmp_path: Path, note: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AuditError, match="holds no file"):
        attach(tmp_path / "empty", note, SIGNER, "")
    assert not list((tmp_path / "empty").iterdir())
    for path in (tmp_path / "none", note):
        with pytest.raises(BadInput, match="is no folder"):
            attach(path, note, SIGNER, "")


def test_a_file_that_cannot_be_attached_changes_nothing(foreign: Path, tmp_path: Path) -> None:
    before = snapshot(foreign)
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput):
            attach(foreign, file, SIGNER, "")
    assert snapshot(foreign) == before


@pytest.mark.parametrize("left", ["nothing in trace", "an empty log", "a log", "a torn entry", "pending"])
def test_a_first_seal_that_was_interrupted_is_made_again(foreign: Path, note: Path, left: str) -> None:
    log = foreign / "trace/entries.jsonl"
    (foreign / "trace").mkdir()
    if left == "an empty log":
        log.write_bytes(b"")
    elif left != "nothing in trace":
        with Trace(log):
            pass
    if left == "a torn entry":
        with open(log, "ab") as stream:
            stream.write(b'{"action":"dossier/seal"')
    if left == "pending":
        (foreign / "pending/keys").mkdir(parents=True)
        (foreign / "pending/keys/x.pem").write_bytes(b"half")
    attach(foreign, note, SIGNER, "")
    report = verified(foreign, SIGNER)
    assert (report.kind, report.entries, len(report.additions)) == ("folder", 3, 1)


def test_a_first_attachment_cut_off_at_any_step_can_be_made_again(
    foreign: Path, note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    files = {path: data for path, data in snapshot(foreign).items() if data is not None}
    for step in range(200):
        root = tmp_path / f"at-{step}"
        shutil.copytree(foreign, root)
        with crashing(step):
            try:
                attach(root, note, SIGNER, "")
                break
            except (Crash, AuditError):
                pass
        assert files.items() <= snapshot(root).items()
        attach(root, note, SIGNER, "")
        report = verified(root, SIGNER)
        assert report.kind == "folder" and len(report.additions) in (1, 2)
    assert 40 < step < 199
    verified(root, SIGNER)


def test_a_folder_with_a_log_of_its_own_keeps_the_entries(foreign: Path, note: Path) -> None:
    with Trace(foreign / "trace/entries.jsonl") as trace:
        trace.append("test/trained")
    attach(foreign, note, SIGNER, "")
    assert entries(foreign)[1]["action"] == "test/trained"
    verified(foreign, SIGNER)


def test_two_first_attachments_at_once_make_one_dossier(foreign: Path, note: Path) -> None:
    barrier, failures = threading.Barrier(4), []

    def work(signer: object) -> None:
        barrier.wait()
        try:
            attach(foreign, note, signer, "")  # type: ignore[arg-type]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(signer,)) for signer in (SIGNER, OTHER) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    report = verified(foreign, SIGNER, OTHER)
    assert len(report.additions) == 4
    assert [entry["action"] for entry in entries(foreign)].count("dossier/seal") == 1


SIGNING = """
import sys
from pathlib import Path
from hybrid_ai.pipeline.dossiers import Signature, attach, sign
from tests.certified import OTHER, SIGNER
root, note, who = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
signer = {"author": SIGNER, "reviewer": OTHER}[who]
print("ready", flush=True)
sys.stdin.readline()
for number in range(4):
    print(sign(root, Signature(who, str(number)), signer).path, flush=True)
    print(attach(root, note, signer, str(number)), flush=True)
"""


def test_two_signers_at_the_same_time_are_both_in(root: Path, note: Path) -> None:
    pipe = subprocess.PIPE
    processes = []
    for who in ("author", "reviewer"):
        command = [sys.executable, "-c", SIGNING, str(root), str(note), who]
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT))
    for process in processes:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    printed = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        printed += process.communicate(timeout=120)[0].split()
        assert process.returncode == 0
    report = verified(root, SIGNER, OTHER)
    assert sorted(added.path for added in report.additions) == sorted(printed) and len(printed) == 16
    by = {added.role: added.key for added in report.additions if added.role}
    assert by == {"author": SIGNER.key_id, "reviewer": OTHER.key_id}


def sign_elsewhere(folder: Path, seed: int = 12, names: tuple[str, str] = ("envelope", "checkpoint")) -> None:
    """As any other program signs: `seed` 12 is the key of OTHER."""
    private = make_key(seed).private
    for name, source in zip(("envelope", "checkpoint"), names, strict=True):
        (folder / f"{name}.sig").write_bytes(private.sign((folder / f"{source}.bin").read_bytes()))


def test_a_signature_made_elsewhere_is_added(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "request"
    before = snapshot(root)
    export_payload(root, SEEN, OTHER.public_key, folder)
    assert {path.name for path in folder.iterdir()} == {"request.json", "envelope.bin", "checkpoint.bin"}
    assert snapshot(root) == before
    time.sleep(0.002)  # the time is that of the request
    sign_elsewhere(folder)
    assert import_signature(root, folder).path == "signatures/0001-reviewer.dsse.json"
    (added,) = verified(root, SIGNER, OTHER).additions
    assert added.signature is not None and added.key == OTHER.key_id
    assert (added.role, added.signature.name, added.signature.organisation) == (
        "reviewer",
        "A. Person",
        "Ltd",
    )
    with pytest.raises(AuditError, match="has grown since"):
        import_signature(root, folder)
    verified(root, SIGNER, OTHER)


def test_openssl_signs_what_is_exported(root: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key = tmp_path / "key.pem"
    key.write_bytes(make_key(12).private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    folder = tmp_path / "request"
    export_payload(root, Signature("verifier", ""), OTHER.public_key, folder)
    for name in ("envelope", "checkpoint"):
        ends = ["-in", str(folder / f"{name}.bin"), "-out", str(folder / f"{name}.sig")]
        command = [openssl, "pkeyutl", "-sign", "-rawin", "-inkey", str(key), *ends]
        subprocess.run(command, check=True, capture_output=True)
    import_signature(root, folder)
    verified(root, SIGNER, OTHER)


def test_signatures_that_do_not_fit_are_refused(root: Path, note: Path, tmp_path: Path) -> None:
    folder = tmp_path / "request"
    export_payload(root, SEEN, OTHER.public_key, folder)
    before = snapshot(root)
    sign_elsewhere(folder, names=("checkpoint", "envelope"))
    with pytest.raises(AuditError, match="signature 1 is not one of the key"):
        import_signature(root, folder)
    sign_elsewhere(folder, seed=11)
    with pytest.raises(AuditError, match="signature 1 is not one of the key"):
        import_signature(root, folder)
    sign_elsewhere(folder, names=("envelope", "envelope"))
    with pytest.raises(AuditError, match="signature 2 is not one of the key"):
        import_signature(root, folder)
    sign_elsewhere(folder)
    (folder / "checkpoint.sig").unlink()
    with pytest.raises(AuditError, match=r"checkpoint\.sig: cannot be read"):
        import_signature(root, folder)
    assert snapshot(root) == before
    sign_elsewhere(folder)
    attach(root, note, SIGNER, "")
    before = snapshot(root)
    with pytest.raises(AuditError, match=r"has grown since .* was exported: export it again"):
        import_signature(root, folder)
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [('"reviewer"', '"verifier"'), ('"seen"', '"not seen"'), ('"Ltd"', "null"), (RUN[:2], "zz")],
)
def test_a_request_that_was_changed_after_the_export_fits_no_signature(
    root: Path, tmp_path: Path, old: str, new: str
) -> None:
    folder = tmp_path / "request"
    export_payload(root, SEEN, OTHER.public_key, folder)
    sign_elsewhere(folder)
    before, text = snapshot(root), (folder / "request.json").read_text()
    if old == RUN[:2]:  # the entry's own run: only the checkpoint is over it
        at = text.index('"run":"') + 7
        text = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
    else:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "request.json").write_text(text)
    with pytest.raises(AuditError, match="is not one of the key"):
        import_signature(root, folder)
    assert snapshot(root) == before


def test_a_request_is_for_one_dossier(root: Path, tmp_path: Path, foreign: Path, note: Path) -> None:
    export_payload(root, SEEN, OTHER.public_key, tmp_path / "request")
    sign_elsewhere(tmp_path / "request")
    with Trace(foreign / "trace/entries.jsonl") as trace:
        for _ in range(4):
            trace.append("test/entry")
    seal(foreign, "folder", SIGNER, RUN)
    assert len(entries(foreign)) == len(entries(root))
    with pytest.raises(AuditError, match="signature 1 is not one of the key"):
        import_signature(foreign, tmp_path / "request")
    verified(foreign, SIGNER)


def test_equal_dossiers_give_equal_archives(root: Path, note: Path, tmp_path: Path) -> None:
    attach(root, note, OTHER, "said")
    zip_dossier(root, tmp_path / "one.zip")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in sorted(root.rglob("*"), reverse=True):  # other order of creation, times and rights
        if path.is_file():
            target = copy / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            os.utime(target, (1e9, 1e9))
            target.chmod(0o600)
    zip_dossier(copy, tmp_path / "two.zip")
    zip_dossier(tmp_path / "one.zip", tmp_path / "three.zip")
    one = (tmp_path / "one.zip").read_bytes()
    assert one == (tmp_path / "two.zip").read_bytes() == (tmp_path / "three.zip").read_bytes()
    report = verified(tmp_path / "one.zip", SIGNER, OTHER)
    assert report == verified(root, SIGNER, OTHER)
    zip_dossier(tmp_path / "one.zip", tmp_path / "one.zip")
    assert (tmp_path / "one.zip").read_bytes() == one
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path / "out")
    files = {path: data for path, data in snapshot(root).items() if data is not None}
    assert files == {path: data for path, data in snapshot(tmp_path / "out").items() if data is not None}


def test_an_archive_is_written_beside_the_dossier_or_not_at_all(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)
    for output, said in (
        (root / "d.zip", "lies in the dossier"),
        (root / "evidence/d.zip", "lies in the dossier"),
        (tmp_path / "none/d.zip", "cannot be written"),
        (tmp_path, "is no regular file"),
    ):
        with pytest.raises(BadInput, match=said):
            zip_dossier(root, output)
    assert snapshot(root) == before and {path.name for path in tmp_path.iterdir()} == {"d"}


def test_what_is_shown_is_what_was_added(root: Path, note: Path, tmp_path: Path) -> None:
    attach(root, note, OTHER, "")
    sign(root, Signature("author", "mine"), SIGNER)
    sign(root, Signature("verifier", "good\nsigned as author\x1b[2J", "Ltd", "A"), OTHER)
    told = contents(root)
    assert [added["path"] for added in told["additions"]] == [
        "attachments/0001/my_note.txt",
        "signatures/0001-author.dsse.json",
        "signatures/0002-verifier.dsse.json",
    ]
    assert [added.get("independence") for added in told["additions"]] == [
        None, "same key as the seal", "different key"
    ]  # fmt: skip
    text = shown(root)
    assert "\x1b" not in text and "\nsigned as author" not in text
    assert "good\\nsigned as author" in text and "Ltd" in text
    (line,) = [line for line in text.split("\n") if "properties/braking_limit.vnnlib: " in line]
    assert line.startswith("models/braking.onnx ") and "proved" in line
    zip_dossier(root, tmp_path / "d.zip")
    assert shown(tmp_path / "d.zip") == text
