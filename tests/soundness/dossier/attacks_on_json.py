"""JSON that two readers could read differently, in every file that is read; its maker signs and seals it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from hybrid_ai.audit.verification.canonical import encode
from tests.audit_builder import AUTHOR, PAYLOAD_TYPE, REVIEWER, envelope, note, sha256
from tests.soundness.dossier.attacks import Attack
from tests.soundness.dossier.attacks_on_log import entry
from tests.soundness.dossier.copies import SIGNED, STATEMENTS, Copy, checkpoint

Change = Callable[[bytes], bytes]
STRICT, CANONICAL = "not strict JSON", "not in canonical form"


def first(member: bytes) -> Change:
    """One more member, ahead of all others."""
    return lambda data: b'{"AAA":' + member + b"," + data[1:]


def twice(data: bytes) -> bytes:
    name, value = sorted(json.loads(data).items())[0]
    return b"{" + encode(name) + b":" + encode(value) + b"," + data[1:]


def twice_escaped(data: bytes) -> bytes:
    """The same name, once with an escape in it."""
    name, value = sorted(json.loads(data).items())[0]
    return b'{"\\u%04x%s":%s,%s' % (ord(name[0]), name[1:].encode(), encode(value), data[1:])


def turned(data: bytes) -> bytes:
    return json.dumps(dict(reversed(json.loads(data).items())), separators=(",", ":")).encode()


@dataclass(frozen=True)
class Text:
    """What is done to canonical JSON, and words of the refusal."""

    name: str
    act: Change
    reason: str


TEXTS = (
    Text("a key twice", twice, STRICT),
    Text("a key twice, once escaped", twice_escaped, STRICT),
    Text("NaN", first(b"NaN"), STRICT),
    Text("Infinity", first(b"-Infinity"), STRICT),
    Text("1e400", first(b"1e400"), STRICT),
    Text("a double that is another", first(b"0.1000000000000000055511151231257827"), STRICT),
    Text("minus zero", first(b"-0"), CANONICAL),
    Text("2^53", first(b"9007199254740993"), STRICT),
    Text("a huge integer", first(b"1" + b"0" * 10_000), STRICT),
    Text("a lone surrogate", first(b'"\\ud800"'), STRICT),
    Text("a surrogate in UTF-8", first(b'"\xed\xa0\x80"'), STRICT),
    Text("an overlong slash", first(b'"\xc0\xaf"'), STRICT),
    Text("a line feed in a string", first(b'"a\tb"'), STRICT),
    Text("an escape that none needs", first(b'"\\u0041"'), CANONICAL),
    Text("a byte order mark", lambda data: b"\xef\xbb\xbf" + data, STRICT),
    Text("UTF-16", lambda data: data.decode().encode("utf-16"), STRICT),
    Text("data after the value", lambda data: data + b"{}", STRICT),
    Text("a space after the value", lambda data: data + b" ", CANONICAL),
    Text("spaces", lambda data: data.replace(b":", b": ", 1), CANONICAL),
    Text("members out of order", turned, CANONICAL),
    Text("a comment", lambda data: data + b"//", STRICT),
    Text("a comma too many", lambda data: data[:-1] + b",}", STRICT),
    Text("deep nesting", first(b"[" * 100_000 + b"]" * 100_000), STRICT),
    Text("nesting of quotes", first(b'["\\"[[[[' + b"[" * 70 + b'",' + b"[" * 64 + b"]" * 65), STRICT),
    Text("unknown member", first(b"1"), "unknown 'AAA'"),
    Text("zero byte", first(b'"\x00"'), STRICT),
)


def in_manifest(change: Change) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        writer = copy.maker().sealed()
        data = change(writer.files["dossier.json"])
        writer.files["dossier.json"], writer.digest = data, sha256(data)
        writer.entries[5]["parameters"]["manifest"] = writer.digest
        copy.replace(writer.finish())

    return act


def in_entry(change: Change) -> Callable[[Copy], None]:
    """The checkpoints are signed anew over the changed line."""

    def act(copy: Copy) -> None:
        lines = copy.lines()
        log = json.loads(lines[0])["parameters"]["log"]
        lines[4] = change(lines[4])
        copy.write_lines(lines)
        for size, key in ((6, AUTHOR), (7, AUTHOR), (8, REVIEWER)):
            copy.write(checkpoint(size), note(lines[:size], key, log=log))

    return act


def in_statement(change: Change) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        maker = copy.maker()
        maker.payload = change
        copy.replace(maker.sealed().finish())

    return act


def in_role(change: Change) -> Callable[[Copy], None]:
    """The reviewer signs such a payload, and the log names its hash."""

    def act(copy: Copy) -> None:
        payload = change(base64.b64decode(json.loads(copy.read(SIGNED))["payload"]))
        copy.write(SIGNED, envelope(payload, REVIEWER, kind=PAYLOAD_TYPE))
        lines = copy.lines()
        content = json.loads(lines[7])
        content["outputs"][0]["sha256"] = sha256(payload)
        lines[7] = encode(content)
        copy.write_lines(lines)
        log = json.loads(lines[0])["parameters"]["log"]
        copy.write(checkpoint(8), note(lines, REVIEWER, log=log))

    return act


def in_envelope(change: Change) -> Callable[[Copy], None]:
    """No key is needed: nothing holds a hash of a role's envelope."""
    return lambda copy: copy.write(SIGNED, change(copy.read(SIGNED)))


PLACES: tuple[tuple[str, Callable[[Change], Callable[[Copy], None]], str], ...] = (
    ("manifest", in_manifest, "dossier.json"),
    ("entry", in_entry, entry(4)),
    ("statement", in_statement, f"{STATEMENTS[0]}: payload"),
    ("role", in_role, f"{SIGNED}(: .*)?"),
    ("envelope", in_envelope, SIGNED),
)
JSON_ROWS = tuple(
    Attack(f"JSON of {place}: {text.name}", way(text.act), "integrity", where, text.reason)
    for place, way, where in PLACES
    for text in TEXTS
)
