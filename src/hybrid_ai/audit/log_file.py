"""The file of a log as its writers share it: locked, repaired, appended to in whole entries or not at all."""

from __future__ import annotations

import fcntl
import os
import stat
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybrid_ai.audit.drafts import Signer, signed_note
from hybrid_ai.audit.entries import Line
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.verification.canonical import decode_canonical
from hybrid_ai.audit.verification.checkpoint import Checkpoint, checkpoint_body
from hybrid_ai.audit.verification.log import ENTRIES_LIMIT, OPENING, ORIGIN, checkpoint_name, read_log
from hybrid_ai.audit.verification.merkle import Frontier, leaf_hash
from hybrid_ai.audit.verification.rejected import Refused

_CHUNK = 2**16
# Every log begins with these bytes: "action" is the first member of its first entry in canonical JSON.
_BEGINNING = f'{{"action":"{OPENING}",'.encode()


class TraceError(AuditError):
    """A log cannot be used; the message names its file and the remedy.

    Args:
        file: of the log.
        reason: what is wrong, and what to do about it.
    """

    def __init__(self, file: Path, reason: str) -> None:
        # All arguments go to the base, so that the error survives a trip between processes.
        super().__init__(file, reason)
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


class NotATrace(TraceError):
    """The file is no log, one of another version, or a damaged one; nothing was changed."""


class WriteFailed(TraceError):
    """Entries could not be written; none of them was acknowledged."""


class LogFile:
    """The entries of a log, open for one thread of one process.

    Args:
        path: the file.
        create: whether it is made, with its folder, where it is missing.

    Raises:
        NotATrace: it is no regular file.
        WriteFailed: it cannot be opened.

    Sound because: whoever writes holds the lock, so numbers have no gap; they are given only after `fsync`;
    only a last line without line feed is cut off, for which nobody was given one.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._end = -1  # bytes of whole entries when we last held the lock, -1 before that
        self._next = 0
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0)
            self._descriptor = os.open(path, flags, 0o666)
        except OSError as error:
            raise WriteFailed(
                path, f"cannot be opened ({error.strerror}); name a file to write to"
            ) from error
        _OPEN.add(self)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise NotATrace(path, "is no regular file; name another")

    def close(self) -> None:
        """Close the file; nothing for a second time."""
        # Forgotten first: a process forked in between must not close what later gets the same number.
        descriptor, self._descriptor = self._descriptor, -1
        _OPEN.discard(self)
        if descriptor >= 0:
            os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, after waiting for it; a last line without line feed is removed first.

        Raises:
            NotATrace: the file is no log.
            WriteFailed: the file cannot be locked, or is another one than was opened.
        """
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            remedy = "keep logs on a file system where flock works"
            raise WriteFailed(self.path, f"cannot be locked ({error.strerror}); {remedy}") from error
        try:
            self._look()
            yield
        finally:
            # Closing would not do: a process forked meanwhile shares the lock until it is released.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @property
    def size(self) -> int:
        """Number of entries; for the holder of the lock."""
        return self._next

    def log_id(self) -> str:
        """The id in the first entry, 32 hexadecimal digits; for the holder of the lock.

        Raises:
            NotATrace: the log is empty.
        """
        return _log_id(self._first_line(), self.path)

    def append(self, lines: Sequence[Line]) -> int:
        """Append entries and have them on disk, all or none; for the holder of the lock.

        Args:
            lines: the entries, at least one.

        Returns:
            The number of the first; the others follow.

        Raises:
            OSError: they cannot be written, and were taken back; that may fail too, when the disk does.
            WriteFailed: the log would get more entries than are read.
        """
        first, begin = self._next, self._end
        if first + len(lines) > ENTRIES_LIMIT:
            raise WriteFailed(self.path, f"is full ({ENTRIES_LIMIT} entries at most); open another")
        data = b"".join(line.numbered(first + index) + b"\n" for index, line in enumerate(lines))
        try:
            _write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except BaseException:
            # Also after Ctrl-C: what is not acknowledged must not stay.
            os.ftruncate(self._descriptor, begin)
            raise
        self._next, self._end = first + len(lines), begin + len(data)
        return first

    def head(self) -> tuple[int, bytes]:
        """The number of entries and the root of their Merkle tree, 32 bytes; for the holder of the lock.

        Raises:
            NotATrace: the file holds another number of lines than its last entry says.
        """
        tree = Frontier()
        with open(self._descriptor, "rb", closefd=False) as stream:
            stream.seek(0)
            for line in stream:
                tree.append(leaf_hash(line[:-1]))
        if tree.size != self._next:
            raise NotATrace(self.path, f"has {tree.size} lines, but its last number is {self._next - 1}")
        return tree.size, tree.root()

    def _look(self) -> None:
        """Find out where the log ends and which number is next, unless nobody has written since we did."""
        status = os.fstat(self._descriptor)
        try:
            is_same = os.path.samestat(status, os.stat(self.path))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise WriteFailed(self.path, "was removed or replaced while it was open; open it again")
        if status.st_size == self._end:
            return
        if self._end < 0 and status.st_size:
            self._check_beginning()
        end = self._line_feed_before(status.st_size) + 1
        if end < self._end:
            raise NotATrace(self.path, "has lost entries while it was open; restore it from a copy")
        sequence = -1
        if end:
            begin = self._line_feed_before(end - 1) + 1
            sequence = _sequence(os.pread(self._descriptor, end - 1 - begin, begin), self.path)
        if end < status.st_size:
            os.ftruncate(self._descriptor, end)
        self._next, self._end = sequence + 1, end

    def _check_beginning(self) -> None:
        """Refuse, before anything is cut off, what is no log."""
        first = self._first_line()
        if first.endswith(b"\n"):
            _log_id(first, self.path)
        elif not first.startswith(_BEGINNING[: len(first)]):
            raise NotATrace(self.path, "is no log: it does not begin as one; name another file")

    def _first_line(self) -> bytes:
        """The first line with its line feed; without one where there is none."""
        data = b""
        while chunk := os.pread(self._descriptor, _CHUNK, len(data)):
            data += chunk
            line, feed, _ = data.partition(b"\n")
            if feed or not line.startswith(_BEGINNING[: len(line)]):
                return line + feed
        return data

    def _line_feed_before(self, end: int) -> int:
        """Offset of the last line feed before an offset, -1 where there is none."""
        while end > 0:
            begin = max(0, end - _CHUNK)
            found = os.pread(self._descriptor, end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found
            end = begin
        return -1


def open_log(path: Path, opening: Line) -> tuple[LogFile, str]:
    """Open a log; where it is missing or empty, make it. Any number of processes may do so at once.

    Args:
        path: its file.
        opening: first entry of a new log (``opening_line``).

    Returns:
        The file, and the log's id.

    Raises:
        NotATrace: the file is no log, or one of another version.
        WriteFailed: it cannot be written.
    """
    file = LogFile(path, create=True)
    try:
        with file.locked():
            if file.size == 0:
                file.append([opening])
            sync_folder(path.parent)
            return file, file.log_id()
    except BaseException as error:
        file.close()
        if isinstance(error, OSError):
            raise WriteFailed(path, f"cannot be written ({error.strerror})") from error
        raise


def checkpoints_of(path: Path) -> Path:
    """The folder of a log's checkpoints: beside its file."""
    return path.parent / "checkpoints"


def sign_checkpoint(file: LogFile, signer: Signer) -> Path:
    """Sign the state of a log, into `checkpoints/SIZE.note` beside its file; for the holder of the lock.

    Args:
        file: the log, locked.
        signer: who signs.

    Returns:
        The file of the checkpoint. Signing the same state again with the same key changes nothing.

    Raises:
        TraceError: there is another checkpoint of this size.
        NotATrace: the log's numbers have gaps.
        OSError: the checkpoint cannot be written.
    """
    size, root = file.head()
    body = checkpoint_body(Checkpoint(ORIGIN + file.log_id(), size, root))
    data = signed_note(body, signer.public_key, signer.sign(body))
    folder = checkpoints_of(file.path)
    folder.mkdir(exist_ok=True)
    path = folder / checkpoint_name(size)
    if path.exists():
        if path.read_bytes() != data:
            raise TraceError(path, "is there already, of another key or log; append an entry, then sign")
        return path
    # Not in the folder: what a kill leaves there would be read as a checkpoint. Overwritten next time.
    _write_whole(path, data, file.path.with_name(f"{file.path.name}.unfinished"))
    sync_folder(folder.parent)
    return path


def _log_id(line: bytes, path: Path) -> str:
    """The id of a log from its first line."""
    try:
        return read_log(line, path.name).identifier
    except Refused as error:
        raise NotATrace(path, f"is no log that can be appended to ({error}); name another file") from error


def _sequence(line: bytes, path: Path) -> int:
    """The number of an entry."""
    try:
        entry = decode_canonical(line, f"{path}: last line")
    except Refused as error:
        raise NotATrace(
            path, f"its last line is damaged ({error.reason}); keep it and open another"
        ) from error
    sequence = entry.get("sequence") if isinstance(entry, dict) else None
    if type(sequence) is not int or sequence < 0:
        raise NotATrace(path, "its last line has no number; keep it and open another")
    return sequence


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:  # a disk that is nearly full takes a part, and refuses the rest
        rest = rest[os.write(descriptor, rest) :]


def _write_whole(path: Path, data: bytes, working: Path) -> None:
    """Write a file that is there as a whole or not at all, by way of a working file on the same disk."""
    try:
        with open(working, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(working, path)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_OPEN: weakref.WeakSet[LogFile] = weakref.WeakSet()


def _close_inherited() -> None:
    """Close, in a forked process, the files of the other one: it would share their locks."""
    for file in list(_OPEN):
        file.close()


os.register_at_fork(after_in_child=_close_inherited)
