"""The CUDA C++ kernels: their source, the cache of what is compiled, refusals, real compilers if any."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any, get_args

import pytest

from benchmarks.cuda_compile import CARDS, H200, V100, Card
from benchmarks.lab_items.nvrtc import GEOMETRIES, KERNELS, PRECISIONS
from benchmarks.lab_items.ptxas import (
    LOOSE,
    ToolMissing,
    compile_ptx,
    usages,
)
from hybrid_ai.bounds.backends import cuda_cpp
from hybrid_ai.bounds.backends.cuda_cpp import (
    CacheUnusable,
    CompilationFailed,
    Compiler,
    CompilerMissing,
    Phase,
    Request,
    Source,
    SourceMissing,
    cache_folder,
    compile_kernels,
    nvrtc_compiler,
    read_source,
)
from tests.architecture.sources import ROOT

VOLTA_64 = Request("dense", 64, (7, 0))
INCLUDE = re.compile(rb'^#include "([^"]+)"$', re.MULTILINE)
KERNEL = re.compile(rb"^HYBRID_AI_KERNEL\(\w+, (\w+)[^)]*\)$", re.MULTILINE)
PHASES: tuple[Phase, ...] = get_args(Phase)
CITED = re.compile(r"docs/theory/([a-z0-9-]+)\.md")


@dataclass
class FakeCompiler:
    """Gives the options back, and counts how often it was asked."""

    asked: list[Sequence[str]] = field(default_factory=list)

    def __call__(self, source: Source, options: Sequence[str]) -> bytes:
        self.asked.append(options)
        return b"cubin of " + " ".join(options).encode()


@pytest.mark.parametrize("phase", PHASES)
def test_the_source_holds_every_header_that_it_includes(phase: Phase) -> None:
    source = read_source(phase)
    texts = (source.kernel, *source.headers.values())
    included = {name.decode() for text in texts for name in INCLUDE.findall(text)}
    assert included <= set(source.headers)
    assert "--fmad=false" in source.options


def test_the_kernels_are_those_of_the_specification() -> None:
    for phase in PHASES:
        entry = tomllib.loads((ROOT / "kernels" / "spec" / f"{KERNELS[phase]}.toml").read_text("utf-8"))
        found = [name.decode() for name in KERNEL.findall(read_source(phase).kernel)]
        assert found and sorted(found) == entry["sources"]["cuda_cpp"]


def test_what_claims_soundness_cites_pages_that_exist() -> None:
    texts = {path: path.read_text("utf-8") for path in (ROOT / "kernels" / "include").rglob("*.hpp")}
    for path, text in texts.items():
        cited = set(CITED.findall(text))
        assert all((ROOT / "docs" / "theory" / f"{name}.md").is_file() for name in cited), path
        assert cited or "Sound because:" not in text or path.name == "platform.hpp", path


def test_a_compiled_kernel_is_found_again(tmp_path: Path) -> None:
    fake = FakeCompiler()
    compiler = Compiler((12, 9), fake)
    first = compile_kernels(VOLTA_64, compiler, tmp_path / "new" / "folder")
    assert compile_kernels(VOLTA_64, compiler, tmp_path / "new" / "folder") == first
    assert len(fake.asked) == 1
    assert "--gpu-architecture=sm_70" in fake.asked[0] and "-DHYBRID_AI_WIDTH=64" in fake.asked[0]
    assert [path.suffix for path in (tmp_path / "new" / "folder").iterdir()] == [".cubin"]


def variants() -> Iterator[tuple[Request, tuple[int, int], Source]]:
    source = read_source("dense")
    name, text = next(iter(source.headers.items()))
    yield Request("dense", 60, (7, 0)), (12, 9), source
    yield Request("dense", 64, (9, 0)), (12, 9), source
    yield VOLTA_64, (12, 8), source
    yield VOLTA_64, (12, 9), replace(source, name="other.cu")
    yield VOLTA_64, (12, 9), replace(source, kernel=source.kernel + b"\n")
    yield VOLTA_64, (12, 9), replace(source, options=(*source.options, "--std=c++20"))
    yield VOLTA_64, (12, 9), replace(source, headers=MappingProxyType({**source.headers, name: text + b"\n"}))
    renamed = {f"{name}x" if key == name else key: value for key, value in source.headers.items()}
    yield VOLTA_64, (12, 9), replace(source, headers=MappingProxyType(renamed))


def test_whatever_changes_is_compiled_anew(tmp_path: Path) -> None:
    fake = FakeCompiler()
    compile_kernels(VOLTA_64, Compiler((12, 9), fake), tmp_path)
    for count, (request, version, source) in enumerate(variants(), start=2):
        compile_kernels(request, Compiler(version, fake), tmp_path, source)
        assert len(fake.asked) == count


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"x" + data[1:]])
def test_a_damaged_kernel_is_compiled_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    fake = FakeCompiler()
    first = compile_kernels(VOLTA_64, Compiler((12, 9), fake), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert compile_kernels(VOLTA_64, Compiler((12, 9), fake), tmp_path) == first
    assert len(fake.asked) == 2


def test_a_failed_compilation_leaves_nothing(tmp_path: Path) -> None:
    def fail(source: Source, options: Sequence[str]) -> bytes:
        raise CompilationFailed("no")

    with pytest.raises(CompilationFailed):
        compile_kernels(VOLTA_64, Compiler((12, 9), fail), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CacheUnusable, match="No space left on device: set XDG_CACHE_HOME"):
        compile_kernels(VOLTA_64, Compiler((12, 9), FakeCompiler()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheUnusable, match="set XDG_CACHE_HOME to a folder that can be written"):
        compile_kernels(VOLTA_64, Compiler((12, 9), FakeCompiler()), tmp_path / "file")


def test_the_cache_lies_where_caches_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hybrid-ai" / "kernels"


@pytest.mark.parametrize("width", [0, -4, 6, 68])
def test_other_widths_are_refused(width: int) -> None:
    with pytest.raises(ValueError, match="expected a multiple of 4 up to 64"):
        Request("dense", width, (7, 0))


def test_an_installation_without_the_source_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_cpp, "OPTIONS", "other.txt")
    with pytest.raises(SourceMissing, match="reinstall hybrid-ai"):
        read_source("dense")


def fake_nvrtc(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    """Put a module in the place of NVRTC's."""
    module = ModuleType("cuda.bindings.nvrtc")
    vars(module).update(nvrtcResult=SimpleNamespace(NVRTC_SUCCESS="good"), **functions)
    for name in ("cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", module)


def test_without_nvrtc_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.nvrtc", None)
    with pytest.raises(CompilerMissing, match=r"pip install 'hybrid-ai\[cuda12\]'"):
        nvrtc_compiler()

    def no_library() -> None:
        raise RuntimeError("libnvrtc.so.12 not found")

    fake_nvrtc(monkeypatch, nvrtcVersion=no_library)
    with pytest.raises(CompilerMissing, match=r"libnvrtc.so.12 not found"):
        nvrtc_compiler()


def test_what_nvrtc_refuses_is_shown_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log, destroyed = b"error: no such thing\0", []

    def write(_: object, buffer: bytearray) -> tuple[str]:
        buffer[:] = log
        return ("good",)

    fake_nvrtc(
        monkeypatch,
        nvrtcVersion=lambda: ("good", 13, 0),
        nvrtcCreateProgram=lambda *_: ("good", "program"),
        nvrtcCompileProgram=lambda *_: (SimpleNamespace(name="NVRTC_ERROR_COMPILATION"),),
        nvrtcGetProgramLogSize=lambda _: ("good", len(log)),
        nvrtcGetProgramLog=write,
        nvrtcDestroyProgram=destroyed.append,
    )
    compiler = nvrtc_compiler()
    assert compiler.version == (13, 0)
    with pytest.raises(CompilationFailed, match="NVRTC_ERROR_COMPILATION: error: no such thing"):
        compiler.compile(read_source("dense"), VOLTA_64.options)
    assert destroyed == ["program"]


def test_operations_that_may_be_fused_or_flushed_are_seen() -> None:
    good = "add.rn.f32 a; fma.rn.f64 b; div.rn.f32 c; max.f32 d; add.s64 e; mul.wide.s32 f; setp.lt.f32 g;"
    assert LOOSE.findall(good) == []
    for bad in (
        "add.f32",
        "mul.ftz.f32",
        "fma.rm.f32",
        "div.full.f32",
        "div.approx.ftz.f32",
        "setp.lt.ftz.f32",
    ):
        assert len(LOOSE.findall(f"{bad} a, b;")) == 1


def test_blocks_are_counted_by_whichever_runs_out_first() -> None:
    assert V100.blocks_held(64, 128, 1024) == 8  # 16 warps of 4096 registers
    assert V100.blocks_held(64, 129, 1024) == 6  # each quarter of the registers holds 3 warps of 4352
    assert V100.blocks_held(64, 32, 48 * 1024) == 2
    assert V100.blocks_held(64, 32, 48 * 1024 + 16) == 1
    assert H200.blocks_held(64, 32, 56 * 1024) == 4
    assert H200.blocks_held(64, 32, 56 * 1024 + 16) == 3
    assert V100.blocks_held(64, 16, 16) == 32


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_nothing_spills_and_single_precision_leaves_room_for_two_blocks(card: Card, phase: Phase) -> None:
    try:
        ptx = compile_ptx(Request(phase, 64, card.capability))
        found = usages(ptx, card.capability)
    except ToolMissing as error:
        pytest.skip(str(error))
    assert LOOSE.findall(ptx) == []
    for precision in PRECISIONS:
        usage, shape = found[f"{KERNELS[phase]}_{precision}"], GEOMETRIES[phase](64, precision, 10)
        assert usage.spilled == usage.stack == 0
        blocks = card.blocks_held(shape.threads, usage.registers, shape.shared_bytes)
        assert blocks >= (2 if precision == "single" else 1)


def test_nvrtc_compiles_for_both_devices_and_refuses_others(tmp_path: Path) -> None:
    try:
        compiler = nvrtc_compiler()
    except CompilerMissing as error:
        pytest.skip(str(error))
    capabilities = [(7, 0), (9, 0)] if compiler.version[0] == 12 else [(9, 0)]
    for capability in capabilities:
        assert compile_kernels(Request("nodes", 8, capability), compiler, tmp_path)[:4] == b"\x7fELF"
    with pytest.raises(CompilationFailed, match="sm_10"):
        compile_kernels(Request("nodes", 8, (1, 0)), compiler, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(capabilities)
