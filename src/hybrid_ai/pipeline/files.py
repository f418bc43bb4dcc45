"""Files: only regular ones are read; outputs are refused early or written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hybrid_ai.pipeline.errors import BadInput


def require_regular(path: str | Path, largest: int | None = None) -> None:
    """Raise BadInput unless a path names a regular file that can be read: devices and pipes may have no end.

    Args:
        path: the file to be read.
        largest: bytes it may have, None for any number.
    """
    try:
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):  # as whoever reads it next will have to
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{path}: cannot be read: {reason}") from error
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(f"{path}: is no regular file: give a file")
    if largest is not None and found.st_size > largest:
        raise BadInput(f"{path}: has more than {largest} bytes: give a smaller file")


def require_writable(
    path: Path, option: str, inputs: Iterable[object] = (), outputs: Iterable[Path | None] = ()
) -> None:
    """Raise BadInput unless a file can be created at a path, or the regular file there replaced.

    Args:
        path: the output file.
        option: the option that names it, for the message.
        inputs: what is read; an output never replaces one of those that are paths.
        outputs: what else is written, there or not there yet; an output never replaces another.
    """
    if "\0" in str(path):
        raise BadInput(f"{option} {str(path)!r}: has a NUL character: name a file")
    if path.exists() and not path.is_file():
        raise BadInput(f"{option} {path}: is no regular file: name a file")
    for other in inputs:
        if isinstance(other, str | Path) and same_file(path, other):
            raise BadInput(f"{option} {path}: is an input file: name another one")
    for written in outputs:
        if written is not None and same_file(path, written):
            raise BadInput(f"{option} {path}: is the file of another option as well: name another one")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".hybrid-ai-"):
            pass
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be written: {error.strerror}") from error


def same_file(one: str | Path, other: str | Path) -> bool:
    """Tell whether two paths lead to one file, or would when it is created."""
    try:
        if os.path.realpath(one) == os.path.realpath(other):
            return True
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one does not exist, or has a NUL: its reader or writer says so
        return False


def make_folder(path: Path, option: str) -> None:
    """Create a folder unless it is there; raise BadInput where that fails."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be created: {error.strerror}") from error
    require_writable(path / ".hybrid-ai-probe", option)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file under another name beside its place and rename it, so that no reader sees half of it.

    Raises:
        BadInput: the file cannot be written.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".hybrid-ai-")
        with open(descriptor, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
