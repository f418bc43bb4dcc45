"""Additions to a dossier that can be interrupted at any point: a seal, attached files, signatures."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from hybrid_ai.audit.drafts import Draft, LogState
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.keys import PublicKey
from hybrid_ai.audit.log_file import LogFile, sync_folder
from hybrid_ai.audit.verification.checkpoint import Checkpoint, checkpoint_body
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.log import ORIGIN
from hybrid_ai.audit.verification.manifest import MANIFEST
from hybrid_ai.audit.verification.sealing import ENTRIES

PENDING = "pending"
_UNPORTABLE = re.compile(r"[^A-Za-z0-9._-]+")


def portable_name(name: str) -> str:
    """A file name in the characters that a dossier allows; never empty."""
    kept = _UNPORTABLE.sub("_", name).strip(".")[-120:].strip(".")
    return kept or "file"


class OpenDossier:
    """A dossier that this process alone adds to; see `open_dossier`."""

    def __init__(self, root: Path, file: LogFile) -> None:
        self._root = root
        self._file = file

    def state(self) -> LogState:
        """Its manifest and its log.

        Raises:
            AuditError: one of them cannot be read.
        """
        manifest = _read(self._root / MANIFEST)
        return LogState(self.log(), sha256(manifest).hexdigest(), self.lines())

    def lines(self) -> list[bytes]:
        """The entries of its log, without line feeds.

        Raises:
            AuditError: they cannot be read.
        """
        return _read(self._root / ENTRIES).split(b"\n")[:-1]

    def log(self) -> str:
        """The id of its log."""
        return self._file.log_id()

    def free_path(self, folder: str, name: str) -> str:
        """A path in a folder whose number, for NNNN in `name`, nothing in the dossier has.

        Raises:
            AuditError: all numbers are taken.
        """
        taken = {path.name[:4] for path in (self._root / folder).glob("[0-9]*")}
        number = next((n for n in range(1, 10_000) if f"{n:04}" not in taken), None)
        if number is None:
            raise AuditError(f"{self._root / folder}: is full: attach one archive instead of many files")
        return f"{folder}/{name.replace('NNNN', f'{number:04}')}"

    def add(self, draft: Draft, files: Mapping[str, bytes]) -> None:
        """Write the files of an addition and append its entry.

        Args:
            draft: drawn up on the state that the dossier has now.
            files: what `completed` made of it.

        Raises:
            AuditError: the dossier has grown since, a file is in the way, or one cannot be written.
        """
        if draft.size != self._file.size + 1:
            raise AuditError(f"{self._root}: has grown since this was drawn up: draw it up again")
        key = f"keys/{key_id(draft.public_key)}.pem"
        new = {**files, key: PublicKey(draft.public_key).pem}
        if (self._root / key).exists():
            del new[key]
        for path in new:
            if (self._root / path).exists():
                raise AuditError(f"{self._root / path}: is there already: give another name")
        try:
            for path, data in new.items():
                _write(self._root / PENDING / path, data)
            _sync_folders(self._root / PENDING)
            self._file.append([draft.line])
        except (OSError, AuditError) as error:
            shutil.rmtree(self._root / PENDING, ignore_errors=True)
            if isinstance(error, AuditError):
                raise
            raise AuditError(f"{self._root}: cannot be written: {error.strerror}") from error
        _move_pending(self._root)


@contextmanager
def open_dossier(root: Path) -> Iterator[OpenDossier]:
    """Open a dossier to add to it, for this process alone; an addition that was interrupted is ended first.

    Raises:
        AuditError: it has no log, or it cannot be written.
    """
    path = root / ENTRIES
    if not path.exists():
        raise AuditError(f"{path}: is missing: give a dossier")
    file = LogFile(path)
    try:
        with file.locked():
            _end_interrupted(root, file)
            yield OpenDossier(root, file)
    except OSError as error:
        raise AuditError(f"{root}: cannot be written: {error.strerror}") from error
    finally:
        file.close()


def _end_interrupted(root: Path, file: LogFile) -> None:
    """Complete an addition whose entry is in the log, remove one whose entry is not."""
    pending = root / PENDING
    if not pending.exists():
        return
    note = pending / f"trace/checkpoints/{file.size:012}.note"
    # Not its name alone: before the seal others may have appended, and so taken the number that it had.
    if note.exists() and note.read_bytes().startswith(_checkpoint(file)):
        _move_pending(root)
    else:  # nothing was appended, or all was moved but the folders: the checkpoint goes last
        shutil.rmtree(pending)


def _checkpoint(file: LogFile) -> bytes:
    size, root = file.head()
    return checkpoint_body(Checkpoint(ORIGIN + file.log_id(), size, root))


def _move_pending(root: Path) -> None:
    """Move the files of an addition to their places, its checkpoint last: it tells that all are there."""
    pending = root / PENDING
    paths = [path.relative_to(pending) for path in pending.rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: path.parts[0] == "trace"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(pending / path, root / path)
        sync_folder(root / path.parent)
    shutil.rmtree(pending)
    sync_folder(root)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}: give a dossier") from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folders(root: Path) -> None:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        sync_folder(folder)
    sync_folder(root.parent)
