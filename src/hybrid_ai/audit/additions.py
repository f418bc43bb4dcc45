"""Additions to a dossier that can be interrupted at any point: a seal, attached files, signatures."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from hybrid_ai.audit.drafts import Draft, LogState
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.keys import PublicKey
from hybrid_ai.audit.log_file import LogFile, sync_folder
from hybrid_ai.audit.verification.checkpoint import Checkpoint, checkpoint_body
from hybrid_ai.audit.verification.container import Container, open_container
from hybrid_ai.audit.verification.envelope import key_id
from hybrid_ai.audit.verification.keys import KEY_FILE_LIMIT, read_key_file
from hybrid_ai.audit.verification.log import NOTE_LIMIT, ORIGIN, known_signers, read_fitting, read_log
from hybrid_ai.audit.verification.manifest import MANIFEST
from hybrid_ai.audit.verification.names import FILES_LIMIT, TOTAL_SIZE_LIMIT
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import (
    CHECKPOINTS,
    ENTRIES,
    KEYS,
    SEAL,
    Sealing,
    checkpoint_path,
    read_sealings,
)

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
            AuditError: the dossier has grown since or would get too large, a file is in the way, or one
                cannot be written.
        """
        if draft.size != self._file.size + 1:
            raise AuditError(f"{self._root}: has grown since this was drawn up: draw it up again")
        key = f"{KEYS}{key_id(draft.public_key)}.pem"
        new = {**files, key: PublicKey(draft.public_key).pem}
        if (self._root / key).exists():
            del new[key]
        for path in new:
            if os.path.lexists(self._root / path):
                raise AuditError(f"{self._root / path}: is there already: give another name")
        line = draft.line.numbered(self._file.size)
        _require_room(self._root, [*new.values(), line + b"\n"], len(new))
        size = os.stat(self._root / ENTRIES).st_size
        try:
            for path, data in new.items():
                _write(self._root / PENDING / path, data)
            _sync_folders(self._root / PENDING)
            self._file.append([draft.line])
        except (OSError, AuditError) as error:
            # Where the entry could not be taken back, its files stay: the next opening ends the addition.
            if os.stat(self._root / ENTRIES).st_size == size:
                shutil.rmtree(self._root / PENDING, ignore_errors=True)
            if isinstance(error, AuditError):
                raise
            raise AuditError(f"{self._root}: cannot be written: {error.strerror}") from error
        _move_pending(self._root, list(new))


@contextmanager
def open_dossier(root: Path) -> Iterator[OpenDossier]:
    """Open a dossier to add to it, for this process alone; an addition that was interrupted is ended first.

    Raises:
        AuditError: it has no log, it cannot be written, or `pending` holds what no addition of ours does.
        Refused: "integrity", when something in it is a link or has a name that is not allowed, or the
            addition that was interrupted is not signed by the key that its entry names.

    Sound because: nothing is cut off, moved or removed before it is known that all of it is in the folder.
    """
    require_own_log(root)
    file = LogFile(root / ENTRIES)
    try:
        with file.locked():
            _end_interrupted(root, file)
            yield OpenDossier(root, file)
    except OSError as error:
        raise AuditError(f"{root}: cannot be written: {error.strerror}") from error
    finally:
        file.close()


def require_own_log(root: Path) -> None:
    """Require that the log of a folder may be opened for writing, which cuts a torn last line off.

    Raises:
        AuditError: it has none, or it cannot be read.
        Refused: "integrity", when it is reached through a link, or what precedes a torn line is no log.
    """
    path = root / ENTRIES
    try:
        for place, is_right in ((path.parent, stat.S_ISDIR), (path, stat.S_ISREG)):
            if not is_right(os.lstat(place).st_mode):
                name = place.relative_to(root).as_posix()
                raise Refused("integrity", name, "is a link or a special file; put what it stands for there")
    except FileNotFoundError as error:
        raise AuditError(f"{path}: is missing: give a dossier") from error
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}") from error
    whole, feed, torn = _read(path).rpartition(b"\n")
    if torn and feed:
        read_log(whole + feed, ENTRIES)


def _end_interrupted(root: Path, file: LogFile) -> None:
    """Complete an addition whose entry is in the log, remove one whose entry is not."""
    container = open_container(root)  # no links from here on: only the holder of the lock writes
    pending = root / PENDING
    if not pending.exists():
        return
    note = f"{PENDING}/{checkpoint_path(file.size)}"
    # Not its name alone: before the seal others may have appended, and so taken the number that it had.
    if note in container.names() and container.read(note, NOTE_LIMIT).startswith(_checkpoint(file)):
        _move_pending(root, _to_be_moved(root, container, note))
    else:  # nothing was appended, or all was moved but the folders: the checkpoint goes last
        shutil.rmtree(pending)


def _to_be_moved(root: Path, container: Container, note: str) -> list[str]:
    """The paths of a pending addition, whose entry is the last one; raises where there is more than that.

    Sound because: the checkpoint, by the key that the last entry names, is over that entry, and what is moved
    is what that entry names.
    """
    with container.stream(ENTRIES) as stream:
        log = read_log(stream, ENTRIES)
    last = read_sealings(log)[-1]
    _, signed = read_fitting(container.read(note, NOTE_LIMIT), note.rpartition("/")[2], log, note)
    key = {last.key: _key(container, last)}
    if len(signed.signatures) != 1 or known_signers(signed, key, note) != (last.key,):
        raise Refused("integrity", note, f"must be signed by the key {last.key} and no other")
    allowed = {checkpoint_path(len(log.entries)), f"{KEYS}{last.key}.pem", last.path}
    allowed |= {MANIFEST} if last.action == SEAL else set()
    found = [name.removeprefix(f"{PENDING}/") for name in container.names() if name.startswith(f"{PENDING}/")]
    for name in found:
        if name not in allowed:
            place = root / PENDING / name
            raise AuditError(f"{place}: the log's last entry does not name it: restore a copy, or remove it")
    return found


def _key(container: Container, last: Sealing) -> bytes:
    """The key that a pending addition is signed by: it may be new."""
    path = f"{KEYS}{last.key}.pem"
    if f"{PENDING}/{path}" in container.names():
        path = f"{PENDING}/{path}"
    key = read_key_file(container.read(path, KEY_FILE_LIMIT), path)
    if key_id(key) != last.key:
        raise Refused("integrity", path, f"holds the key {key_id(key)}")
    return key


def _checkpoint(file: LogFile) -> bytes:
    size, root = file.head()
    return checkpoint_body(Checkpoint(ORIGIN + file.log_id(), size, root))


def _require_room(root: Path, new: Sequence[bytes], files: int) -> None:
    """Refuse an addition with which the dossier would be refused (section 2 of the format page)."""
    held = open_container(root)
    if len(held.names()) + files > FILES_LIMIT:
        raise AuditError(f"{root}: would have more than {FILES_LIMIT} files: attach one archive instead")
    if sum(map(held.size, held.names())) + sum(map(len, new)) > TOTAL_SIZE_LIMIT:
        raise AuditError(f"{root}: would have more than {TOTAL_SIZE_LIMIT} bytes: attach less")


def _move_pending(root: Path, paths: Sequence[str]) -> None:
    """Move the files of an addition to their places, its checkpoint last: it tells that all are there."""
    for path in sorted(paths, key=lambda path: path.startswith(CHECKPOINTS)):
        *folders, name = path.split("/")
        with (
            _plain_folder(root, [PENDING, *folders]) as source,
            _plain_folder(root, folders, create=True) as target,
        ):
            os.replace(name, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
    shutil.rmtree(root / PENDING)
    sync_folder(root)


@contextmanager
def _plain_folder(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """A folder below another, opened without following a link; made where that is asked for."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    here = os.open(root, flags)
    try:
        for part in parts:
            if create:
                _make_folder(part, here)
            inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}: give a dossier") from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folders(root: Path) -> None:
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        sync_folder(folder)
    sync_folder(root.parent)
