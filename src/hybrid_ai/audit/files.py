"""Small files that a user names, read whole or refused."""

from __future__ import annotations

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
    if path.exists() and not path.is_file():
        raise AuditError(f"{path}: is no regular file: {remedy}")
    try:
        with open(path, "rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}: {remedy}") from error
    if len(data) > most:
        raise AuditError(f"{path}: has more than {most} bytes: {shorter or remedy}")
    return data
