"""The CUDA kernels in the simulator, as a process: pickled cases come in, pickled results go out.

The simulator is chosen when `numba.cuda` is imported, so it needs a process of its own.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from hybrid_ai.bounds import Arithmetic, flatten
from hybrid_ai.bounds.arrays import Net, Node
from hybrid_ai.bounds.backends import reference
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds
from hybrid_ai.bounds.dense import Precision, Slopes
from hybrid_ai.bounds.device import pack_for_device, pack_for_device_without_errors
from hybrid_ai.bounds.device_boxes import DeviceBoxes, UnsoundDenseDeviceBoxes
from hybrid_ai.network import StagedNetwork
from tests.architecture.sources import ROOT

WRITTEN = ("low_slope", "high_slope", "intercept", "step_error", "deviation")  # of a node, but for its box
Found = TypeVar("Found", covariant=True)
SMALL = (16, 4)  # threads of a block, weight rows at once: the simulator starts every thread


class Runs(Protocol[Found]):
    """A case: found in the simulator."""

    def run(self) -> Found: ...


@dataclass(frozen=True)
class Case:
    """What to bound, and how; layout: None for that of a real device."""

    staged: StagedNetwork
    precision: Precision
    lower: np.ndarray
    upper: np.ndarray
    method: Method = "crown"
    slopes: Slopes = "format"
    intersect: bool = True
    sound: bool = True
    layout: tuple[int, int] | None = SMALL

    def run(self) -> OutputBounds:
        if self.sound:
            made: Any = DeviceBoxes(small(self, pack_for_device(self.staged, self.precision)))
        else:
            without = pack_for_device_without_errors(self.staged, self.precision)
            made = UnsoundDenseDeviceBoxes(small(self, without))
        found: OutputBounds = made(
            self.lower, self.upper, self.method, slopes=self.slopes, intersect=self.intersect
        )
        return found


class Nodes(NamedTuple):
    """What the search's kernels find: of each node whether it is bounded, its arrays (nodes first), the
    values of its rows and what they may have lost (nodes, R), and all outputs at its lower corner.
    """

    bounded: np.ndarray
    node: Node
    value: np.ndarray
    lost: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class NodeCase:
    """Nodes to bound, and rows over all groups to bound in each; at_once: rows of the work space.

    What the kernels are to write is NaN before.
    """

    staged: StagedNetwork
    lower: np.ndarray
    upper: np.ndarray
    held: np.ndarray
    table: np.ndarray
    offsets: np.ndarray
    arithmetic: Arithmetic = "real"
    at_once: int | None = None
    threads: int = 8

    def run(self) -> Nodes:
        from hybrid_ai.bounds.backends import numba_cuda

        numba_cuda.THREADS = self.threads
        net = flatten(self.staged, self.arithmetic).net
        on_device, count = numba_cuda.put(net), len(self.lower)
        made = numba_cuda.make_nodes(net, self.lower, self.upper, self.held)
        node = poisoned(made, *WRITTEN)
        work = numba_cuda.make_rows(net, count, self.at_once)
        work = poisoned(work, "coef", "scaled", "constant", "lost", "penalty")
        bounded = numba_cuda.tighten(on_device, node, work)
        found = Node(*(values.copy_to_host() for values in node))
        rows = self._rows(net, found)
        numba_cuda.backward(on_device, node, net.size.shape[0], len(self.table), rows)
        value, lost = zip(*(self._least(net, found, rows, b) for b in range(count)), strict=True)
        outputs = to_device(np.full((count, net.bias.shape[0]), np.nan))
        numba_cuda.forward_point(on_device, to_device(self.lower), outputs)
        return Nodes(bounded, found, np.stack(value), np.stack(lost), outputs.copy_to_host())

    def _rows(self, net: Net, found: Node) -> Any:
        """The table's rows in each node, with what rounding it may have lost."""
        from hybrid_ai.bounds.backends import numba_cuda

        count = len(self.lower)
        made = numba_cuda.make_rows(net, count, len(self.table))
        stored = np.abs(self.offsets) + np.abs(found.magnitude) @ np.abs(self.table).T
        return made._replace(
            coef=to_device(np.repeat(self.table[None], count, axis=0)),
            constant=to_device(np.repeat(self.offsets[None], count, axis=0)),
            lost=to_device(stored * 4.0 * reference.UNIT),
            penalty=to_device(np.zeros((count, len(self.table)))),
        )

    def _least(self, net: Net, found: Node, rows: Any, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Least values of the rows of node b as the reference concludes them."""
        inputs = net.size[0]
        form, constant = rows.coef[b].copy_to_host()[:, :inputs], rows.constant[b].copy_to_host()
        low, high, size = (part[b, :inputs] for part in (found.lower, found.upper, found.magnitude))
        value = constant + np.where(form >= 0.0, form * low, form * high).sum(axis=1)
        lost = rows.lost[b].copy_to_host() + net.gamma * (np.abs(constant) + np.abs(form) @ size)
        return value, lost * reference.FINAL + reference.TINY


def poisoned(record: Any, *names: str) -> Any:
    """The record with NaN wherever it is to be written before it is read."""
    values = {name: to_device(np.full(getattr(record, name).shape, np.nan)) for name in names}
    return record._replace(**values)


def to_device(values: np.ndarray) -> Any:
    from numba import cuda

    return cuda.to_device(values)


class Simulator:
    """A running simulator."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._in, self._out = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)

    def __call__(self, cases: Sequence[Runs[Found]]) -> list[Found]:
        """What each case finds."""
        pickle.dump(list(cases), self._in)
        self._in.flush()
        found: list[Found] = pickle.load(self._out)
        return found


@contextmanager
def simulating() -> Iterator[Simulator]:
    """Run a simulator for as long as it is needed."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-m", "tests.gpu.simulator"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, cwd=ROOT) as process:
        yield Simulator(process)


def small(case: Case, network: Any) -> Any:
    """The packed network with the case's layout."""
    if case.layout is None:
        return network
    threads, rows = case.layout
    geometry = network.net.geometry._replace(threads=threads, rows=rows)
    return replace(network, net=network.net._replace(geometry=geometry))


def main() -> None:
    sys.setswitchinterval(1e-6)  # the simulator polls its threads
    warnings.simplefilter("ignore")  # numpy's scalars warn where a device's numbers overflow or are NaN
    try:
        while True:
            cases = pickle.load(sys.stdin.buffer)
            pickle.dump([case.run() for case in cases], sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except EOFError:
        pass


if __name__ == "__main__":
    main()
