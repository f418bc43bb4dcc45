"""Signals while kernels run: handlers wait, none is lost, and those of before are back afterwards."""

from __future__ import annotations

import _thread
import contextlib
import random
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from hybrid_ai.search import Unknown
from hybrid_ai.search.signals import _STATE, handlers_wait_for_kernels, uninterrupted
from tests.unit.search.problems import hard, search


class Alarm(BaseException):
    """What the handler under test raises."""


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What the kernel and the handlers of SIGUSR1 and SIGUSR2 did, in order; SIGUSR2's handler raises."""
    said: list[str] = []

    def one(number: int, frame: FrameType | None) -> None:
        said.append("one")

    def two(number: int, frame: FrameType | None) -> None:
        said.append("two")
        raise Alarm

    before = signal.signal(signal.SIGUSR1, one), signal.signal(signal.SIGUSR2, two)
    yield said
    signal.signal(signal.SIGUSR1, before[0])
    signal.signal(signal.SIGUSR2, before[1])


def _kernel(heard: list[str], *numbers: int) -> int:
    heard.append("in")
    for number in numbers:
        signal.raise_signal(number)
    heard.append("out")
    return 7


def test_handlers_run_after_the_kernel(heard: list[str]) -> None:
    with handlers_wait_for_kernels():
        assert uninterrupted(_kernel)(heard, signal.SIGUSR1) == 7
        signal.raise_signal(signal.SIGUSR1)
    assert heard == ["in", "out", "one", "one"]


def test_a_handler_that_raises_does_so_after_the_kernel_and_hides_no_other(heard: list[str]) -> None:
    with pytest.raises(Alarm), handlers_wait_for_kernels():
        uninterrupted(_kernel)(heard, signal.SIGUSR2, signal.SIGUSR1)
    assert heard == ["in", "out", "two", "one"]


def test_outside_kernels_handlers_run_at_once(heard: list[str]) -> None:
    with pytest.raises(Alarm), handlers_wait_for_kernels():
        _kernel(heard, signal.SIGUSR2)
    assert heard == ["in", "two"]


def test_the_handlers_of_before_are_back(heard: list[str]) -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with pytest.raises(Alarm), handlers_wait_for_kernels():
        assert signal.getsignal(signal.SIGUSR1) is not before[signal.SIGUSR1]
        raise Alarm
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before


def test_an_exception_that_got_lost_is_raised_again(heard: list[str]) -> None:
    with pytest.raises(Alarm), handlers_wait_for_kernels():
        with contextlib.suppress(Alarm):  # as a destructor does
            signal.raise_signal(signal.SIGUSR2)
        uninterrupted(_kernel)(heard)
    assert heard == ["two", "in", "out", "two"]


def test_a_handler_that_returns_runs_once(heard: list[str]) -> None:
    with handlers_wait_for_kernels():
        signal.raise_signal(signal.SIGUSR1)
        uninterrupted(_kernel)(heard)
    assert heard == ["one", "in", "out"]


def test_what_still_waits_ends_with_the_context(heard: list[str]) -> None:
    with handlers_wait_for_kernels():
        _STATE.arrived.append((lambda number, frame: heard.append("late"), signal.SIGUSR1))
    uninterrupted(_kernel)(heard)
    assert heard == ["in", "out"]


def test_other_threads_change_nothing(heard: list[str]) -> None:
    found: list[object] = []

    def work() -> None:
        with handlers_wait_for_kernels():
            found.append(signal.getsignal(signal.SIGUSR1))
            found.append(uninterrupted(_kernel)(heard))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGUSR1), 7]


# Where the interrupt meets a destructor or a collector's callback (Hypothesis has one), Python reports it and
# goes on; the search raises it again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_search_survives_ctrl_c_at_any_moment() -> None:
    """Numba crashes the process when a handler raises while it builds a result."""
    generator = random.Random(5)
    asked = hard()
    for _ in range(30):
        timer = threading.Timer(generator.uniform(0.05, 0.3), _thread.interrupt_main)
        timer.start()
        outcome = search(asked, seconds=30.0, backend="compiled")
        timer.join()
        assert isinstance(outcome, Unknown)
        assert outcome.reason == "interrupted"
