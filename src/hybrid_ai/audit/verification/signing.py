"""Statements in a dossier: canonical JSON twice over, and one signature of a known key."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.container import Container
from hybrid_ai.audit.verification.ed25519 import verify
from hybrid_ai.audit.verification.envelope import pae, read_envelope
from hybrid_ai.audit.verification.fields import as_object, as_text
from hybrid_ai.audit.verification.log import is_time
from hybrid_ai.audit.verification.manifest import MANIFEST
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import Sealing
from hybrid_ai.audit.verification.statement import PAYLOAD_TYPE, Statement, read_statement

STATEMENT_LIMIT = 1 << 28
SIGNATURE_TYPE = "urn:hybrid-ai:signature:v1"

_SIGNATURE_MEMBERS = frozenset({"role", "statement", "organisation", "name", "time"})


@dataclass(frozen=True)
class RoleSignature:
    """What a signer in a role says about a dossier.

    Attributes:
        statement: free text.
        organisation, name: as the signer declares them, or None.
        time: as the signer's clock said.
    """

    statement: str
    organisation: str | None
    name: str | None
    time: str


def read_signed(
    container: Container, path: str, key: str, keys: Mapping[str, bytes], *, sha256: str | None = None
) -> tuple[Statement, str]:
    """Read a statement that one key signed.

    Args:
        container: the dossier.
        path: of the envelope.
        key: id of the key that must have signed it.
        keys: public keys by key id; that one is among them.
        sha256: of the envelope, hexadecimal, where something vouches for its bytes.

    Returns:
        The statement, and the SHA-256 of the envelope's payload, hexadecimal.

    Raises:
        Refused: "integrity", for another SHA-256, what is not canonical, another payload type, another
            or more than one signature, or one that is not valid.
        OSError: when the file cannot be read.
    """
    data = container.read(path, STATEMENT_LIMIT)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise Refused("integrity", path, "changed while it was verified")
    decode_canonical(data, path)
    envelope = read_envelope(data, path)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Refused("integrity", path, f"its payload type is not {PAYLOAD_TYPE}")
    if [signature.keyid for signature in envelope.signatures] != [key]:
        raise Refused("integrity", path, f"must be signed by the key {key} and no other")
    message = pae(envelope.payload_type, envelope.payload)
    if not verify(keys[key], message, envelope.signatures[0].signature):
        raise Refused("integrity", path, f"the signature of the key {key} is not valid")
    decode_canonical(envelope.payload, f"{path}: payload")
    statement = read_statement(envelope.payload, f"{path}: payload")
    return statement, hashlib.sha256(envelope.payload).hexdigest()


def read_role_signature(
    container: Container, sealing: Sealing, digest: str, keys: Mapping[str, bytes]
) -> RoleSignature:
    """Read a signature in a role.

    Args:
        container: the dossier.
        sealing: the entry that added it, `dossier/sign`.
        digest: the dossier's digest, hexadecimal.
        keys: public keys by key id.

    Raises:
        Refused: "integrity", when it is not signed by the entry's key, is not what the entry names, is over
            another dossier, or is malformed.
        OSError: when the file cannot be read.
    """
    path = sealing.path
    statement, payload_sha256 = read_signed(container, path, sealing.key, keys)
    if payload_sha256 != sealing.sha256:
        raise Refused("integrity", path, f"its payload is not the one of {sealing.entry.where}")
    subjects = [(subject.name, subject.sha256) for subject in statement.subjects]
    if statement.predicate_type != SIGNATURE_TYPE or subjects != [(MANIFEST, digest)]:
        raise Refused("integrity", path, "is no signature over this dossier")
    fields = as_object(statement.predicate, _SIGNATURE_MEMBERS, f"{path}: predicate")
    if fields["role"] != sealing.role:
        raise Refused("integrity", path, f"is not in the role {sealing.role} of its entry")
    time = as_text(fields["time"], f"{path}: time")
    if not is_time(time):
        raise Refused("integrity", f"{path}: time", "must be RFC 3339 in UTC with three digits of seconds")
    organisation, name = (
        None if fields[member] is None else as_text(fields[member], f"{path}: {member}")
        for member in ("organisation", "name")
    )
    text = as_text(fields["statement"], f"{path}: statement", may_be_empty=True)
    return RoleSignature(text, organisation, name, time)
