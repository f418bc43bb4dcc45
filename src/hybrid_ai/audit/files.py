"""Small files that a user names, read whole or refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hybrid_ai.audit.errors import AuditError


def read_small_file(path: Path, most: int, remedy: str, shorter: str | None = None) -> bytes:
    """Read a file.

    Args:
        path: of a regular file; a named pipe would be waited for.
        most: bytes that it may have.
        remedy: what to do about one that cannot be read.
        shorter: about one that is too long; None for the same.

    Raises:
        AuditError: it is no such file.
    """
    try:
        with open(path, "rb", opener=_open) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise AuditError(f"{path}: is no regular file: {remedy}")
            data = stream.read(most + 1)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}: {remedy}") from error
    if len(data) > most:
        raise AuditError(f"{path}: has more than {most} bytes: {shorter or remedy}")
    return data


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else a pipe waits for a writer
