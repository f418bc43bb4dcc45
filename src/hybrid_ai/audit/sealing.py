"""The seal of a dossier: the manifest of what is in it, and the entry that signs the manifest's digest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Literal

from hybrid_ai.audit.additions import PENDING, open_dossier
from hybrid_ai.audit.drafts import LogState, Signer, draft_seal, signed
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.canonical import encode
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.manifest import MANIFEST, MANIFEST_FORMAT, MANIFEST_VERSION
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES

Kind = Literal["certification", "folder"]

# Made by the seal, or later: names that a folder to be sealed does not have, in any case of letters.
_OURS = ("trace", "keys", PENDING, MANIFEST)
# Folders to which is added later.
_SHARED = ("attachments", "signatures")
# "action" is the first member of an entry in canonical JSON.
_SEAL = b'{"action":"dossier/seal",'
_CERTIFY = b'{"action":"certify/start",'


def seal(root: Path, kind: Kind, signer: Signer, run: str) -> str:
    """Write the manifest of a folder that has a log, and seal it; nothing where it is sealed.

    Args:
        root: the folder; its log is there.
        kind: "certification", or "folder" for one that somebody else made.
        signer: who seals.
        run: 32 hexadecimal digits.

    Returns:
        The dossier's digest, hexadecimal.

    Raises:
        AuditError: a file has a name that a dossier does not allow, an addition that was interrupted is not
            one of ours, or something cannot be read or written.
    """
    try:
        with open_dossier(root) as dossier:
            lines = dossier.lines()
            if not is_sealed(lines):
                manifest = _manifest(root, kind, dossier.log())
                state = LogState(dossier.log(), sha256(manifest).hexdigest(), lines)
                draft = draft_seal(state, kind, signer.public_key, run)
                dossier.add(draft, {MANIFEST: manifest, **signed(draft, signer)})
            return dossier.state().manifest
    except Refused as error:
        raise AuditError(f"{root}: {error}") from error


def is_sealed(lines: Sequence[bytes]) -> bool:
    """Whether a log, given by its entries without line feeds, holds a seal."""
    return any(line.startswith(_SEAL) for line in lines)


def is_certification(lines: Sequence[bytes]) -> bool:
    """Whether a log, given by its entries without line feeds, is one of a certification."""
    return any(line.startswith(_CERTIFY) for line in lines)


def is_begun_certification(lines: Sequence[bytes]) -> bool:
    """Whether a log, given by its entries without line feeds, is one of a certification without a seal."""
    return is_certification(lines) and not is_sealed(lines)


def files_to_seal(root: Path) -> list[str]:
    """Paths of all files that the manifest of a folder will list, sorted.

    Raises:
        AuditError: there is none, one has a name that is not allowed or that a dossier needs for itself, one
            is a link or a special file, or the folder cannot be read.
    """
    try:
        names = open_container(root).names()
    except Refused as error:
        raise AuditError(f"{root}: {error}") from error
    except OSError as error:
        raise AuditError(f"{error.filename or root}: cannot be read: {error.strerror}") from error
    found = [name for name in names if name != ENTRIES]
    for name in found:
        top, _, inside = name.partition("/")
        clashes = top.lower() in _SHARED and (top not in _SHARED or not inside)
        if top.lower() in _OURS or clashes:
            raise AuditError(f"{root / name}: a dossier needs the name {top.lower()} itself: rename it")
    if not found:
        raise AuditError(f"{root}: holds no file: there is nothing to seal")
    return found


def _manifest(root: Path, kind: Kind, log: str) -> bytes:
    files = [_listed(root, path) for path in files_to_seal(root)]
    return encode(
        {"format": MANIFEST_FORMAT, "version": MANIFEST_VERSION, "kind": kind, "log": log, "files": files}
    )


def _listed(root: Path, path: str) -> dict[str, object]:
    try:
        with open(root / path, "rb") as stream:
            digest = file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())  # a seal on disk must not stand over files that are not
            return {"path": path, "bytes": stream.tell(), "sha256": digest}
    except OSError as error:
        raise AuditError(f"{root / path}: cannot be read: {error.strerror}") from error
