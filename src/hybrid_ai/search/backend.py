"""Which backend bounds the boxes, and the compilation of the kernels beside a running search."""

import atexit
import subprocess
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Literal, Protocol

from hybrid_ai.bounds.arrays import Net
from hybrid_ai.search.compiled.node import process_parallel, process_serial
from hybrid_ai.search.compiled.records import Batch, Grid, Spec
from hybrid_ai.search.kernel_cache import kernels_ready
from hybrid_ai.search.reference_node import process_reference
from hybrid_ai.search.signals import uninterrupted

Backend = Literal["auto", "compiled", "reference"]

# -P: a module in the working directory must not be taken for one of ours.
COMMAND = (sys.executable, "-P", "-m", "hybrid_ai.search.warm_up", "--while-parent-lives")
LOAD_SECONDS = 4.0  # loading compiled kernels late in the search would overrun its deadline


class Process(Protocol):
    """Processes a batch of boxes in place; `search.compiled.node.process_node` says how each."""

    def __call__(self, net: Net, spec: Spec, grid: Grid, batch: Batch, steps: int, /) -> None:
        """Process every box."""


@dataclass(frozen=True, slots=True)
class Processing:
    """How batches are processed: few boxes, many boxes on all threads, the most boxes in a batch."""

    serial: Process
    parallel: Process
    most: int


COMPILED = Processing(uninterrupted(process_serial), uninterrupted(process_parallel), 512)
REFERENCE = Processing(process_reference, process_reference, 4)


class _Compilation:
    """The kernels' compilation in another process, at most one in the life of this process.

    The other process ends with us: it reads a pipe from us, which ends when we do.

    Attributes:
        needed: whether the kernels were not ready when this was made.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._done = kernels_ready()
        self.needed = not self._done
        if self.needed:
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us
            )
            atexit.register(self.stop)

    def ended_well(self) -> bool:
        """Whether the kernels are in the cache; a failed compilation is told once."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self.stop()
            self._done = code == 0
            if code:
                warnings.warn(
                    f"the kernels could not be compiled (exit status {code}); the slow reference backend "
                    "searches; `python -m hybrid_ai.search.warm_up` shows why",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return self._done

    def stop(self) -> None:
        """End the other process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None


@cache
def _compilation() -> _Compilation:
    return _Compilation()


def _loaded(kernel: Process) -> bool:
    return bool(getattr(kernel, "signatures", ()))


def processing(backend: Backend, deadline: float) -> Processing:
    """How to process the next batch.

    Args:
        backend: "compiled" or "reference"; "auto" is the compiled one where its kernels are in memory or in
            numba's cache, else the reference backend while they are compiled in the background.
        deadline: `time.monotonic` value at which the search ends.
    """
    if backend == "reference":
        return REFERENCE
    if backend == "compiled" or (_loaded(process_serial) and _loaded(process_parallel)):
        return COMPILED
    compilation = _compilation()
    if not compilation.ended_well():
        return REFERENCE
    late = deadline - monotonic() < LOAD_SECONDS
    return REFERENCE if compilation.needed and late and not _loaded(process_serial) else COMPILED
