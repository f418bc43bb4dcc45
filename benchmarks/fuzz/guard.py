"""Run a reader on one input, and tell whether it did anything but read or refuse it as documented."""

from __future__ import annotations

import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

SECONDS = 5.0  # of CPU time for an input
MEMORY = 2**30  # bytes for an input
LONGEST_MESSAGE = 4000

Read = Callable[[bytes], None]


class TooSlow(BaseException):
    """Raised in the reader when its time is over; no `except Exception` holds it."""


class Unsound(Exception):
    """What is false was accepted."""


@dataclass(frozen=True)
class Reader:
    """A reader that is loaded: what runs it on one input, and the exceptions by which it may refuse one."""

    read: Read
    refusals: tuple[type[Exception], ...]


@dataclass(frozen=True)
class Finding:
    """What was wrong with one input.

    Attributes:
        kind: name of the exception, or "slow", "memory", "message".
        place: file:line (function) of this project where it happened.
        detail: the traceback.
    """

    kind: str
    place: str
    detail: str


def peak() -> int:
    """The largest resident memory since the start or the last `forget_peak`, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Have the kernel count the peak from here on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the block after this much CPU time of the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def observe(reader: Reader, data: bytes, *, seconds: float = SECONDS, memory: int = MEMORY) -> Finding | None:
    """What is wrong when the reader reads `data`, None when nothing is."""
    limit = peak() + memory
    try:
        with time_limit(seconds):
            reader.read(data)
        finding = None
    except reader.refusals as error:
        said = str(error)
        is_bad = "\n" in said or len(said) > LONGEST_MESSAGE
        finding = _finding("message", error, repr(said[:LONGEST_MESSAGE])) if is_bad else None
    except TooSlow as error:
        finding = _finding("slow", error)
    except Exception as error:
        finding = _finding(type(error).__name__, error)
    if peak() > limit:
        finding = Finding("memory", "", f"needs {(peak() - limit + memory) >> 20} MiB")
        forget_peak()
    return finding


def _finding(kind: str, error: BaseException, more: str = "") -> Finding:
    detail = "".join(traceback.format_exception(error)) + more
    return Finding(kind, _place(error), detail[-20_000:])


def _place(error: BaseException) -> str:
    """The innermost frame of this project, for a slow one the outermost of the reader's own modules."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "hybrid_ai" in frame.filename]
    if not frames:
        return "outside of the reader"
    frame = frames[-1]
    return f"{frame.filename[frame.filename.rindex('hybrid_ai') :]}:{frame.lineno} ({frame.name})"
