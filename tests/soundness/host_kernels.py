"""The CUDA C++ kernels compiled for the host: build, load, and call as `boxes.bound_boxes`."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hybrid_ai.bounds.backends.cuda_cpp_layout import (
    BlockedNetwork,
    Geometry,
    boxes_record,
    network_record,
    nodes_record,
)
from hybrid_ai.bounds.backends.reference import Method
from hybrid_ai.bounds.boxes import OutputBounds, outward
from hybrid_ai.bounds.dense import DTYPES, Precision, Slopes
from tests.architecture.sources import ROOT

WIDTHS = (4, 20, 64)  # that host.cpp compiles
GUARD = 8  # numbers before and after the output that nothing may touch
REMEDY = "the kernels cannot be compiled for the host: install {missing} (Debian: apt-get install g++ cmake)"


@dataclass(frozen=True)
class HostKernels:
    """The shared library."""

    library: ctypes.CDLL

    def bound(
        self,
        network: BlockedNetwork,
        lower: np.ndarray,
        upper: np.ndarray,
        method: Method = "crown",
        *,
        slopes: Slopes = "format",
        intersect: bool = True,
        charged: bool = True,
        order: int = 0,
    ) -> OutputBounds:
        """Bounds of the outputs; the output begins as NaN between guards."""
        dtype, count = np.dtype(DTYPES[network.precision]), lower.shape[0]
        out = np.full((2 * GUARD + count * 2 * int(network.size[-1]),), np.nan, dtype)
        ends = [outward(end, dtype, way) for end, way in ((lower, -np.inf), (upper, np.inf))]
        places = [end.ctypes.data for end in (*ends, out[GUARD:])]
        boxes = boxes_record(places[0], places[1], places[2], count, method, slopes, intersect)
        record = network_record(network, lambda array: array.ctypes.data)
        call = getattr(self.library, f"hybrid_ai_bound_{network.precision}")
        pointers = [ctypes.c_void_p(one.ctypes.data) for one in (record, boxes)]
        status = call(network.width, *pointers, int(charged), order)
        assert status == 0, f"hybrid_ai_bound_{network.precision} returned {status}"
        assert np.isnan(out[:GUARD]).all() and np.isnan(out[-GUARD:]).all()
        found = out[GUARD:-GUARD].reshape(count, 2, -1).astype(np.float64)
        return OutputBounds(found[:, 0], found[:, 1])

    def bound_nodes(
        self,
        network: BlockedNetwork,
        lower: np.ndarray,
        upper: np.ndarray,
        held: np.ndarray,
        *,
        slopes: Slopes = "format",
        order: int = 0,
        turns: np.ndarray | None = None,
    ) -> np.ndarray:
        """Bounds of every pre-activation, (nodes, 2, groups, width) as `held`; NaN where nothing was written.

        turns: the order in which nodes are taken, (nodes,).
        """
        dtype, count = np.dtype(DTYPES[network.precision]), lower.shape[0]
        out = np.full((2 * GUARD + held.size,), np.nan, dtype)
        given = [
            *(outward(end, dtype, way) for end, way in ((lower, -np.inf), (upper, np.inf))),
            np.stack([outward(held[:, 0], dtype, -np.inf), outward(held[:, 1], dtype, np.inf)], axis=1),
        ]
        taken = np.zeros(1, np.int32)
        numbers = None if turns is None else turns.astype(np.int32)
        places = [array.ctypes.data for array in (*given, out[GUARD:])]
        sequence = 0 if numbers is None else numbers.ctypes.data
        nodes = nodes_record(
            places[0], places[1], places[2], places[3], sequence, taken.ctypes.data, count, slopes
        )
        record = network_record(network, lambda array: array.ctypes.data)
        call = getattr(self.library, f"hybrid_ai_bound_nodes_{network.precision}")
        pointers = [ctypes.c_void_p(one.ctypes.data) for one in (record, nodes)]
        assert call(network.width, *pointers, order) == 0
        assert taken[0] == count + 1  # the last turn found nothing
        assert np.isnan(out[:GUARD]).all() and np.isnan(out[-GUARD:]).all()
        return out[GUARD:-GUARD].reshape(held.shape).astype(np.float64)

    def node_geometry(self, width: int, precision: Precision, groups: int) -> Geometry:
        """What node_geometry.hpp computes."""
        return self._geometry(self.library.hybrid_ai_node_geometry, width, precision, groups)

    def geometry(self, width: int, precision: Precision, groups: int) -> Geometry:
        """What geometry.hpp computes."""
        return self._geometry(self.library.hybrid_ai_geometry, width, precision, groups)

    def _geometry(self, call: Any, width: int, precision: Precision, groups: int) -> Geometry:
        out = (ctypes.c_int * 4)()
        assert call(width, np.dtype(DTYPES[precision]).itemsize, groups, out) == 0
        return Geometry(*out)


def run(command: list[str]) -> str:
    """Run a command to its end; the test fails with what it wrote when it does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def build(folder: Path) -> Path:
    """Build library and tests with CMake, the tests with sanitizers; skip where there is no compiler."""
    missing = [tool for tool in ("g++", "cmake") if shutil.which(tool) is None]
    if missing:
        pytest.skip(REMEDY.format(missing=" and ".join(missing)))
    options = ["-DHYBRID_AI_SANITIZE=ON", "-DHYBRID_AI_CUDA=OFF"]
    options += ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-Og"]  # half the time is compilation
    run(["cmake", "-S", str(ROOT), "-B", str(folder), *options])
    run(["cmake", "--build", str(folder), "--parallel", "2"])
    return folder


def load(folder: Path) -> HostKernels:
    return HostKernels(ctypes.CDLL(str(folder / "libhybrid_ai_host.so")))
