"""The dense CUDA kernels in the simulator, as a process: pickled cases come in, pickled bounds go out.

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
from typing import BinaryIO, cast

import numpy as np

from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds
from hybrid_ai.bounds.dense import Precision, Slopes
from hybrid_ai.bounds.device import DeviceNetwork, pack_for_device
from hybrid_ai.bounds.device_boxes import DeviceBoxes
from hybrid_ai.network import StagedNetwork
from tests.architecture.sources import ROOT

SMALL = (16, 4)  # threads of a block, weight rows at once: the simulator starts every thread


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


class Simulator:
    """A running simulator."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._in, self._out = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)

    def __call__(self, cases: Sequence[Case]) -> list[OutputBounds]:
        """Bounds of each case."""
        pickle.dump(list(cases), self._in)
        self._in.flush()
        found: list[OutputBounds] = pickle.load(self._out)
        return found


@contextmanager
def simulating() -> Iterator[Simulator]:
    """Run a simulator for as long as it is needed."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    command = [sys.executable, "-m", "tests.gpu.simulator"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, cwd=ROOT) as process:
        yield Simulator(process)


def packed(case: Case) -> DeviceNetwork:
    network = pack_for_device(case.staged, case.precision, sound=case.sound)
    if case.layout is None:
        return network
    threads, rows = case.layout
    geometry = network.net.geometry._replace(threads=threads, rows=rows)
    return replace(network, net=network.net._replace(geometry=geometry))


def bound(case: Case) -> OutputBounds:
    boxes = DeviceBoxes(packed(case))
    return boxes(case.lower, case.upper, case.method, slopes=case.slopes, intersect=case.intersect)


def main() -> None:
    sys.setswitchinterval(1e-6)  # the simulator polls its threads
    warnings.simplefilter("ignore")  # numpy's scalars warn where a device's numbers overflow or are NaN
    try:
        while True:
            cases = pickle.load(sys.stdin.buffer)
            pickle.dump([bound(case) for case in cases], sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except EOFError:
        pass


if __name__ == "__main__":
    main()
