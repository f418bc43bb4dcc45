"""Attacks on envelopes: those of roles, which no manifest fixes, and those of statements."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.keys import write_public_key
from tests.audit_builder import (
    AUTHOR,
    PAYLOAD_TYPE,
    REVIEWER,
    SIGNATURE,
    STRANGER,
    Key,
    envelope,
    sha256,
    statement,
)
from tests.soundness.dossier.attacks import Attack
from tests.soundness.dossier.attacks_on_log import adds
from tests.soundness.dossier.copies import ENTRIES, SIGNED, STATEMENTS, Copy, checkpoint

ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, section 5.1
Envelope = dict[str, Any]
INVALID = "the signature of the key .* is not valid"
ONE = "must be signed by the key .* and no other"
OTHER_PAYLOAD = "its payload is not the one of"


def enveloped(change: Callable[[Envelope], object]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        content = json.loads(data)
        change(content)
        return encode(content)

    return changed


def of_role(change: Callable[[bytes], bytes]) -> Callable[[Copy], None]:
    """The envelope of the reviewer's signature is changed: no hash of it stands anywhere."""
    return lambda copy: copy.write(SIGNED, change(copy.read(SIGNED)))


def of_result(change: Callable[[bytes], bytes]) -> Callable[[Copy], None]:
    """The author seals a statement whose envelope is no proper one."""

    def act(copy: Copy) -> None:
        maker = copy.maker()
        maker.envelopes[STATEMENTS[0]] = change
        copy.replace(maker.sealed().finish())

    return act


def altered(signature: str, change: Callable[[bytes], bytes]) -> str:
    return base64.b64encode(change(base64.b64decode(signature))).decode()


def malleable(signature: bytes) -> bytes:
    """R and S + L: equal to R and S for a verifier that does not compare S with the order."""
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + scalar.to_bytes(32, "little")


def set_signature(change: Callable[[bytes], bytes]) -> Callable[[Envelope], None]:
    def act(content: Envelope) -> None:
        first = content["signatures"][0]
        first["sig"] = altered(first["sig"], change)

    return act


def last_bits(text: str) -> str:
    """Base64 whose unused bits are not zero, or with padding that none needs."""
    body = text.rstrip("=")
    if body == text:
        return text + "===="
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + text[len(body) :]


def respaced(content: Envelope) -> None:
    payload = json.loads(base64.b64decode(content["payload"]))
    content["payload"] = base64.b64encode(json.dumps(payload, indent=1).encode()).decode()


def in_payload(old: bytes, new: bytes) -> Callable[[Envelope], None]:
    def act(content: Envelope) -> None:
        payload = base64.b64decode(content["payload"])
        assert old in payload
        content["payload"] = base64.b64encode(payload.replace(old, new, 1)).decode()

    return act


def second_signature(content: Envelope) -> None:
    content["signatures"].append({**content["signatures"][0], "keyid": STRANGER.name})


def strangers_signature(content: Envelope) -> None:
    """Signed by a stranger, in the name of the key."""
    signed = json.loads(envelope(base64.b64decode(content["payload"]), STRANGER))
    content["signatures"][0]["sig"] = signed["signatures"][0]["sig"]


@dataclass(frozen=True)
class Change:
    """What is done to an envelope, and words of the refusal."""

    name: str
    act: Callable[[bytes], bytes]
    reason: str


CHANGES = (
    Change("no signature", enveloped(lambda e: e["signatures"].clear()), "is empty"),
    Change("no list of signatures", enveloped(lambda e: e.pop("signatures")), "lacks 'signatures'"),
    Change("an empty signature", enveloped(set_signature(lambda s: b"")), INVALID),
    Change("a short signature", enveloped(set_signature(lambda s: s[:63])), INVALID),
    Change("a long signature", enveloped(set_signature(lambda s: s + b"\0")), INVALID),
    Change("a signature of zeros", enveloped(set_signature(lambda s: bytes(64))), INVALID),
    Change("S of zero", enveloped(set_signature(lambda s: s[:32] + bytes(32))), INVALID),
    Change("S + L", enveloped(set_signature(malleable)), INVALID),
    Change("R of order one", enveloped(set_signature(lambda s: b"\1" + bytes(31) + s[32:])), INVALID),
    Change("the signature twice", enveloped(lambda e: e["signatures"].append(e["signatures"][0])), "twice"),
    Change("a second one by a stranger", enveloped(second_signature), ONE),
    Change("a stranger's in the key's name", enveloped(strangers_signature), INVALID),
    Change("no key id", enveloped(lambda e: e["signatures"][0].pop("keyid")), ONE),
    Change("an empty key id", enveloped(lambda e: e["signatures"][0].update(keyid="")), ONE),
    Change("a stranger's key id", enveloped(lambda e: e["signatures"][0].update(keyid=STRANGER.name)), ONE),
    Change("an algorithm", enveloped(lambda e: e["signatures"][0].update(alg="none")), "unknown 'alg'"),
    Change("an algorithm for all", enveloped(lambda e: e.update(alg="none")), "unknown 'alg'"),
    Change("a certificate chain", enveloped(lambda e: e["signatures"][0].update(cert="x")), "unknown 'cert'"),
    Change("another payload type", enveloped(lambda e: e.update(payloadType="text/plain")), "payload type"),
    Change(
        "payload type in capitals", enveloped(lambda e: e.update(payloadType=PAYLOAD_TYPE.upper())), "type"
    ),
    Change("payload in other spaces", enveloped(respaced), INVALID),
    Change("payload without its end", enveloped(lambda e: e.update(payload=e["payload"][:-4])), INVALID),
    Change(
        "payload with spare bits", enveloped(lambda e: e.update(payload=last_bits(e["payload"]))), "base64"
    ),
    Change("payload in lines", enveloped(lambda e: e.update(payload=e["payload"] + "\n")), "not base64"),
    Change("an empty payload", enveloped(lambda e: e.update(payload="")), INVALID),
    Change("a payload that is null", enveloped(lambda e: e.update(payload=None)), "must be a string"),
    Change("an envelope in other spaces", lambda data: data.replace(b":", b": ", 1), "not in canonical form"),
    Change("an array of envelopes", lambda data: b"[" + data + b"]", "must be an object"),
)


def row(name: str, act: Callable[[Copy], None], where: str, reason: str) -> Attack:
    return Attack(name, act, "integrity", where, reason)


OF_ENVELOPES = tuple(
    row(f"{change.name}: {what}", way(change.act), f"{path}(: .*)?", change.reason)
    for what, path, way in (("role", SIGNED, of_role), ("result", STATEMENTS[0], of_result))
    for change in CHANGES
)


# ---- signatures in a role ----


def from_elsewhere(copy: Copy) -> None:
    """The reviewer really signed so, but another dossier."""
    maker = copy.maker()
    maker.files["README.md"] += b"\n"
    writer = maker.sealed()
    path = writer.sign("reviewer")
    copy.write(SIGNED, writer.files[path])


def said_again(key: Key, **said: object) -> Callable[[Copy], None]:
    """Another statement of the reviewer's over this dossier, in place of the one that the log names."""

    def act(copy: Copy) -> None:
        predicate: dict[str, object] = {
            "role": "reviewer",
            "statement": "all is well",
            "organisation": None,
            "name": None,
        }
        predicate |= {"time": "2026-02-03T04:05:06.789Z", **said}
        digest = sha256(copy.read("dossier.json"))
        copy.write(SIGNED, envelope(statement({"dossier.json": digest}, SIGNATURE, predicate), key))

    return act


def moved(target: str) -> Callable[[Copy], None]:
    return lambda copy: copy.move(SIGNED, target)


def moved_with_entry(copy: Copy) -> None:
    copy.move(SIGNED, "signatures/0002-reviewer.dsse.json")
    copy.edit(ENTRIES, SIGNED.encode(), b"signatures/0002-reviewer.dsse.json")


def in_another_role(copy: Copy) -> None:
    approval = SIGNED.replace("reviewer", "approver")
    copy.move(SIGNED, approval)
    lines = copy.lines()
    lines[7] = lines[7].replace(b"reviewer", b"approver")
    copy.write_lines(lines)


def claimed(change: Callable[[dict[str, Any]], None], key: Key = AUTHOR) -> Callable[[Copy], None]:
    """Somebody signs what `change` made of a role signature's predicate, and the log fits it."""

    def act(copy: Copy) -> None:
        writer = copy.maker().sealed()
        writer.sign("approver", key=key, change=change)
        copy.replace(writer.finish())

    return act


def borrowed(copy: Copy) -> None:
    """The author enters the reviewer's signature a second time, as the author's own."""
    adds(AUTHOR, "reviewer")(copy)
    path = "signatures/0002-reviewer.dsse.json"
    payload = json.loads(copy.read(SIGNED))["payload"]
    forged = json.loads(copy.read(path))
    copy.write(path, encode({**forged, "payload": payload}))


OF_ROLES = (
    row("a role's signature of another dossier", from_elsewhere, SIGNED, OTHER_PAYLOAD),
    row("another statement of the same signer", said_again(REVIEWER), SIGNED, OTHER_PAYLOAD),
    row("a stranger signs in the role", said_again(STRANGER), SIGNED, ONE),
    row("the author signs in the role", said_again(AUTHOR), SIGNED, ONE),
    row(
        "the reviewer's signature is moved", moved("signatures/0002-reviewer.dsse.json"), SIGNED, "is missing"
    ),
    row("its entry is edited too", moved_with_entry, checkpoint(8), "its root is not"),
    row("it is called an approval", in_another_role, checkpoint(8), "its root is not"),
    row("the author borrows it", borrowed, "signatures/0002-reviewer.*", INVALID),
    row(
        "a role other than the entry's",
        claimed(lambda said: said.update(role="author")),
        "signatures/0001-approver.*",
        "not in the role approver",
    ),
    row(
        "a role signature without a time",
        claimed(lambda said: said.__delitem__("time")),
        "signatures/0001-approver.*",
        "lacks 'time'",
    ),
    row(
        "a role signature with more",
        claimed(lambda said: said.update(verdict="proved")),
        "signatures/0001-approver.*",
        "unknown 'verdict'",
    ),
    row(
        "a role signature in local time",
        claimed(lambda said: said.update(time="2026-02-03T04:05:06.789+01:00")),
        "signatures/0001-approver.*: time",
        "must be RFC 3339",
    ),
)


# ---- keys for which anybody can sign ----


@dataclass(frozen=True)
class WeakKey:
    """A point A of small order, for which anybody signs: [S]B = R + [k]A where [k]A is the neutral point."""

    public: bytes
    order: int

    @property
    def name(self) -> str:
        return hashlib.sha256(self.public).hexdigest()

    @property
    def pem(self) -> bytes:
        return write_public_key(self.public)

    @property
    def private(self) -> WeakKey:
        return self

    def sign(self, message: bytes) -> bytes:
        for seed in range(100):
            scalar, commitment = scalar_and_point(bytes([seed]) * 32)
            digest = hashlib.sha512(commitment + self.public + message).digest()
            if int.from_bytes(digest, "little") % ORDER % self.order == 0:
                return commitment + scalar.to_bytes(32, "little")
        raise AssertionError("no seed fits")


@cache
def scalar_and_point(seed: bytes) -> tuple[int, bytes]:
    """A scalar s and [s]B: those of a key (RFC 8032, section 5.1.5)."""
    secret = bytearray(hashlib.sha512(seed).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return int.from_bytes(secret, "little") % ORDER, public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def sealed_by(weak: WeakKey) -> Callable[[Copy], None]:
    def act(copy: Copy) -> None:
        key: Any = weak
        copy.replace(copy.maker(key).sealed().finish())

    return act


def signed_by(weak: WeakKey) -> Callable[[Copy], None]:
    key: Any = weak
    return adds(key, "approver")


# RFC 8032 encodings: (0, 1), (0, -1), a point of order 4, (0, 1) with y + p, and with the sign set.
WEAK = {
    "one": WeakKey(b"\1" + bytes(31), 1),
    "two": WeakKey((2**255 - 20).to_bytes(32, "little"), 2),
    "four": WeakKey(bytes(32), 4),
    "one, y not reduced": WeakKey((2**255 - 18).to_bytes(32, "little"), 1),
    "one, sign of zero": WeakKey(b"\1" + bytes(30) + b"\x80", 1),
}
OF_KEYS = (
    *(row(f"a key of order {name}", sealed_by(weak), checkpoint(6), INVALID) for name, weak in WEAK.items()),
    row("a later entry by a key of order one", signed_by(WEAK["one"]), checkpoint(9), INVALID),
)
SIGNATURE_ROWS = (*OF_ENVELOPES, *OF_ROLES, *OF_KEYS)
