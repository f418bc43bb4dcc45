"""A dossier's files, from a folder or a zip: listed once, read many times, never outside of it."""

import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

from hybrid_ai.audit.verification.archive import Member, read_members, unpacked
from hybrid_ai.audit.verification.names import (
    FILE_SIZE_LIMIT,
    FILES_LIMIT,
    PARTS_LIMIT,
    TOTAL_SIZE_LIMIT,
    require_distinct,
    require_portable,
)
from hybrid_ai.audit.verification.rejected import Refused

_CHUNK = 1 << 20
# Absent where the system has no such thing. Without O_NONBLOCK a named pipe would be waited for.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)


class Container(ABC):
    """Files by name; made by ``open_container``."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        for name in sizes:
            require_portable(name)
        require_distinct(sizes)
        _require_modest(sizes)
        self._sizes = dict(sorted(sizes.items()))

    def names(self) -> tuple[str, ...]:
        """Names of all files, sorted."""
        return tuple(self._sizes)

    def size(self, name: str) -> int:
        """Size of a file in bytes.

        Raises:
            Refused: "integrity", when it is missing.
        """
        if name not in self._sizes:
            raise Refused("integrity", name, "is missing")
        return self._sizes[name]

    def read(self, name: str, limit: int) -> bytes:
        """Read a whole file.

        Args:
            name: of the file.
            limit: bytes that it may have at most.

        Raises:
            Refused: "integrity", when it is missing, too large or does not have its size.
            OSError: when it cannot be read.
        """
        if self.size(name) > limit:
            raise Refused("integrity", name, f"has {self.size(name)} bytes; at most {limit} are read")
        return b"".join(self.chunks(name))

    def sha256(self, name: str) -> str:
        """Compute the SHA-256 of a file, in hexadecimal; raises as ``read`` does."""
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def extract(self, name: str, target: Path) -> str:
        """Copy a file out, and compute the SHA-256 of what was copied, in hexadecimal.

        Args:
            name: of the file.
            target: path of the copy, whose folder is there.

        Raises:
            Refused: as ``read`` does.
            OSError: when it cannot be read, or the copy is there or cannot be written.
        """
        digest = hashlib.sha256()
        with open(target, "xb") as stream:
            for chunk in self.chunks(name):
                digest.update(chunk)
                stream.write(chunk)
        return digest.hexdigest()

    def chunks(self, name: str) -> Iterator[bytes]:
        """Read a file piece by piece; raises as ``read`` does.

        Sound because: pieces that are more or fewer bytes than the size listed at first end in `Refused`, so
        nobody gets more than was counted, or a part without being told.
        """
        expected, found = self.size(name), 0
        for chunk in self._chunks(name):
            found += len(chunk)
            if found > expected:
                break
            yield chunk
        if found != expected:
            raise Refused("integrity", name, f"does not have the {expected} bytes that are listed for it")

    def stream(self, name: str) -> BinaryIO:
        """Open a file for reading by lines or pieces; reading raises as ``read`` does."""
        self.size(name)
        return BufferedReader(_Pieces(self.chunks(name)), _CHUNK)

    @abstractmethod
    def _chunks(self, name: str) -> Iterator[bytes]:
        """Pieces of a file that is listed, each of at most `_CHUNK` bytes."""


class _Pieces(RawIOBase):
    """Pieces of a file as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        view = memoryview(buffer)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


class _Folder(Container):
    def __init__(self, root: Path) -> None:
        self._root = root
        super().__init__(dict(_listed(root)))

    def _chunks(self, name: str) -> Iterator[bytes]:
        with _opened(self._root, name) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


class _Zip(Container):
    def __init__(self, path: Path) -> None:
        self._path = path
        with open(path, "rb") as stream:
            self._members: dict[str, Member] = read_members(stream, path.name)
        super().__init__({name: member.size for name, member in self._members.items()})

    def _chunks(self, name: str) -> Iterator[bytes]:
        with open(self._path, "rb") as stream:
            yield from unpacked(stream, self._members[name])


def open_container(path: str | Path) -> Container:
    """List the files of a dossier.

    Args:
        path: a folder, or a zip of one.

    Raises:
        Refused: "integrity", for a name, link, special file, number, size or archive that section 2 of the
            format page does not allow.
        OSError: when the path or something in it cannot be read.

    Sound because: everything that is there is listed, and what cannot be listed plainly is refused.
    """
    root = Path(path)
    mode = os.stat(root).st_mode
    if stat.S_ISDIR(mode):
        return _Folder(root)
    if not stat.S_ISREG(mode):
        raise Refused("integrity", root.name, "is neither a folder nor a zip")
    return _Zip(root)


def _require_modest(sizes: Mapping[str, int]) -> None:
    if len(sizes) > FILES_LIMIT:
        raise Refused("integrity", "dossier", f"has {len(sizes)} files; at most {FILES_LIMIT} are allowed")
    for name, size in sizes.items():
        if size > FILE_SIZE_LIMIT:
            raise Refused("integrity", name, f"has {size} bytes; at most {FILE_SIZE_LIMIT} are allowed")
    if sum(sizes.values()) > TOTAL_SIZE_LIMIT:
        raise Refused("integrity", "dossier", f"has more than {TOTAL_SIZE_LIMIT} bytes")


def _listed(root: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files below a folder; of folders at most as many as of files are looked at."""
    waiting = [""]
    folders = files = 0
    while waiting:
        prefix = waiting.pop()
        folders += 1
        if folders > FILES_LIMIT or prefix.count("/") >= PARTS_LIMIT:
            raise Refused("integrity", prefix or "dossier", "has too many folders, or folders too deep")
        with os.scandir(root / prefix) as found:
            for item in found:
                name = prefix + item.name
                status = item.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(name + "/")
                elif not stat.S_ISREG(status.st_mode):
                    raise Refused("integrity", name, "is a link or a special file; put a regular file there")
                else:
                    files += 1
                    if files > FILES_LIMIT:
                        raise Refused("integrity", "dossier", f"has more than {FILES_LIMIT} files")
                    yield name, status.st_size


@contextmanager
def _opened(root: Path, name: str) -> Iterator[BinaryIO]:
    """A file below a folder, reached without following a link, even one put there since the listing."""
    *folders, last = name.split("/")
    try:
        if os.open in os.supports_dir_fd:
            descriptor = _descend(root, folders, last)
        else:
            descriptor = os.open(root / name, _FLAGS)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise Refused("integrity", name, f"cannot be opened as a regular file: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("integrity", name, "is a link or a special file; put a regular file there")
        yield stream


def _descend(root: Path, folders: list[str], last: str) -> int:
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, _FLAGS | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        return os.open(last, _FLAGS, dir_fd=here)
    finally:
        os.close(here)
