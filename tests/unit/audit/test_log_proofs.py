"""A log by itself: what is established, and proofs for those who do not have it, changed in every member."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit import log_proofs
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.log_proofs import prove_consistency, prove_inclusion, read_proof, verify_proof
from hybrid_ai.audit.log_verification import LogReport, verify_trace
from hybrid_ai.audit.verification.checkpoint import read_checkpoint
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.since import Since
from tests.audit_builder import AUTHOR, LOG, REVIEWER, STRANGER, Key, Writer, note, sign_note

SIZE = 7  # signed by AUTHOR; the checkpoints of 1 to 6 entries are kept elsewhere
Proof = dict[str, Any]


def made(count: int = SIZE, log: str = LOG) -> list[bytes]:
    writer = Writer(log=log)
    for number in range(1, count):
        writer.entry("step", parameters={"number": number, "text": 'ä "\\ \u2028'})
    return writer.lines()


LINES = made()


def write(path: Path, lines: list[bytes], notes: Mapping[int, bytes]) -> Path:
    (path / "checkpoints").mkdir(parents=True)
    (path / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    for size, data in notes.items():
        (path / f"checkpoints/{size:012}.note").write_bytes(data)
    return path / "entries.jsonl"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "log", LINES, {SIZE: note(LINES, AUTHOR)})


def known(*keys: Key) -> dict[str, bytes]:
    return {key.name: key.public for key in keys}


def since(size: int, lines: list[bytes] = LINES, key: Key = AUTHOR, log: str = LOG) -> Since:
    return Since(*read_checkpoint(note(lines[:size], key, log=log), "kept.note"), "kept.note")


def levels(report: LogReport) -> list[bool]:
    assert [status.level for status in report.levels] == ["integrity", "authenticity"]
    assert report.established == all(status.established for status in report.levels)
    return [status.established for status in report.levels]


# ---- a log ----


@pytest.mark.parametrize(
    ("notes", "trust", "established", "detail"),
    [
        ({7: AUTHOR}, [AUTHOR], True, f"all entries are signed by the pinned key {AUTHOR.name}; whether"),
        ({3: STRANGER, 7: AUTHOR}, [REVIEWER, AUTHOR], True, "all entries are signed"),
        (
            {3: AUTHOR, 7: REVIEWER},
            [REVIEWER, AUTHOR],
            True,
            f"all entries are signed by the pinned key {REVIEWER.name}",
        ),
        ({7: AUTHOR}, [], False, "no key is pinned: pin one with --trust FILE"),
        ({}, [AUTHOR], False, "no pinned key has signed a checkpoint of it"),
        ({7: STRANGER}, [AUTHOR], False, "no pinned key has signed a checkpoint of it"),
        (
            {5: AUTHOR},
            [AUTHOR],
            False,
            f"the first 5 entries are signed by {AUTHOR.name}, the other 2 by no ",
        ),
        ({5: AUTHOR, 7: STRANGER}, [AUTHOR], False, "the first 5 entries are signed by"),
    ],
)
def test_how_much_pinned_keys_signed(
    notes: dict[int, Key], trust: list[Key], established: bool, detail: str, tmp_path: Path
) -> None:
    signed = {size: note(LINES[:size], key) for size, key in notes.items()}
    report = verify_trace(write(tmp_path / "log", LINES, signed), known(*trust), None)
    assert levels(report) == [True, established]
    assert report.levels[0].detail == f"7 entries, {len(notes)} checkpoints"
    assert report.levels[1].detail.startswith(detail)
    assert (report.log, report.entries, report.entry) == (LOG, 7, None)
    expected = [(size, (key.name,) if key in trust else ()) for size, key in notes.items()]
    assert [(each.size, each.signers) for each in report.checkpoints] == expected


def test_the_folder_of_checkpoints_may_be_missing(log: Path) -> None:
    (log.parent / "checkpoints/000000000007.note").unlink()
    (log.parent / "checkpoints").rmdir()
    assert verify_trace(log, known(AUTHOR), None).checkpoints == ()


def test_an_earlier_checkpoint_is_extended(log: Path) -> None:
    report = verify_trace(log, known(AUTHOR), since(3))
    assert report.established and report.levels[1].detail.endswith("extends the checkpoint of 3 entries")
    assert not verify_trace(log, {}, since(3)).established
    changed = [*LINES[:2], LINES[2].replace(b"number", b"numbed"), *LINES[3:]]
    other = made(log="0" * 32)
    for earlier, said in (
        (since(3, changed), "its root is not that of the first 3 entries"),
        (since(3, other, log="0" * 32), "the log is"),
        (since(9, made(9)), "counts 9 entries, the log has 7: it was cut"),
        (since(3, key=STRANGER), "no pinned key has signed it"),
    ):
        with pytest.raises(Refused, match=rf"^kept\.note: .*{said}") as caught:
            verify_trace(log, known(AUTHOR), earlier)
        assert caught.value.level == "authenticity"


def test_what_is_no_log_is_named(log: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(
            AuditError, match=r"is no file that can be read: give the file of a log's entries"
        ):
            verify_trace(path, {}, None)
    (log.parent / "checkpoints/000000000001.note").mkdir()
    with pytest.raises(Refused, match=r"000000000001\.note: is no file; move it out"):
        verify_trace(log, {}, None)


def test_a_folder_that_is_none_is_named(log: Path) -> None:
    (log.parent / "checkpoints/000000000007.note").unlink()
    (log.parent / "checkpoints").rmdir()
    (log.parent / "checkpoints").write_bytes(b"")
    with pytest.raises(AuditError, match="checkpoints: cannot be read: Not a directory"):
        verify_trace(log, {}, None)


# ---- proofs ----


def inclusion(log: Path, sequence: int = 4) -> Proof:
    content: Proof = json.loads(prove_inclusion(log, sequence))
    return content


def consistency(log: Path, size: int = 3) -> Proof:
    content: Proof = json.loads(prove_consistency(log, since(size)))
    return content


def verify(proof: Proof, earlier: Since | None = None, *trust: Key) -> LogReport:
    return verify_proof(json.dumps(proof).encode(), "p.json", known(*(trust or (AUTHOR,))), earlier)


def test_every_entry_is_proved(log: Path) -> None:
    for sequence, line in enumerate(LINES):
        report = verify(inclusion(log, sequence))
        assert report.established and report.entry == line.decode()
        assert (report.log, report.entries) == (LOG, SIZE)


def test_every_earlier_state_is_proved_to_be_extended(log: Path) -> None:
    for size in range(SIZE + 1):
        report = verify(consistency(log, size), since(size))
        assert report.established and report.entry is None
        assert report.levels[0].detail == f"the log of 7 entries extends the checkpoint of {size}"


def test_a_proof_is_as_good_as_the_key_of_its_checkpoint(log: Path) -> None:
    for proof, earlier in ((inclusion(log), None), (consistency(log), since(3))):
        data = json.dumps(proof).encode()
        assert levels(verify_proof(data, "p.json", {}, earlier)) == [True, False]
    assert levels(verify(inclusion(log), None, REVIEWER)) == [True, False]
    with pytest.raises(Refused, match="no pinned key has signed it"):
        verify(consistency(log), since(3), REVIEWER)


def forged(proof: Proof) -> None:
    """The checkpoint of another tree, under the name of the pinned key."""
    text = proof["checkpoint"].partition("\n\n")[0] + "\n"
    proof["checkpoint"] = sign_note(text.encode(), STRANGER, name=AUTHOR.name).decode()


def set_to(**members: Any) -> Callable[[Proof], None]:
    return lambda proof: proof.update(members)


def first_hash(proof: Proof) -> None:
    proof["hashes"][0] = "0" * 64


def one_less(proof: Proof) -> None:
    proof["hashes"].pop()


def one_more(proof: Proof) -> None:
    proof["hashes"].append("0" * 64)


CHANGES: list[tuple[Callable[[Proof], None], str]] = [
    (forged, "checkpoint: the signature of the key .* is not valid"),
    (set_to(format="other"), "is no proof of the format"),
    (set_to(version=2), "is no proof of the format"),
    (set_to(version=True), "is no proof of the format"),
    (set_to(more=1), "unknown 'more'"),
    (lambda proof: proof.pop("hashes"), "lacks 'hashes'"),
    (set_to(hashes={}), "hashes: must be an array of at most 64"),
    (set_to(hashes=["0" * 64] * 65), "hashes: must be an array of at most 64"),
    (set_to(hashes=["0" * 63]), r"hashes\[0\]"),
    (set_to(checkpoint="x"), "checkpoint"),
    (set_to(checkpoint=sign_note(b"other\n7\n" + b"A" * 43 + b"=\n", AUTHOR).decode()), "is of no log of"),
    (
        set_to(checkpoint=sign_note(b"hybrid-ai.log/0\n7\n" + b"A" * 43 + b"=\n", AUTHOR).decode()),
        "no log of",
    ),
    (first_hash, "does not show"),
    (one_less, "does not show"),
    (one_more, "does not show"),
]
OF_INCLUSION: list[tuple[Callable[[Proof], None], str]] = [
    (set_to(sequence=5), "entry: its sequence is 4"),
    (set_to(sequence=-1), "must name a number"),
    (set_to(sequence=True), "must name a number"),
    (set_to(sequence=4.5), "must name a number"),
    (set_to(entry=LINES[4].decode().replace('"step"', '"stop"')), "does not show that the checkpoint counts"),
    (set_to(entry=LINES[5].decode(), sequence=5), "does not show"),
    (set_to(entry=LINES[4].decode().replace(":", ": ")), "entry: not in canonical form"),
    (set_to(entry=""), "entry"),
    (set_to(checkpoint=note(LINES[:6], AUTHOR).decode()), "does not show"),
    (set_to(checkpoint=note(LINES[:4], AUTHOR).decode()), "does not show"),
]
OF_CONSISTENCY: list[tuple[Callable[[Proof], None], str]] = [
    (set_to(since=-1), "must name a number"),
    (set_to(since="3"), "must name a number"),
    (set_to(checkpoint=note(LINES[:6], AUTHOR).decode()), r"does not show that the log extends kept\.note"),
    (set_to(checkpoint=note(made(log="0" * 32), AUTHOR, log="0" * 32).decode()), "is about .*, not"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES + OF_INCLUSION)
def test_changed_proofs_of_an_entry(change: Callable[[Proof], None], said: str, log: Path) -> None:
    proof = inclusion(log)
    change(proof)
    with pytest.raises(Refused, match=rf"^p\.json.*{said}") as caught:
        verify(proof)
    assert caught.value.level == "integrity"


@pytest.mark.parametrize(("change", "said"), CHANGES + OF_CONSISTENCY)
def test_changed_proofs_of_an_extension(change: Callable[[Proof], None], said: str, log: Path) -> None:
    proof = consistency(log)
    change(proof)
    with pytest.raises(Refused, match=rf"^p\.json.*{said}"):
        verify(proof, since(3))


def test_the_readers_own_checkpoint_counts(log: Path) -> None:
    """A log that was rewritten has a true proof for its own past, but not for the one that was kept."""
    changed = [*LINES[:2], LINES[2].replace(b"number", b"numbed"), *LINES[3:]]
    other = write(log.parent / "other", changed, {SIZE: note(changed, AUTHOR)})
    proof = json.loads(prove_consistency(other, since(3, changed)))
    assert verify(proof, since(3, changed)).established
    with pytest.raises(Refused, match="does not show that the log extends"):
        verify(proof, since(3))
    with pytest.raises(Refused, match=r"kept\.note: its root is not that of the first 3 entries"):
        prove_consistency(other, since(3))


def test_what_a_proof_needs_is_said(log: Path) -> None:
    with pytest.raises(
        AuditError, match=r"p\.json: begins at a checkpoint of 3 entries: give yours with --since"
    ):
        verify(consistency(log))
    with pytest.raises(AuditError, match=r"kept\.note: counts 4 entries, the proof begins at 3"):
        verify(consistency(log), since(4))
    with pytest.raises(AuditError, match=r"p\.json: is the proof of an entry: give --since with a proof"):
        verify(inclusion(log), since(3))
    for data in (b"[]", b"", b"{}", b'{"since":3}'):
        with pytest.raises(Refused, match=r"^p\.json"):
            verify_proof(data, "p.json", {}, since(3))


def test_only_what_is_signed_is_proved(tmp_path: Path) -> None:
    log = write(tmp_path / "log", LINES, {5: note(LINES[:5], AUTHOR)})
    for sequence in (5, 7, -1):
        said = rf"there is no entry {sequence}, its newest checkpoint counts 5 entries, from 0: sign the log"
        with pytest.raises(AuditError, match=said):
            prove_inclusion(log, sequence)
    with pytest.raises(AuditError, match="its newest checkpoint counts 5 entries, not 6: sign the log"):
        prove_consistency(log, since(6))
    assert verify(inclusion(log)).entries == 5
    bare = write(tmp_path / "bare", LINES, {})
    with pytest.raises(AuditError, match="has no checkpoint: sign the log as it is now"):
        prove_inclusion(bare, 1)


def test_a_log_that_changes_meanwhile_is_not_proved(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = log_proofs.read_with_checkpoints

    def read(path: Path, trust: Mapping[str, bytes]) -> object:
        found = inner(path, trust)
        path.write_bytes(path.read_bytes().replace(b"step", b"stop"))
        return found

    for prove in (lambda: prove_inclusion(log, 4), lambda: prove_consistency(log, since(3))):
        with monkeypatch.context() as patch, pytest.raises(AuditError, match="was changed while it was read"):
            patch.setattr(log_proofs, "read_with_checkpoints", read)
            prove()
        log.write_bytes(b"".join(line + b"\n" for line in LINES))
        prove()


def test_only_the_file_of_a_proof_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_proofs, "PROOF_LIMIT", 3)
    (tmp_path / "p").write_bytes(b"abc")
    assert read_proof(tmp_path / "p") == b"abc"
    (tmp_path / "p").write_bytes(b"abcd")
    with pytest.raises(AuditError, match="has more than 3 bytes"):
        read_proof(tmp_path / "p")
    with pytest.raises(AuditError, match="is no file that can be read"):
        read_proof(tmp_path)
