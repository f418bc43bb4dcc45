"""Checkpoints of a log in signed notes (C2SP signed-note and tlog-checkpoint), Ed25519 only."""

import hashlib
import re
from dataclasses import dataclass

from hybrid_ai.audit.verification.ed25519 import verify
from hybrid_ai.audit.verification.fields import from_base64, to_base64
from hybrid_ai.audit.verification.merkle import HASH_SIZE
from hybrid_ai.audit.verification.rejected import Refused

NOTE_SIGNATURE_LIMIT = 16  # what signed-note obliges every verifier to accept

_ED25519_TYPE = b"\x01"  # signed-note, "Signature types"
_KEY_HASH_SIZE = 4
_SIGNATURE_MARK = "\u2014 "  # em dash and space begin a signature line
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_TREE_SIZE = re.compile("0|[1-9][0-9]{0,19}")
_TREE_SIZE_LIMIT = 2**64


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log.

    Attributes:
        origin: identity of the log, one line, not empty.
        size: number of entries, 0 <= size < 2^64.
        root: root of the Merkle tree over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class NoteSignature:
    """A signature line of a note.

    Attributes:
        name: of the key, not empty, without white space and "+".
        key_hash: first 4 bytes of the signature's base64, a hint for finding the key (``note_key_hash``).
        signature: the other bytes, at least one.
    """

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A signed text.

    Attributes:
        text: what is signed; ends in a newline.
        signatures: 1 to ``NOTE_SIGNATURE_LIMIT``.
    """

    text: str
    signatures: tuple[NoteSignature, ...]


def note_key_hash(name: str, public_key: bytes) -> bytes:
    """Compute the 4-byte hash that names an Ed25519 key: SHA-256(name || 0x0A || 0x01 || public key)[:4].

    Args:
        name: of the key.
        public_key: 32 bytes.

    Source: C2SP signed-note, "Ed25519 signatures".
    """
    content = name.encode("utf-8") + b"\n" + _ED25519_TYPE + public_key
    return hashlib.sha256(content).digest()[:_KEY_HASH_SIZE]


def read_note(data: bytes, where: str) -> Note:
    """Read a signed note; its signatures are not verified yet (``signed_by``).

    Args:
        data: UTF-8 text.
        where: file or entry, for the error.

    Raises:
        Refused: "integrity", for bytes that are not UTF-8, a control character other than newline, no
            signature line or more than ``NOTE_SIGNATURE_LIMIT``, a malformed signature line.

    Source: C2SP signed-note, "Format".
    """
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("integrity", where, f"not UTF-8: {error}") from error
    if _CONTROL.search(content):
        raise Refused("integrity", where, "has a control character other than newline")
    # The text may hold empty lines: the last one separates it from the signatures.
    text, blank, tail = content.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise Refused(
            "integrity", where, "must be a text, an empty line and signature lines, each with a newline"
        )
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > NOTE_SIGNATURE_LIMIT:
        raise Refused("integrity", where, f"has more than {NOTE_SIGNATURE_LIMIT} signatures")
    signatures = tuple(
        _read_signature_line(line, f"{where}: signature {number}") for number, line in enumerate(lines, 1)
    )
    return Note(text + "\n", signatures)


def write_note(note: Note) -> bytes:
    """Write a signed note that ``read_note`` reads back.

    Raises:
        ValueError: when the note is one that ``read_note`` would refuse or read as another.
    """
    lines = [
        f"{_SIGNATURE_MARK}{entry.name} {to_base64(entry.key_hash + entry.signature)}\n"
        for entry in note.signatures
    ]
    data = (note.text + "\n" + "".join(lines)).encode("utf-8")
    try:
        reread = read_note(data, "note")
    except Refused as error:
        raise ValueError(f"cannot be written: {error}") from error
    if reread != note:
        raise ValueError("cannot be written: the text must end in a newline, a key hash must have 4 bytes")
    return data


def checkpoint_body(checkpoint: Checkpoint) -> bytes:
    """Write the text of a checkpoint: the bytes that are signed.

    Raises:
        ValueError: when origin, size or root is not as ``Checkpoint`` says.

    Source: C2SP tlog-checkpoint, "Note text".
    """
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{to_base64(checkpoint.root)}\n"
    if _CONTROL.search(text):
        raise ValueError("cannot be written: the origin has a control character")
    try:
        _read_body(text, "checkpoint")
    except Refused as error:
        raise ValueError(f"cannot be written: {error}") from error
    return text.encode("utf-8")


def read_checkpoint(data: bytes, where: str) -> tuple[Checkpoint, Note]:
    """Read a signed checkpoint; believe it only once ``signed_by`` holds for its note.

    Args:
        data: a signed note.
        where: file or entry, for the error.

    Returns:
        The checkpoint, and the note that carries its signatures.

    Raises:
        Refused: "integrity", as ``read_note`` does, and when the text is not exactly origin, size and root.
            Extension lines, which tlog-checkpoint advises against, are refused.

    Source: C2SP tlog-checkpoint.
    """
    note = read_note(data, where)
    return _read_body(note.text, where), note


def signed_by(note: Note, name: str, public_key: bytes) -> bool:
    """Say whether a note is signed by a key.

    Args:
        note: from ``read_note``.
        name: of the key, as trusted.
        public_key: 32 bytes, as trusted.

    Returns:
        True when there is a signature with this name and this key's hash, and all such signatures are valid.

    Sound because: name and hash only select; what counts is the verification of the text under
    ``public_key``.

    Source: C2SP signed-note, "Signatures".
    """
    key_hash = note_key_hash(name, public_key)
    text = note.text.encode("utf-8")
    claimed = [entry for entry in note.signatures if (entry.name, entry.key_hash) == (name, key_hash)]
    return bool(claimed) and all(verify(public_key, text, entry.signature) for entry in claimed)


def _read_signature_line(line: str, where: str) -> NoteSignature:
    parts = line.removeprefix(_SIGNATURE_MARK).split(" ")
    if not line.startswith(_SIGNATURE_MARK) or len(parts) != 2:
        raise Refused(
            "integrity", where, "must be an em dash, the key's name and base64, with a space between"
        )
    name, encoded = parts
    if not name or "+" in name or any(sign.isspace() for sign in name):
        raise Refused(
            "integrity", where, f"{name!a} is no key name: it is empty or has white space or a plus"
        )
    content = from_base64(encoded, where)
    if len(content) <= _KEY_HASH_SIZE:
        raise Refused("integrity", where, f"{len(content)} bytes hold no key hash and signature")
    return NoteSignature(name, content[:_KEY_HASH_SIZE], content[_KEY_HASH_SIZE:])


def _read_body(text: str, where: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != 4:  # the text ends in a newline, so the fourth is empty
        raise Refused("integrity", where, "a checkpoint is three lines: origin, size and root")
    origin, size, encoded = lines[:3]
    if not origin:
        raise Refused("integrity", where, "the origin, line 1, is empty")
    if not _TREE_SIZE.fullmatch(size) or int(size) >= _TREE_SIZE_LIMIT:
        raise Refused("integrity", where, f"the size, line 2, is no decimal number below 2^64: {size[:40]!a}")
    root_bytes = from_base64(encoded, f"{where}: root, line 3")
    if len(root_bytes) != HASH_SIZE:
        raise Refused(
            "integrity", where, f"the root, line 3, has {len(root_bytes)} bytes instead of {HASH_SIZE}"
        )
    return Checkpoint(origin, int(size), root_bytes)
