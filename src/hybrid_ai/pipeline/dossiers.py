"""What can be done with a dossier after it was sealed: attach, sign, show, zip."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.audit.additions import OpenDossier, open_dossier, portable_name, require_own_log
from hybrid_ai.audit.dispositions import FILE_NAME, Disposition, read_disposition
from hybrid_ai.audit.drafts import (
    Draft,
    Role,
    Signer,
    completed,
    draft_attachment,
    draft_signature,
    now,
    signed,
)
from hybrid_ai.audit.entries import new_id
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.requests import SignatureRequest, read_request, write_request
from hybrid_ai.audit.sealing import files_to_seal, is_begun_certification, is_sealed, seal
from hybrid_ai.audit.trace import Trace
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES
from hybrid_ai.pipeline.errors import BadInput
from hybrid_ai.pipeline.files import require_regular, require_writable
from hybrid_ai.pipeline.reviewing import disposition_file, require_reviewed

LARGEST_ATTACHMENT = 2**31
# Zip archives know no time before; the same for all files, so that equal dossiers give equal archives.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
# What readers take (docs/formats/dossier.md, section 2), with room for other versions of zlib.
MOST_HOLLOW, HOLLOW_RATIO = 2**20, 500
PACK_IT = "or leave the folder as it is, pack it, put the archive into a folder of its own and attach to that"


@dataclass(frozen=True, slots=True)
class Signature:
    """What is signed: in which role, what is stated, and who the signer declares to be."""

    role: Role
    statement: str
    organisation: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that was added: its path in the dossier, and the dossier's digest, hexadecimal."""

    path: str
    digest: str


def attach(root: Path, file: Path, signer: Signer, text: str) -> str:
    """Add a file to a dossier as a signed entry; a folder without a log becomes a dossier first.

    Args:
        root: dossier, or folder of somebody else.
        file: what to add; a trace is added as any file.
        signer: who signs the entry.
        text: what is said about the file.

    Returns:
        Its path in the dossier.

    Raises:
        BadInput: a file is missing or too large, the dossier is a zip or an interrupted certification.
        AuditError: the dossier cannot be added to.
        Refused: the dossier is damaged.
    """
    require_regular(file, LARGEST_ATTACHMENT)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from error
    if portable_name(file.name) == FILE_NAME:
        _require_disposition(data, file)
    _make_dossier(root, signer)
    return _attached(root, data, file.name, signer, text)


def dispose(root: Path, disposition: Disposition, signer: Signer) -> str:
    """Say what is to become of an item that was not proved, as a signed entry.

    Args:
        root: the dossier.
        disposition: what is said.
        signer: who signs the entry.

    Returns:
        The path of its file in the dossier.

    Raises:
        BadInput: it is no folder, or its plan is not one of ours.
        AuditError: there is no such item, or the dossier cannot be added to.
        Refused: the dossier is damaged.
    """
    _require_folder(root)
    return _attached(root, disposition_file(root, disposition), FILE_NAME, signer, disposition.kind)


def _attached(root: Path, data: bytes, name: str, signer: Signer, text: str) -> str:
    with _intact(root) as dossier:
        path = dossier.free_path("attachments", f"NNNN/{portable_name(name)}")
        state = dossier.state()
        draft = draft_attachment(state, path, data, name, text, signer.public_key, new_id())
        dossier.add(draft, signed(draft, signer))
    return path


def sign(root: Path, signature: Signature, signer: Signer, digest: str | None = None) -> Signed:
    """Sign a dossier in a role.

    Args:
        root: the dossier.
        signature: what is to be signed.
        signer: who signs.
        digest: that the dossier must have, hexadecimal; None for any.

    Raises:
        BadInput: it is no folder.
        AuditError: the dossier cannot be added to, or has another digest; or an approver comes too early.
        Refused: the dossier is damaged.
    """
    with _intact(root, digest) as dossier:
        _require_ready(root, signature)
        draft = _drafted(dossier, signature, signer.public_key, now(), new_id())
        dossier.add(draft, signed(draft, signer))
        return Signed(draft.envelope, dossier.state().manifest)


def export_payload(
    root: Path, signature: Signature, public_key: bytes, folder: Path, digest: str | None = None
) -> str:
    """Write what a signer elsewhere has to sign into a folder.

    Args:
        root: the dossier.
        signature: what is to be signed.
        public_key: of the signer, 32 bytes.
        folder: receives `request.json`, `envelope.bin` and `checkpoint.bin`; not there yet.
        digest: that the dossier must have, hexadecimal; None for any.

    Returns:
        The dossier's digest, hexadecimal.

    Raises:
        BadInput: it is no folder.
        AuditError: the dossier cannot be added to or has another digest, or the folder cannot be written.
        Refused: the dossier is damaged.
    """
    time, run = now(), new_id()
    with _intact(root, digest) as dossier:
        _require_ready(root, signature)
        draft = _drafted(dossier, signature, public_key, time, run)
        request = SignatureRequest(
            size=draft.size,
            public_key=public_key,
            role=signature.role,
            statement=signature.statement,
            organisation=signature.organisation or None,
            name=signature.name or None,
            time=time,
            run=run,
        )
        write_request(folder, request, draft.messages)
        return dossier.state().manifest


def import_signature(root: Path, folder: Path, digest: str | None = None) -> Signed:
    """Add a signature that was made elsewhere.

    Args:
        root: the dossier.
        folder: of `export_payload`, with `envelope.sig` and `checkpoint.sig`, 64 bytes each.
        digest: that the dossier must have, hexadecimal; None for any.

    Raises:
        BadInput: it is no folder.
        AuditError: the dossier has grown since or has another digest, or a signature is missing or does not
            fit.
        Refused: the dossier is damaged.
    """
    request, signatures = read_request(folder)
    said = Signature(request.role, request.statement, request.organisation, request.name)
    with _intact(root, digest) as dossier:
        _require_ready(root, said)
        draft = _drafted(dossier, said, request.public_key, request.time, request.run)
        if draft.size != request.size:
            raise AuditError(f"{root}: has grown since {folder} was exported: export it again")
        dossier.add(draft, completed(draft, signatures))
        return Signed(draft.envelope, dossier.state().manifest)


def _require_disposition(data: bytes, file: Path) -> None:
    """Refuse what would stand in the way of every review."""
    try:
        read_disposition(data, str(file))
    except Refused as error:
        raise BadInput(f"{file}: is named like a disposition, and is none: rename it") from error


def _require_ready(root: Path, signature: Signature) -> None:
    if signature.role == "approver":
        require_reviewed(root)


def _drafted(dossier: OpenDossier, signature: Signature, public_key: bytes, time: str, run: str) -> Draft:
    path = dossier.free_path("signatures", f"NNNN-{signature.role}.dsse.json")
    return draft_signature(
        dossier.state(),
        path,
        signature.role,
        signature.statement,
        public_key,
        run,
        organisation=signature.organisation,
        name=signature.name,
        time=time,
    )


def _make_dossier(root: Path, signer: Signer) -> None:
    """Seal a folder that is no dossier yet, or whose seal was interrupted."""
    _require_folder(root)
    log = root / ENTRIES
    if not os.path.lexists(log):
        try:
            files_to_seal(root)  # refused before anything is written
        except AuditError as error:
            if not log.exists():  # else another process makes it a dossier just now
                if isinstance(error.__cause__, Refused):  # what is in it cannot be in a dossier
                    raise AuditError(f"{error}; {PACK_IT}") from error
                raise
    if os.path.lexists(log):
        require_own_log(root)
        lines = log.read_bytes().split(b"\n")[:-1]
        if is_sealed(lines):
            return
        if is_begun_certification(lines):
            raise BadInput(f"{root}: an interrupted certification: run certify again")
    with Trace(log):
        pass
    seal(root, "folder", signer, new_id())


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise BadInput(f"{root}: is no folder: give the folder of a dossier, and of a zip: unzip it first")


@contextmanager
def _intact(root: Path, digest: str | None = None) -> Iterator[OpenDossier]:
    """A dossier to add to, whose integrity is established: nobody signs what is damaged."""
    _require_folder(root)
    with open_dossier(root) as dossier:
        found = verify_dossier(open_container(root), levels={"integrity"}, trust={}).digest
        if digest is not None and digest.lower() != found:
            raise AuditError(f"{root}: its digest is {found}, not {digest}: it is another dossier")
        yield dossier


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder of a dossier whose integrity is established; that of a zip in a temporary place.

    Raises:
        Refused: it is damaged.
    """
    container = open_container(path)
    verify_dossier(container, levels={"integrity"}, trust={})
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="hybrid-ai-") as name:
        for file in container.names():
            target = Path(name) / file
            target.parent.mkdir(parents=True, exist_ok=True)
            container.extract(file, target)
        yield Path(name)


def zip_dossier(root: Path, output: Path) -> None:
    """Write a dossier as a zip; equal dossiers give equal archives.

    Raises:
        BadInput: the output cannot be written.
        Refused: the dossier is damaged, or another process adds to it just now.
    """
    require_writable(output, "-o")
    if output.resolve().is_relative_to(root.resolve()) and root.is_dir():
        raise BadInput(f"-o {output}: lies in the dossier: name a file outside of it")
    with unpacked(root) as folder, _scratch(output.parent) as scratch:
        made = scratch / "made.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_TIME)
                entry.compress_type = zipfile.ZIP_STORED if _is_hollow(path) else zipfile.ZIP_DEFLATED
                entry.file_size = path.stat().st_size  # says whether it takes the form for large files
                entry.external_attr = 0o644 << 16
                with open(path, "rb") as source, archive.open(entry, "w") as target:
                    shutil.copyfileobj(source, target)
        # Another process may have added to the folder meanwhile.
        verify_dossier(open_container(made), levels={"integrity"}, trust={})
        os.replace(made, output)


def _is_hollow(path: Path) -> bool:
    """Whether a file deflates so well that a reader would take it for a bomb."""
    size, packed, deflate = path.stat().st_size, 0, zlib.compressobj(9)
    if size <= MOST_HOLLOW:
        return False
    with open(path, "rb") as source:
        while chunk := source.read(MOST_HOLLOW):
            packed += len(deflate.compress(chunk))
    return size > HOLLOW_RATIO * (packed + len(deflate.flush()))


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".hybrid-ai-") as name:
        yield Path(name)
