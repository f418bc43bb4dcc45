"""What is refused, at which file: changes by those who can write, and by those who can sign as well."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.rejected import Refused
from tests.audit_builder import (
    AUTHOR,
    REVIEWER,
    STRANGER,
    Writer,
    envelope,
    made_up_writer,
    sha256,
    sign_note,
    statement,
)
from tests.unit.audit.dossiers import (
    NOTE5,
    NOTE7,
    Files,
    sealed_writer,
    verified,
    whole_writer,
)

# ---- what only somebody who can write does ----


def without(path: str) -> Callable[[Files], None]:
    return lambda files: files.pop(path) and None


def put(path: str, data: bytes) -> Callable[[Files], None]:
    return lambda files: files.update({path: data})


def edited(path: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def edit(files: Files) -> None:
        assert old in files[path]
        files[path] = files[path].replace(old, new)

    return edit


AUTHOR_PEM, REVIEWER_PEM = f"keys/{AUTHOR.name}.pem", f"keys/{REVIEWER.name}.pem"
ENTRIES = "trace/entries.jsonl"
SIGNED = "signatures/0001-reviewer.dsse.json"


def cut_log(files: Files) -> None:
    files[ENTRIES] = b"".join(files[ENTRIES].splitlines(keepends=True)[:-1])


def swapped_keys(files: Files) -> None:
    files[AUTHOR_PEM], files[REVIEWER_PEM] = files[REVIEWER_PEM], files[AUTHOR_PEM]


def second_signature(files: Files) -> None:
    _, line = sign_note(files[NOTE5].split(b"\n\n")[0] + b"\n", STRANGER).split(b"\n\n")
    files[NOTE5] += line


def resigned_payload(files: Files) -> None:
    """The payload that the log names, in an envelope of another key."""
    payload = base64.b64decode(json.loads(files[SIGNED])["payload"])
    files[SIGNED] = envelope(payload, STRANGER)


def forged_payload(files: Files) -> None:
    """Under the name of the key that must have signed, by another."""
    payload = base64.b64decode(json.loads(files[SIGNED])["payload"])
    files[SIGNED] = envelope(payload, STRANGER, keyid=REVIEWER.name)


def other_payload(files: Files) -> None:
    """Of the same key, from another time."""
    payload = json.loads(base64.b64decode(json.loads(files[SIGNED])["payload"]))
    payload["predicate"]["statement"] = "not seen"
    files[SIGNED] = envelope(encode(payload), REVIEWER)


def loose_envelope(files: Files) -> None:
    files[SIGNED] = json.dumps(json.loads(files[SIGNED])).encode()


def renamed_keyid(files: Files) -> None:
    content = json.loads(files[SIGNED])
    content["signatures"][0]["keyid"] = "other"
    files[SIGNED] = encode(content)


WRITES: dict[str, tuple[Callable[[Files], None], str, str]] = {
    "no manifest": (without("dossier.json"), "dossier.json", "is missing"),
    "manifest changed": (
        edited("dossier.json", b'"version":1', b'"version": 1'),
        "dossier.json",
        "canonical",
    ),
    "file changed": (edited("README.md", b"read", b"dead"), "README.md", "was changed"),
    "file missing": (without("README.md"), "README.md", "is missing"),
    "file added": (put("more.txt", b"x"), "more.txt", "neither the manifest nor the log"),
    "file added to evidence": (
        put("evidence/0009.certificate", b"x"),
        "evidence/0009.certificate",
        "neither",
    ),
    "pending": (put("pending/a", b"x"), "pending/a", "interrupted"),
    "no log": (without(ENTRIES), ENTRIES, "is missing"),
    "entry changed": (edited(ENTRIES, b'"verdict":"unknown"', b'"verdict":"proved"'), NOTE5, "its root"),
    "log cut": (cut_log, SIGNED, "neither|no sealing entry"),
    "checkpoint missing": (without(NOTE5), NOTE5, "is missing"),
    "checkpoint added": (
        put("trace/checkpoints/000000000004.note", b"x"),
        "trace/checkpoints/000000000004.note",
        "no sealing",
    ),
    "file among the checkpoints": (put("trace/checkpoints/a", b"x"), "trace/checkpoints/a", "no sealing"),
    "second signature": (second_signature, NOTE5, "and no other"),
    "signature changed": (lambda files: files.update({NOTE5: files[NOTE7]}), NOTE5, "not its name"),
    "key missing": (without(AUTHOR_PEM), AUTHOR_PEM, "is missing"),
    "keys swapped": (swapped_keys, AUTHOR_PEM, "holds the key"),
    "key with a comment": (edited(AUTHOR_PEM, b"\n-----END", b"\n\n-----END"), AUTHOR_PEM, "nothing else"),
    "key that signed nothing": (
        put(f"keys/{STRANGER.name}.pem", STRANGER.pem),
        f"keys/{STRANGER.name}.pem",
        "signed nothing",
    ),
    "file in the traces": (put("trace/notes", b"x"), "trace/notes", "neither"),
    "attachment changed": (
        put("attachments/0001/log.txt", b"flight 8"),
        "attachments/0001/log.txt",
        "was changed",
    ),
    "attachment missing": (without("attachments/0001/log.txt"), "attachments/0001/log.txt", "is missing"),
    "attachment added": (put("attachments/0002/a", b"x"), "attachments/0002/a", "neither"),
    "signature missing": (without(SIGNED), SIGNED, "is missing"),
    "signature of another key": (resigned_payload, SIGNED, "must be signed by the key"),
    "signature forged": (forged_payload, SIGNED, "is not valid"),
    "signature over another text": (other_payload, SIGNED, "its payload is not the one of"),
    "envelope not canonical": (loose_envelope, SIGNED, "canonical"),
    "key id of an envelope": (renamed_keyid, SIGNED, "must be signed by the key"),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_without_keys(name: str, tmp_path: Path) -> None:
    change, where, reason = WRITES[name]
    files = whole_writer().finish()
    change(files)
    with pytest.raises(Refused, match=reason) as caught:
        verified(files, tmp_path)
    assert caught.value.level == "integrity"
    if name != "log cut":
        assert caught.value.where == where


def test_every_file_counts(tmp_path: Path) -> None:
    """One changed byte anywhere is refused."""
    files = whole_writer().finish()
    for path, data in files.items():
        for place in {0, len(data) // 2, len(data) - 1}:
            changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            with pytest.raises(Refused):
                verified({**files, path: changed}, tmp_path)
        verified(files, tmp_path)


# ---- what somebody does who can sign ----


def entry_change(number: int, **members: Any) -> Callable[[Writer], None]:
    return lambda writer: writer.entries[number].update(members)


def seal_parameters(**members: Any) -> Callable[[Writer], None]:
    return lambda writer: writer.entries[4]["parameters"].update(members)


def after(step: Callable[[Writer], object]) -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        step(writer)

    return run


def unsigned_end(writer: Writer) -> None:
    writer.entry("step")


def second_seal(writer: Writer) -> None:
    writer._sealing("dossier/seal", AUTHOR, {"kind": "certification"})


def attach_onto(path: str) -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        writer.attach("a", b"x")
        data = writer.files.pop("attachments/0001/a")
        writer.files[path] = data
        writer.entries[-1]["outputs"][0]["name"] = path

    return run


def attach_with(**members: Any) -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        writer.attach("a", b"x")
        writer.entries[-1].update(members)

    return run


def sign_as(entry_role: str, role: str = "reviewer") -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        writer.sign(role)
        writer.entries[-1]["parameters"]["role"] = entry_role

    return run


def signed_at(path: str) -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        writer.files[path] = writer.files.pop(writer.sign("reviewer"))
        writer.entries[-1]["outputs"][0]["name"] = path

    return run


def signed_payload(
    make: Callable[[Writer], bytes], kind: str = "application/vnd.in-toto+json"
) -> Callable[[Writer], None]:
    def run(writer: Writer) -> None:
        path = writer.sign("reviewer")
        payload = make(writer)
        writer.files[path] = envelope(payload, REVIEWER, kind=kind)
        writer.entries[-1]["outputs"][0]["sha256"] = sha256(payload)

    return run


SAID = {
    "role": "reviewer",
    "statement": "",
    "organisation": None,
    "name": None,
    "time": "2026-02-03T04:05:06.789Z",
}
SIGNATURE = "urn:hybrid-ai:signature:v1"


def signature_over(subjects: Mapping[str, str], kind: str = SIGNATURE) -> Callable[[Writer], bytes]:
    return lambda writer: statement(subjects, kind, SAID)


SIGNED_ATTACKS: dict[str, tuple[Callable[[Writer], object], str]] = {
    "ends unsigned": (unsigned_end, "entry 5.*not signed"),
    "sealed twice": (second_seal, "entry 5.*one seal"),
    "seal of another manifest": (seal_parameters(manifest="0" * 64), "entry 4: is over another"),
    "seal of another kind": (seal_parameters(kind="folder"), "entry 4.*kind"),
    "seal with an unknown parameter": (seal_parameters(more=1), "unknown 'more'"),
    "seal with outputs": (entry_change(4, outputs=[{"name": "a", "sha256": "0" * 64}]), "no outputs"),
    "seal by a key without file": (seal_parameters(key="0" * 64), "keys/0{64}.pem: is missing"),
    "seal by a key that is no id": (seal_parameters(key="0" * 63), "64 lower-case"),
    "seal by another key than signed": (
        lambda writer: (writer.sign("reviewer"), seal_parameters(key=REVIEWER.name)(writer)),
        "must be signed by the key",
    ),
    "log of another id": (
        entry_change(0, parameters={"format": "hybrid-ai-trace", "version": 1, "log": "0" * 32}),
        "the log is|belongs to the log",
    ),
    "attached onto a file": (attach_onto("models/more.onnx"), "not attachments/NNNN/NAME"),
    "attached outside": (attach_onto("../outside"), "no name for a file"),
    "attached without number": (attach_onto("attachments/a"), "not attachments/NNNN/NAME"),
    "attached twice": (lambda writer: (writer.attach("a", b"x"), writer.attach("a", b"x")), "there already"),
    "attached nothing": (attach_with(outputs=[]), "one output"),
    "attached two": (
        attach_with(outputs=[{"name": name, "sha256": "0" * 64} for name in "ab"]),
        "one output",
    ),
    "attached another digest": (
        attach_with(outputs=[{"name": "attachments/0001/a", "sha256": "0" * 64}]),
        "was changed",
    ),
    "signed in another role": (sign_as("author"), "not signatures/NNNN-author"),
    "signed without number": (signed_at("signatures/reviewer.dsse.json"), "not signatures/NNNN-reviewer"),
    "signed in an unknown role": (sign_as("king"), "must be one of author"),
    "signature over another dossier": (
        signed_payload(signature_over({"dossier.json": "0" * 64})),
        "no signature over this",
    ),
    "signature over another file": (
        lambda writer: signed_payload(signature_over({"README.md": writer.digest}))(writer),
        "no signature over this",
    ),
    "signature over two files": (
        lambda writer: signed_payload(signature_over({"dossier.json": writer.digest, "b": "0" * 64}))(writer),
        "no signature over this",
    ),
    "signature of another type": (
        lambda writer: signed_payload(signature_over({"dossier.json": writer.digest}, "urn:x"))(writer),
        "no signature over this",
    ),
    "signature of another payload type": (
        lambda writer: signed_payload(signature_over({"dossier.json": writer.digest}), "text/plain")(writer),
        "payload type",
    ),
    "signature in the role of another": (
        lambda writer: writer.sign("reviewer", change=lambda said: said.update(role="author")),
        "not in the role",
    ),
    "signature with a member more": (lambda writer: writer.sign("reviewer", more=1), "unknown 'more'"),
    "signature at no time": (lambda writer: writer.sign("reviewer", time="today"), "RFC 3339"),
    "signature by a nameless": (lambda writer: writer.sign("reviewer", name=""), "is empty"),
}


@pytest.mark.parametrize("name", SIGNED_ATTACKS)
def test_what_is_signed_wrongly(name: str, tmp_path: Path) -> None:
    change, reason = SIGNED_ATTACKS[name]
    writer = sealed_writer()
    change(writer)
    files = writer.finish()
    files.pop("../outside", None)
    with pytest.raises(Refused, match=reason) as caught:
        verified(files, tmp_path)
    assert caught.value.level == "integrity"


def test_a_manifest_of_another_log(tmp_path: Path) -> None:
    writer = made_up_writer()
    writer.seal(change=lambda content: content.update(log="1" * 32))
    with pytest.raises(Refused, match="belongs to the log 1"):
        verified(writer.finish(), tmp_path)


def test_an_addition_before_the_seal(tmp_path: Path) -> None:
    writer = made_up_writer()
    writer.digest = "0" * 64
    writer.attach("a", b"x")
    del writer.files["attachments/0001/a"]
    writer.seal()
    with pytest.raises(Refused, match=r"entry 4.*one seal, before all additions"):
        verified(writer.finish(), tmp_path)


def test_an_addition_under_the_name_of_a_sealed_file(tmp_path: Path) -> None:
    writer = made_up_writer()
    writer.files["attachments/0001/a"] = b"x"
    writer.seal()
    writer.attach("a", b"x")
    with pytest.raises(Refused, match="which was there when it was sealed"):
        verified(writer.finish(), tmp_path)
