"""What the device compiler makes of the CUDA C++ kernels: registers and spills."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from hybrid_ai.bounds.backends.cuda_cpp import Request, read_source

REMEDY = (
    "pip install 'nvidia-cuda-nvrtc-cu12==12.9.*' 'nvidia-cuda-nvcc-cu12==12.9.*' 'cuda-bindings==12.9.*'"
)
FUNCTION = re.compile(r"Compiling entry function '(\w+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")
VECTOR_LOAD = re.compile(r"ld\.shared\.(?:v4\.f32|v4\.b32|v2\.f64|v2\.b64)")
# Whatever is not one operation to nearest: contracted later, flushed, approximate, rounded another way.
LOOSE = re.compile(r"\b(?:add|sub|mul|mad|fma|div|rcp|sqrt)(?!\.rn\.f)[\w.]*\.f(?:32|64)\b|\.ftz\.")


class ToolMissing(Exception):
    """NVRTC or ptxas of CUDA 12 is not installed; the message names the remedy."""


class Refused(Exception):
    """A compiler refused the kernels."""


@dataclass(frozen=True)
class Usage:
    """What a kernel takes: registers of a thread; bytes of its stack frame, of spill stores and loads."""

    registers: int
    stack: int
    spilled: int


def compile_ptx(request: Request) -> str:
    """The kernels in PTX.

    Raises:
        ToolMissing, Refused.
    """
    try:
        nvrtc = import_module("cuda.bindings.nvrtc")
        version = nvrtc.nvrtcVersion()[1:]
    except (ImportError, RuntimeError) as error:
        raise ToolMissing(f"NVRTC is not installed ({error}): {REMEDY}") from error
    if version[0] != 12:
        raise ToolMissing(f"NVRTC {version[0]} does not know compute capability 7.0: {REMEDY}")
    source = read_source(request.phase)
    names = [name.encode() for name in source.headers]
    options = [option.encode() for option in (*source.options, *request.options)]
    _, program = nvrtc.nvrtcCreateProgram(
        source.kernel, source.name.encode(), len(names), list(source.headers.values()), names
    )
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise Refused(f"NVRTC: {status.name}")
    _, length = nvrtc.nvrtcGetPTXSize(program)
    buffer = bytearray(length)
    nvrtc.nvrtcGetPTX(program, buffer)
    return buffer.rstrip(b"\0").decode()


def usages(ptx: str, capability: tuple[int, int]) -> dict[str, Usage]:
    """What each kernel of a PTX module takes on a device.

    Raises:
        ToolMissing, Refused.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "kernels.ptx"
        path.write_text(ptx, encoding="utf-8")
        command = [_ptxas(), f"-arch=sm_{capability[0]}{capability[1]}", "-v", "-o", f"{name}/kernels.cubin"]
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"ptxas ended with exit status {done.returncode}: {done.stderr.strip()}")
    _, *parts = FUNCTION.split(done.stderr)
    return {kernel: _usage(text) for kernel, text in zip(parts[::2], parts[1::2], strict=True)}


def _usage(text: str) -> Usage:
    frame, registers = FRAME.search(text), REGISTERS.search(text)
    if frame is None or registers is None:
        raise Refused(f"ptxas does not say what a kernel takes: {text}")
    stack, stores, loads = (int(number) for number in frame.groups())
    return Usage(int(registers[1]), stack, stores + loads)


def _ptxas() -> str:
    """The ptxas of the CUDA 12 package: the one on the path may be too new for compute capability 7.0."""
    found = find_spec("nvidia.cuda_nvcc") if find_spec("nvidia") else None
    for folder in (found.submodule_search_locations or ()) if found else ():
        if (tool := Path(folder) / "bin" / "ptxas").is_file():
            return str(tool)
    raise ToolMissing(f"ptxas of CUDA 12 is not installed: {REMEDY}")
