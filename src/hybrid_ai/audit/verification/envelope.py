"""Signed envelopes: DSSE version 1 (secure-systems-lab/dsse), Ed25519 only."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.canonical import decode, encode
from hybrid_ai.audit.verification.ed25519 import verify
from hybrid_ai.audit.verification.fields import as_list, as_object, as_text, from_base64, to_base64
from hybrid_ai.audit.verification.rejected import Refused

SIGNATURE_LIMIT = 16

_ENVELOPE_FIELDS = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE_FIELDS = frozenset({"sig"})
_SIGNATURE_OPTIONAL = frozenset({"keyid"})


@dataclass(frozen=True)
class Signature:
    """One signature of an envelope.

    Attributes:
        keyid: names the key, free text; it is a hint for finding the key and is not itself signed.
        signature: the raw bytes, 64 for Ed25519.
    """

    keyid: str
    signature: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload with its type and signatures, 1 to ``SIGNATURE_LIMIT`` of them with different key ids."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


def key_id(public_key: bytes) -> str:
    """Name a key: SHA-256 of its 32 raw bytes in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """Join type and payload to the bytes that are signed: the pre-authentication encoding.

    Args:
        payload_type: says how the payload is to be read.
        payload: any bytes.

    Sound because: both lengths are written before the contents, so that no other pair gives the same bytes.

    Source: DSSE protocol, version 1, "Signature Definition".
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(data: bytes, where: str) -> Envelope:
    """Read an envelope; nothing in it is verified yet.

    Args:
        data: strict JSON (``decode``), not necessarily canonical.
        where: file or entry, for the error.

    Raises:
        Refused: "integrity", for a missing or unknown field (a field that names an algorithm is one: the
            algorithm is fixed), base64 that is not standard, no signature or more than ``SIGNATURE_LIMIT``, a
            key id used twice.

    Source: DSSE envelope, version 1. A missing key id is the empty one, as there; base64url is not accepted.
    """
    fields = as_object(decode(data, where), _ENVELOPE_FIELDS, where)
    signatures: list[Signature] = []
    for number, entry in enumerate(
        as_list(fields["signatures"], f"{where}: signatures", most=SIGNATURE_LIMIT)
    ):
        place = f"{where}: signatures[{number}]"
        entry_fields = as_object(entry, _SIGNATURE_FIELDS, place, optional=_SIGNATURE_OPTIONAL)
        keyid = as_text(entry_fields.get("keyid", ""), f"{place}: keyid", may_be_empty=True)
        if keyid in (earlier.keyid for earlier in signatures):
            raise Refused("integrity", place, f"the key id {keyid!a} appears twice")
        signatures.append(Signature(keyid, from_base64(entry_fields["sig"], f"{place}: sig")))
    return Envelope(
        payload_type=as_text(fields["payloadType"], f"{where}: payloadType"),
        payload=from_base64(fields["payload"], f"{where}: payload"),
        signatures=tuple(signatures),
    )


def write_envelope(envelope: Envelope) -> bytes:
    """Write an envelope as canonical JSON that ``read_envelope`` reads back.

    Raises:
        ValueError: when the envelope is one that ``read_envelope`` would refuse.
    """
    data = encode(
        {
            "payload": to_base64(envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": [
                {"keyid": entry.keyid, "sig": to_base64(entry.signature)} for entry in envelope.signatures
            ],
        }
    )
    try:
        read_envelope(data, "envelope")
    except Refused as error:
        raise ValueError(f"cannot be written: {error}") from error
    return data


def verified_by(envelope: Envelope, keys: Mapping[str, bytes], *, where: str = "envelope") -> tuple[str, ...]:
    """Verify the signatures of known keys; those of unknown keys say nothing and are passed over.

    Args:
        envelope: from ``read_envelope``.
        keys: trusted Ed25519 public keys, 32 bytes each, by key id.
        where: file or entry, for the error.

    Returns:
        Key ids whose signature is valid, in the envelope's order; empty when no key is known.

    Raises:
        Refused: "authenticity", when the signature of a known key is not valid, or one public key has signed
            under two key ids.

    Sound because: each key id returned stands for another public key of ``keys`` under which the signature of
    ``pae(payload_type, payload)`` is valid, so their number can be held against a threshold.
    """
    message = pae(envelope.payload_type, envelope.payload)
    signers: dict[bytes, str] = {}
    for entry in envelope.signatures:
        public_key = keys.get(entry.keyid)
        if public_key is None:
            continue
        if not verify(public_key, message, entry.signature):
            raise Refused("authenticity", where, f"the signature of the key {entry.keyid!a} is not valid")
        if public_key in signers:
            first = signers[public_key]
            raise Refused("authenticity", where, f"one key signs twice, as {first!a} and as {entry.keyid!a}")
        signers[public_key] = entry.keyid
    return tuple(signers.values())
