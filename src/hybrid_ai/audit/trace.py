"""A log for any code: entries are appended at once, written in batches, and acknowledged once on disk."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType

from hybrid_ai.audit.drafts import Signer, now
from hybrid_ai.audit.entries import (
    FileDigest,
    Line,
    entry_line,
    new_id,
    opening_line,
    sha256_of,
)
from hybrid_ai.audit.errors import AuditError
from hybrid_ai.audit.log_file import (
    LogFile,
    NotATrace,
    TraceError,
    WriteFailed,
    open_log,
    sign_checkpoint,
)
from hybrid_ai.audit.verification.log import OPENING

__all__ = [
    "Trace",
    "Receipt",
    "FileDigest",
    "sha256_of",
    "TraceError",
    "NotATrace",
    "WriteFailed",
    "TraceClosed",
    "TraceForked",
]

MOST_PENDING = 10_000  # entries in memory; more wait in `append`


class TraceClosed(TraceError):
    """The trace was closed."""


class TraceForked(TraceError):
    """The trace was opened by another process, of which this one is a copy."""


class _Batch:
    """Entries that are written together.

    Attributes:
        receipts: of the entries, in order.
        error: why they are not on disk, None where they are.
        is_done: whether that is known.
    """

    __slots__ = ("error", "is_done", "receipts")

    def __init__(self, is_done: bool = False) -> None:
        self.receipts: list[Receipt] = []
        self.error: BaseException | None = None
        self.is_done = is_done


class Receipt:
    """What `append` returns: it tells when the entry is on disk, and its number."""

    __slots__ = ("_batch", "_line", "_sequence", "_trace")

    def __init__(self, trace: Trace, batch: _Batch, line: Line) -> None:
        self._trace = trace
        self._batch = batch
        self._line = line
        self._sequence = -1

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the entry is on disk; the batch is written at once.

        Args:
            timeout: seconds, None for any time.

        Returns:
            Its number in the log.

        Raises:
            WriteFailed: it could not be written, and is not in the log.
            TimeoutError: it is not written yet; it may be later.
            TraceForked: in a forked process.
        """
        self._trace._finish(self._batch, timeout)
        return self._sequence


class Trace:
    """An append-only log that any number of processes and threads write to.

    Args:
        path: the file of entries; made, with its folder, where it is missing.
        actor: who acts, written into every entry; nobody is named by default.
        host: where, likewise.
        interval: longest time in seconds that an entry waits for others to be written with, at least 0.

    Raises:
        NotATrace: the file is something else, or a log of another version; it was not touched.
        WriteFailed: it cannot be opened, locked or written.

    Sound because: see ``LogFile``. One thread writes the batches in order, and a batch is done when it is on
    disk or has failed; if that thread ends, every waiting and every later call raises.
    """

    def __init__(
        self, path: Path, *, actor: str | None = None, host: str | None = None, interval: float = 0.1
    ) -> None:
        if not 0 <= interval < float("inf"):
            raise AuditError(f"interval is {interval}: give seconds, at least 0")
        self.path = Path(path).absolute()  # whatever folder the program changes to
        self.run = new_id()
        self._names = {"actor": actor, "host": host}
        self._interval = interval
        self._process = os.getpid()
        opening = opening_line(new_id(), time=now(), run=self.run, actor=actor, host=host)
        self._file, self.log = open_log(self.path, opening)
        lock = threading.RLock()  # reentrant: a signal handler may append too
        self._work = threading.Condition(lock)  # for the thread that writes
        self._done = threading.Condition(lock)  # for those who wait for it
        self._collecting = _Batch()
        self._newest = _Batch(is_done=True)  # the last batch that has entries
        self._began = 0.0  # when the batch got its first entry
        self._is_urgent = False
        self._is_closing = False
        self._failure: BaseException | None = None  # of a batch, not yet reported by `flush`
        self._death: BaseException | None = None  # of the thread
        self._thread = threading.Thread(target=self._run, name=f"trace {self.path.name}", daemon=True)
        self._thread.start()
        atexit.register(self._leave)

    def append(
        self,
        action: str,
        *,
        inputs: Iterable[FileDigest] = (),
        outputs: Iterable[FileDigest] = (),
        parameters: Mapping[str, object] | None = None,
        versions: Mapping[str, object] | None = None,
        verdict: str | None = None,
    ) -> Receipt:
        """Append an entry; it is on disk when the receipt says so, or after `flush` or `close`.

        Args:
            action: what was done, 1 to 100 characters of `a-z 0-9 . _ / -`; not `log/open`.
            inputs: files that were read.
            outputs: files that were written.
            parameters: JSON values by name, copied now.
            versions: of what took part, likewise.
            verdict: text that is not empty.

        Raises:
            AuditError: an argument is not of that form, or holds what has no JSON form (NaN, bytes, ...).
            TraceClosed, TraceForked: it is no longer usable, or not in this process.
            WriteFailed: the thread that writes has ended.
        """
        self._check_process()
        if action == OPENING:
            raise AuditError(f"the action {action} opens a log: name another action")
        line = entry_line(
            action,
            time=now(),
            run=self.run,
            inputs=inputs,
            outputs=outputs,
            parameters=parameters,
            versions=versions,
            verdict=verdict,
            **self._names,
        )
        return self._add(line)

    def flush(self) -> None:
        """Wait until all that was appended is on disk.

        Raises:
            WriteFailed: entries appended since the last `flush` are not, and are lost.
            TraceForked: in a forked process.
        """
        self._check_process()
        with self._done:
            self._await(self._newest, None)
            failure, self._failure = self._failure, None
            if self._death or failure:
                raise self._write_failed(self._death or failure)

    def checkpoint(self, signer: Signer) -> Path:
        """Sign the log as it is, entries of other processes included.

        Args:
            signer: who signs (``load_signer``).

        Returns:
            The checkpoint: `checkpoints/SIZE.note` beside the file of entries.

        Raises:
            WriteFailed: entries or the checkpoint could not be written.
            TraceError: another key has signed this very state.
            NotATrace: the log is damaged.
            TraceClosed, TraceForked: as `append`.
        """
        self.flush()
        with self._done:
            self._check_open()
        # Opened again: two threads that share a descriptor share its lock.
        file = LogFile(self.path)
        try:
            with file.locked():
                if file.log_id() != self.log:
                    raise NotATrace(self.path, "holds another log than before; open it again")
                return sign_checkpoint(file, signer)
        except OSError as error:
            raise self._write_failed(error) from error
        finally:
            file.close()

    def close(self) -> None:
        """Write what is left and close the file; nothing for a second time.

        Raises:
            WriteFailed: entries appended since the last `flush` could not be written, and are lost.
            TraceForked: in a forked process.
        """
        self._check_process()
        with self._done:
            self._is_closing = True
            self._work.notify()
            self._done.notify_all()
        self._thread.join()
        self._file.close()
        atexit.unregister(self._leave)
        self.flush()

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    def _add(self, line: Line) -> Receipt:
        """Put an entry into the batch that is being collected; waits while that is full."""
        with self._done:
            while len(self._collecting.receipts) >= MOST_PENDING and not self._is_closing:
                self._done.wait()
            self._check_open()
            batch = self._collecting
            receipt = Receipt(self, batch, line)
            # A signal handler may append in between: nothing here depends on a length that was read before.
            batch.receipts.append(receipt)
            if self._newest is not batch:
                self._newest, self._began = batch, monotonic()
                self._work.notify()
            elif len(batch.receipts) >= MOST_PENDING:
                self._work.notify()
            return receipt

    def _leave(self) -> None:
        """Close, unless this is a forked process, which has nothing to close."""
        if os.getpid() == self._process:
            self.close()

    def _check_process(self) -> None:
        # First of all: in a forked process the locks may be held by threads that do not exist there.
        if os.getpid() != self._process:
            raise TraceForked(
                self.path, "was opened before this process was forked; open a trace of its own here"
            )

    def _check_open(self) -> None:
        if self._death:
            raise self._write_failed(self._death)
        if self._is_closing:
            raise TraceClosed(self.path, "was closed; append before that")

    def _write_failed(self, cause: BaseException | None) -> WriteFailed:
        reason = cause.strerror if isinstance(cause, OSError) else cause
        error = WriteFailed(self.path, f"entries could not be written ({reason}); append them again")
        error.__cause__ = cause
        return error

    def _finish(self, batch: _Batch, timeout: float | None) -> None:
        """Wait until a batch is done, and raise where it has failed."""
        self._check_process()
        with self._done:
            if not self._await(batch, timeout):
                raise TimeoutError(f"{self.path}: not written within {timeout} seconds")
            if batch.error:
                raise self._write_failed(batch.error)

    def _await(self, batch: _Batch, timeout: float | None) -> bool:
        if batch is self._collecting:
            self._is_urgent = True
            self._work.notify()
        return self._done.wait_for(lambda: batch.is_done, timeout)

    def _run(self) -> None:
        """Write batch after batch until the trace is closed."""
        try:
            while batch := self._next_batch():
                self._write(batch)
        except BaseException as error:
            # Reported by every waiting and every later call.
            with self._done:
                self._death = error
                self._settle(self._collecting, error)

    def _next_batch(self) -> _Batch | None:
        """Wait until there are entries to write; None when the trace is closed and there are none."""
        with self._work:
            self._work.wait_for(lambda: self._collecting.receipts or self._is_closing)
            batch = self._collecting
            if not batch.receipts:
                return None
            self._work.wait_for(
                lambda: self._is_urgent or self._is_closing or len(batch.receipts) >= MOST_PENDING,
                self._began + self._interval - monotonic(),
            )
            self._collecting = _Batch()
            self._is_urgent = False
            self._done.notify_all()  # who waits in `append`
            return batch

    def _write(self, batch: _Batch) -> None:
        try:
            with self._file.locked():
                first = self._file.append([receipt._line for receipt in batch.receipts])
            for sequence, receipt in enumerate(batch.receipts, first):
                receipt._sequence = sequence
        except (OSError, TraceError) as error:
            self._settle(batch, error)
        except BaseException as error:
            self._settle(batch, error)
            raise
        else:
            self._settle(batch, None)

    def _settle(self, batch: _Batch, error: BaseException | None) -> None:
        """Say of a batch that it is on disk, or why it is not."""
        with self._done:
            batch.error = error
            batch.is_done = True
            batch.receipts.clear()
            self._failure = self._failure or error
            self._done.notify_all()
