"""Seals, additions and manifests that contradict the page, signed by the keys that they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.audit_builder import AUTHOR, REVIEWER, Writer
from tests.soundness.dossier.attacks_by_makers import seen
from tests.soundness.dossier.attacks_on_log import entry
from tests.soundness.dossier.copies import Copy


def after(change: Callable[[Writer], object]) -> Callable[[Copy], None]:
    """What the maker does to the finished plan: files and entries, before the log is signed."""

    def act(copy: Copy) -> None:
        writer = copy.maker().sealed()
        writer.attach("flight.txt", b"flight 7")
        writer.sign("reviewer", key=REVIEWER)
        change(writer)
        copy.replace(writer.finish())

    return act


def member(number: int, name: str, **members: Any) -> Callable[[Copy], None]:
    return after(lambda writer: writer.entries[number][name].update(members))


def opened_again(writer: Writer) -> None:
    writer.entries[2] = {**writer.entries[0], "sequence": 2}


def not_closed(writer: Writer) -> None:
    writer.entry("note")


def sealed_again(writer: Writer) -> None:
    seal = writer.entries[5]
    writer.signers[writer.entry(seal["action"], parameters=seal["parameters"]) + 1] = AUTHOR


def attached_to(path: str, data: bytes = b"flight 7") -> Callable[[Writer], None]:
    def change(writer: Writer) -> None:
        writer.files.setdefault(path, data)
        writer.entries[6]["outputs"][0]["name"] = path

    return change


def attached_twice(writer: Writer) -> None:
    writer.attach("flight.txt", b"flight 8")


def timed(text: str) -> Callable[[Copy], None]:
    return after(lambda writer: writer.entries[4].update(time=text))


def in_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Copy], None]:
    def applied(manifest: dict[str, Any]) -> None:
        change(manifest)

    def act(copy: Copy) -> None:
        writer = copy.maker().sealed()
        writer.entries.pop()
        writer.signers.clear()
        del writer.files["dossier.json"]
        writer.seal(change=applied)
        copy.replace(writer.finish())

    return act


TIMES = {
    "month 13": "2026-13-01T00:00:00.000Z",
    "no fraction": "2026-01-01T00:00:00Z",
    "local": "2026-01-01T00:00:00.000+00:00",
    "second 60": "2026-12-31T23:59:60.000Z",
    "small letters": "2026-01-01t00:00:00.000z",
    "other digits": "\u0662026-01-01T00:00:00.000Z",
    "a line more": "2026-01-01T00:00:00.000Z\n",
    "nothing": "",
    "30 February": "2026-02-30T00:00:00.000Z",
}
SEAL_ROWS = (
    *(seen(f"time: {name}", timed(text), entry(4), "RFC 3339|is empty") for name, text in TIMES.items()),
    seen("a second opening", after(opened_again), entry(2), "second time"),
    seen("a second seal", after(sealed_again), entry(8), "one seal"),
    seen("an entry after the last seal", after(not_closed), entry(8), "not signed"),
    seen(
        "a seal of another kind", member(5, "parameters", kind="folder"), entry(5), "no dossier of the kind"
    ),
    seen(
        "a seal over another manifest", member(5, "parameters", manifest="0" * 64), entry(5), "over another"
    ),
    seen("an addition to another", member(6, "parameters", manifest="0" * 64), entry(6), "over another"),
    seen("an addition by nobody", member(6, "parameters", key="0" * 64), ".*", "missing"),
    seen("an addition with more", member(6, "parameters", verdict="proved"), entry(6), "unknown 'verdict'"),
    seen("a role of one's own", member(7, "parameters", role="owner"), entry(7), "must be one of author"),
    seen("another role than the file's", member(7, "parameters", role="author"), entry(7), "which is not"),
    seen("evidence is attached", after(attached_to("evidence/0004.certificate")), entry(6), "which is not"),
    seen("a key is attached", after(attached_to("keys/a.pem")), entry(6), "which is not"),
    seen(
        "a path out is attached", after(attached_to("attachments/0001/../../x")), ".*", "no name for a file"
    ),
    seen("a path is attached twice", after(attached_twice), entry(8), "there already"),
    seen(
        "another log in the manifest",
        in_manifest(lambda m: m.update(log="0" * 32)),
        ".*",
        "belongs to the log",
    ),
    seen("another version", in_manifest(lambda m: m.update(version=2)), "dossier.json", "another version"),
    seen(
        "version as truth", in_manifest(lambda m: m.update(version=True)), "dossier.json", "another version"
    ),
    seen("another format", in_manifest(lambda m: m.update(format="x")), "dossier.json", "format"),
    seen(
        "another kind", in_manifest(lambda m: m.update(kind="draft")), "dossier.json: kind", "must be one of"
    ),
    seen(
        "one more member", in_manifest(lambda m: m.update(trusted=True)), "dossier.json", "unknown 'trusted'"
    ),
    seen("files out of order", in_manifest(lambda m: m["files"].reverse()), r"dossier.json: .*", "order"),
    seen(
        "a file twice", in_manifest(lambda m: m["files"].append(m["files"][-1])), "dossier.json: .*", "twice"
    ),
    seen(
        "a file not listed", in_manifest(lambda m: m["files"].pop(0)), r"README\.md", "neither the manifest"
    ),
    seen("no files", in_manifest(lambda m: m["files"].clear()), "dossier.json: files", "is empty"),
    seen(
        "a path out in the manifest",
        in_manifest(lambda m: m["files"][0].update(path="../x")),
        r"\.\./x",
        "no name",
    ),
    seen(
        "a negative size", in_manifest(lambda m: m["files"][0].update(bytes=-1)), "dossier.json: .*", "number"
    ),
    seen(
        "a size as text", in_manifest(lambda m: m["files"][0].update(bytes="1")), "dossier.json: .*", "number"
    ),
)
