"""Signals while a compiled kernel is called: their handlers run once it has returned.

Numba builds named tuples by calling Python, where CPython runs the handlers of signals that have arrived;
an exception that such a handler raises there (Ctrl-C, an alarm) ends the process.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Handler = Callable[[int, FrameType | None], object]


class _State:
    """Python runs handlers in the main thread alone, so there is one state.

    Attributes:
        in_kernel: whether the main thread is in a kernel now.
        arrived: handlers to run with their signals, in the order of arrival, and those that raised.
    """

    def __init__(self) -> None:
        self.in_kernel = False
        self.arrived: list[tuple[Handler, int]] = []

    def wait_for_kernel(self, handler: Handler) -> Handler:
        """The handler that runs another one now, or after the kernel."""

        def handle(number: int, frame: FrameType | None) -> None:
            waiting = (handler, number)
            self.arrived.append(waiting)
            if not self.in_kernel:
                handler(number, frame)
                # Not reached by a handler that raises: should its exception get lost, as Python's destructors
                # and callbacks lose it, the handler runs once more after the next kernel.
                self.arrived.remove(waiting)

        return handle

    def run_arrived(self) -> None:
        """Run every handler that waited, also where one before it raises."""
        if self.arrived:
            handler, number = self.arrived.pop(0)
            try:
                handler(number, None)
            finally:
                self.run_arrived()


_STATE = _State()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def handlers_wait_for_kernels() -> Iterator[None]:
    """While the context is open, let handlers of signals wait for `uninterrupted` kernels.

    A handler that is replaced within the context is restored as it was before. Nothing happens outside the
    main thread, which is never interrupted.
    """
    if not _in_main_thread():
        yield
        return
    before: dict[int, Handler] = {}
    try:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, _STATE.wait_for_kernel(handler))
        yield
    finally:
        # A signal between two of these leaves handlers that pass on to those before: nothing is lost.
        for replaced, handler in before.items():
            signal.signal(replaced, handler)
        # What still waits belongs to this context, which another handler has ended.
        _STATE.arrived.clear()


def uninterrupted(kernel: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The kernel, with handlers of signals run after it, where `handlers_wait_for_kernels` is open."""

    @wraps(kernel)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if not _in_main_thread():
            return kernel(*args, **kwargs)
        _STATE.in_kernel = True
        try:
            return kernel(*args, **kwargs)
        finally:
            _STATE.in_kernel = False
            _STATE.run_arrived()

    return call
