"""Output files: refused early when they cannot be written, and written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hybrid_ai.pipeline.errors import BadInput


def require_writable(path: Path, option: str, inputs: Iterable[object] = ()) -> None:
    """Raise BadInput unless a file can be created at a path, or the regular file there replaced.

    Args:
        path: the output file.
        option: the option that names it, for the message.
        inputs: what is read; an output never replaces one of those that are paths.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{option} {path}: is no regular file: name a file")
    for other in inputs:
        if isinstance(other, str | Path) and path.exists() and _same(path, Path(other)):
            raise BadInput(f"{option} {path}: is an input file: name another one")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".hybrid-ai-"):
            pass
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be written: {error.strerror}") from error


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # the input does not exist, which its reader reports
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
