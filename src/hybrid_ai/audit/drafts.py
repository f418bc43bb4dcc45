"""Sealing entries, drafted before they are signed: what is added to a dossier, and what its signer signs.

Drawn up apart from any key, so that machines without a network and hardware modules can sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, Protocol

from hybrid_ai.audit.entries import FileDigest, Line, entry_line
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.checkpoint import (
    Checkpoint,
    Note,
    NoteSignature,
    checkpoint_body,
    note_key_hash,
    write_note,
)
from hybrid_ai.audit.verification.ed25519 import verify
from hybrid_ai.audit.verification.envelope import Envelope, Signature, key_id, pae, write_envelope
from hybrid_ai.audit.verification.log import ORIGIN
from hybrid_ai.audit.verification.manifest import MANIFEST
from hybrid_ai.audit.verification.merkle import Frontier, leaf_hash
from hybrid_ai.audit.verification.sealing import ROLES, checkpoint_path
from hybrid_ai.audit.verification.signing import SIGNATURE_TYPE
from hybrid_ai.audit.verification.statement import PAYLOAD_TYPE, Statement, Subject, write_statement

Role = Literal["author", "verifier", "reviewer", "approver"]


class Signer(Protocol):
    """Who signs: the 32 raw bytes of an Ed25519 public key, and what makes its signatures."""

    @property
    def public_key(self) -> bytes:
        """32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""


@dataclass(frozen=True)
class LogState:
    """A dossier as an addition finds it.

    Attributes:
        log: id of its log, 32 hexadecimal digits.
        manifest: the dossier's digest, hexadecimal.
        lines: the log's entries, without line feeds.
    """

    log: str
    manifest: str
    lines: Sequence[bytes]


@dataclass(frozen=True)
class Draft:
    """An addition that lacks its signatures.

    Attributes:
        public_key: of the one who shall sign, 32 bytes.
        line: the new entry of the log, but for its number.
        size: entries of the log with it.
        checkpoint: text of the checkpoint after it.
        files: new files by path in the dossier, but for the envelope.
        envelope: path of the envelope to be signed; "" where the addition has none.
        payload: its payload.
    """

    public_key: bytes
    line: Line
    size: int
    checkpoint: bytes
    files: Mapping[str, bytes]
    envelope: str = ""
    payload: bytes = b""

    @property
    def messages(self) -> tuple[bytes, ...]:
        """What is to be signed, in the order in which `completed` takes the signatures."""
        if not self.envelope:
            return (self.checkpoint,)
        return pae(PAYLOAD_TYPE, self.payload), self.checkpoint


def now() -> str:
    """The time, as entries and statements write it: RFC 3339, UTC, whole milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def signed_statement(statement: Statement, signer: Signer) -> bytes:
    """The file of a statement in an envelope that one key signed."""
    payload = write_statement(statement)
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    return write_envelope(Envelope(PAYLOAD_TYPE, payload, (Signature(key_id(signer.public_key), signature),)))


def signed_note(text: bytes, public_key: bytes, signature: bytes) -> bytes:
    """The file of a checkpoint that one key signed, under its key id as name.

    Args:
        text: of the checkpoint, as `checkpoint_body` writes it.
        public_key: 32 bytes.
        signature: of the text, 64 bytes.
    """
    name = key_id(public_key)
    mark = NoteSignature(name, note_key_hash(name, public_key), signature)
    return write_note(Note(text.decode("utf-8"), (mark,)))


def draft_seal(state: LogState, kind: str, public_key: bytes, run: str) -> Draft:
    """The entry that seals a dossier.

    Args:
        state: its manifest and its log so far.
        kind: "certification" or "folder".
        public_key: of the one who seals, 32 bytes.
        run: 32 hexadecimal digits.
    """
    return _draft(state, "dossier/seal", {"kind": kind}, [], public_key, run, {})


def draft_attachment(
    state: LogState, path: str, data: bytes, original: str, text: str, public_key: bytes, run: str
) -> Draft:
    """The entry that adds a file.

    Args:
        state: the dossier.
        path: of the file in it.
        data: the file's bytes.
        original: the name it had.
        text: what is said about it.
        public_key: of the one who attaches, 32 bytes.
        run: 32 hexadecimal digits.
    """
    output = FileDigest(path, sha256(data).hexdigest())
    parameters = {"original": original, "note": text}
    return _draft(state, "dossier/attach", parameters, [output], public_key, run, {path: data})


def draft_signature(
    state: LogState,
    path: str,
    role: Role,
    text: str,
    public_key: bytes,
    run: str,
    *,
    organisation: str | None = None,
    name: str | None = None,
    time: str | None = None,
) -> Draft:
    """The entry and the statement of a signature in a role, over the dossier's digest.

    Args:
        state: the dossier.
        path: of the envelope in it.
        role: in which it is signed.
        text: what the signer states.
        public_key: of the signer, 32 bytes.
        run: 32 hexadecimal digits.
        organisation: as the signer declares it; None or empty where nobody does.
        name: of the signer, likewise.
        time: when it is signed, as `now` writes it; None is now.

    Raises:
        AuditError: there is no such role, or a text has no UTF-8 form.
    """
    if role not in ROLES:
        raise AuditError(f"role {role!r}: give one of {', '.join(ROLES)}")
    time = time or now()
    declared = {"organisation": organisation or None, "name": name or None}
    said = {"role": role, "statement": text, **declared, "time": time}
    try:
        payload = write_statement(Statement((Subject(MANIFEST, state.manifest),), SIGNATURE_TYPE, said))
    except ValueError as error:
        raise AuditError(f"the statement cannot be written: {error}") from error
    output = FileDigest(path, sha256(payload).hexdigest())
    draft = _draft(state, "dossier/sign", {"role": role}, [output], public_key, run, {}, time)
    return Draft(draft.public_key, draft.line, draft.size, draft.checkpoint, {}, path, payload)


def _draft(
    state: LogState,
    action: str,
    parameters: Mapping[str, str],
    outputs: Sequence[FileDigest],
    public_key: bytes,
    run: str,
    files: Mapping[str, bytes],
    time: str | None = None,
) -> Draft:
    all_parameters = {**parameters, "key": key_id(public_key), "manifest": state.manifest}
    line = entry_line(action, time=time or now(), run=run, outputs=outputs, parameters=all_parameters)
    tree = Frontier()
    for entry in (*state.lines, line.numbered(len(state.lines))):
        tree.append(leaf_hash(entry))
    body = checkpoint_body(Checkpoint(ORIGIN + state.log, tree.size, tree.root()))
    return Draft(public_key, line, tree.size, body, files)


def completed(draft: Draft, signatures: Sequence[bytes]) -> dict[str, bytes]:
    """The new files of an addition by path in the dossier: with the checkpoint and, if any, the envelope.

    Args:
        draft: the addition.
        signatures: of its messages, 64 bytes each.

    Raises:
        AuditError: a signature is missing or is not one of the draft's key.
    """
    messages = draft.messages
    if len(signatures) != len(messages):
        raise AuditError(f"{len(signatures)} signatures for {len(messages)} messages: sign each of them")
    for number, (message, signature) in enumerate(zip(messages, signatures, strict=True), start=1):
        if not verify(draft.public_key, message, signature):
            raise AuditError(f"signature {number} is not one of the key {key_id(draft.public_key)}")
    name = key_id(draft.public_key)
    note = signed_note(draft.checkpoint, draft.public_key, signatures[-1])
    files = {**draft.files, checkpoint_path(draft.size): note}
    if draft.envelope:
        signed = Envelope(PAYLOAD_TYPE, draft.payload, (Signature(name, signatures[0]),))
        files[draft.envelope] = write_envelope(signed)
    return files


def signed(draft: Draft, signer: Signer) -> dict[str, bytes]:
    """The new files of an addition, signed at once: see `completed`."""
    return completed(draft, [signer.sign(message) for message in draft.messages])
