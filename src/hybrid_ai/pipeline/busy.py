"""Tell a dossier to which another process adds just now from one that is damaged."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybrid_ai.audit.additions import PENDING
from hybrid_ai.audit.verification.container import open_container
from hybrid_ai.audit.verification.dossier import verify_dossier
from hybrid_ai.audit.verification.rejected import Refused
from hybrid_ai.audit.verification.sealing import ENTRIES

# Additions change these alone (docs/formats/dossier.md, sections 3 and 4).
GROWING = (PENDING, "trace", "keys", "attachments", "signatures")


def is_busy(root: Path, error: Refused | OSError) -> bool:
    """Whether what ended the reading of a dossier is another process's addition to it.

    Args:
        root: the dossier.
        error: what ended it.

    Sound because: nothing that the seal covers is excused, and what is added only while a process holds the
    lock of additions, or where, with the lock in our hands, the dossier turns out to be whole.
    """
    if _place(root, error).partition("/")[0] not in GROWING:
        return False
    try:
        with _log(root) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            # The addition may have ended since; the next one waits until we are done.
            verify_dossier(open_container(root), levels={"integrity"}, trust={})
            return True
    except (OSError, Refused):
        return False


def _place(root: Path, error: Refused | OSError) -> str:
    """The path below the dossier that an error is about; empty where it is about something else."""
    if isinstance(error, Refused):
        return error.where if error.level == "integrity" else ""
    if not isinstance(error, FileNotFoundError):
        return ""
    path = Path(str(error.filename))  # something that was listed and is gone
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else ""


@contextmanager
def _log(root: Path) -> Iterator[int]:
    """The log, opened for reading and without following a link: another file's lock says nothing.

    Raises:
        OSError: it is missing, a link or no regular file.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder, name = os.path.split(ENTRIES)
    parent = os.open(root / folder, flags | os.O_DIRECTORY)
    try:
        descriptor = os.open(name, flags | os.O_NONBLOCK, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{root / ENTRIES}: is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)
