"""The CUDA C++ kernels, compiled at first use for the device that is there, and kept.

NVRTC compiles the shipped source; neither a host compiler nor a toolkit is needed. A compiled kernel is found
again by the digest of all that it is made of, so a changed source, option, device or compiler never meets an
old one.

Sound because: the options keep each operation a single IEEE one, as the proof assumes and as the kernels are
tested on the host (docs/theory/rounding-of-the-dense-kernels.md).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from hybrid_ai.bounds.backends.cuda_cpp_layout import MOST_WIDTH, STEP

Phase = Literal["dense", "nodes"]  # boxes, every row bounded; nodes of the search, with what is known of them

KERNELS: Mapping[Phase, str] = MappingProxyType({"dense": "dense.cu", "nodes": "nodes.cu"})
OPTIONS = "options.txt"
HEADERS = "hybrid_ai"
PARTS = (("src", (".cu", ".txt")), (f"include/{HEADERS}", (".hpp",)))
DIGEST_BYTES = 32
LOG_END = 2000


class CudaCppError(Exception):
    """The CUDA C++ kernels cannot be had; the message says why and what to do."""


class SourceMissing(CudaCppError):
    """The package lacks the kernels' source."""


class CompilerMissing(CudaCppError):
    """There is no NVRTC."""


class CompilationFailed(CudaCppError):
    """NVRTC refused the source or the device."""


class CacheUnusable(CudaCppError):
    """Compiled kernels cannot be kept."""


@dataclass(frozen=True)
class Source:
    """A phase's source: the file to compile, its headers by the names that include them, the options."""

    name: str
    kernel: bytes
    headers: Mapping[str, bytes]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What is to be compiled: for groups of at most ``width`` elements, for a compute capability (7, 0)."""

    phase: Phase
    width: int
    capability: tuple[int, int]

    def __post_init__(self) -> None:
        if not 0 < self.width <= MOST_WIDTH or self.width % STEP:
            raise ValueError(f"width {self.width}: expected a multiple of {STEP} up to {MOST_WIDTH}")

    @property
    def options(self) -> tuple[str, ...]:
        """The compiler's options beside those of the source."""
        major, minor = self.capability
        return (f"--gpu-architecture=sm_{major}{minor}", f"-DHYBRID_AI_WIDTH={self.width}")


@dataclass(frozen=True)
class Compiler:
    """What makes a cubin.

    Attributes:
        version: major and minor.
        compile: gives the cubin of a source with all options; raises CompilationFailed.
    """

    version: tuple[int, int]
    compile: Callable[[Source, Sequence[str]], bytes]


def read_source(phase: Phase) -> Source:
    """A phase's source: package data where installed, else the folder `kernels` of the repository.

    Args:
        phase: which kernels.

    Raises:
        SourceMissing: there is neither.
    """
    folder = _folder()
    parts = {
        name: {
            part.name: part.read_bytes() for part in folder.joinpath(name).iterdir() if _is_part(part, ends)
        }
        for name, ends in PARTS
    }
    top, name = parts["src"], KERNELS[phase]
    headers = {f"{HEADERS}/{name}": text for name, text in sorted(parts[PARTS[1][0]].items())}
    return Source(name, top[name], MappingProxyType(headers), tuple(top[OPTIONS].decode().split()))


def _is_part(part: Traversable, ends: tuple[str, ...]) -> bool:
    return part.is_file() and part.name.endswith(ends)


def _folder() -> Traversable:
    installed = files("hybrid_ai").joinpath("kernels")
    repository = Path(__file__).resolve().parents[4] / "kernels"
    for folder in (installed, repository):
        if folder.joinpath("src", OPTIONS).is_file():
            return folder
    raise SourceMissing("the source of the CUDA kernels is not in this installation: reinstall hybrid-ai")


def compile_kernels(
    request: Request, compiler: Compiler, folder: Path, source: Source | None = None
) -> bytes:
    """The cubin of the kernels, from the cache where it is there, else compiled and kept.

    Args:
        request: what for.
        compiler: `nvrtc_compiler()`.
        folder: of the cache, made where it does not exist; `cache_folder()`.
        source: the shipped one if None.

    Raises:
        CompilationFailed, CacheUnusable, SourceMissing.
    """
    source = read_source(request.phase) if source is None else source
    options = (*source.options, *request.options)
    path = folder / f"{_digest(source, options, compiler.version)}.cubin"
    kept = _kept(path)
    if kept is not None:
        return kept
    made = compiler.compile(source, options)
    _keep(path, made)
    return made


def cache_folder() -> Path:
    """Where compiled kernels are kept: under XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hybrid-ai" / "kernels"


def _digest(source: Source, options: Sequence[str], version: tuple[int, int]) -> str:
    """Of all that a cubin is made of; lengths keep the parts apart."""
    whole = sha256()
    parts = [
        source.name.encode(),
        source.kernel,
        *(part for name, text in source.headers.items() for part in (name.encode(), text)),
    ]
    for part in (*parts, *(option.encode() for option in options), repr(version).encode()):
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def _kept(path: Path) -> bytes | None:
    """A kept cubin; None where there is none, or one that was damaged."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CacheUnusable(_unusable(path.parent, error)) from error
    made = data[DIGEST_BYTES:]
    return made if sha256(made).digest() == data[:DIGEST_BYTES] else None


def _keep(path: Path, made: bytes) -> None:
    """Write under another name and rename: no reader sees half of it, and of two writers either wins."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".kernel-")
        with open(descriptor, "wb") as stream:
            stream.write(sha256(made).digest() + made)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise CacheUnusable(_unusable(path.parent, error)) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)


def _unusable(folder: Path, error: OSError) -> str:
    return f"{folder}: {error.strerror}: set XDG_CACHE_HOME to a folder that can be written"


def nvrtc_compiler() -> Compiler:
    """The installed NVRTC.

    Raises:
        CompilerMissing: its Python package or its library is not there.
    """
    try:
        nvrtc = import_module("cuda.bindings.nvrtc")
        status, major, minor = nvrtc.nvrtcVersion()
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: the package without its library
        raise CompilerMissing(
            f"NVRTC is not installed ({error}): pip install 'hybrid-ai[cuda12]', or [cuda13] for devices of "
            "compute capability 7.5 or higher"
        ) from error
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CompilerMissing(f"NVRTC does not tell its version ({status}): reinstall it")

    def compile_with_nvrtc(source: Source, options: Sequence[str]) -> bytes:
        return _compile(nvrtc, source, options)

    return Compiler((int(major), int(minor)), compile_with_nvrtc)


def _compile(nvrtc: Any, source: Source, options: Sequence[str]) -> bytes:
    names = [name.encode() for name in source.headers]
    texts = list(source.headers.values())
    good = nvrtc.nvrtcResult.NVRTC_SUCCESS
    status, program = nvrtc.nvrtcCreateProgram(source.kernel, source.name.encode(), len(names), texts, names)
    if status != good:
        raise CompilationFailed(f"NVRTC: {status}")
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        if status != good:
            log = _read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program, good)
            said = log.rstrip(b"\0").decode(errors="replace").strip()[-LOG_END:]
            raise CompilationFailed(
                f"NVRTC with {' '.join(options)}: {status.name}: {said} "
                "(a device of compute capability below 7.5 needs hybrid-ai[cuda12])"
            )
        return _read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program, good)
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def _read(size: Callable[..., Any], get: Callable[..., Any], program: Any, good: Any) -> bytes:
    """What NVRTC writes into a buffer of the size that it names."""
    status, length = size(program)
    buffer = bytearray(length)
    if status == good:
        (status,) = get(program, buffer)
    if status != good:
        raise CompilationFailed(f"NVRTC: {status.name}")
    return bytes(buffer)
