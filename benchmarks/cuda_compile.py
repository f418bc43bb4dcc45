"""Compile the CUDA kernels without a device and ask NVIDIA's assembler what they take.

Needs the wheels of the extra `cuda12`: they hold the compiler's library and `ptxas`, and still know sm_70.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hybrid_ai.bounds.backends.cuda_geometry import Geometry

REMEDY = "pip install 'hybrid-ai[cuda12]' (numba-cuda with the CUDA 12 wheels; no graphics card is needed)"
INEXACT = re.compile(r"[\w.]+\.(?:ftz|approx|full)\b[\w.]*")  # not what IEEE says
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class Card:
    """What decides how many blocks a multiprocessor holds (CUDA C++ Programming Guide, compute capabilities).

    shared: bytes; reserved: of them per block by the system; grain: bytes in which they are given.
    """

    name: str
    capability: tuple[int, int]
    shared: int
    reserved: int
    grain: int
    registers: int = 65536
    warps: int = 64
    blocks: int = 32

    @property
    def architecture(self) -> str:
        return f"sm_{self.capability[0]}{self.capability[1]}"

    def blocks_held(self, threads: int, registers: int, shared: int) -> int:
        """Blocks that one multiprocessor runs at once; warps get registers in 256s, four warps at a time."""
        block_warps = -(-threads // 32)
        warps = self.registers // (-(-registers * 32 // 256) * 256) // 4 * 4
        given = -(-(shared + self.reserved) // self.grain) * self.grain
        by_shared = self.shared // given if given else self.blocks
        return min(self.blocks, min(warps, self.warps) // block_warps, by_shared)


V100 = Card("V100", (7, 0), 96 * 1024, 0, 256)
H200 = Card("H200", (9, 0), 228 * 1024, 1024, 128)
CARDS = (V100, H200)


@dataclass(frozen=True)
class Assembled:
    """One kernel for one architecture; bytes per thread for stack and spills, per block for shared.

    inexact: instructions that do not round as IEEE says, or flush subnormal numbers.
    """

    kernel: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    inexact: tuple[str, ...]


class CannotCompile(Exception):
    """The wheels are missing, or the assembler refuses; the message says which and what to do."""


def find_assembler() -> Path:
    """`ptxas` of the wheels, or the one on the path.

    Raises:
        CannotCompile: there is none, or no numba-cuda.
    """
    if find_spec("numba_cuda") is None:
        raise CannotCompile(f"numba-cuda is not installed: {REMEDY}")
    spec = find_spec("nvidia")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    found = [path for folder in folders for path in sorted(Path(folder).glob("*/bin/ptxas"))]
    on_path = shutil.which("ptxas")
    if not found and not on_path:
        raise CannotCompile(f"ptxas is not installed: {REMEDY}")
    return found[0] if found else Path(str(on_path))


def toolkit() -> dict[str, str]:
    """Versions of what compiles."""
    names = ("numba", "numba-cuda", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc-cu12", "cuda-bindings")
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def dense_kernels(geometry: Geometry) -> Iterator[tuple[str, Any, Any]]:
    """Name, function and signature of the dense kernels, typed as `bound_vectors` calls them."""
    from numba import types

    from hybrid_ai.bounds.backends.numba_cuda_dense import make_kernels

    kind = types.float32 if geometry.itemsize == 4 else types.float64
    kernels, integers = make_kernels(geometry), types.int64[::1]
    row, matrix, cube, boxes = kind[::1], kind[:, ::1], kind[:, :, ::1], kind[:, :, :, ::1]
    begin = types.void(integers, row, cube, cube, boxes, boxes)
    flags = (types.boolean,) * 3
    stage = types.void(
        integers,
        integers,
        types.boolean[::1],
        matrix,
        row,
        row,
        boxes,
        boxes,
        boxes,
        types.int64,
        *flags,
    )
    yield "begin", kernels.begin.py_func, begin
    yield "stage", kernels.stage.py_func, stage


def search_kernels() -> Iterator[tuple[str, Any, Any]]:
    """The same of the search's kernels."""
    from numba import types

    from hybrid_ai.bounds.arrays import Net, Node
    from hybrid_ai.bounds.backends import cuda_search
    from hybrid_ai.bounds.backends.numba_cuda import DeviceRows

    floats, integers, matrix = types.float64[::1], types.int64[::1], types.float64[:, ::1]
    whole, cube = types.int64[:, ::1], types.float64[:, :, ::1]
    of_net = {name: floats for name in ("weights", "sizes", "bias", "bias_size")}
    of_net |= {"relu": types.boolean[::1], "gamma": types.float64, "float32": matrix}
    of_node = {"active": whole, "counts": whole, "influence": cube}
    of_rows = {"coef": cube, "scaled": cube, "chosen": whole}
    net = types.NamedTuple([of_net.get(name, integers) for name in Net._fields], Net)
    node = types.NamedTuple([of_node.get(name, matrix) for name in Node._fields], Node)
    rows = types.NamedTuple([of_rows.get(name, matrix) for name in DeviceRows._fields], DeviceRows)
    tops = (types.int64, types.int64)
    yield "forward_points", cuda_search.forward_points.py_func, types.void(net, matrix, matrix)
    yield "carry_rows", cuda_search.carry_rows.py_func, types.void(net, node, *tops, rows)
    yield "tighten_nodes", cuda_search.tighten_nodes.py_func, types.void(net, node, rows, integers)


def assemble(name: str, function: Any, signature: Any, card: Card) -> Assembled:
    """Compile a kernel for a card and read what the assembler says.

    Raises:
        CannotCompile: there is no compiler, or the assembler refuses.
    """
    assembler = find_assembler()
    from numba import cuda

    text, _ = cuda.compile_ptx(function, signature, cc=card.capability)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(text, encoding="utf-8")
        command = [
            str(assembler),
            f"-arch={card.architecture}",
            "-v",
            "-o",
            f"{folder}/kernel.cubin",
            str(source),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCompile(f"ptxas refuses {name} for {card.architecture}: {done.stderr.strip()}")
    used, frames, shared = USED.search(done.stderr), STACK.findall(done.stderr), SHARED.search(done.stderr)
    if used is None or not frames:
        raise CannotCompile(f"ptxas does not say what {name} takes: {done.stderr.strip()}")
    stack, stores, loads = (max(int(frame[k]) for frame in frames) for k in range(3))
    return Assembled(
        name,
        int(used[1]),
        stack,
        stores,
        loads,
        int(shared[1]) if shared else 0,
        tuple(sorted(set(INEXACT.findall(text)))),
    )
