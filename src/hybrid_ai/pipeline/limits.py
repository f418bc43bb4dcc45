"""What one verification may spend, and the alarm that keeps it to its time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from time import monotonic
from types import FrameType

from hybrid_ai.pipeline.errors import BadInput

DEFAULT_TIMEOUT = 600.0
DEFAULT_MEMORY = 2 << 30
LONGEST_TIMEOUT = 1e8
# A reserve can't turn a late claim into a proof, it only keeps the whole within its time: so it is short.
RESERVED_SHARE = 0.1
LONGEST_RESERVE = 2.0
RING_AGAIN = 0.5


@dataclass(frozen=True)
class Limits:
    """What one verification may spend.

    Args:
        timeout: seconds for everything, compilation and check included; above 0, at most 1e8.
        memory: bytes for the open boxes of the search; above 0.
        threads: threads of the search, at least 1; None is one per core; more are not used.
        seed: of the search's attacks, 0 or above.

    Raises:
        BadInput: a number is out of its range.
    """

    timeout: float = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        # NaN compares as false.
        if not (_is_a(Real, self.timeout) and 0 < self.timeout <= LONGEST_TIMEOUT):
            raise BadInput(f"time limit {self.timeout!r}: give seconds above 0, at most {LONGEST_TIMEOUT:g}")
        if not (_is_a(Integral, self.memory) and self.memory > 0):
            raise BadInput(f"memory limit {self.memory!r}: give bytes, above 0")
        if self.threads is not None and not (_is_a(Integral, self.threads) and self.threads >= 1):
            raise BadInput(f"{self.threads!r} threads: give at least 1")
        if not (_is_a(Integral, self.seed) and self.seed >= 0):
            raise BadInput(f"seed {self.seed!r}: give 0 or above")

    @property
    def used_threads(self) -> int:
        """The number of threads the search runs on."""
        cores = len(os.sched_getaffinity(0))
        return cores if self.threads is None else min(self.threads, cores)

    @property
    def reserve(self) -> float:
        """Seconds kept for the check."""
        return min(self.timeout * RESERVED_SHARE, LONGEST_RESERVE)


def _is_a(kind: type, value: object) -> bool:
    """Tell whether a value is such a number; Python counts truth values among them, we do not."""
    return isinstance(value, kind) and not isinstance(value, bool)


class TimeUp(KeyboardInterrupt):
    """The alarm rang; a KeyboardInterrupt, because that is what a search ends on in good order."""


@dataclass
class Alarm:
    """Whether the alarm rang."""

    rang: bool = False


@contextmanager
def alarm_at(deadline: float) -> Iterator[Alarm]:
    """Raise TimeUp in the main thread once a deadline (`time.monotonic`) has passed, even in a batch.

    In other threads, which get no signals, nothing is raised: there the search alone keeps the time.
    """
    alarm = Alarm()
    if threading.current_thread() is not threading.main_thread():
        yield alarm
        return

    def ring(number: int, frame: FrameType | None) -> None:
        alarm.rang = True
        raise TimeUp

    started = monotonic()
    previous = signal.signal(signal.SIGALRM, ring)
    # It rings again: Python's destructors and callbacks lose what is raised in them.
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(deadline - started, 1e-3), RING_AGAIN)
    try:
        yield alarm
    except Exception as error:
        if alarm.rang:  # as what it rang in has turned it into an error of its own
            raise TimeUp from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if left > 0:  # a timer of the caller goes on
            signal.setitimer(signal.ITIMER_REAL, max(left - (monotonic() - started), 1e-3), interval)
