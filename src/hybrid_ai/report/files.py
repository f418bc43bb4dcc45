"""SHA-256 of the dossier's files, which the page compares with the files that its reader chooses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hybrid_ai.audit.verification.names import is_portable

# The log grows with every signature; files on the way into a dossier are not there yet.
_LEFT_OUT = ("trace/", "pending/")


@dataclass(frozen=True)
class File:
    """A file of the dossier: its path and SHA-256 in hexadecimal."""

    path: str
    sha256: str


def read_files(folder: Path) -> tuple[File, ...]:
    """Hash all files of a dossier but its log, in the order of their paths.

    Raises:
        OSError: one cannot be read.
    """
    found = []
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*")):
        if is_portable(name) and not name.startswith(_LEFT_OUT) and path.is_file() and not path.is_symlink():
            with open(path, "rb") as stream:
                found.append(File(name, hashlib.file_digest(stream, "sha256").hexdigest()))
    return tuple(found)
