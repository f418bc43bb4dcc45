"""Verification of whole dossiers: what is established, and what is only said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hybrid_ai.audit.verification import dossier as module
from hybrid_ai.audit.verification.checkpoint import read_checkpoint
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import LEVELS, verify_dossier
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.since import Since
from tests.audit_builder import (
    AUTHOR,
    REVIEWER,
    STRANGER,
    Key,
    Writer,
    made_up_writer,
    note,
    sha256,
    write_folder,
    write_zip,
)
from tests.unit.audit.dossiers import (
    NOTE5,
    NOTE7,
    Files,
    known,
    reprover,
    sealed_writer,
    verified,
    whole_writer,
)

# ---- what is established ----


@pytest.mark.parametrize("write", [write_folder, write_zip])
def test_a_whole_dossier(write: Callable[[Files, Path], Path], tmp_path: Path) -> None:
    writer = whole_writer()
    found = open_container(write(writer.finish(), tmp_path / "dossier"))
    trust = known(AUTHOR, REVIEWER)
    report = verify_dossier(found, levels=frozenset(LEVELS), trust=trust, reprover=reprover())
    assert report.established
    assert [(status.level, status.established) for status in report.levels] == [
        ("integrity", True),
        ("authenticity", True),
        ("proof", True),
    ]
    assert (report.kind, report.digest, report.entries) == ("certification", writer.digest, 7)
    assert (report.seal_key, report.seal_pinned, report.flags) == (AUTHOR.name, True, ())
    assert "newest state is not" in report.levels[1].detail
    attached, signed = report.additions
    assert (attached.action, attached.path, attached.key) == (
        "dossier/attach",
        "attachments/0001/log.txt",
        AUTHOR.name,
    )
    assert (attached.role, attached.signature, attached.pinned) == (None, None, True)
    assert (signed.role, signed.key, signed.pinned) == ("reviewer", REVIEWER.name, True)
    assert signed.signature is not None
    assert (signed.signature.organisation, signed.signature.name) == ("Example", "R.")
    assert report.proof is not None
    assert report.proof.reproved == ("evidence/0001.dsse.json", "evidence/0002.dsse.json")
    assert report.proof.not_reevaluated == ("evidence/0002.dsse.json",)
    assert report.proof.unclaimed == ("evidence/0003.dsse.json",)


def test_levels_that_are_not_asked_for_are_not_reported(tmp_path: Path) -> None:
    report = verified(sealed_writer().finish(), tmp_path, "authenticity", trust=known(AUTHOR))
    assert [status.level for status in report.levels] == ["authenticity"]
    assert report.proof is None
    never = reprover(("no such program",))
    assert verified(sealed_writer().finish(), tmp_path, "integrity", reprover=never).proof is None
    with pytest.raises(ValueError, match="reprover"):
        verified(sealed_writer().finish(), tmp_path, "proof")


def test_a_foreign_folder(tmp_path: Path) -> None:
    writer = Writer(
        kind="folder",
        files={"evidence/0001.dsse.json": b"not ours", "results.json": b"nor this", "verify.py": b""},
    )
    writer.seal()
    writer.attach("verify.py", b"x")
    report = verified(writer.finish(), tmp_path, "integrity", "proof", reprover=reprover())
    assert [(status.level, status.established) for status in report.levels] == [
        ("integrity", True),
        ("proof", False),
    ]
    assert report.levels[1].detail == "there are no results in it"
    assert report.flags == ()  # a verify.py of theirs is none of ours


def test_without_results_nothing_is_proved(tmp_path: Path) -> None:
    writer = Writer()
    writer.seal()
    assert not verified(writer.finish(), tmp_path, "proof", reprover=reprover()).established


# ---- authenticity ----


def authenticity(files: Files, folder: Path, *trust: Key, since: Since | None = None) -> tuple[bool, str]:
    status = verified(files, folder, "authenticity", trust=known(*trust), since=since).levels[0]
    return status.established, status.detail


def test_no_pinned_key(tmp_path: Path) -> None:
    established, detail = authenticity(whole_writer().finish(), tmp_path)
    assert not established
    assert "pin a key with --trust FILE" in detail and AUTHOR.name in detail


def test_a_later_entry_by_a_key_that_is_not_pinned(tmp_path: Path) -> None:
    established, detail = authenticity(whole_writer().finish(), tmp_path, AUTHOR)
    assert not established
    assert f"signatures/0001-reviewer.dsse.json by {REVIEWER.name}" in detail and "log.txt" not in detail


def test_a_seal_by_none_of_the_pinned_keys(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="none of the pinned keys") as caught:
        authenticity(sealed_writer(STRANGER).finish(), tmp_path, AUTHOR, REVIEWER)
    assert caught.value.level == "authenticity"


def test_an_earlier_checkpoint_without_pinned_keys(tmp_path: Path) -> None:
    """It is compared, but whose it is stays open."""
    files = sealed_writer().finish()
    assert not authenticity(files, tmp_path, since=since_of(files[NOTE5]))[0]
    with pytest.raises(Refused, match="counts 7 entries"):
        authenticity(files, tmp_path, since=since_of(whole_writer().finish()[NOTE7]))


def since_of(data: bytes) -> Since:
    return Since(*read_checkpoint(data, "old.note"), "old.note")


def test_an_earlier_checkpoint(tmp_path: Path) -> None:
    writer = sealed_writer()
    old = since_of(writer.finish()["trace/checkpoints/000000000005.note"])
    writer.attach("a", b"b")
    established, detail = authenticity(writer.finish(), tmp_path, AUTHOR, since=old)
    assert established and "extends the checkpoint of 5 entries" in detail


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda lines: note(lines[:7], AUTHOR), "counts 7 entries"),
        (lambda lines: note(lines[:5], STRANGER), "no pinned key has signed it"),
        (lambda lines: note(lines[:5], AUTHOR, log="0" * 32), "the log is"),
        (lambda lines: note([*lines[:4], b"other"], AUTHOR), "its root"),
        (lambda lines: note(lines[:5], STRANGER, name=AUTHOR.name), "is not valid"),
    ],
)
def test_earlier_checkpoints_that_are_not_extended(
    make: Callable[[list[bytes]], bytes], reason: str, tmp_path: Path
) -> None:
    """The dossier was rolled back to its seal; a checkpoint of all seven entries was kept."""
    lines = whole_writer().lines()
    with pytest.raises(Refused, match=reason) as caught:
        authenticity(sealed_writer().finish(), tmp_path, AUTHOR, since=since_of(make(lines)))
    assert (caught.value.level, caught.value.where) == ("authenticity", "old.note")


# ---- flags ----


def test_one_key_in_two_roles(tmp_path: Path) -> None:
    writer = sealed_writer()
    writer.sign("author", key=AUTHOR)
    writer.sign("reviewer", number=2)
    writer.sign("reviewer", number=3)
    assert verified(writer.finish(), tmp_path).flags == ()
    writer.sign("approver", number=4)
    (flag,) = verified(writer.finish(), tmp_path).flags
    assert flag == f"one key in 2 roles: {REVIEWER.name} signed as reviewer and as approver"


def test_the_verifier_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = made_up_writer()
    writer.files["verify.py"] = b"print('established')"
    writer.seal()
    digest = sha256(writer.files["verify.py"])
    (flag,) = verified(writer.finish(), tmp_path).flags
    assert digest in flag and "no released version" in flag
    assert verified(writer.finish(), tmp_path, own_sha256=digest).flags == ()
    assert verified(writer.finish(), tmp_path, own_sha256="0" * 64).flags == (flag,)
    monkeypatch.setitem(module.RELEASED, "1.0", digest)
    assert verified(writer.finish(), tmp_path).flags == ()
