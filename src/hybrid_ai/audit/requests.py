"""Signatures made elsewhere: what is to be signed goes out as files, signatures come back as files.

A request says what is signed, not how: whoever adds the signature draws the entry up again, so that a request
that was damaged or made up cannot get anything else into a dossier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hybrid_ai.audit.drafts import Role
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.files import read_small_file
from hybrid_ai.audit.verification.canonical import decode_canonical, encode
from hybrid_ai.audit.verification.fields import as_object, as_text, from_base64, to_base64
from hybrid_ai.audit.verification.log import is_identifier, is_time
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ROLES

FORMAT, VERSION = "hybrid-ai-signature-request", 1
REQUEST = "request.json"
# Each message to be signed, and what comes back for it: 64 raw bytes.
MESSAGES = (("envelope.bin", "envelope.sig"), ("checkpoint.bin", "checkpoint.sig"))

_MEMBERS = frozenset(
    {"format", "version", "size", "key", "role", "statement", "organisation", "name", "time", "run"}
)
_LARGEST = 2**24
_REMEDY = "give the folder of an export, and the signatures made of it"


@dataclass(frozen=True)
class SignatureRequest:
    """A signature that is to be made elsewhere.

    Attributes:
        size: entries of the log with it.
        public_key: of the one who shall sign, 32 bytes.
        role: in which is signed.
        statement: what the signer states.
        organisation, name: as the signer declares them, or None.
        time: when it was drawn up, RFC 3339, UTC, whole milliseconds.
        run: of its entry, 32 hexadecimal digits.
    """

    size: int
    public_key: bytes
    role: Role
    statement: str
    organisation: str | None
    name: str | None
    time: str
    run: str


def write_request(folder: Path, request: SignatureRequest, messages: Sequence[bytes]) -> None:
    """Write a request into a new folder, with each message to be signed as a file.

    Raises:
        AuditError: the folder is there already, or cannot be written.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "size": request.size,
        "key": to_base64(request.public_key),
        "role": request.role,
        "statement": request.statement,
        "organisation": request.organisation,
        "name": request.name,
        "time": request.time,
        "run": request.run,
    }
    try:
        folder.mkdir()
        for (name, _), message in zip(MESSAGES, messages, strict=True):
            (folder / name).write_bytes(message)
        (folder / REQUEST).write_bytes(encode(content))
    except OSError as error:
        raise AuditError(f"{folder}: cannot be written: {error.strerror}: name a new folder") from error


def read_request(folder: Path) -> tuple[SignatureRequest, list[bytes]]:
    """Read a request and the signatures that were made for it, 64 bytes each.

    Raises:
        AuditError: a file is missing or malformed.
    """
    where = str(folder / REQUEST)
    try:
        request = _request(read_small_file(folder / REQUEST, _LARGEST, _REMEDY), where)
    except Refused as error:
        raise AuditError(f"{error}: export it again") from error
    signatures = [read_small_file(folder / name, _LARGEST, _REMEDY) for _, name in MESSAGES]
    for (message, name), signature in zip(MESSAGES, signatures, strict=True):
        if len(signature) != 64:
            raise AuditError(f"{folder / name}: has {len(signature)} bytes: sign {message}, raw, 64 bytes")
    return request, signatures


def _request(data: bytes, where: str) -> SignatureRequest:
    members = as_object(decode_canonical(data, where), _MEMBERS, where)
    size, role, time, run = (members[name] for name in ("size", "role", "time", "run"))
    known = (members["format"], members["version"]) == (FORMAT, VERSION) and role in ROLES
    if not known or type(size) is not int:
        raise Refused("integrity", where, "is no request for a signature")
    time, run = as_text(time, f"{where}: time"), as_text(run, f"{where}: run")
    if not is_time(time) or not is_identifier(run):
        raise Refused("integrity", where, "time or run is malformed")
    organisation, name = (
        None if members[member] is None else as_text(members[member], f"{where}: {member}")
        for member in ("organisation", "name")
    )
    key = from_base64(members["key"], f"{where}: key")
    if len(key) != 32:
        raise Refused("integrity", f"{where}: key", f"has {len(key)} bytes, not 32")
    statement = as_text(members["statement"], f"{where}: statement", may_be_empty=True)
    return SignatureRequest(size, key, cast(Role, role), statement, organisation, name, time, run)
